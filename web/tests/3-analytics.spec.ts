// Figures that change as calls end, and the filters that need the server's figures of a call.
import { readFileSync } from 'node:fs'
import { expect, isAccessible, json, open, test } from './dashboard'

test('analytics change when a call has ended', async ({ page }) => {
  await open(page, '/analytics?range=day', 'Analytics')
  const figure = page.getByTestId('figure-Calls')
  await expect(figure).toHaveText(/^\d+$/)
  const before = Number(await figure.innerText())
  const begun = await json<{ call_id: string }>('/users/alice/call', { method: 'POST', body: JSON.stringify({ number: 'nobody-is-here' }) })
  await expect.poll(async () => (await json<{ ended_at: string | null }>(`/calls/${begun.call_id}`)).ended_at, { timeout: 20_000 }).not.toBeNull()
  await expect(figure).toHaveText(String(before + 1))
  await expect(page.getByRole('img', { name: 'Calls, by how they ended' })).toBeVisible()
  await isAccessible(page, 'analytics')
  await page.getByLabel('Whose calls').fill('bob')
  await expect(figure).not.toHaveText(String(before + 1))
  const download = page.waitForEvent('download')
  await page.getByRole('link', { name: 'CSV' }).click()
  expect(readFileSync(await (await download).path(), 'utf8')).toMatch(/^from,to,calls,/)
})

test('calls are filtered by how long they were', async ({ page }) => {
  await open(page, '/calls?min_duration=1&max_duration=100000', 'Calls')
  await expect(page.getByRole('row').nth(1)).toBeVisible()
  await page.getByLabel('Talked, s at least').fill('90000')
  await expect(page.getByText('No call fits')).toBeVisible()
})
