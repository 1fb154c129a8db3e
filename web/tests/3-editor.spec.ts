// The document of a user in all its parts: variables, tools, servers of tools, what engines offer, and its history.
import { expect, isAccessible, json, open, test } from './dashboard'

interface Tools {
  ai: {
    variables: Record<string, string>
    engine: string | null
    voice: string | null
    tools: { enabled: string[] | null; http: Record<string, unknown>[]; mcp: Record<string, unknown>[] }
  }
}
const kept = async () => (await json<Tools>('/users/tess')).ai

test.beforeAll(async () => {
  const user = { user_id: 'tess', display_name: 'Tess Toolbox', sip_username: 'tess', sip_password: 'secret', sip_server: '127.0.0.1:9', greeting: 'Hello, this is {company}.' }
  await json('/users', { method: 'POST', body: JSON.stringify(user) })
})
test.afterAll(() => fetch(`${process.env.CALLIE_WORLD}/users/tess`, { method: 'DELETE' }))

test('variables are written, checked as they are typed, and kept', async ({ page }) => {
  await open(page, '/users/tess?tab=persona', 'Tess Toolbox')
  const card = page.getByRole('region', { name: 'Variables' })
  await expect(card.getByText('{company} is used and has no text here')).toBeVisible()
  await card.getByRole('button', { name: 'Add a variable' }).click()
  await card.getByLabel('Name of variable 1').fill('company name')
  await expect(card.getByRole('alert')).toContainText('letters, digits, _ and . only')
  await expect(card.getByRole('button', { name: 'Save' })).toBeDisabled()
  await card.getByLabel('Name of variable 1').fill('company')
  await card.getByLabel('Text of variable 1').fill('Toolbox & Daughters')
  await card.getByRole('button', { name: 'Add a variable' }).click()
  await card.getByLabel('Name of variable 2').fill('company')
  await expect(card.getByRole('alert').first()).toHaveText('company is there twice')
  await card.getByRole('button', { name: 'Remove row 2' }).click()
  await isAccessible(page, 'the variables')
  await card.getByRole('button', { name: 'Save' }).click()
  await expect(page.getByText('Saved.')).toBeVisible()
  await expect(card.getByText('is used and has no text here')).toHaveCount(0)
  expect((await kept()).variables).toEqual({ company: 'Toolbox & Daughters' })
})

test('engines say what there is to choose', async ({ page }) => {
  await open(page, '/users/tess?tab=persona', 'Tess Toolbox')
  const { engines } = await json<{ engines: { name: string; voices: string[]; needs: string | null }[] }>('/engines')
  const voices = (engine: string) => engines.find((each) => each.name === engine)?.voices ?? []
  const offered = async () => {
    const list = await page.getByLabel('Voice', { exact: true }).getAttribute('list')
    return page.locator(`datalist[id="${list}"] option`).evaluateAll((options) => options.map((option) => (option as HTMLOptionElement).value))
  }
  expect(await offered()).toEqual(voices('local'))
  await page.getByLabel('Engine', { exact: true }).selectOption('gemini')
  expect(await offered()).toEqual(voices('gemini'))
  expect(voices('gemini')).toContain('Kore')
  await expect(page.getByText('This server lacks GEMINI_API_KEY')).toBeVisible()
  await page.getByLabel('Engine', { exact: true }).selectOption('openai')
  expect(await offered()).toEqual(voices('openai'))
  await expect(page.getByText('This engine has none; it is kept for others.')).toBeVisible()
})

test('a web service becomes a tool: its address, arguments and headers are checked, and headers are never shown', async ({ page }) => {
  await open(page, '/users/tess?tab=tools', 'Tess Toolbox')
  await expect(page.getByText('Says goodbye and ends the call.')).toBeVisible()
  await page.getByRole('button', { name: 'Add a web service' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByLabel('Name', { exact: true }).fill('Find Order')
  await expect(dialog.getByText('small letters, digits and _, a letter first')).toBeVisible()
  await dialog.getByLabel('Name', { exact: true }).fill('find_order')
  await dialog.getByLabel('Address').fill('https://{tenant}.example/orders')
  await expect(dialog.getByText('must have a fixed host')).toBeVisible()
  await dialog.getByLabel('Address').fill('https://crm.example/orders/{number}')
  await dialog.getByLabel('What it does').fill('Finds an order by its number.')
  await dialog.getByLabel('Headers', { exact: true }).fill('Bearer abc')
  await expect(dialog.getByText('lines such as Authorization: Bearer abc')).toBeVisible()
  await dialog.getByLabel('Headers', { exact: true }).fill('Authorization: Bearer abc')
  await dialog.getByRole('button', { name: 'Add the web service' }).click()
  await expect(dialog.getByText('there is no argument number')).toBeVisible()

  await dialog.getByRole('button', { name: 'Add number' }).click()
  await expect(dialog.getByLabel('Name of argument 1')).toHaveValue('number')
  await expect(dialog.getByText('there is no argument number')).toHaveCount(0)
  await dialog.getByLabel('Kind of argument 1').selectOption('integer')
  await dialog.getByLabel('Meaning of argument 1').fill('On the invoice')
  // As JSON, where more can be said; what is wrong is told with its place.
  await dialog.getByRole('button', { name: 'As JSON Schema' }).click()
  const schema = dialog.getByLabel('Arguments as JSON Schema')
  await expect(schema).toHaveValue(/"integer"/)
  const good = await schema.inputValue()
  await schema.fill(good.replace('"integer"', 'integer'))
  await expect(dialog.getByText('is no JSON: look at line 5, column 15')).toBeVisible()
  await expect(dialog.getByRole('button', { name: 'As rows' })).toBeDisabled()
  await schema.fill(good)
  await dialog.getByRole('button', { name: 'As rows' }).click()
  await expect(dialog.getByLabel('Name of argument 1')).toHaveValue('number')
  await dialog.getByLabel('Waits at most').fill('61')
  await expect(dialog.getByText('must be at most 60')).toBeVisible()
  await dialog.getByLabel('Waits at most').fill('5')
  await isAccessible(page, 'the editor of a web service')
  await dialog.getByRole('button', { name: 'Add the web service' }).click()
  await expect(page.getByText('GET https://crm.example/orders/{number}')).toBeVisible()
  await expect(page.getByText('headers set')).toBeVisible()
  expect((await kept()).tools.http).toEqual([
    expect.objectContaining({
      name: 'find_order', method: 'GET', url: 'https://crm.example/orders/{number}', timeout_s: 5, has_headers: true,
      parameters: { type: 'object', properties: { number: { type: 'integer', description: 'On the invoice' } }, required: ['number'] },
    }),
  ])
})

test('a web service is edited, its headers stay or are taken away, and it is deleted', async ({ page }) => {
  await open(page, '/users/tess?tab=tools', 'Tess Toolbox')
  const dialog = page.getByRole('dialog')
  await page.getByRole('button', { name: 'Edit find_order' }).click()
  await expect(dialog.getByText('Headers are set')).toBeVisible()
  await expect(dialog.getByLabel('Headers', { exact: true })).toHaveValue('')
  await dialog.getByLabel('Method').selectOption('POST')
  await dialog.getByLabel('Said while it takes long').fill('One moment.')
  await dialog.getByRole('button', { name: 'Save the web service' }).click()
  await expect(page.getByText('POST https://crm.example/orders/{number}')).toBeVisible()
  expect((await kept()).tools.http).toEqual([expect.objectContaining({ method: 'POST', filler: 'One moment.', has_headers: true })])

  // Another server gets no headers that were meant for this one; the server's word stands at its field.
  await page.getByRole('button', { name: 'Edit find_order' }).click()
  await dialog.getByLabel('Address').fill('https://other.example/orders/{number}')
  await dialog.getByRole('button', { name: 'Save the web service' }).click()
  await expect(dialog.getByText('must be given again')).toBeVisible()
  await dialog.getByLabel('Send no headers any more').check()
  await expect(dialog.getByText('Headers will be taken away')).toBeVisible()
  await dialog.getByRole('button', { name: 'Save the web service' }).click()
  await expect(page.getByText('POST https://other.example/orders/{number}')).toBeVisible()
  expect((await kept()).tools.http).toEqual([expect.objectContaining({ has_headers: false })])

  await page.getByRole('button', { name: 'Delete find_order' }).click()
  await dialog.getByRole('button', { name: 'Delete' }).click()
  await expect(page.getByText('POST https://other.example')).toHaveCount(0)
  expect((await kept()).tools.http).toEqual([])
})

test('an MCP server is added, narrowed to some of its tools, and a tool of ours is taken away', async ({ page }) => {
  await open(page, '/users/tess?tab=tools', 'Tess Toolbox')
  const dialog = page.getByRole('dialog')
  await page.getByRole('button', { name: 'Add an MCP server' }).click()
  await dialog.getByLabel('Name', { exact: true }).fill('calendar')
  await dialog.getByLabel('Address').fill('https://mcp.example/mcp')
  await dialog.getByLabel('Tools that are offered').fill('book\ncancel')
  await isAccessible(page, 'the editor of an MCP server')
  await dialog.getByRole('button', { name: 'Add the server' }).click()
  await expect(page.getByText('book, cancel')).toBeVisible()
  await page.getByRole('button', { name: 'Edit calendar' }).click()
  await dialog.getByLabel('Tools that are offered').fill('')
  await dialog.getByRole('button', { name: 'Save the server' }).click()
  await expect(page.getByText('all of its tools')).toBeVisible()
  expect((await kept()).tools.mcp).toEqual([expect.objectContaining({ name: 'calendar', allow: null, timeout_s: 15 })])

  await page.getByLabel('Calculate').uncheck()
  await page.getByRole('button', { name: 'Save', exact: true }).click()
  await expect(page.getByText('A set of this user’s own.')).toBeVisible()
  const { enabled } = (await kept()).tools
  expect(enabled).toContain('end_call')
  expect(enabled).not.toContain('calculate')
})

test('two people change one user: what both did is kept apart, and merged', async ({ page }) => {
  await open(page, '/users/tess?tab=limits', 'Tess Toolbox')
  await page.getByLabel('Calls at a time').fill('4')
  await page.getByLabel('Minutes a day').fill('100')
  // The answer that tells the page of the other change is kept from it.
  await page.route('**/users/tess', async (route) => (route.request().method() === 'GET' ? route.abort() : route.continue()))
  await json('/users/tess', { method: 'PUT', body: JSON.stringify({ limits: { calls_per_hour: 60, minutes_per_day: 30 } }) })
  await page.getByRole('button', { name: 'Save' }).click()
  await expect(page.getByText('Somebody else changed this user meanwhile')).toBeVisible()
  await page.unroute('**/users/tess')
  await page.getByRole('button', { name: 'Bring in their changes' }).click()
  await expect(page.getByLabel('Calls an hour')).toHaveValue('60')
  await expect(page.getByLabel('Calls at a time')).toHaveValue('4')
  await expect(page.getByText('Somebody else set this to “30” meanwhile.')).toBeVisible()
  await isAccessible(page, 'a form that two people changed')
  await page.getByRole('button', { name: 'Take theirs' }).click()
  await expect(page.getByLabel('Minutes a day')).toHaveValue('30')
  await page.getByRole('button', { name: 'Save' }).click()
  await expect(page.getByText('Saved.')).toBeVisible()
  const { limits } = await json<{ limits: Record<string, unknown> }>('/users/tess')
  expect(limits).toMatchObject({ concurrent_calls: 4, calls_per_hour: 60, minutes_per_day: 30 })
})

test('a version is brought back, after it was shown what changes', async ({ page }) => {
  await json('/users/tess', { method: 'PUT', body: JSON.stringify({ calls: { default_greeting: 'A greeting that nobody likes.' } }) })
  await open(page, '/users/tess?tab=history', 'Tess Toolbox')
  const row = page.getByRole('row').filter({ hasText: 'calls.default_greeting' }).first()
  await expect(row.getByText('Now')).toBeVisible()
  await page.getByRole('row').nth(2).getByRole('button', { name: 'Bring back' }).click()
  const dialog = page.getByRole('dialog')
  const change = dialog.getByRole('row').filter({ hasText: 'calls.default_greeting' })
  await expect(change.getByRole('cell').first()).toContainText('A greeting that nobody likes.')
  await expect(change.getByRole('cell').last()).toContainText('Hello, this is {company}.')
  // Nothing else is told: neither times nor the state of the line.
  await expect(dialog.getByRole('row')).toHaveCount(2)
  await isAccessible(page, 'what a version would change')
  await dialog.getByRole('button', { name: 'Bring it back' }).click()
  await expect(page.getByText(/The settings are those of version \d+ again/)).toBeVisible()
  await expect(page.getByRole('row').filter({ hasText: 'calls.default_greeting' })).toHaveCount(2)
  const { calls } = await json<{ calls: { default_greeting: string } }>('/users/tess')
  expect(calls.default_greeting).toBe('Hello, this is {company}.')
})
