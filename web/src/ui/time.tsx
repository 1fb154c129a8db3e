// Times and lengths for people. One clock ticks for the whole page.
import { useEffect, useState, useSyncExternalStore } from 'react'

let now = Date.now()
const readers = new Set<() => void>()
let ticking: ReturnType<typeof setInterval> | undefined

function subscribe(reader: () => void) {
  readers.add(reader)
  ticking ??= setInterval(() => {
    now = Date.now()
    for (const each of readers) each()
  }, 1_000)
  return () => {
    readers.delete(reader)
    if (readers.size === 0) {
      clearInterval(ticking)
      ticking = undefined
    }
  }
}
/** Milliseconds since 1970, to the second. */
export const useNow = () => useSyncExternalStore(subscribe, () => Math.max(now, 0))

/** What is typed, once it pauses. */
export function usePaused(text: string, after_ms = 250) {
  const [paused, setPaused] = useState(text)
  useEffect(() => {
    const timer = setTimeout(() => setPaused(text), after_ms)
    return () => clearTimeout(timer)
  }, [text, after_ms])
  return paused
}

const relative = new Intl.RelativeTimeFormat('en', { numeric: 'auto', style: 'short' })
// A day of 24 hours wherever one is: these times are read beside logs.
const HOURS = { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' } as const
const full = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short', year: 'numeric', ...HOURS, second: '2-digit', timeZoneName: 'short' })
const day = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short' })
const dayOfYear = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short', year: 'numeric' })
export const clock = new Intl.DateTimeFormat(undefined, HOURS)
/** Where whoever looks is. */
export const zone = Intl.DateTimeFormat().resolvedOptions().timeZone

const UNITS: [Intl.RelativeTimeFormatUnit, number][] = [
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
  ['second', 1],
]

export function away(at: string, from: number): string {
  const apart = Math.round((Date.parse(at) - from) / 1_000)
  // The page's clock is up to a second old: what has just been is not to come.
  const seconds = apart === 1 ? 0 : apart
  const [unit, size] = UNITS.find(([, size]) => Math.abs(seconds) >= size) ?? ['second', 1]
  // Without the dot of the abbreviation: it may stand at the end of a sentence.
  return relative.format(Math.trunc(seconds / size), unit).replace('.', '')
}

/** "3 min. ago", and the full time on pointing. */
export function Ago({ at }: { at: string }) {
  const current = useNow()
  return (
    <time dateTime={at} title={full.format(new Date(at))}>
      {away(at, current)}
    </time>
  )
}

/** "29 Nov, 14:05"; with the year where it is another one. */
export function When({ at }: { at: string }) {
  const date = new Date(at)
  return (
    <time dateTime={at} title={full.format(date)} className="whitespace-nowrap">
      {(date.getFullYear() === new Date().getFullYear() ? day : dayOfYear).format(date)}, {clock.format(date)}
    </time>
  )
}

/** "1:05", "1:02:09" */
export function length(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1_000))
  const two = (n: number) => String(n).padStart(2, '0')
  const minutes = Math.floor(seconds / 60)
  return minutes < 60 ? `${minutes}:${two(seconds % 60)}` : `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(seconds % 60)}`
}

/** How long it has been going on. */
export function Since({ at }: { at: string }) {
  return <span className="num">{length(useNow() - Date.parse(at))}</span>
}

export const milliseconds = (ms: number) => (ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(ms < 10_000 ? 2 : 1)} s`)

export function money(amount: number, currency: string) {
  const digits = amount !== 0 && Math.abs(amount) < 1 ? 4 : 2
  return new Intl.NumberFormat(undefined, { style: 'currency', currency, minimumFractionDigits: 2, maximumFractionDigits: digits }).format(amount)
}
