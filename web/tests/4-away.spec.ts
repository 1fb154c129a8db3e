// The server is killed while the dashboard is open, and comes back.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from './dashboard'
import { Callie, freePort } from './process'

test('when the server is killed the dashboard says so, keeps what it knows, and recovers by itself', async ({ page }) => {
  const folder = mkdtempSync(join(tmpdir(), 'callie-away-'))
  const port = await freePort()
  const start = () =>
    new Callie(['serve'], folder, {
      CALLIE_DATA_DIR: folder,
      CALLIE_HTTP_LISTEN: `127.0.0.1:${port}`,
      CALLIE_SIP_LISTEN: '127.0.0.1:0',
    })
  const isUp = async () => {
    await expect.poll(async () => fetch(`http://127.0.0.1:${port}/health/live`).then((answer) => answer.ok, () => false), { timeout: 30_000 }).toBe(true)
  }
  let callie = start()
  try {
    await isUp()
    await page.goto(`http://127.0.0.1:${port}/dashboard/users`)
    await expect(page.getByText('There is no user yet')).toBeVisible()
    const create = (user_id: string) =>
      fetch(`http://127.0.0.1:${port}/users`, {
        method: 'POST',
        body: JSON.stringify({ user_id, display_name: `${user_id} Example`, sip_username: user_id, sip_password: 'secret', sip_server: '127.0.0.1:9' }),
      })
    await create('zoe')
    await expect(page.getByText('zoe Example')).toBeVisible()

    await callie.stop('SIGKILL')
    await expect(page.getByText('The server is away; trying again.')).toBeVisible()
    await expect(page.getByText('zoe Example')).toBeVisible()

    // What happens before the feed is open again is not told by it: it is asked for.
    await page.route('**/events', (route) => route.abort())
    callie = start()
    await isUp()
    await create('yann')
    await page.unroute('**/events')
    await expect(page.getByText('The server is away')).toHaveCount(0)
    await expect(page.getByText('yann Example')).toBeVisible()
  } finally {
    await callie.stop('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  }
})
