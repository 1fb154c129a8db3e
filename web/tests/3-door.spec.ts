// Who is let in: the first key closes the door behind whoever made it; a login with a key, and out again.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, isAccessible, test } from './dashboard'
import { Callie, freePort } from './process'

test('the first key is made, shown once, and asked for from then on', async ({ page }) => {
  const folder = mkdtempSync(join(tmpdir(), 'callie-door-'))
  const port = await freePort()
  const base = `http://127.0.0.1:${port}`
  const callie = new Callie(['serve'], folder, { CALLIE_DATA_DIR: folder, CALLIE_HTTP_LISTEN: `127.0.0.1:${port}`, CALLIE_SIP_LISTEN: '127.0.0.1:0' })
  try {
    await expect.poll(async () => fetch(`${base}/health/live`).then((answer) => answer.ok, () => false), { timeout: 30_000 }).toBe(true)
    await page.goto(`${base}/dashboard/settings?tab=keys`)
    await page.getByRole('button', { name: 'New key' }).click()
    const dialog = page.getByRole('dialog')
    await isAccessible(page, 'the dialog of a new key')
    await dialog.getByLabel('For whom or what').fill('head of IT')
    await expect(dialog.getByLabel('Role')).toHaveValue('admin')
    await dialog.getByRole('button', { name: 'Make the key' }).click()
    const key = await page.getByRole('dialog', { name: 'Keep this key' }).locator('code').innerText()
    expect(key).toMatch(/^callie_/)
    await page.getByRole('button', { name: 'I have it' }).click()
    // Whoever closed the door is inside, as an admin; others are not.
    await expect(page.getByRole('row').filter({ hasText: 'head of IT' }).getByText('Valid')).toBeVisible()
    expect((await fetch(`${base}/users`)).status).toBe(401)

    await page.getByRole('tab', { name: 'Audit' }).click()
    await expect(page.getByRole('cell', { name: /POST\s*\/keys/ })).toBeVisible()
    await isAccessible(page, 'the audit')

    await page.getByRole('button', { name: 'Log out' }).click()
    await expect(page.getByRole('heading', { name: 'Log in to Callie' })).toBeVisible()
    await isAccessible(page, 'the login')
    await page.getByLabel('API key').fill('callie_nobody_0000')
    await page.getByRole('button', { name: 'Log in' }).click()
    await expect(page.getByRole('alert')).toBeVisible()
    await page.getByLabel('API key').fill(key)
    await page.getByRole('button', { name: 'Log in' }).click()
    await expect(page.getByRole('heading', { level: 1, name: 'Welcome to Callie' })).toBeVisible()

    // A change with the session's cookie needs its token, which the dashboard has.
    await page.goto(`${base}/dashboard/users/new`)
    await page.getByLabel('Connect the line once').uncheck()
    await page.getByLabel('Id', { exact: true }).fill('zoe')
    await page.getByLabel('Name', { exact: true }).fill('Zoe Example')
    await page.getByLabel('SIP user name').fill('zoe')
    await page.getByLabel('Password', { exact: true }).fill('secret')
    await page.getByRole('button', { name: 'Create' }).click()
    await expect(page.getByRole('heading', { level: 1, name: 'Zoe Example' })).toBeVisible()

    // Whose key is revoked is out by itself, and at once.
    const asHead = (method: string, path: string, body?: unknown) =>
      fetch(base + path, { method, headers: { Authorization: `Bearer ${key}` }, body: body === undefined ? undefined : JSON.stringify(body) })
    const desk = (await (await asHead('POST', '/keys', { name: 'desk', role: 'operator' })).json()) as { id: string; key: string }
    await page.getByRole('button', { name: 'Log out' }).click()
    await page.getByLabel('API key').fill(desk.key)
    await page.getByRole('button', { name: 'Log in' }).click()
    await expect(page.getByRole('heading', { level: 1, name: 'Overview' })).toBeVisible()
    expect((await asHead('DELETE', `/keys/${desk.id}`)).status).toBe(200)
    await expect(page.getByRole('heading', { name: 'Log in to Callie' })).toBeVisible({ timeout: 5_000 })
  } finally {
    await callie.stop('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  }
})
