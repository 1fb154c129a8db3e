// What the tests of all screens use.
import AxeBuilder from '@axe-core/playwright'
import { test as base, expect, type Page } from '@playwright/test'

export { expect }

export const server = () => process.env.CALLIE_WORLD ?? ''
export const carrier = () => process.env.CALLIE_CARRIER ?? ''

/** A page in which nothing may go wrong unseen: no error in its console, no violation of its policy. */
export const test = base.extend<{ complaints: string[] }>({
  complaints: [
    async ({ page }, use) => {
      const complaints: string[] = []
      page.on('pageerror', (error) => complaints.push(error.message))
      page.on('console', (message) => {
        // The network's own words on answers of 4xx are no fault of the page.
        if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) complaints.push(message.text())
      })
      await use(complaints)
      expect(complaints, 'the console is silent').toEqual([])
    },
    { auto: true },
  ],
  baseURL: async ({}, use) => use(server()),
})

export async function open(page: Page, path: string, heading: string | RegExp) {
  await page.goto(`/dashboard${path}`)
  await expect(page.getByRole('heading', { level: 1, name: heading })).toBeVisible()
}

/** No serious fault for those who do not see, or do not use a mouse. */
export async function isAccessible(page: Page, what: string) {
  const { violations } = await new AxeBuilder({ page }).withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']).analyze()
  const serious = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical')
  const told = serious.map(({ id, help, nodes }) => `${id}: ${help}\n  ${nodes.map((node) => `${node.html}\n    ${node.failureSummary}`).join('\n  ')}`)
  expect(told, `${what} is accessible`).toEqual([])
}

export async function json<T>(path: string, init?: RequestInit): Promise<T> {
  const response = await fetch(server() + path, init)
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`)
  return (await response.json()) as T
}
