// The microphone as 16-bit samples at 16 kHz, 20 ms a piece: what the agent hears in a call.
// Runs on the audio thread; the context has whatever rate the machine has.
const OUT_RATE = 16_000
const FRAME = OUT_RATE / 50

class Capture extends AudioWorkletProcessor {
  frame = new Int16Array(FRAME)
  filled = 0
  /** Where the next output sample begins, in input samples, from the start of `sum`. */
  sum = 0
  count = 0
  phase = 0
  muted = false

  constructor() {
    super()
    this.port.onmessage = ({ data }) => {
      this.muted = data === 'mute'
    }
  }

  process([input]) {
    const samples = input?.[0]
    if (!samples) return true
    const step = sampleRate / OUT_RATE
    for (const sample of samples) {
      // The mean of the input samples that fall on one output sample: a plain low-pass, enough for speech.
      this.sum += sample
      this.count++
      this.phase++
      if (this.phase >= step) {
        this.phase -= step
        const mean = this.muted ? 0 : this.sum / this.count
        this.sum = 0
        this.count = 0
        this.frame[this.filled++] = Math.max(-32_768, Math.min(32_767, Math.round(mean * 32_767)))
        if (this.filled === FRAME) {
          const whole = this.frame
          this.frame = new Int16Array(FRAME)
          this.filled = 0
          this.port.postMessage(whole.buffer, [whole.buffer])
        }
      }
    }
    return true
  }
}

registerProcessor('capture', Capture)
