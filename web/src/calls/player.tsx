// The recording: two tracks, the caller above and the agent below, on one clock with the transcript.
import { Pause, Play, Download } from 'lucide-react'
import { type KeyboardEvent, useEffect, useRef, useState } from 'react'
import type { TurnDocument } from '../api/schema'
import { Button } from '../ui/parts'
import { length } from '../ui/time'
import { type Peaks, readPeaks } from './wav'
import { Turns } from './transcript'

const SPEEDS = [1, 1.25, 1.5, 2]

export function Player({ url, turns, offsetMs, names }: { url: string; turns: TurnDocument[]; offsetMs: number; names: [string, string] }) {
  const audio = useRef<HTMLAudioElement>(null)
  const [peaks, setPeaks] = useState<Peaks>()
  const [trouble, setTrouble] = useState<string>()
  const [atMs, setAtMs] = useState(0)
  const [playing, setPlaying] = useState(false)
  const [speed, setSpeed] = useState(1)
  const durationMs = peaks?.durationMs ?? 0

  useEffect(() => {
    const abort = new AbortController()
    readPeaks(url, abort.signal, setPeaks).then(setPeaks, (error: unknown) => {
      if (!abort.signal.aborted) setTrouble(error instanceof Error ? error.message : String(error))
    })
    return () => abort.abort()
  }, [url])

  useEffect(() => {
    if (!playing) return
    let frame = requestAnimationFrame(function follow() {
      if (audio.current) setAtMs(audio.current.currentTime * 1_000)
      frame = requestAnimationFrame(follow)
    })
    return () => cancelAnimationFrame(frame)
  }, [playing])

  const seek = (ms: number) => {
    const to = Math.min(Math.max(ms, 0), durationMs)
    if (audio.current) audio.current.currentTime = to / 1_000
    setAtMs(to)
  }
  const toggle = () => {
    if (!audio.current) return
    if (audio.current.paused) void audio.current.play()
    else audio.current.pause()
  }
  const onKey = (event: KeyboardEvent) => {
    const step = { ArrowLeft: -5_000, ArrowDown: -5_000, ArrowRight: 5_000, ArrowUp: 5_000, PageUp: 30_000, PageDown: -30_000 }[event.key]
    if (step !== undefined) seek(atMs + step)
    else if (event.key === 'Home') seek(0)
    else if (event.key === 'End') seek(durationMs)
    else if (event.key === ' ') toggle()
    else return
    event.preventDefault()
  }
  if (trouble) return <p className="px-4 py-4 text-sm text-dim">The recording is not there any more: {trouble}</p>
  return (
    <div>
      {/* The transcript stands below. */}
      <audio
        ref={audio}
        src={url}
        preload="metadata"
        onPlay={() => setPlaying(true)}
        onPause={() => setPlaying(false)}
        onEnded={() => setPlaying(false)}
      />
      <div className="px-4 pt-1 pb-3">
        <div
          role="slider"
          tabIndex={0}
          aria-label="Position in the recording"
          aria-valuemin={0}
          aria-valuemax={Math.round(durationMs / 1_000)}
          aria-valuenow={Math.round(atMs / 1_000)}
          aria-valuetext={`${length(atMs)} of ${length(durationMs)}`}
          className="relative cursor-pointer touch-none select-none"
          onKeyDown={onKey}
          onPointerDown={(event) => {
            event.currentTarget.setPointerCapture(event.pointerId)
            seekTo(event.currentTarget, event.clientX, durationMs, seek)
          }}
          onPointerMove={(event) => event.buttons === 1 && seekTo(event.currentTarget, event.clientX, durationMs, seek)}
        >
          <Track name={names[0]} values={peaks?.tracks[0]} color="--caller" />
          <Track name={names[1]} values={peaks?.tracks[1]} color="--accent" />
          {durationMs > 0 && (
            <div
              aria-hidden
              className="pointer-events-none absolute inset-y-0 w-0.5 -translate-x-px rounded bg-ink"
              style={{ left: `${(atMs / durationMs) * 100}%` }}
            />
          )}
        </div>
        <div className="mt-2.5 flex flex-wrap items-center gap-2.5">
          <Button look="main" onClick={toggle} disabled={durationMs === 0} aria-label={playing ? 'Pause' : 'Play the recording'}>
            {playing ? <Pause aria-hidden /> : <Play aria-hidden />}
            {playing ? 'Pause' : 'Play'}
          </Button>
          <span className="num text-sm text-dim" data-testid="position">
            {length(atMs)} / {length(durationMs)}
          </span>
          <span className="flex-1" />
          <Button
            small
            aria-label={`Speed ${speed}, change`}
            onClick={() => {
              const next = SPEEDS[(SPEEDS.indexOf(speed) + 1) % SPEEDS.length] ?? 1
              if (audio.current) audio.current.playbackRate = next
              setSpeed(next)
            }}
          >
            {speed}×
          </Button>
          <Button small asChild>
            <a href={url} download>
              <Download aria-hidden /> WAV
            </a>
          </Button>
        </div>
      </div>
      <div className="border-t border-line">
        <Turns turns={turns} names={names} atMs={playing || atMs > 0 ? atMs + offsetMs : undefined} onPick={(turn) => seek(turn.started_ms - offsetMs)} />
      </div>
    </div>
  )
}

function seekTo(element: HTMLElement, clientX: number, durationMs: number, seek: (ms: number) => void) {
  const box = element.getBoundingClientRect()
  seek(((clientX - box.left) / box.width) * durationMs)
}

function Track({ values, color, name }: { values: number[] | undefined; color: string; name: string }) {
  const canvas = useRef<HTMLCanvasElement>(null)
  useEffect(() => {
    const element = canvas.current
    if (!element) return
    const draw = () => paint(element, values ?? [])
    draw()
    const resized = new ResizeObserver(draw)
    resized.observe(element)
    // Another theme has other colours.
    const themed = new MutationObserver(() => requestAnimationFrame(draw))
    themed.observe(document.documentElement, { attributes: true, attributeFilter: ['data-theme'] })
    const system = matchMedia('(prefers-color-scheme: dark)')
    // The styles follow a moment later.
    const drawSoon = () => requestAnimationFrame(draw)
    system.addEventListener('change', drawSoon)
    return () => {
      resized.disconnect()
      themed.disconnect()
      system.removeEventListener('change', drawSoon)
    }
  }, [values])
  return (
    <div className="border-b border-line pt-1 last-of-type:border-b-0">
      <span className="block truncate text-2xs font-medium text-dim">{name}</span>
      <canvas ref={canvas} aria-hidden className="block h-14 w-full" style={{ color: `var(${color})` }} />
    </div>
  )
}

function paint(canvas: HTMLCanvasElement, values: number[]) {
  const scale = devicePixelRatio || 1
  const { clientWidth: width, clientHeight: height } = canvas
  canvas.width = width * scale
  canvas.height = height * scale
  const pen = canvas.getContext('2d')
  if (!pen || values.length === 0) return
  pen.scale(scale, scale)
  pen.fillStyle = getComputedStyle(canvas).color
  const bar = 3
  const count = Math.floor(width / bar)
  for (let n = 0; n < count; n++) {
    const from = Math.floor((n / count) * values.length)
    const until = Math.max(from + 1, Math.floor(((n + 1) / count) * values.length))
    let peak = 0
    for (let at = from; at < until; at++) peak = Math.max(peak, values[at] ?? 0)
    // The ear hears ratios: quiet speech is to be seen, too.
    const tall = Math.max(1.5, Math.pow(peak, 0.6) * (height - 6))
    pen.beginPath()
    pen.roundRect(n * bar, (height - tall) / 2, bar - 1, tall, 1)
    pen.fill()
  }
}
