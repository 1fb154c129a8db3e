// A walk through the screens: a user is created and connected, calls, is listened to, and is deleted.
import { readFileSync } from 'node:fs'
import { carrier, expect, isAccessible, json, open, server, test } from './dashboard'

test('the overview shows lines, calls and engines', async ({ page }) => {
  await open(page, '/', 'Overview')
  await expect(page.getByText('of 2 that should be')).toBeVisible()
  await expect(page.getByText('Offline engine, the default')).toBeVisible()
  await expect(page.getByRole('region', { name: 'The last calls' }).getByRole('row')).toHaveCount(4)
  await isAccessible(page, 'the overview')
})

test('a user is created, with faults shown at their fields, and the line registers', async ({ page }) => {
  await open(page, '/users/new', 'New user')
  await page.getByLabel('Id', { exact: true }).fill('soft phone')
  await expect(page.getByText('up to 64 letters, digits, and . _ - @ inside', { exact: true })).toBeVisible()
  await page.getByRole('button', { name: 'Create and connect' }).click()
  // The first field that is wrong has the focus.
  await expect(page.getByLabel('Id', { exact: true })).toBeFocused()
  await expect(page.getByText('is needed').first()).toBeVisible()
  await isAccessible(page, 'the form of a new user with faults')

  await page.getByLabel('Provider', { exact: true }).selectOption({ label: '3CX' })
  await expect(page.getByText('the FQDN of the PBX.')).toBeVisible()
  await page.getByLabel('Provider', { exact: true }).selectOption('')
  await page.getByLabel('Id', { exact: true }).fill('softphone')
  await page.getByLabel('Name', { exact: true }).fill('Sophie Phone')
  await page.getByLabel('Server', { exact: true }).fill(carrier())
  await page.getByLabel('SIP user name').fill('softphone')
  await page.getByLabel('Password', { exact: true }).fill('softphone')
  await page.getByLabel('Greeting').fill('Hello, this is the assistant of Sophie.')
  await page.getByRole('button', { name: 'Create and connect' }).click()
  await expect(page.getByRole('heading', { level: 1, name: 'Sophie Phone' })).toBeVisible()
  await expect(page.getByText(/Registered$/).first()).toBeVisible()
  await expect(page.getByText('REGISTER').first()).toBeVisible()
  await isAccessible(page, "a user's line")
})

test('a line that goes down and comes back is seen without a reload', async ({ page }) => {
  await open(page, '/users', 'Users')
  const row = page.getByRole('listitem').filter({ hasText: 'Sophie Phone' })
  await expect(row.getByText('Registered')).toBeVisible()
  await json('/users/softphone/sip/disconnect', { method: 'POST' })
  await expect(row.getByText('Off')).toBeVisible()
  await row.getByRole('button', { name: 'What to do with Sophie Phone' }).click()
  await page.getByRole('menuitem', { name: 'Connect the line' }).click()
  await expect(row.getByText('Registered')).toBeVisible()
  await page.getByLabel('Search users').fill('sophie')
  await expect(page.getByText('1 of 3')).toBeVisible()
  await isAccessible(page, 'the list of users')
})

test('a persona is edited: what is wrong is told at its field, what is right says when it applies', async ({ page }) => {
  await open(page, '/users/softphone?tab=persona', 'Sophie Phone')
  await page.getByLabel('Temperature').fill('3')
  await expect(page.getByText('must be at most 2')).toBeVisible()
  await page.getByLabel('Temperature').fill('0.5')
  await expect(page.getByText('Applies from the next call on.')).toBeVisible()
  await page.getByLabel('Time zone').fill('Nowhere/Land')
  await page.getByRole('button', { name: 'Save' }).click()
  const zone = page.getByLabel('Time zone')
  await expect(zone).toHaveAttribute('aria-invalid', 'true')
  await expect(zone).toBeFocused()
  await zone.fill('Europe/Vienna')
  await page.getByRole('button', { name: 'Save' }).click()
  await expect(page.getByText('Saved.')).toBeVisible()
  await page.getByRole('button', { name: 'Try the engine' }).click()
  await expect(page.getByText('It works')).toBeVisible()
  await isAccessible(page, 'the persona')
  const user = await json<{ ai: { temperature: number; time_zone: string } }>('/users/softphone')
  expect(user.ai).toMatchObject({ temperature: 0.5, time_zone: 'Europe/Vienna' })
})

test('what somebody else changed meanwhile is not written over', async ({ page }) => {
  await open(page, '/users/softphone?tab=limits', 'Sophie Phone')
  await page.getByLabel('Calls at a time').fill('4')
  // The answer that tells the page of the other change is kept from it.
  await page.route('**/users/softphone', async (route) => {
    if (route.request().method() === 'GET') await route.abort()
    else await route.continue()
  })
  await json('/users/softphone', { method: 'PUT', body: JSON.stringify({ limits: { calls_per_hour: 60 } }) })
  await page.getByRole('button', { name: 'Save' }).click()
  await expect(page.getByText('Somebody else changed this user meanwhile')).toBeVisible()
  await page.unroute('**/users/softphone')
})

for (const tab of ['account', 'tools', 'limits', 'contacts', 'do-not-call', 'calls', 'costs', 'webhooks']) {
  test(`the tab ${tab} of a user is there and accessible`, async ({ page }) => {
    await open(page, `/users/alice?tab=${tab}`, 'Alice Johnson')
    await expect(page.getByRole('tabpanel').getByRole('heading', { level: 2 }).first()).toBeVisible()
    await expect(page.getByRole('status', { name: 'Loading' })).toHaveCount(0)
    await isAccessible(page, tab)
  })
}

test('contacts and numbers that are not to be called are kept', async ({ page }) => {
  await open(page, '/users/softphone?tab=contacts', 'Sophie Phone')
  await page.getByRole('button', { name: 'Add a contact' }).click()
  await page.getByLabel('Name of contact 1').fill('Maria Lopez')
  await page.getByLabel('Numbers of contact 1').fill('+15551234567')
  await page.getByRole('button', { name: 'Save' }).click()
  await expect(page.getByText('Saved.')).toBeVisible()
  await page.getByRole('tab', { name: 'Do not call' }).click()
  await page.getByLabel('Numbers to add').fill('+15550001111')
  await page.getByRole('button', { name: 'Add', exact: true }).click()
  await expect(page.getByRole('cell', { name: '+15550001111', exact: true })).toBeVisible()
})

test('a call is placed, listened to and whispered into, its words appear as they are spoken, and it is hung up', async ({ page }) => {
  await open(page, '/users/alice', 'Alice Johnson')
  await page.getByRole('button', { name: 'Place a call' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByLabel('Number').fill('softphone')
  await dialog.getByLabel('First words').fill('Hello from the dashboard. This is a call that somebody watches.')
  await dialog.getByRole('button', { name: 'Call' }).click()
  await expect(page.getByRole('heading', { level: 1, name: 'softphone' })).toBeVisible()
  const events = page.getByRole('list', { name: 'Events' })
  await expect(events).toContainText('RTP latched')
  await page.getByRole('button', { name: 'Listen in' }).click()
  await expect(events).toContainText('Listened in')
  await page.getByRole('button', { name: 'Stop listening' }).click()
  await page.getByRole('button', { name: 'Whisper' }).click()
  await page.getByLabel('Only the agent reads it').fill('Offer them the appointment on Tuesday.')
  await dialog.getByRole('button', { name: 'Whisper' }).click()
  // The offline engine takes no hints, and says so where it was asked.
  await expect(dialog.getByRole('alert')).toBeVisible()
  await page.keyboard.press('Escape')
  await page.getByRole('button', { name: 'Take over' }).click()
  await page.keyboard.press('Escape')
  await expect(page.getByRole('button', { name: 'Take over' })).toBeFocused()
  await expect(page.getByRole('list', { name: 'Transcript' })).toContainText('somebody watches', { timeout: 40_000 })
  await expect(page.getByRole('navigation', { name: 'Main', exact: true }).getByText('now')).toBeAttached()
  await page.getByRole('button', { name: 'Hang up' }).click()
  await dialog.getByRole('button', { name: 'Hang up' }).click()
  await expect(page.getByRole('heading', { name: 'How it ended' })).toBeVisible()
  await expect(page.getByRole('heading', { name: 'Recording and transcript' })).toBeVisible()
})

test('a live call is accessible, and so is the dialog to take it over', async ({ page }) => {
  const { call_id } = await json<{ call_id: string }>('/users/alice/call', { method: 'POST', body: JSON.stringify({ number: 'softphone' }) })
  await open(page, `/calls/${call_id}`, 'softphone')
  await page.getByRole('button', { name: 'Take over' }).click()
  await isAccessible(page, 'a live call with its dialog')
  // It may have ended by itself meanwhile.
  await fetch(`${server()}/calls/${call_id}/hangup`, { method: 'POST' })
})

test('a recording is listened to, with the transcript in step', async ({ page }) => {
  const { calls } = await json<{ calls: { id: string; from: string }[] }>('/calls?user_id=alice&direction=inbound')
  const maria = calls.find((call) => call.from.startsWith('maria'))
  await open(page, `/calls/${maria?.id}`, 'maria')
  const position = page.getByTestId('position')
  await expect(position).toHaveText(/^0:00 \/ 0:[1-5]\d$/)
  await page.getByRole('button', { name: 'Play the recording' }).click()
  await expect(position).toHaveText(/^0:0[1-9]/)
  // The greeting is heard, and stands out.
  await expect(page.locator('[aria-current="true"]')).toContainText("Alice's AI assistant")
  await page.getByRole('button', { name: 'Pause' }).click()
  const slider = page.getByRole('slider', { name: 'Position in the recording' })
  await slider.press('Home')
  await slider.press('ArrowRight')
  await expect(slider).toHaveAttribute('aria-valuenow', '5')
  // A turn of the transcript leads to where it is heard, on the recording's clock and not the call's.
  const detail = await json<{ events: { event: string; offset_ms: number; turn?: { started_ms: number; text: string } }[] }>(`/calls/${maria?.id}`)
  const opened = detail.events.find(({ event }) => event === 'media_opened')?.offset_ms ?? 0
  const last = detail.events.filter(({ turn }) => turn).at(-1)?.turn
  await page.getByRole('list', { name: 'Transcript' }).getByRole('button').last().click()
  await expect(slider).toHaveAttribute('aria-valuenow', String(Math.round(((last?.started_ms ?? 0) - opened) / 1_000)))
  // Both tracks were drawn.
  for (const track of await page.locator('canvas').all()) {
    const painted = await track.evaluate((canvas: HTMLCanvasElement) =>
      canvas.getContext('2d')?.getImageData(0, 0, canvas.width, canvas.height).data.some((value) => value > 0),
    )
    expect(painted).toBe(true)
  }
  await expect(page.getByText('INVITE (SDP)').first()).toBeAttached()
  await page.locator('details').first().locator('summary').click()
  await expect(page.getByText(/^INVITE sip:/)).toBeVisible()
  await isAccessible(page, 'a call')
})

test('calls are filtered and exported', async ({ page }) => {
  await open(page, '/calls', 'Calls')
  const rows = page.getByRole('region', { name: 'Calls' }).getByRole('row')
  await expect(rows.nth(3)).toBeVisible()
  await page.getByLabel('Direction').selectOption('outbound')
  await expect(page.getByLabel('from', { exact: true })).toHaveCount(0)
  await expect(page).toHaveURL(/direction=outbound/)
  await page.getByRole('button', { name: 'Clear all filters' }).click()
  await page.getByLabel('User', { exact: true }).fill('bob')
  await expect(page.getByRole('row').nth(1)).toContainText('bob')
  const download = page.waitForEvent('download')
  await page.getByRole('link', { name: 'Export CSV' }).click()
  const lines = readFileSync(await (await download).path(), 'utf8').trim().split(/\r?\n/)
  expect(lines[0]).toMatch(/^id,user_id,direction,/)
  expect(lines.slice(1).every((line) => line.split(',')[1] === 'bob')).toBe(true)
  await page.getByLabel('Said, or number').fill('zzzz-nobody-said-that')
  await expect(page.getByText('No call fits')).toBeVisible()
  await isAccessible(page, 'the list of calls')
})

test('the settings say how the server is', async ({ page }) => {
  await open(page, '/settings', 'Settings')
  await expect(page.getByText('the embedded database')).toBeVisible()
  await isAccessible(page, 'the settings')
  await page.getByRole('tab', { name: 'Webhook deliveries' }).click()
  await expect(page.getByText('No user has a receiver')).toBeVisible()
})

test('a user is deleted after a question', async ({ page }) => {
  await open(page, '/users/softphone', 'Sophie Phone')
  await page.getByRole('button', { name: 'What to do with Sophie Phone' }).click()
  await page.getByRole('menuitem', { name: 'Delete…' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Delete the user' }).click()
  await expect(page.getByRole('heading', { level: 1, name: 'Users' })).toBeVisible()
  await expect(page.getByText('Sophie Phone', { exact: true })).toHaveCount(0)
})

test('by night and on a telephone it is accessible too, and nothing is wider than the screen', async ({ page }) => {
  await page.emulateMedia({ colorScheme: 'dark' })
  await page.setViewportSize({ width: 390, height: 844 })
  for (const [path, heading] of [['/', 'Overview'], ['/users', 'Users'], ['/users/alice', 'Alice Johnson'], ['/users/alice?tab=persona', 'Alice Johnson'], ['/calls', 'Calls'], ['/settings', 'Settings'], ['/users/new', 'New user']] as const) {
    await open(page, path, heading)
    await expect(page.getByRole('status', { name: 'Loading' })).toHaveCount(0)
    await isAccessible(page, `${path} by night`)
    const beyond = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
    expect(beyond, `${path} fits`).toBeLessThanOrEqual(0)
  }
})

test('the theme is chosen and stays', async ({ page }) => {
  await open(page, '/', 'Overview')
  await page.getByRole('radio', { name: 'Theme: dark' }).click()
  await page.reload()
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'dark')
})
