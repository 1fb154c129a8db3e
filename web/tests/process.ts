// The server as a child of the tests: started on free ports, spoken with over HTTP, killed by its own id.
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createServer } from 'node:net'
import { resolve } from 'node:path'

const target = process.env.CARGO_TARGET_DIR ?? resolve(import.meta.dirname, '../../target')
export const binary = process.env.CALLIE_BINARY ?? resolve(target, 'debug/callie')

export class Callie {
  log = ''
  private readonly child: ChildProcess
  private readonly ended: Promise<void>
  constructor(args: string[], folder: string, env: Record<string, string>) {
    if (!existsSync(binary)) throw new Error(`${binary} is not built: cargo build --package callie-server --bin callie`)
    // Nothing of the developer's own settings gets in.
    const clean = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(CALLIE_|GEMINI_|OPENAI_|FIREBASE_|GOOGLE_)/.test(name)))
    this.child = spawn(binary, args, { cwd: folder, env: { ...clean, ...env } as NodeJS.ProcessEnv, stdio: ['ignore', 'pipe', 'pipe'] })
    const take = (data: Buffer) => {
      this.log += data.toString()
    }
    this.child.stdout?.on('data', take)
    this.child.stderr?.on('data', take)
    this.ended = new Promise((done) => this.child.on('exit', () => done()))
  }

  get pid() {
    return this.child.pid
  }

  /** Waits until it has said this. */
  async says(pattern: RegExp, withinMs: number): Promise<RegExpExecArray> {
    const until = Date.now() + withinMs
    for (;;) {
      const found = pattern.exec(this.log)
      if (found) return found
      if (this.child.exitCode !== null || Date.now() > until) throw new Error(`callie did not say ${pattern}:\n${this.log}`)
      await new Promise((next) => setTimeout(next, 50))
    }
  }

  async stop(signal: NodeJS.Signals = 'SIGINT') {
    this.child.kill(signal)
    await this.ended
  }
}

/** A port that nobody has at present. */
export function freePort(): Promise<number> {
  return new Promise((found, failed) => {
    const server = createServer()
    server.on('error', failed)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => (typeof address === 'object' && address ? found(address.port) : failed(new Error('no port'))))
    })
  })
}
