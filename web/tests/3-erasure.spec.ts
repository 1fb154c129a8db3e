// What was said with somebody is erased: counted first, confirmed by typing, with a receipt that is kept.
import { readFileSync } from 'node:fs'
import { carrier, expect, isAccessible, json, open, test } from './dashboard'

// Records outlive their user: each run has one of its own.
const erin = `erin-${process.pid}`

test.beforeAll(async () => {
  const user = { user_id: erin, display_name: 'Erin Keller', sip_username: 'softphone', sip_password: 'softphone', sip_server: carrier() }
  await json('/users', { method: 'POST', body: JSON.stringify(user) })
  await json(`/users/${erin}/sip/connect`, { method: 'POST' })
  // Erin is rung by alice and by bob, once each.
  for (const caller of ['alice', 'bob']) {
    const { call_id } = await json<{ call_id: string }>(`/users/${caller}/call`, { method: 'POST', body: JSON.stringify({ number: 'softphone' }) })
    const isUp = async () => (await json<{ events: { event: string }[] }>(`/calls/${call_id}`)).events.some(({ event }) => event === 'answered')
    await expect.poll(isUp, { timeout: 20_000 }).toBe(true)
    await json(`/calls/${call_id}/hangup`, { method: 'POST' })
    await expect.poll(async () => (await json<{ calls: { ended_at: string | null }[] }>(`/calls?user_id=${erin}`)).calls.every((call) => call.ended_at), { timeout: 20_000 }).toBe(true)
  }
})
test.afterAll(() => fetch(`${process.env.CALLIE_WORLD}/users/${erin}`, { method: 'DELETE' }))

test('a caller is erased after the number was typed, and the receipt is shown, copied and downloaded', async ({ page, context }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write'])
  // From a call of that person.
  const { calls } = await json<{ calls: { id: string; from: string }[] }>(`/calls?user_id=${erin}`)
  const ofAlice = calls.find((call) => call.from.startsWith('alice'))
  await open(page, `/calls/${ofAlice?.id}`, 'alice')
  await page.getByRole('link', { name: 'Erase the calls with this person' }).click()
  await expect(page.getByRole('heading', { level: 1, name: 'Erin Keller' })).toBeVisible()
  await expect(page.getByLabel('Number or address')).toHaveValue('alice')
  const erase = page.getByRole('region', { name: 'Erase what was said' })
  await expect(erase.getByText('1 call, 1 with a recording')).toBeVisible()
  await expect(page.getByText('Nothing was erased yet')).toBeVisible()
  await isAccessible(page, 'the page of privacy')

  // Somebody of whom there is nothing.
  await page.getByLabel('Number or address').fill('nobody')
  await expect(erase.getByText('Nothing is left of calls with nobody')).toBeVisible()
  await expect(erase.getByRole('button', { name: 'Erase …' })).toBeDisabled()
  await page.getByLabel('Number or address').fill('alice')
  await expect(erase.getByText('1 call, 1 with a recording')).toBeVisible()
  await erase.getByRole('button', { name: 'Erase …' }).click()

  const dialog = page.getByRole('dialog')
  const forEver = dialog.getByRole('button', { name: 'Erase for ever' })
  await expect(forEver).toBeDisabled()
  await dialog.getByLabel('Type alice to go on').fill('alic')
  await page.keyboard.press('Enter')
  await expect(forEver).toBeDisabled()
  await isAccessible(page, 'the question before an erasure')
  // It takes a moment, which shows.
  await page.route('**/erasures', async (route) => {
    await new Promise((later) => setTimeout(later, 400))
    await route.continue()
  })
  await dialog.getByLabel('Type alice to go on').fill('alice')
  await forEver.click()
  await expect(dialog.getByRole('progressbar', { name: 'Erasing' })).toBeVisible()
  await expect(page.getByRole('dialog', { name: 'Erased' })).toBeVisible()
  await expect(dialog.getByText('1 call, 1 recording')).toBeVisible()
  await isAccessible(page, 'the receipt')
  await dialog.getByRole('button', { name: 'Copy' }).click()
  const copied = JSON.parse(await page.evaluate(() => navigator.clipboard.readText())) as { receipt_sha256: string; calls: number }
  expect(copied.calls).toBe(1)
  const download = page.waitForEvent('download')
  await dialog.getByRole('button', { name: 'Download' }).click()
  const file = await download
  expect(file.suggestedFilename()).toMatch(/^erasure-erin-\d+-\d{4}-\d\d-\d\d-[0-9a-f]{8}\.json$/)
  expect(JSON.parse(readFileSync(await file.path(), 'utf8'))).toEqual(copied)
  await dialog.getByRole('button', { name: 'Done' }).click()

  // It is gone from the screens and from the API; the other caller stays.
  await expect(page.getByRole('region', { name: 'Receipts' }).getByRole('row')).toHaveCount(2)
  await expect(erase.getByText('Nothing is left of calls with alice')).toBeVisible()
  const left = (await json<{ calls: { from: string }[] }>(`/calls?user_id=${erin}`)).calls
  expect(left.filter((call) => call.from.startsWith('alice'))).toEqual([])
  expect(left.filter((call) => call.from.startsWith('bob'))).toHaveLength(1)
  await open(page, `/calls/${ofAlice?.id}`, 'erased')
  await expect(page.getByText('This call was not recorded.')).toBeVisible()
})

test('all calls of a user are erased after its id was typed', async ({ page }) => {
  await open(page, `/users/${erin}?tab=privacy`, 'Erin Keller')
  const erase = page.getByRole('region', { name: 'Erase what was said' })
  await erase.getByLabel('All calls of this user').check()
  await expect(erase.getByText('1 call, 1 with a recording')).toBeVisible()
  await erase.getByRole('button', { name: 'Erase …' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByLabel(`Type ${erin} to go on`).fill(erin)
  // A refusal is told in place, and the dialog stays.
  await page.route('**/erasures', (route) => route.fulfill({ status: 503, contentType: 'application/problem+json', body: '{"title": "Away", "detail": "the store cannot be reached"}' }))
  await dialog.getByRole('button', { name: 'Erase for ever' }).click()
  await expect(dialog.getByRole('alert')).toHaveText('the store cannot be reached')
  await page.unroute('**/erasures')
  await dialog.getByRole('button', { name: 'Erase for ever' }).click()
  await expect(dialog.getByText('everybody')).toBeVisible()
  await dialog.getByRole('button', { name: 'Done' }).click()
  const receipts = page.getByRole('region', { name: 'Receipts' })
  await expect(receipts.getByRole('row')).toHaveCount(3)
  await receipts.getByRole('button', { name: 'Show' }).last().click()
  await expect(page.getByRole('dialog', { name: 'Receipt' })).toContainText('1 call, 1 recording')
})
