// More users than a page holds: the rest comes as one goes down the list, and the search is the server's.
import { expect, isAccessible, json, open, test } from './dashboard'

const MANY = 130
const id = (n: number) => `crowd${String(n).padStart(3, '0')}`

test.beforeAll(async () => {
  for (let n = 0; n < MANY; n++) {
    const body = { user_id: id(n), display_name: `Zz Crowd ${n}`, sip_username: `ext${7_000 + n}`, sip_password: 'not theirs', sip_server: 'crowd.example' }
    await json('/users', { method: 'POST', body: JSON.stringify(body) })
  }
})
test.afterAll(async () => {
  for (let n = 0; n < MANY; n++) await json(`/users/${id(n)}`, { method: 'DELETE' })
})

test('a list of many is read page by page, and searched by the server', async ({ page }) => {
  const asked: URLSearchParams[] = []
  page.on('request', (request) => {
    const url = new URL(request.url())
    if (url.pathname === '/users') asked.push(url.searchParams)
  })
  await open(page, '/users', 'Users')
  const list = page.getByRole('region', { name: 'Users' })
  await expect(page.getByText(/^\d+ users$/)).toBeVisible()
  await list.evaluate((box) => box.scrollTo(0, box.scrollHeight))
  await expect.poll(() => asked.some((each) => each.has('after'))).toBe(true)
  await list.evaluate((box) => box.scrollTo(0, box.scrollHeight))
  const last = list.getByRole('listitem').filter({ hasText: 'Zz Crowd 99' })
  await expect(last).toBeVisible()
  expect(asked.every((each) => each.get('form') === 'short' && each.has('limit')), 'nobody asks for all of them').toBe(true)

  await page.getByLabel('Search users').fill('crowd.example 7012')
  await expect(list.getByRole('listitem')).toHaveCount(1)
  await expect(list.getByRole('listitem')).toContainText('Zz Crowd 12')
  await expect(page).toHaveURL(/q=crowd.example/)

  await page.getByLabel('Search users').fill('crowd')
  await page.getByLabel('Which lines').selectOption('registered')
  await expect(page.getByText('Nobody is like that')).toBeVisible()
  await page.getByLabel('Which lines').selectOption('off')
  await expect(page.getByText(new RegExp(`^${MANY} of \\d+$`))).toBeVisible()
  // Whoever else deletes one: it leaves the list by itself.
  await json('/users/crowd050', { method: 'DELETE' })
  await expect(page.getByText(new RegExp(`^${MANY - 1} of \\d+$`))).toBeVisible()
  await json('/users', { method: 'POST', body: JSON.stringify({ user_id: 'crowd050', display_name: 'Zz Crowd 50', sip_username: 'x', sip_password: 'y', sip_server: 'crowd.example' }) })
  await isAccessible(page, 'a list of many users')
})

test('a user is picked by typing', async ({ page }) => {
  await open(page, '/calls', 'Calls')
  await page.getByLabel('User', { exact: true }).fill('crowd1')
  await expect(page.locator('datalist option')).toHaveCount(20)
  await page.getByLabel('User', { exact: true }).fill('crowd117')
  await expect(page).toHaveURL(/user_id=crowd117/)
  await expect(page.getByText('No call fits')).toBeVisible()
})
