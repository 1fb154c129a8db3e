// A conversation with a user's agent over a WebSocket: the microphone up, the agent's voice down, events beside them.
import { socketUrl } from '../api/client'
import { Playout } from './loudspeaker'

/** A text frame of the server. */
export interface TalkMessage {
  type?: string
  event?: string
  call_id?: string
  sample_rate?: number
  [detail: string]: unknown
}

export interface Listener {
  onMessage: (message: TalkMessage) => void
  /** Loudness of the microphone, 0 to 1, for each 20 ms. */
  onLevel: (level: number) => void
  onEnd: (why: string) => void
}

export class Conversation {
  private readonly context = new AudioContext({ latencyHint: 'interactive' })
  private socket: WebSocket | undefined
  private microphone: MediaStream | undefined
  private worklet: AudioWorkletNode | undefined
  private ended = false
  private rate = 16_000
  private readonly listener: Listener

  constructor(listener: Listener) {
    this.listener = listener
  }

  /** Resolves when the microphone is open; a refusal is an error with words for people. */
  async start(path: string) {
    if (!navigator.mediaDevices?.getUserMedia) throw new Error('The browser gives the microphone to pages over HTTPS or on localhost only.')
    try {
      this.microphone = await navigator.mediaDevices.getUserMedia({
        audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: 1 },
      })
    } catch (error) {
      const refused = error instanceof DOMException && error.name === 'NotAllowedError'
      throw new Error(refused ? 'The browser was told not to give the microphone. Allow it beside the address, and try again.' : 'There is no microphone that could be opened.')
    }
    await this.context.audioWorklet.addModule(new URL('./capture.js', import.meta.url).href)
    await this.context.resume()
    if (this.ended) return this.close()
    const playout = new Playout(this.context)
    const socket = new WebSocket(socketUrl(path))
    socket.binaryType = 'arraybuffer'
    this.socket = socket
    this.worklet = new AudioWorkletNode(this.context, 'capture', { numberOfOutputs: 0 })
    this.context.createMediaStreamSource(this.microphone).connect(this.worklet)
    this.worklet.port.onmessage = ({ data }: MessageEvent<ArrayBuffer>) => {
      this.listener.onLevel(loudness(new Int16Array(data)))
      if (socket.readyState === WebSocket.OPEN && socket.bufferedAmount < 64_000) socket.send(data)
    }
    socket.onmessage = ({ data }: MessageEvent<ArrayBuffer | string>) => {
      if (typeof data !== 'string') {
        playout.play(data, this.rate, 1)
        return
      }
      const message = JSON.parse(data) as TalkMessage
      if (typeof message.sample_rate === 'number') this.rate = message.sample_rate
      this.listener.onMessage(message)
    }
    socket.onclose = ({ code, reason }) => {
      const why = code === 1000 || code === 1005 ? '' : reason || `The connection broke (${code}).`
      // The goodbye is heard to its end.
      setTimeout(() => this.close(why), playout.ahead * 1_000)
    }
  }

  mute(on: boolean) {
    this.worklet?.port.postMessage(on ? 'mute' : 'open')
  }

  close(why = '') {
    if (this.ended) return
    this.ended = true
    if (this.socket) {
      this.socket.onclose = null
      this.socket.close(1000)
    }
    for (const track of this.microphone?.getTracks() ?? []) track.stop()
    void this.context.close()
    this.listener.onEnd(why)
  }
}

function loudness(samples: Int16Array) {
  let sum = 0
  for (const sample of samples) sum += sample * sample
  return Math.min(1, Math.sqrt(sum / samples.length) / 8_000)
}
