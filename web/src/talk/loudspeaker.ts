// Plays PCM that comes over a WebSocket, without gaps: each piece begins where the one before ends.
import { socketUrl } from '../api/client'

/** So much is kept in hand against a network that stutters. */
const CUSHION_S = 0.08

/** 16-bit little-endian samples into an AudioContext. */
export class Playout {
  private readonly context: AudioContext
  private next = 0
  constructor(context: AudioContext) {
    this.context = context
  }

  play(pcm: ArrayBuffer, rate: number, channels: number) {
    const samples = new Int16Array(pcm, 0, Math.floor(pcm.byteLength / 2))
    const frames = Math.floor(samples.length / channels)
    if (frames === 0) return
    const buffer = this.context.createBuffer(channels, frames, rate)
    for (let channel = 0; channel < channels; channel++) {
      const data = buffer.getChannelData(channel)
      for (let at = 0; at < frames; at++) data[at] = (samples[at * channels + channel] ?? 0) / 32_768
    }
    const source = this.context.createBufferSource()
    source.buffer = buffer
    source.connect(this.context.destination)
    if (this.next < this.context.currentTime) this.next = this.context.currentTime + CUSHION_S
    source.start(this.next)
    this.next += buffer.duration
  }

  /** Seconds that are still to be heard. */
  get ahead() {
    return Math.max(0, this.next - this.context.currentTime)
  }
}

/** Listens in. */
export class Loudspeaker {
  private readonly context = new AudioContext()
  private readonly socket: WebSocket
  private rate = 8_000
  private channels = 2
  constructor(path: string, onEnd: () => void) {
    const playout = new Playout(this.context)
    this.socket = new WebSocket(socketUrl(path))
    this.socket.binaryType = 'arraybuffer'
    this.socket.onmessage = ({ data }: MessageEvent<ArrayBuffer | string>) => {
      if (typeof data === 'string') {
        const told = JSON.parse(data) as { sample_rate?: number; channels?: string[] }
        this.rate = told.sample_rate ?? this.rate
        this.channels = told.channels?.length ?? this.channels
      } else playout.play(data, this.rate, this.channels)
    }
    this.socket.onclose = onEnd
  }
  close() {
    this.socket.onclose = null
    this.socket.close()
    void this.context.close()
  }
}
