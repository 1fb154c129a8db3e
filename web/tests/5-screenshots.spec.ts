// Pictures of each screen by day, by night and on a telephone, into docs/screenshots: SCREENSHOTS=1 scripts/test web -g pictures
import { join } from 'node:path'
import type { Page } from '@playwright/test'
import { expect, json, open, test } from './dashboard'

const folder = process.env.SCREENSHOTS_TO ?? join(import.meta.dirname, '../../docs/screenshots')
const desk = { width: 1280, height: 860 }
const modes = [
  ['light', desk, 'light'],
  ['dark', desk, 'dark'],
  ['phone', { width: 390, height: 844 }, 'light'],
] as const

async function take(page: Page, name: string) {
  await expect(page.getByRole('status', { name: 'Loading' })).toHaveCount(0)
  for (const [mode, size, colorScheme] of modes) {
    await page.setViewportSize(size)
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
    // Canvases are painted anew some frames after the styles.
    for (let frame = 0; frame < 8; frame++) await page.evaluate(() => new Promise((painted) => requestAnimationFrame(painted)))
    await page.screenshot({ path: join(folder, `${name}-${mode}.png`), animations: 'disabled' })
  }
  await page.setViewportSize(desk)
}

test('pictures of all screens', async ({ page }) => {
  test.skip(!process.env.SCREENSHOTS, 'on demand')
  test.setTimeout(300_000)
  await json('/users/alice', {
    method: 'PUT',
    body: JSON.stringify({
      ai: {
        instructions: 'You answer the telephone of {company}, who build kitchens. Ask for name and matter, and read both back.',
        variables: { company: 'Johnson Kitchens', hours: 'Monday to Friday, 8:00 to 17:00' },
        language: 'en-GB',
        time_zone: 'Europe/Vienna',
      },
      routing: { transfer_targets: [{ name: 'workshop', target: 'bob', mode: 'warm' }] },
      limits: { allowed_prefixes: ['+43', '+49', 'bob', 'softphone'], calls_per_hour: 60, minutes_per_day: 240 },
    }),
  })
  await json('/users', { method: 'POST', body: JSON.stringify({ user_id: 'carol', display_name: 'Carol Vega', sip_username: 'carol', sip_password: 'not hers', sip_server: process.env.CALLIE_CARRIER }) })
  await json('/users/carol/sip/connect', { method: 'POST' })

  await open(page, '/users/alice', 'Alice Johnson')
  await page.getByRole('button', { name: 'Place a call' }).click()
  await page.getByRole('dialog').getByLabel('Number').fill('bob')
  await page.getByRole('dialog').getByLabel('First words').fill('Hello from Alice. The kitchen is ready; may we bring it on Thursday at ten?')
  await page.getByRole('dialog').getByRole('button', { name: 'Call' }).click()
  await expect(page.getByRole('list', { name: 'Transcript' })).toContainText('Thursday', { timeout: 30_000 })
  await take(page, 'live-call')
  await open(page, '/', 'Overview')
  await expect(page.getByRole('list', { name: 'Calls now' })).toBeVisible()
  await take(page, 'overview')

  await open(page, '/users', 'Users')
  await take(page, 'users')
  await open(page, '/users/new', 'New user')
  await page.getByLabel('Provider', { exact: true }).selectOption({ label: '3CX' })
  await page.getByLabel('Id', { exact: true }).fill('front desk')
  await take(page, 'new-user')
  await open(page, '/users/alice', 'Alice Johnson')
  await page.getByRole('button', { name: 'Examine' }).click()
  await expect(page.getByText('Passed', { exact: false }).first()).toBeVisible({ timeout: 60_000 })
  await take(page, 'line')
  for (const [tab, name] of [['persona', 'persona'], ['limits', 'limits'], ['webhooks', 'webhooks']] as const) {
    await open(page, `/users/alice?tab=${tab}`, 'Alice Johnson')
    await take(page, name)
  }
  // Tools that nobody calls: the calls of these pictures are over.
  const tool = {
    name: 'find_order', description: 'Finds an order by its number. Use it when somebody asks where an order is.', method: 'GET', url: 'https://crm.example/orders/{number}',
    parameters: { type: 'object', properties: { number: { type: 'integer', description: 'On the invoice' } }, required: ['number'] }, headers: { Authorization: 'Bearer abc' },
  }
  await json('/users/alice', { method: 'PUT', body: JSON.stringify({ ai: { tools: { http: [tool], mcp: [{ name: 'calendar', url: 'https://mcp.example/mcp', allow: ['book', 'cancel'] }] } } }) })
  await open(page, '/users/alice?tab=tools', 'Alice Johnson')
  await take(page, 'tools')
  await page.getByRole('button', { name: 'Edit find_order' }).click()
  await take(page, 'tool')
  await json('/users/alice', { method: 'PUT', body: JSON.stringify({ ai: { tools: { http: null, mcp: null } } }) })
  await open(page, '/users/alice?tab=history', 'Alice Johnson')
  await page.getByRole('row').nth(2).getByRole('button', { name: 'Bring back' }).click()
  await expect(page.getByRole('region', { name: 'What changes' })).toBeVisible()
  await take(page, 'history')
  await open(page, '/users/alice?tab=privacy', 'Alice Johnson')
  await page.getByLabel('Number or address').fill('maria')
  await expect(page.getByText(/calls?, \d+ with a recording/)).toBeVisible()
  await take(page, 'privacy')
  const { calls } = await json<{ calls: { id: string; from: string }[] }>('/calls?user_id=alice&direction=inbound')
  const maria = calls.find((call) => call.from.startsWith('maria'))
  await open(page, `/calls/${maria?.id}`, 'maria')
  await expect(page.getByTestId('position')).toHaveText(/\/ 0:[1-5]\d$/)
  await page.getByRole('slider', { name: 'Position in the recording' }).press('ArrowRight')
  await page.getByRole('heading', { level: 1 }).focus()
  await take(page, 'call')
  await open(page, '/calls', 'Calls')
  await take(page, 'calls')
  await open(page, '/users/alice?tab=talk', 'Alice Johnson')
  await take(page, 'talk')
  await open(page, '/analytics', 'Analytics')
  await take(page, 'analytics')
  await open(page, '/settings', 'Settings')
  await take(page, 'settings')
  await json('/users/carol', { method: 'DELETE' })
})
