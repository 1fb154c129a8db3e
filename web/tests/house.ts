// A server of a test's own, empty at first, on free ports; and the way in with a key.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, type Page } from '@playwright/test'
import { Callie, freePort } from './process'

export interface House {
  base: string
  ask: <T>(path: string, init?: RequestInit, key?: string) => Promise<T>
  close: () => Promise<void>
}

export async function house(env: Record<string, string> = {}): Promise<House> {
  const folder = mkdtempSync(join(tmpdir(), 'callie-house-'))
  const port = await freePort()
  const base = `http://127.0.0.1:${port}`
  const callie = new Callie(['serve'], folder, { CALLIE_DATA_DIR: folder, CALLIE_HTTP_LISTEN: `127.0.0.1:${port}`, CALLIE_SIP_LISTEN: '127.0.0.1:0', ...env })
  await expect.poll(async () => fetch(`${base}/health/live`).then((answer) => answer.ok, () => false), { timeout: 30_000 }).toBe(true)
  return {
    base,
    ask: (path, init, key) => asked(base + path, init, key),
    close: async () => {
      await callie.stop('SIGKILL')
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

export async function asked<T>(url: string, init: RequestInit = {}, key?: string): Promise<T> {
  const response = await fetch(url, { ...init, headers: key ? { authorization: `Bearer ${key}` } : {} })
  if (!response.ok) throw new Error(`${url}: ${response.status} ${await response.text()}`)
  const text = await response.text()
  return (text ? JSON.parse(text) : undefined) as T
}

export const post = (body: unknown): RequestInit => ({ method: 'POST', body: JSON.stringify(body) })

export async function logIn(page: Page, base: string, key: string) {
  await page.goto(`${base}/dashboard/`)
  await page.getByLabel('API key').fill(key)
  await page.getByRole('button', { name: 'Log in' }).click()
  await expect(page.getByRole('navigation', { name: 'Main', exact: true })).toBeVisible()
}
