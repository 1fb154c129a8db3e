// The world of the tests: `callie demo --keep`, with its carrier, two registered users and three calls that were.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Callie } from './process'

/** The demo plays whole calls before it says so. */
const WITHIN_MS = 150_000

export default async function world() {
  // A world that is up already, while one works on the tests.
  if (process.env.CALLIE_WORLD && process.env.CALLIE_CARRIER) return undefined
  const folder = mkdtempSync(join(tmpdir(), 'callie-web-'))
  // The recogniser's weights are looked for in the working folder.
  const demo = new Callie(['demo', '--keep'], join(import.meta.dirname, '../..'), { TMPDIR: folder })
  await demo.says(/Still running until Ctrl-C/, WITHIN_MS)
  const server = /server\s+(http:\/\/\S+)/.exec(demo.log)?.[1]
  const carrier = /carrier\s+sip:(\S+)/.exec(demo.log)?.[1]
  if (!server || !carrier) throw new Error(`the demo does not say where it is:\n${demo.log}`)
  process.env.CALLIE_WORLD = server
  process.env.CALLIE_CARRIER = carrier
  return async () => {
    await demo.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}
