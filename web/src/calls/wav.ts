// A stereo WAV as it streams in: its loudness over time for two tracks, without keeping the samples.

/** Loudest sample of each window, 0 to 1, by track. */
export interface Peaks {
  tracks: [number[], number[]]
  windowMs: number
  durationMs: number
}

const WINDOW_MS = 40

export async function readPeaks(url: string, signal: AbortSignal, onProgress: (peaks: Peaks) => void): Promise<Peaks> {
  const response = await fetch(url, { signal })
  if (!response.ok || !response.body) throw new Error(`the recording cannot be read: ${response.status}`)
  const reader = response.body.getReader()
  let header: Header | undefined
  let rest = new Uint8Array(0)
  const peaks: Peaks = { tracks: [[], []], windowMs: WINDOW_MS, durationMs: 0 }
  const highest = [0, 0]
  let inWindow = 0
  let frames = 0
  let shownAt = 0
  for (;;) {
    const { done, value } = await reader.read()
    if (done) break
    let bytes = join(rest, value)
    if (!header) {
      header = parseHeader(bytes)
      if (!header) {
        rest = bytes
        continue
      }
      bytes = bytes.subarray(header.dataAt)
    }
    const frameBytes = header.channels * 2
    const whole = bytes.length - (bytes.length % frameBytes)
    const view = new DataView(bytes.buffer, bytes.byteOffset, whole)
    const perWindow = Math.max(1, Math.round((header.rate * WINDOW_MS) / 1_000))
    for (let at = 0; at < whole; at += frameBytes) {
      for (let track = 0; track < 2; track++) {
        const sample = Math.abs(view.getInt16(at + (header.channels > 1 ? track * 2 : 0), true)) / 32_768
        if (sample > (highest[track] ?? 0)) highest[track] = sample
      }
      frames++
      if (++inWindow === perWindow) {
        peaks.tracks[0].push(highest[0] ?? 0)
        peaks.tracks[1].push(highest[1] ?? 0)
        highest.fill(0)
        inWindow = 0
      }
    }
    rest = bytes.slice(whole)
    peaks.durationMs = (frames / header.rate) * 1_000
    if (frames - shownAt > header.rate * 60) {
      shownAt = frames
      onProgress({ ...peaks })
    }
  }
  return peaks
}

interface Header {
  rate: number
  channels: number
  dataAt: number
}

/** Looks for `fmt ` and `data`; nothing while they have not come. */
function parseHeader(bytes: Uint8Array): Header | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const name = (at: number) => String.fromCharCode(...bytes.subarray(at, at + 4))
  let at = 12
  let rate = 8_000
  let channels = 2
  while (at + 8 <= bytes.length) {
    const size = view.getUint32(at + 4, true)
    if (name(at) === 'data') return { rate, channels, dataAt: at + 8 }
    if (name(at) === 'fmt ' && at + 16 <= bytes.length) {
      channels = view.getUint16(at + 10, true)
      rate = view.getUint32(at + 12, true)
    }
    at += 8 + size + (size % 2)
  }
  return undefined
}

function join(first: Uint8Array, second: Uint8Array) {
  const both = new Uint8Array(first.length + second.length)
  both.set(first)
  both.set(second, first.length)
  return both
}
