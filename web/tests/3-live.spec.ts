// A call that is up, taken out of the agent's hands: handed over at once, put through after the agent has rung, called off.
import { carrier, expect, isAccessible, json, open, server, test } from './dashboard'

const post = (path: string, body: unknown = {}) => json<{ call_id: string }>(path, { method: 'POST', body: JSON.stringify(body) })
const events = async (call: string) => (await json<{ events: { event: string }[] }>(`/calls/${call}`)).events.map(({ event }) => event)
const hangUp = (call: string) => fetch(`${server()}/calls/${call}/hangup`, { method: 'POST' })

test.beforeAll(async () => {
  await post('/users', { user_id: 'lisa', display_name: 'Lisa Line', sip_username: 'softphone', sip_password: 'softphone', sip_server: carrier() })
  await post('/users/lisa/sip/connect')
})
test.afterAll(() => fetch(`${server()}/users/lisa`, { method: 'DELETE' }))

/** Alice's agent talks with Lisa's. */
async function talking() {
  const { call_id } = await post('/users/alice/call', { number: 'softphone', message: 'Hello, please hold the line for a moment.' })
  await expect.poll(() => events(call_id), { timeout: 20_000 }).toContain('answered')
  return call_id
}

test('a call is taken over: the other side is handed to a target of the user by name', async ({ page }) => {
  const call = await talking()
  await open(page, `/calls/${call}`, 'softphone')
  await page.getByRole('button', { name: 'Take over' }).click()
  const dialog = page.getByRole('dialog')
  // What is not a target and no number is refused in place.
  await dialog.getByLabel('To whom').fill('nobody at all')
  await dialog.getByRole('button', { name: 'Hand over' }).click()
  await expect(dialog.getByRole('alert')).toBeVisible()
  await expect(dialog.getByLabel('To whom')).toBeFocused()
  const names = await page.locator('#targets option').evaluateAll((options) => options.map((option) => (option as HTMLOptionElement).value))
  expect(names).toContain('bob')
  await dialog.getByLabel('To whom').fill('bob')
  await dialog.getByLabel(/^Blind/).check()
  await isAccessible(page, 'the dialog to hand over')
  await dialog.getByRole('button', { name: 'Hand over' }).click()
  await expect(dialog).toHaveCount(0)
  await expect(page.getByRole('list', { name: 'Events' })).toContainText('Transfer completed', { timeout: 30_000 })
  // Bob's line has the caller now.
  const bobs = async () => (await json<{ calls: { user_id: string; answered: boolean }[] }>('/calls/active')).calls.some((each) => each.user_id === 'bob' && each.answered)
  await expect.poll(bobs).toBe(true)
  await expect(page.getByRole('button', { name: 'Take over' })).toBeVisible()
  await hangUp(call)
  await expect(page.getByRole('heading', { name: 'How it ended' })).toBeVisible()
})

test('who is briefed by the agent first is put through without waiting, or called off', async ({ page }) => {
  const call = await talking()
  await open(page, `/calls/${call}`, 'softphone')
  const list = page.getByRole('list', { name: 'Events' })
  const handOver = async () => {
    await page.getByRole('button', { name: 'Take over' }).click()
    await page.getByRole('dialog').getByLabel('To whom').fill('bob')
    await page.getByRole('dialog').getByLabel(/^Warm/).check()
    await page.getByRole('dialog').getByRole('button', { name: 'Hand over' }).click()
    await expect(list.getByText('Transfer started')).not.toHaveCount(0)
  }
  await handOver()
  await expect(page.getByRole('button', { name: 'Take over' })).toHaveCount(0)
  await isAccessible(page, 'a call that is being handed over')
  await page.getByRole('button', { name: 'Call it off' }).click()
  await expect(list).toContainText('Transfer failed', { timeout: 20_000 })
  await expect(page.getByRole('button', { name: 'Take over' })).toBeVisible()

  await handOver()
  await expect(list.getByText('Transfer progress').first()).toBeVisible()
  // Who has not answered yet cannot be put through, which is said; then they can.
  await expect(async () => {
    await page.getByRole('button', { name: 'Put through now' }).click({ timeout: 1_000 })
    await expect(list).toContainText('Transfer completed', { timeout: 1_000 })
  }).toPass({ timeout: 20_000 })
  await page.getByRole('button', { name: 'Hang up' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Hang up' }).click()
  await expect(page.getByRole('heading', { name: 'How it ended' })).toBeVisible()
})
