// The way from a new user to the end of a call, by the keyboard alone; what has the focus is seen at each step.
import type { Page } from '@playwright/test'
import { carrier, expect, open, server, test } from './dashboard'

test.afterAll(() => fetch(`${server()}/users/kay`, { method: 'DELETE' }))

interface Focus {
  role: string
  name: string
  isSeen: boolean
}

/** What has the focus, by the name that it tells, and whether it can be seen that it has. */
const focused = (page: Page) =>
  page.evaluate((): Focus => {
    const element = document.activeElement as HTMLElement
    const style = getComputedStyle(element)
    const labels = 'labels' in element ? [...((element as HTMLInputElement).labels ?? [])].map((label) => label.innerText).join(' ') : ''
    return {
      role: element.getAttribute('role') ?? element.tagName.toLowerCase(),
      name: (element.getAttribute('aria-label') || labels || element.innerText || '').trim(),
      isSeen: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2,
    }
  })

/** Goes on with Tab until something of this name has the focus. */
async function tabTo(page: Page, name: string | RegExp, most = 60) {
  const passed: string[] = []
  for (let step = 0; step < most; step++) {
    await page.keyboard.press('Tab')
    const at = await focused(page)
    passed.push(at.name.slice(0, 30))
    if (at.role !== 'body') expect(at.isSeen, `it is seen that ${at.role} “${at.name.slice(0, 40)}” has the focus`).toBe(true)
    if (typeof name === 'string' ? at.name === name || at.name.startsWith(`${name}\n`) : name.test(at.name)) return
  }
  throw new Error(`Tab does not lead to ${name}: ${passed.join(' | ')}`)
}

test('a user is created, connected, calls, and hangs up without a mouse', async ({ page }) => {
  await page.emulateMedia({ reducedMotion: 'reduce' })
  await open(page, '/', 'Overview')
  await tabTo(page, 'Skip to the content')
  await page.keyboard.press('Enter')
  await tabTo(page, 'New user')
  await page.keyboard.press('Enter')
  await expect(page.getByRole('heading', { level: 1, name: 'New user' })).toBeFocused()

  for (const [field, text] of [['Id', 'kay'], ['Name', 'Kay Board'], ['Server', carrier()], ['SIP user name', 'softphone'], ['Password', 'softphone']] as const) {
    await tabTo(page, field)
    await page.keyboard.type(text)
  }
  // Connecting is left for later.
  await tabTo(page, /^Connect the line once/)
  await page.keyboard.press('Space')
  await tabTo(page, 'Create')
  await page.keyboard.press('Enter')
  await expect(page.getByRole('heading', { level: 1, name: 'Kay Board' })).toBeFocused()

  await tabTo(page, 'Connect')
  await page.keyboard.press('Enter')
  await expect(page.getByText(/Registered$/).first()).toBeVisible()
  await expect(page.getByRole('button', { name: 'Place a call' })).toBeEnabled()
  // The tabs are one stop, and arrows go along them.
  await tabTo(page, 'Line')
  await page.keyboard.press('ArrowRight')
  await expect(page.getByRole('tab', { name: 'Talk' })).toBeFocused()
  await page.keyboard.press('ArrowRight')
  await expect(page.getByRole('tab', { name: 'Persona' })).toBeFocused()
  await page.keyboard.press('Enter')
  await expect(page.getByRole('tab', { name: 'Persona' })).toHaveAttribute('aria-selected', 'true')

  while ((await focused(page)).name !== 'Place a call') await page.keyboard.press('Shift+Tab')
  await page.keyboard.press('Enter')
  await tabTo(page, 'Number', 4)
  await page.keyboard.type('bob')
  await page.keyboard.press('Enter')
  await expect(page.getByRole('heading', { level: 1, name: 'bob' })).toBeFocused()
  await expect(page.getByRole('list', { name: 'Events' })).toContainText('Answered')
  await tabTo(page, 'Hang up')
  await page.keyboard.press('Enter')
  // The dialog keeps the focus inside.
  await expect(page.getByRole('dialog', { name: 'Hang up?' })).toBeVisible()
  await tabTo(page, 'Hang up', 6)
  await page.keyboard.press('Enter')
  await expect(page.getByRole('heading', { name: 'How it ended' })).toBeVisible()
})

test('a dialog is left with Escape, and the focus is where it was', async ({ page }) => {
  await open(page, '/users/alice', 'Alice Johnson')
  await tabTo(page, 'Place a call')
  await page.keyboard.press('Enter')
  await expect(page.getByRole('dialog')).toBeVisible()
  for (let step = 0; step < 12; step++) {
    await page.keyboard.press('Tab')
    expect(await page.evaluate(() => document.activeElement === document.body || document.querySelector('dialog')?.contains(document.activeElement)), 'the focus stays in the dialog').toBe(true)
  }
  await page.keyboard.press('Escape')
  await expect(page.getByRole('button', { name: 'Place a call' })).toBeFocused()
})
