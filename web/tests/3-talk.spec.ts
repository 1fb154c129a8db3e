// Somebody talks to the agent through the browser's microphone, which hears what Maria said in the demo's call, and is answered.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium as browsers } from '@playwright/test'
import { chromium, sandbox } from '../playwright.config'
import { expect, isAccessible, json, server, test } from './dashboard'

const folder = mkdtempSync(join(tmpdir(), 'callie-talk-'))
test.afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** The left track of a stereo recording at 8 kHz: what the other side said, and when. */
async function left(url: string): Promise<Buffer> {
  const stereo = Buffer.from(await (await fetch(url)).arrayBuffer()).subarray(44)
  const frames = Math.floor(stereo.length / 4)
  const wav = Buffer.alloc(44 + frames * 2)
  wav.write('RIFF', 0)
  wav.writeUInt32LE(36 + frames * 2, 4)
  wav.write('WAVEfmt ', 8)
  wav.writeUInt32LE(16, 16)
  wav.writeUInt16LE(1, 20)
  wav.writeUInt16LE(1, 22)
  wav.writeUInt32LE(8_000, 24)
  wav.writeUInt32LE(16_000, 28)
  wav.writeUInt16LE(2, 32)
  wav.writeUInt16LE(16, 34)
  wav.write('data', 36)
  wav.writeUInt32LE(frames * 2, 40)
  for (let frame = 0; frame < frames; frame++) wav.writeInt16LE(stereo.readInt16LE(frame * 4), 44 + frame * 2)
  return wav
}

test('the agent greets, hears the microphone, and answers', async () => {
  test.setTimeout(120_000)
  const { calls } = await json<{ calls: { from: string; recording_url: string }[] }>('/calls?user_id=alice&direction=inbound')
  const maria = calls.find((call) => call.from.startsWith('maria'))
  const voice = join(folder, 'maria.wav')
  writeFileSync(voice, await left(server() + maria?.recording_url))
  const browser = await browsers.launch({
    executablePath: chromium,
    args: [
      ...sandbox,
      '--use-fake-ui-for-media-stream',
      '--use-fake-device-for-media-stream',
      `--use-file-for-fake-audio-capture=${voice}%noloop`,
      '--autoplay-policy=no-user-gesture-required',
    ],
  })
  try {
    const context = await browser.newContext({ baseURL: server(), permissions: ['microphone'] })
    const page = await context.newPage()
    await page.goto('/dashboard/users/alice?tab=talk')
    await page.getByRole('button', { name: 'Start talking' }).click()
    const transcript = page.getByRole('list', { name: 'Transcript' })
    await expect(transcript).toContainText("Alice's AI assistant", { timeout: 20_000 })
    await isAccessible(page, 'the page to talk')
    // The answer, with how long it took.
    await expect(page.getByRole('list', { name: 'Latency of each answer' }).getByRole('listitem').first()).toBeVisible({ timeout: 40_000 })
    await expect(transcript.getByText(/answered after/).first()).toBeVisible()
    await page.getByRole('button', { name: 'End' }).click()
    await page.getByRole('link', { name: 'The call, with its recording' }).click()
    await expect(page.getByRole('heading', { name: 'Recording and transcript' })).toBeVisible()
  } finally {
    await browser.close()
  }
})
