// A receiver that fails, and then does not: what the log of deliveries shows, by itself and when it is asked for again.
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, isAccessible, test } from './dashboard'
import { house, type House, post } from './house'

let home: House
let receiver: Server
let address: string
let answer = 500
const heard: { event: string; signed: boolean }[] = []

test.beforeAll(async () => {
  receiver = createServer((request, response) => {
    let body = ''
    request.on('data', (data: Buffer) => {
      body += data.toString()
    })
    request.on('end', () => {
      const signed = Object.keys(request.headers).some((name) => name.includes('signature'))
      heard.push({ event: (JSON.parse(body) as { type?: string; event?: string }).event ?? (JSON.parse(body) as { type?: string }).type ?? '', signed })
      response.writeHead(answer).end()
    })
  })
  await new Promise<void>((listening) => receiver.listen(0, '127.0.0.1', listening))
  address = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hook`
  home = await house({ CALLIE_ALLOW_PRIVATE_TARGETS: '127.0.0.1' })
  await home.ask('/users', post({ user_id: 'wanda', display_name: 'Wanda Hook', sip_username: 'wanda', sip_password: 'secret', sip_server: '127.0.0.1:9' }))
})
test.afterAll(async () => {
  await home.close()
  receiver.close()
})

test('a receiver is added, fails, is tried again by itself, and takes it', async ({ page }) => {
  await page.goto(`${home.base}/dashboard/users/wanda?tab=webhooks`)
  const receivers = page.getByRole('region', { name: 'Receivers' })
  await receivers.getByRole('button', { name: 'Add a receiver' }).click()
  await receivers.getByLabel('Address of receiver 1').fill('no address')
  await receivers.getByLabel('Secret of receiver 1').fill('a secret of sixteen')
  await expect(receivers.getByRole('alert')).toContainText('https://')
  await receivers.getByLabel('Address of receiver 1').fill(address)
  await receivers.getByLabel('registration.changed').check()
  await receivers.getByLabel('call.ended').check()
  await receivers.getByRole('button', { name: 'Save' }).click()
  await expect(page.getByText('Saved.')).toBeVisible()
  await expect(receivers.getByLabel('Secret of receiver 1')).toHaveAttribute('placeholder', 'secret: unchanged')

  // The line comes up, and that is told; the receiver does not want it yet.
  await home.ask('/users/wanda/sip/connect', post({}))
  const deliveries = page.getByRole('region', { name: 'Deliveries', exact: true })
  const row = deliveries.getByRole('row').filter({ hasText: 'registration.changed' }).last()
  await expect(row.getByText('HTTP 500')).toBeVisible({ timeout: 40_000 })
  await expect(row.getByText('Waiting')).toBeVisible()
  await expect(row.getByText(/again in/)).toBeVisible()
  await isAccessible(page, 'deliveries of a receiver that fails')
  answer = 204
  await expect(row.getByText('Delivered')).toBeVisible({ timeout: 60_000 })
  await expect(row.getByText(/after \d+ attempts/)).toBeVisible()
  expect(heard.every(({ signed }) => signed)).toBe(true)
})

test('what was sent is looked at, filtered, and sent once more', async ({ page }) => {
  await page.goto(`${home.base}/dashboard/users/wanda?tab=webhooks`)
  const deliveries = page.getByRole('region', { name: 'Deliveries', exact: true })
  await deliveries.getByRole('button', { name: 'registration.changed' }).first().click()
  const dialog = page.getByRole('dialog', { name: 'What was sent' })
  await expect(dialog).toContainText('wanda')
  await isAccessible(page, 'what was sent')
  await page.keyboard.press('Escape')
  const before = heard.length
  await deliveries.getByRole('row').last().getByRole('button', { name: 'Resend' }).click()
  await expect(page.getByText('It is sent once more.')).toBeVisible()
  await expect.poll(() => heard.length, { timeout: 20_000 }).toBeGreaterThan(before)
  await deliveries.getByLabel('Which deliveries').selectOption('failed')
  await expect(deliveries.getByText('None of them is like that')).toBeVisible()
  await deliveries.getByLabel('Which deliveries').selectOption('')
  await page.getByRole('button', { name: 'Send a test' }).click()
  await expect(page.getByText('1 of 1 receivers took the test.')).toBeVisible()
  // All users' deliveries are in the settings, too.
  await page.goto(`${home.base}/dashboard/settings?tab=webhooks`)
  await expect(page.getByRole('row').nth(1)).toBeVisible()
})
