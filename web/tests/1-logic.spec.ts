// The decisions of the dashboard that need no browser: tables of cases.
import { expect, test } from '@playwright/test'
import type { Spec } from '../src/ui/form'

// What the build and a browser give.
Object.assign(globalThis, { __ENDPOINTS__: ['GET /users'], location: { origin: 'http://127.0.0.1' } })

test('what is typed into a field is judged by its kind and its bounds', async () => {
  const { complaint } = await import('../src/ui/form')
  const number: Spec = { name: 'n', label: 'n', kind: 'number', min: 0, max: 2 }
  const cases: [Spec, string, string | undefined][] = [
    [number, '2', undefined],
    [number, '2.1', 'must be at most 2'],
    [number, '-1', 'must be at least 0'],
    [number, 'two', 'must be a number'],
    [number, ' ', undefined],
    [{ ...number, required: true }, ' ', 'is needed'],
    [{ name: 't', label: 't', maxLength: 3 }, 'four', 'is longer than 3 characters'],
    [{ name: 't', label: 't', maxLength: 4 }, 'four', undefined],
  ]
  for (const [spec, text, want] of cases) expect(complaint(spec, text), text).toBe(want)
})

test('a change holds what was changed, at its place, and secrets that were not typed stay away', async () => {
  const { change } = await import('../src/ui/form')
  const specs: Spec[] = [
    { name: 'ai.voice', label: '' },
    { name: 'ai.temperature', label: '', kind: 'number' },
    { name: 'limits.allowed_prefixes', label: '', kind: 'lines' },
    { name: 'sip.sip_password', label: '', kind: 'password', keepsWhenEmpty: true },
    { name: 'calls.barge_in', label: '', kind: 'switch' },
  ]
  const values = { 'ai.voice': ' Kore ', 'ai.temperature': '', 'limits.allowed_prefixes': '+43\n\n +49 ', 'sip.sip_password': '', 'calls.barge_in': false }
  expect(change(specs, values, () => true)).toEqual({
    ai: { voice: 'Kore', temperature: null },
    limits: { allowed_prefixes: ['+43', '+49'] },
    calls: { barge_in: false },
  })
  expect(change(specs, values, (name) => name === 'ai.voice')).toEqual({ ai: { voice: 'Kore' } })
})

test('what somebody else changed comes in where nobody types, and is told of where both did', async () => {
  const { merge } = await import('../src/ui/form')
  const old = { a: '1', b: '1', c: '1', d: '1' }
  const current = { a: '1', b: 'mine', c: 'mine', d: 'same' }
  const fresh = { a: 'theirs', b: '1', c: 'theirs', d: 'same' }
  expect(merge(old, current, fresh)).toEqual({ merged: { a: 'theirs', b: 'mine', c: 'mine', d: 'same' }, contested: { c: 'theirs' } })
})

test('events that are told twice are kept once, in the order of the call', async () => {
  const { hear, forget, together } = await import('../src/api/heard')
  const event = (name: string, offset_ms: number) => ({ event: name, offset_ms, at: `2026-01-01T00:00:0${offset_ms / 1_000}Z` })
  hear('call', event('answered', 1_000))
  hear('call', event('turn', 2_000))
  const kept = [event('invited', 0), event('answered', 1_000), event('ended', 3_000)]
  expect(together(kept, 'call').map((each) => each.event)).toEqual(['invited', 'answered', 'turn', 'ended'])
  forget('call')
  expect(together(kept, 'call')).toBe(kept)
})

test('the live feed changes the line that it tells of, and leaves the others', async () => {
  const { QueryClient } = await import('@tanstack/react-query')
  const { apply } = await import('../src/api/live')
  const { keys } = await import('../src/api/queries')
  const cache = new QueryClient()
  const user = (user_id: string) => ({ user_id, registration: { state: 'off' }, sip_status: { registered: false } })
  // As one page, and as pages that were read one after the other.
  const [some, all] = [[...keys.users, 'some', {}], [...keys.users, 'pages', {}]]
  cache.setQueryData(some, { users: [user('alice'), user('bob')] })
  cache.setQueryData(all, { pages: [{ users: [user('alice')] }, { users: [user('bob')] }], pageParams: [] })
  cache.setQueryData(keys.user('alice'), user('alice'))
  apply(cache, 'registration', { user_id: 'alice', registration: { state: 'registered' } })
  type Page = { users: ReturnType<typeof user>[] }
  const listed = () => [cache.getQueryData<Page>(some)?.users, cache.getQueryData<{ pages: Page[] }>(all)?.pages.flatMap((page) => page.users)]
  for (const list of listed()) expect(list?.map((each) => [each.registration.state, each.sip_status.registered])).toEqual([['registered', true], ['off', false]])
  expect(cache.getQueryData<ReturnType<typeof user>>(keys.user('alice'))?.sip_status.registered).toBe(true)

  cache.setQueryData(keys.active, [{ id: 'one' }, { id: 'two' }])
  cache.setQueryData(keys.call('one'), { events: [] })
  const told = { type: 'call', call_id: 'one', user_id: 'alice', direction: 'inbound', event: 'answered', at: 'now', offset_ms: 5 }
  apply(cache, 'call', told)
  apply(cache, 'call', told)
  expect(cache.getQueryData<{ events: unknown[] }>(keys.call('one'))?.events).toEqual([{ event: 'answered', at: 'now', offset_ms: 5 }])
  expect(cache.getQueryState(keys.active)?.isInvalidated).toBe(true)
  apply(cache, 'call_recorded', { call: { id: 'one', user_id: 'alice' } })
  expect(cache.getQueryData(keys.active)).toEqual([{ id: 'two' }])
  apply(cache, 'user', { user_id: 'bob', change: 'deleted' })
  for (const list of listed()) expect(list?.map((each) => each.user_id)).toEqual(['alice'])
})

test('arguments as rows and as a schema are the same, and what rows cannot say stays a schema', async () => {
  const { rowsOf, schemaOf, checkArgument, checkSchema, checkUrl, placeholders } = await import('../src/users/schema')
  const rows = [
    { name: 'number', kind: 'integer' as const, meaning: 'On the invoice', required: true, choices: '' },
    { name: 'size', kind: 'choice' as const, meaning: '', required: false, choices: 'small, large' },
  ]
  const schema = schemaOf(rows)
  expect(schema).toEqual({
    type: 'object',
    properties: { number: { type: 'integer', description: 'On the invoice' }, size: { type: 'string', enum: ['small', 'large'] } },
    required: ['number'],
  })
  expect(rowsOf(schema)).toEqual(rows)
  for (const beyond of [
    { type: 'object', additionalProperties: false },
    { type: 'object', properties: { a: { type: 'array' } } },
    { type: 'object', properties: { a: { type: 'string', pattern: 'x' } } },
    { type: 'object', properties: {}, required: ['gone'] },
    { type: 'object', properties: { a: { type: 'string', enum: ['x, y', 'z'] } } },
    [],
  ]) expect(rowsOf(beyond), JSON.stringify(beyond)).toBeUndefined()

  const blank = { name: 'a', kind: 'string' as const, meaning: '', required: false, choices: '' }
  for (const [row, want] of [
    [blank, undefined],
    [{ ...blank, name: '' }, 'needed'],
    [{ ...blank, name: '1a' }, 'begins with no digit'],
    [{ ...blank, kind: 'choice' as const, choices: 'one' }, 'two values'],
  ] as const) {
    if (want) expect(checkArgument(row, [row])).toContain(want)
    else expect(checkArgument(row, [row])).toBeUndefined()
  }
  expect(checkArgument(blank, [blank, blank])).toContain('twice')

  for (const [text, want] of [
    ['', undefined],
    ['{"type": "object"}', undefined],
    ['{"type": "array"}', 'of the type object'],
    ['{"type": "object", "properties": []}', 'properties must be an object'],
    ['{\n  "type": object}', 'is no JSON: look at line 2, column 11'],
    ['{"type": "object",}', 'line 1, column 19'],
    ['{"type": "object"} x', 'line 1, column 20'],
    ['{"a": [1, 2.5e3, true, null, "\\u00e9\\n"], "type": "object"}', undefined],
    [JSON.stringify({ type: 'object', title: 'x'.repeat(17_000) }), 'longer than 16,384'],
  ] as const) {
    const told = checkSchema(text)
    if (want) expect(told, text.slice(0, 40)).toContain(want)
    else expect(told, text).toBeUndefined()
  }
  for (const [url, isGood] of [
    ['https://crm.example/orders/{number}?by={who}', true],
    ['https://crm.example/orders/{num ber}', false],
    ['https://crm.example/orders/{', false],
    ['https://{tenant}.example/', false],
    ['https://user:pass@crm.example/', false],
    ['ftp://crm.example/', false],
    ['crm.example', false],
  ] as const) expect(checkUrl(url) === undefined, url).toBe(isGood)
  expect(placeholders('https://x/{a}/{b}?c={a}')).toEqual(['a', 'b', 'a'])
})

test('variables have names, and what is used without one is found', async () => {
  const { checkVariable, unknownNames } = await import('../src/users/variables')
  const of = (name: string, value = '') => ({ name, value })
  for (const [variable, isGood] of [[of('company'), true], [of('a.b_1'), true], [of(''), false], [of('a b'), false], [of('x', 'y'.repeat(501)), false], [of('x'.repeat(65)), false]] as const) {
    expect(checkVariable(variable, [variable]) === undefined, variable.name).toBe(isGood)
  }
  expect(checkVariable(of('a'), [of('a'), of('a')])).toContain('twice')
  const texts = ['Hello {caller_name} at {company}, {company}.', null, 'Ticket {metadata.ticket}, {known} { not one }']
  expect(unknownNames(texts, ['known'])).toEqual(['company'])
})

test('two versions differ where their settings do, told once', async () => {
  const { differences } = await import('../src/users/diff')
  const old = { revision: 1, updated_at: 'a', display_name: 'Alice', sip: { display_name: 'Alice', codecs: ['pcmu'], updated_at: 'a' }, ai: { voice: null } }
  const now = { revision: 2, updated_at: 'b', display_name: 'Alicia', sip: { display_name: 'Alicia', codecs: ['pcmu', 'opus'], updated_at: 'b' }, ai: { voice: 'Kore' } }
  expect(differences(old, now)).toEqual([
    { path: 'sip.display_name', before: 'Alice', after: 'Alicia' },
    { path: 'sip.codecs', before: '["pcmu"]', after: '["pcmu","opus"]' },
    { path: 'ai.voice', before: 'null', after: 'Kore' },
  ])
  expect(differences(old, old)).toEqual([])
})

test('a transfer is under way from its beginning to its end', async () => {
  const { isTransferring } = await import('../src/calls/live')
  const of = (...names: string[]) => names.map((event, at) => ({ event, at: '', offset_ms: at }))
  for (const [events, want] of [
    [of('answered'), false],
    [of('answered', 'transfer_started', 'transfer_progress'), true],
    [of('transfer_started', 'transfer_fell_back'), true],
    [of('transfer_started', 'transfer_failed'), false],
    [of('transfer_started', 'transfer_completed', 'ended'), false],
    [of('transfer_started', 'transfer_failed', 'transfer_started'), true],
  ] as const) expect(isTransferring([...events]), JSON.stringify(events)).toBe(want)
})

test("the address's filters become the API's: whole days, and seconds in milliseconds", async () => {
  const { asQuery } = await import('../src/calls/list')
  const query = asQuery({ q: 'boiler', direction: undefined, from: '2026-02-28', until: '2026-02-28', min_latency: '1.5' })
  expect(query).toEqual({ q: 'boiler', from: new Date(2026, 1, 28).toISOString(), until: new Date(2026, 2, 1).toISOString(), min_latency_ms: 1_500 })
})

test('roles see what they may do', async () => {
  const { rightsOf } = await import('../src/api/session')
  expect(rightsOf('admin')).toEqual({ admin: true, operator: true })
  expect(rightsOf('operator')).toEqual({ admin: false, operator: true })
  expect(rightsOf('user')).toEqual({ admin: false, operator: false })
})

test('times are told by the largest unit that fits', async () => {
  const { away, length, milliseconds, money } = await import('../src/ui/time')
  const now = Date.parse('2026-01-01T12:00:00Z')
  for (const [at, want] of [
    ['2026-01-01T11:59:58Z', '2 sec ago'],
    ['2026-01-01T12:00:01Z', 'now'],
    ['2026-01-01T12:00:02Z', 'in 2 sec'],
    ['2026-01-01T11:58:01Z', '1 min ago'],
    ['2026-01-01T14:00:00Z', 'in 2 hr'],
    ['2025-12-31T11:00:00Z', 'yesterday'],
  ] as const) expect(away(at, now)).toBe(want)
  expect([length(0), length(65_000), length(3_729_999)]).toEqual(['0:00', '1:05', '1:02:09'])
  expect([milliseconds(999.4), milliseconds(1_000), milliseconds(12_340)]).toEqual(['999 ms', '1.00 s', '12.3 s'])
  expect(money(0.0123, 'USD')).toContain('0.0123')
})
