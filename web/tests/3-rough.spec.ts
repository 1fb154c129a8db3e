// When things are not as they should be: slow, refused, too often, gone, long, narrow, large.
import type { Page } from '@playwright/test'
import { expect, isAccessible, json, open, server, test } from './dashboard'

const LONG = 'Wilhelmina-Alexandrina Featherstonehaugh-Cholmondeley von und zu Hohenlohe-Schillingsfürst-Langenburg'
const LONG_ID = `a${'very-'.repeat(8)}long@example.com`

test.beforeAll(async () => {
  const user = { user_id: LONG_ID, display_name: LONG, sip_username: `${'9'.repeat(60)}`, sip_password: 'secret', sip_server: `${'sub.'.repeat(20)}example.com` }
  await json('/users', { method: 'POST', body: JSON.stringify(user) })
})
test.afterAll(() => fetch(`${server()}/users/${encodeURIComponent(LONG_ID)}`, { method: 'DELETE' }))

/** The API's list of calls, with or without filters. */
const calls = (url: URL) => url.pathname === '/calls'

async function fits(page: Page, what: string) {
  await expect(page.getByRole('status', { name: 'Loading' })).toHaveCount(0)
  const beyond = await page.evaluate(() => {
    const width = document.documentElement.clientWidth
    const isInScroller = (element: Element): boolean => {
      for (let at = element.parentElement; at; at = at.parentElement) if (['auto', 'scroll', 'hidden'].includes(getComputedStyle(at).overflowX)) return true
      return false
    }
    const wide = [...document.querySelectorAll('main *')].filter((element) => element.getBoundingClientRect().right > width + 1 && !isInScroller(element))
    return { px: document.documentElement.scrollWidth - width, who: wide.slice(0, 3).map((element) => element.outerHTML.slice(0, 120)) }
  })
  expect(beyond, `${what} fits`).toEqual({ px: 0, who: [] })
}

const SCREENS = [
  ['/', 'Overview'], ['/calls', 'Calls'], ['/users', 'Users'], ['/users/new', 'New user'], ['/analytics', 'Analytics'], ['/settings', 'Settings'], ['/settings?tab=keys', 'Settings'],
  ['/settings?tab=audit', 'Settings'], ['/nowhere', 'There is no such page'],
  ...['line', 'talk', 'persona', 'account', 'tools', 'limits', 'contacts', 'do-not-call', 'calls', 'costs', 'webhooks', 'privacy', 'keys', 'history'].map((tab) => [`/users/alice?tab=${tab}`, 'Alice Johnson'] as const),
] as const

test('every screen fits where it is 320 pixels wide, which is also 1280 at four times the size', async ({ page }) => {
  await page.setViewportSize({ width: 320, height: 640 })
  for (const [path, heading] of SCREENS) {
    await open(page, path, heading)
    await fits(page, path)
  }
  const { calls: kept } = await json<{ calls: { id: string; recording_url: string | null }[] }>('/calls?user_id=alice')
  await open(page, `/calls/${kept.find((call) => call.recording_url)?.id}`, /./)
  await fits(page, 'a call')
})

test('on a telephone the tab that is open is in sight', async ({ page }) => {
  await page.setViewportSize({ width: 390, height: 844 })
  for (const tab of ['line', 'privacy', 'history']) {
    await open(page, `/users/alice?tab=${tab}`, 'Alice Johnson')
    await expect(page.getByRole('tab', { selected: true })).toBeInViewport({ ratio: 0.9 })
  }
})

test('at twice the size of letters nothing is cut off, and nothing lies over another', async ({ page }) => {
  await page.setViewportSize({ width: 640, height: 430 })
  for (const [path, heading] of [['/', 'Overview'], ['/users/alice?tab=persona', 'Alice Johnson'], ['/calls', 'Calls'], ['/users/alice?tab=tools', 'Alice Johnson']] as const) {
    await open(page, path, heading)
    await page.evaluate(() => {
      document.documentElement.style.fontSize = '200%'
    })
    await fits(page, `${path} with large letters`)
  }
})

test('names and numbers that are very long are cut or wrapped, and stay whole for who points at them', async ({ page }) => {
  for (const width of [1280, 390]) {
    await page.setViewportSize({ width, height: 800 })
    await open(page, `/users?q=${encodeURIComponent('Featherstonehaugh')}`, 'Users')
    await expect(page.getByText(LONG)).toBeVisible()
    await fits(page, 'the list with a long name')
    await open(page, `/users/${encodeURIComponent(LONG_ID)}`, LONG)
    await fits(page, 'the page of a long name')
    await isAccessible(page, 'the page of a long name')
    await page.getByRole('button', { name: `What to do with ${LONG}` }).click()
    await page.getByRole('menuitem', { name: 'Delete…' }).click()
    await expect(page.getByRole('dialog')).toBeVisible()
    await fits(page, 'the question before a long name goes')
    await page.keyboard.press('Escape')
  }
})

test('what is slow shows where it will be, without flicker, and what is quick shows nothing in between', async ({ page }) => {
  await page.route(calls, async (route) => {
    await new Promise((later) => setTimeout(later, 1_500))
    await route.continue()
  })
  await page.goto('/dashboard/calls')
  const waiting = page.getByRole('status', { name: 'Loading' })
  await expect(waiting).toHaveCSS('opacity', '1')
  await isAccessible(page, 'a list that is being waited for')
  await expect(page.getByRole('row').nth(1)).toBeVisible()
  await expect(waiting).toHaveCount(0)
  // Another filter leaves what is there until the answer has come.
  await page.getByLabel('Direction').selectOption('outbound')
  await expect(page.getByRole('row').nth(1)).toBeVisible()
  await expect(waiting).toHaveCount(0)
  await page.unroute(calls)
})

const problem = (status: number, detail: string, headers: Record<string, string> = {}) => ({ status, headers, contentType: 'application/problem+json', body: JSON.stringify({ title: `Answer ${status}`, detail }) })

test('whoever asks too often waits as long as the server says, and is not bothered with it', async ({ page }) => {
  let refusals = 0
  await page.route(calls, async (route) => {
    if (refusals++ === 0) await route.fulfill(problem(429, 'you ask too often', { 'Retry-After': '1' }))
    else await route.continue()
  })
  await page.goto('/dashboard/calls')
  await expect(page.getByRole('row').nth(1)).toBeVisible()
  await expect(page.getByRole('alert')).toHaveCount(0)
  expect(refusals).toBe(2)
})

test('where the wait is long, or the server is at fault, it is said, and can be tried again', async ({ page }) => {
  for (const [status, headers] of [[429, { 'Retry-After': '60' }], [500, {}]] as const) {
    await page.route(calls, (route) => route.fulfill(problem(status, `refused with ${status}`, headers)))
    await page.goto('/dashboard/calls')
    const alert = page.getByRole('alert')
    await expect(alert).toContainText(`refused with ${status}`)
    await isAccessible(page, 'a refusal')
    await page.unroute(calls)
    await alert.getByRole('button', { name: 'Try again' }).click()
    await expect(page.getByRole('row').nth(1)).toBeVisible()
    await expect(alert).toHaveCount(0)
  }
})

test('a session that ends leads to the door, and nothing of the house is left on the screen', async ({ page }) => {
  await open(page, '/users', 'Users')
  const session = { authentication: 'required', identity: null, login: { key: true, oidc: null } }
  await page.route('**/session', (route) => route.fulfill({ json: session }))
  await page.route('**/users', (route) => route.fulfill(problem(401, 'show who you are')))
  await page.route('**/users/alice', (route) => route.fulfill(problem(401, 'show who you are')))
  await page.getByRole('link', { name: /Alice Johnson/ }).click()
  await expect(page.getByRole('heading', { name: 'Log in to Callie' })).toBeVisible()
  await expect(page.getByText('Alice Johnson')).toHaveCount(0)
})

test('pages that are not there say so and lead on', async ({ page }) => {
  for (const [path, heading] of [['/nowhere', 'There is no such page'], ['/users/nobody', 'There is no such user'], ['/calls/01JD3V6Q0X3N2Z7Y5W4T8R9P1M', 'There is no such call'], ['/calls/not-an-id', 'There is no such call']] as const) {
    await open(page, path, heading)
    await isAccessible(page, path)
  }
})

test('nothing moves for who wants nothing to move', async ({ page }) => {
  await page.emulateMedia({ reducedMotion: 'reduce' })
  await json('/users/alice/call', { method: 'POST', body: JSON.stringify({ number: 'bob' }) })
  await open(page, '/', 'Overview')
  await expect(page.getByRole('list', { name: 'Calls now' })).toBeVisible()
  const moving = () => page.evaluate(() => document.getAnimations().filter((animation) => animation.playState === 'running').length)
  // What has just come is still for a moment's worth of motion that nobody sees.
  await expect.poll(moving, { timeout: 2_000 }).toBe(0)
  // The dot of a call that is up would beat otherwise.
  await page.emulateMedia({ reducedMotion: 'no-preference' })
  await expect.poll(moving).toBeGreaterThan(0)
})

test('a screen reader hears each turn once its words have come to rest', async ({ page }) => {
  const { call_id } = await json<{ call_id: string }>('/users/alice/call', { method: 'POST', body: JSON.stringify({ number: 'bob', message: 'This is a sentence for those who listen.' }) })
  await open(page, `/calls/${call_id}`, 'bob')
  const region = page.locator('p[aria-live="polite"]')
  await expect(region).toContainText('for those who listen', { timeout: 40_000 })
  await expect(page.getByRole('list', { name: 'Transcript' })).not.toHaveAttribute('aria-live', /./)
  await fetch(`${server()}/calls/${call_id}/hangup`, { method: 'POST' })
})

test.describe('elsewhere in the world', () => {
  test.use({ locale: 'en-US', timezoneId: 'America/New_York' })
  test('a day has 24 hours, and the zone stands at the full time', async ({ page }) => {
    await open(page, '/calls', 'Calls')
    const time = page.getByRole('row').nth(1).locator('time')
    await expect(time).not.toContainText(/[AP]M/)
    await expect(time).toHaveText(/, ([01]\d|2[0-3]):[0-5]\d$/)
    const at = new Date((await time.getAttribute('datetime')) ?? '')
    const hours = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', timeZone: 'America/New_York' }).format(at)
    await expect(time).toContainText(hours)
    await expect(time).toHaveAttribute('title', /E[SD]T$/)
  })
})
