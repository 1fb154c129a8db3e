// A second world, whose agents are Gemini's stand-in and whose door is closed: what each role sees and may do, hints that are heeded,
// keys that end.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Page } from '@playwright/test'
import { expect, isAccessible, test } from './dashboard'
import { asked, logIn, post } from './house'
import { Callie } from './process'

test.describe.configure({ mode: 'serial' })

let folder: string
let demo: Callie
let base: string
const keys = { admin: '', operator: '', alice: '' }
const ask = <T>(path: string, init?: RequestInit, key = keys.admin) => asked<T>(base + path, init, key)

test.beforeAll(async () => {
  test.setTimeout(180_000)
  folder = mkdtempSync(join(tmpdir(), 'callie-roles-'))
  demo = new Callie(['demo', '--keep', '--engine', 'gemini'], join(import.meta.dirname, '../..'), { TMPDIR: folder })
  await demo.says(/Still running until Ctrl-C/, 150_000)
  base = /server\s+(http:\/\/\S+)/.exec(demo.log)?.[1] ?? ''
  const carrier = /carrier\s+sip:(\S+)/.exec(demo.log)?.[1]
  await ask('/users', post({ user_id: 'softphone', display_name: 'Sophie Phone', sip_username: 'softphone', sip_password: 'softphone', sip_server: carrier, ai: { engine: 'local' } }))
  await ask('/users/softphone/sip/connect', post({}))
  keys.admin = (await ask<{ key: string }>('/keys', post({ name: 'head', role: 'admin' }))).key
  keys.operator = (await ask<{ key: string }>('/keys', post({ name: 'desk', role: 'operator' }))).key
  keys.alice = (await ask<{ key: string }>('/keys', post({ name: 'alice herself', role: 'user', user_id: 'alice' }))).key
})
test.afterAll(async () => {
  await demo?.stop()
  rmSync(folder, { recursive: true, force: true })
})

const open = async (page: Page, path: string, heading: string | RegExp) => {
  await page.goto(`${base}/dashboard${path}`)
  await expect(page.getByRole('heading', { level: 1, name: heading })).toBeVisible()
}
const dial = async (number: string) => (await ask<{ call_id: string }>('/users/alice/call', post({ number }))).call_id

test('who is in for one user sees that one, is offered what it may do, and is told so at the address of others', async ({ page }) => {
  await logIn(page, base, keys.alice)
  await expect(page.getByText('alice herself')).toBeVisible()
  await expect(page.getByTestId('figure-Users')).toHaveText('1')
  await expect(page.getByRole('link', { name: 'New user' })).toHaveCount(0)
  await expect(page.getByRole('heading', { name: 'Engines' })).toHaveCount(0)
  await isAccessible(page, "one user's overview")

  await open(page, '/users', 'Users')
  await expect(page.getByText('Alice Johnson')).toBeVisible()
  await expect(page.getByText('Bob Miller')).toHaveCount(0)
  await expect(page.getByRole('link', { name: 'New user' })).toHaveCount(0)
  await page.getByRole('button', { name: 'What to do with Alice Johnson' }).click()
  await expect(page.getByRole('menuitem', { name: 'Disconnect the line' })).toBeVisible()
  await expect(page.getByRole('menuitem', { name: 'Delete…' })).toHaveCount(0)
  await page.keyboard.press('Escape')

  await open(page, '/users/alice?tab=limits', 'Alice Johnson')
  await expect(page.getByText('Operators set them.')).toBeVisible()
  await expect(page.getByLabel('Calls an hour')).toBeDisabled()
  await expect(page.getByRole('tab', { name: 'Keys' })).toHaveCount(0)
  await open(page, '/calls', 'Calls')
  await expect(page.getByRole('row').nth(1)).toContainText('maria')
  await expect(page.getByLabel('User', { exact: true })).toHaveCount(0)
  await open(page, '/analytics', 'Analytics')
  await expect(page.getByLabel('Whose calls')).toHaveCount(0)
  await expect(page.getByTestId('figure-Calls')).toHaveText('1')
  await open(page, '/settings?tab=audit', 'Settings')
  await expect(page.getByRole('tab')).toHaveText(['Webhook deliveries'])

  // What is another's is there for nobody: the page says so, and leads back.
  for (const path of ['/users/bob', '/users/nobody', '/users/bob?tab=privacy']) {
    await open(page, path, 'There is no such user')
    await expect(page.getByText('it is not yours to see')).toBeVisible()
    await isAccessible(page, 'a user that is not there')
  }
  await page.getByRole('link', { name: 'All users' }).click()
  await expect(page.getByRole('heading', { level: 1, name: 'Users' })).toBeVisible()
  await open(page, '/users/new', 'This is not for you')
  const { calls } = await ask<{ calls: { id: string; user_id: string }[] }>('/calls')
  const own = calls.find((call) => call.user_id === 'alice')
  await open(page, `/calls/${own?.id}`, 'maria')
  const foreign = await dial('softphone')
  await expect.poll(async () => (await ask<{ calls: { user_id: string; id: string }[] }>('/calls/active')).calls.find((call) => call.user_id === 'softphone')?.id).toBeTruthy()
  const theirs = (await ask<{ calls: { user_id: string; id: string }[] }>('/calls/active')).calls.find((call) => call.user_id === 'softphone')
  await open(page, `/calls/${theirs?.id}`, 'There is no such call')
  await fetch(`${base}/calls/${foreign}/hangup`, { method: 'POST', headers: { authorization: `Bearer ${keys.admin}` } })
})

test('what one user may change it changes, and what it may not is refused in place', async ({ page }) => {
  await logIn(page, base, keys.alice)
  await open(page, '/users/alice?tab=persona', 'Alice Johnson')
  await page.getByLabel('Instructions').fill('Be brief.')
  await page.getByRole('button', { name: 'Save' }).click()
  await expect(page.getByText('Saved.')).toBeVisible()
  // The role changes on the server while the page is open: the button is still there, the server is asked.
  await page.route('**/users/alice', (route) =>
    route.request().method() === 'PUT' ? route.fulfill({ status: 403, contentType: 'application/problem+json', body: '{"title": "Forbidden", "detail": "this is for operators and admins, and you are let in as user alice"}' }) : route.continue(),
  )
  await page.getByLabel('Instructions').fill('Be briefer.')
  await page.getByRole('button', { name: 'Save' }).click()
  await expect(page.getByRole('alert').filter({ hasText: 'this is for operators and admins' })).toBeVisible()
  await expect(page.getByLabel('Instructions')).toHaveValue('Be briefer.')
})

test('an operator sees all users and the server, and neither keys nor audit', async ({ page }) => {
  await logIn(page, base, keys.operator)
  await expect(page.getByTestId('figure-Users')).toHaveText('3')
  await expect(page.getByRole('heading', { name: 'Engines' })).toBeVisible()
  await open(page, '/users', 'Users')
  await expect(page.getByText('Bob Miller')).toBeVisible()
  await expect(page.getByRole('link', { name: 'New user' })).toBeVisible()
  await page.getByRole('button', { name: 'What to do with Bob Miller' }).click()
  await expect(page.getByRole('menuitem', { name: 'Delete…' })).toBeVisible()
  await page.keyboard.press('Escape')
  await open(page, '/users/alice?tab=limits', 'Alice Johnson')
  await page.getByLabel('Calls an hour').fill('50')
  await page.getByRole('button', { name: 'Save' }).click()
  await expect(page.getByText('Saved.')).toBeVisible()
  await expect(page.getByRole('tab', { name: 'Keys' })).toHaveCount(0)
  for (const tab of ['keys', 'audit', 'server']) {
    await open(page, `/settings?tab=${tab}`, 'Settings')
    await expect(page.getByRole('tab')).toHaveText(['Server', 'Webhook deliveries'])
    await expect(page.getByText('the embedded database')).toBeVisible()
  }
  await isAccessible(page, "an operator's settings")
})

test('a hint is taken, and the agent heeds it: the caller hears what it would not have heard', async ({ page }) => {
  await logIn(page, base, keys.operator)
  // Somebody who says nothing: the line sends silence where a browser gives none.
  const telephone = await page.context().newPage()
  await telephone.goto(`${base}/dashboard/`)
  const call = await telephone.evaluate(
    () =>
      new Promise<string>((begun, failed) => {
        const line = new WebSocket(`${location.origin.replace('http', 'ws')}/users/alice/talk`)
        line.onerror = () => failed(new Error('the line to the agent was not opened'))
        line.onmessage = ({ data }) => {
          const told = typeof data === 'string' ? (JSON.parse(data) as { call_id?: string }).call_id : undefined
          if (told) begun(told)
        }
      }),
  )
  await open(page, `/calls/${call}`, 'browser')
  const transcript = page.getByRole('list', { name: 'Transcript' })
  await expect(transcript).toContainText("Alice's assistant", { timeout: 30_000 })
  await expect(transcript).not.toContainText('Tuesday at ten')
  await page.getByRole('button', { name: 'Whisper' }).click()
  await page.getByLabel('Only the agent reads it').fill('Offer them the appointment on Tuesday at ten.')
  await page.getByRole('dialog').getByRole('button', { name: 'Whisper' }).click()
  await expect(page.getByText('The agent knows. The caller heard nothing of it.')).toBeVisible()
  await expect(page.getByRole('dialog')).toHaveCount(0)
  await expect(transcript).toContainText('we could come on Tuesday at ten', { timeout: 30_000 })
  await expect(page.getByRole('list', { name: 'Events' })).toContainText('Hint given')
  await telephone.close()
  await expect(page.getByRole('heading', { name: 'How it ended' })).toBeVisible()
})

test('a key is made, copied once, used, and revoked: from then on nothing comes through it', async ({ page, context }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write'])
  await logIn(page, base, keys.admin)
  await open(page, '/settings?tab=keys', 'Settings')
  await page.getByRole('button', { name: 'New key' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByLabel('For whom or what').fill('wall board')
  await dialog.getByLabel('Role').selectOption('user')
  await dialog.getByLabel('Which user').fill('alice')
  await dialog.getByRole('button', { name: 'Make the key' }).click()
  const shown = page.getByRole('dialog', { name: 'Keep this key' })
  await shown.getByRole('button', { name: 'Copy the key' }).click()
  const key = await page.evaluate(() => navigator.clipboard.readText())
  expect(key).toBe(await shown.locator('code').innerText())
  await isAccessible(page, 'a key that is shown once')
  await shown.getByRole('button', { name: 'I have it' }).click()
  await page.reload()
  await expect(page.getByRole('row').filter({ hasText: 'wall board' })).toBeVisible()
  expect(await page.locator('body').innerText()).not.toContain(key)

  // It opens what is alice's, and its feed tells of her alone.
  expect((await ask<{ users: unknown[] }>('/users', {}, key)).users).toHaveLength(1)
  const feed = await fetch(`${base}/events`, { headers: { authorization: `Bearer ${key}` } })
  expect(feed.ok).toBe(true)
  const told = feed.text()
  // A dashboard that was opened with it, somewhere else.
  const wall = await context.browser()?.newContext()
  const board = await wall?.newPage()
  if (!wall || !board) throw new Error('no second browser')
  await logIn(board, base, key)
  const row = page.getByRole('row').filter({ hasText: 'wall board' })
  await row.getByRole('button', { name: 'Revoke' }).click()
  await dialog.getByRole('button', { name: 'Revoke the key' }).click()
  await expect(row.getByText('Revoked')).toBeVisible()
  await expect(row.getByRole('button', { name: 'Revoke' })).toHaveCount(0)
  expect((await fetch(`${base}/users`, { headers: { authorization: `Bearer ${key}` } })).status).toBe(401)
  // The feed ends, and the board is at the door again.
  await told
  await expect(board.getByRole('heading', { name: 'Log in to Callie' })).toBeVisible({ timeout: 30_000 })
  await wall.close()
})
