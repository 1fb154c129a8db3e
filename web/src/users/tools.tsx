// What the agent can do besides talking: tools of ours, web services and MCP servers of the user's own.
import { useQueryClient } from '@tanstack/react-query'
import { Pencil, Plus, Trash2 } from 'lucide-react'
import { type ReactNode, useState } from 'react'
import { ApiError } from '../api/client'
import { keys } from '../api/queries'
import type { HttpToolDocument, McpServerDocument, UserDocument } from '../api/schema'
import { Confirm, Dialog } from '../ui/dialog'
import { change, Field, Fields, Form, read, type Spec, useFormState, type Values } from '../ui/form'
import { Badge, Button, Card, cx, Empty } from '../ui/parts'
import { useReload, useSave } from './save'
import { type Argument, checkArgument, checkSchema, checkUrl, KINDS, placeholders, rowsOf, schemaOf } from './schema'
import { tools } from './specs'

const MOST_HTTP = 24
const MOST_MCP = 8

export function ToolsForm({ user }: { user: UserDocument }) {
  const own = user.ai?.tools
  const isDefault = !own?.enabled
  // Without a list of its own the user has what the product gives: shown as chosen, sent only when it is changed.
  const initial = Object.fromEntries(tools.map((spec) => [spec.name, read(user, spec)]))
  if (isDefault) initial['ai.tools.enabled'] = ['end_call', 'transfer_call', 'current_time', 'calculate', 'take_message']
  const save = useSave(user)
  const reload = useReload(user)
  return (
    <div className="grid gap-4">
      <Form specs={tools} initial={initial} submit={save} verb="Save" onConflict={reload}>
        <Card title="Built-in tools" note={isDefault ? 'The usual set; what is changed here becomes a set of this user’s own.' : 'A set of this user’s own.'}>
          <Fields specs={tools} />
        </Card>
      </Form>
      <HttpTools user={user} />
      <McpServers user={user} />
    </div>
  )
}

/** A list of the document whose entries are edited in a dialog, one at a time. */
function Entries<T extends { name: string }>({
  user,
  list,
  most,
  title,
  note,
  add,
  empty,
  line,
  path,
  editor,
}: {
  user: UserDocument
  list: T[]
  most: number
  title: string
  note: string
  add: string
  empty: ReactNode
  line: (entry: T) => ReactNode
  /** In `ai.tools`. */
  path: 'http' | 'mcp'
  editor: (entry: T | undefined, submit: (changed: Record<string, unknown>) => Promise<void>) => ReactNode
}) {
  const [editing, setEditing] = useState<{ entry: T | undefined }>()
  const [removing, setRemoving] = useState<T>()
  const save = useSave(user)
  const cache = useQueryClient()
  const close = () => setEditing(undefined)
  /** Entries that are sent without headers keep theirs. */
  const put = async (entries: unknown[], edited: number) => {
    try {
      await save({ ai: { tools: { [path]: entries } } })
    } catch (error) {
      if (!(error instanceof ApiError)) throw error
      if (error.status === 412) {
        // Their list comes in; what is typed here stays, and is put into it next time.
        await cache.invalidateQueries({ queryKey: keys.user(user.user_id) })
        throw new ApiError(412, { title: error.title, detail: 'Somebody else changed this user meanwhile.' })
      }
      const prefix = `ai.tools.${path}[${edited}].`
      const errors = error.fields.map(({ field, problem }) => ({ field: field.startsWith(prefix) ? field.slice(prefix.length) : field, problem }))
      throw new ApiError(error.status, { title: error.title, detail: error.message, errors })
    }
  }
  return (
    <Card
      title={title}
      note={note}
      flush
      actions={
        <Button small disabled={list.length >= most} onClick={() => setEditing({ entry: undefined })}>
          <Plus aria-hidden /> {add}
        </Button>
      }
    >
      {list.length === 0 ? (
        <Empty title="None yet">{empty}</Empty>
      ) : (
        <ul className="divide-y divide-line text-sm">
          {list.map((entry) => (
            <li key={entry.name} className="flex items-start gap-2 px-4 py-2.5">
              <div className="min-w-0 flex-1">{line(entry)}</div>
              <Button small look="quiet" aria-label={`Edit ${entry.name}`} className="px-1.5" onClick={() => setEditing({ entry })}>
                <Pencil aria-hidden />
              </Button>
              <Button small look="quiet" aria-label={`Delete ${entry.name}`} className="px-1.5" onClick={() => setRemoving(entry)}>
                <Trash2 aria-hidden />
              </Button>
            </li>
          ))}
        </ul>
      )}
      {editing && (
        <Dialog wide title={editing.entry ? `Edit ${editing.entry.name}` : add} onClose={close}>
          {editor(editing.entry, async (changed) => {
            const entries: unknown[] = [...list]
            const known = list.findIndex((each) => each.name === editing.entry?.name)
            const at = known < 0 ? list.length : known
            entries[at] = changed
            await put(entries, at)
            close()
          })}
        </Dialog>
      )}
      {removing && (
        <Confirm title={`Delete ${removing.name}?`} verb="Delete" onClose={() => setRemoving(undefined)} act={() => put(list.filter((each) => each.name !== removing.name), 0)}>
          <p>The agent does not have it from the next call on; calls that are up keep it. Its headers are forgotten.</p>
        </Confirm>
      )}
    </Card>
  )
}

const name = (most: number, taken: string[]): Spec => ({
  name: 'name', label: 'Name', required: true, mono: true, maxLength: most, placeholder: 'find_order', hint: 'Small letters, digits and _.',
  check: (text) => (!/^[a-z][a-z0-9_]*$/.test(text) ? 'small letters, digits and _, a letter first' : taken.includes(text) ? 'there is one of this name' : undefined),
})
const filler: Spec = { name: 'filler', label: 'Said while it takes long', maxLength: 200, placeholder: 'One moment, I look that up.' }
const headers = (has: boolean): Spec => ({
  name: 'headers', label: 'Headers', kind: 'lines', mono: true, wide: true, rows: 2, placeholder: has ? '(set; leave it empty and they stay)' : 'Authorization: Bearer …',
  hint: 'One in each line. Sealed as they are stored; never shown again.',
  check: (text) => (text.split('\n').every((line) => line.trim() === '' || /^[!#$%&'*+.^_`|~0-9A-Za-z-]+:\s*\S/.test(line.trim())) ? undefined : 'lines such as Authorization: Bearer abc'),
})
const timeout = (usual: number): Spec => ({ name: 'timeout_s', label: 'Waits at most', kind: 'number', unit: 's', min: 1, max: 60, placeholder: String(usual) })

/** The body of an entry: headers as they were where nothing else is said. */
function entryOf(specs: Spec[], values: Values): Record<string, unknown> {
  const body = change(specs.filter((spec) => spec.name !== 'headers' && spec.name !== 'parameters' && spec.name !== 'no_headers'), values, () => true)
  for (const [key, value] of Object.entries(body)) if (value === null) delete body[key]
  const text = String(values.headers ?? '').trim()
  if (text) body.headers = String(values.headers)
  else if (values.no_headers === true) body.headers = null
  return body
}

function Headers({ has }: { has: boolean }) {
  const { values } = useFormState()
  return (
    <div className="grid gap-2">
      <div className="flex items-center gap-2 text-sm">
        <Badge tone={has && values.no_headers !== true ? 'ok' : 'mute'}>{has ? (values.no_headers === true ? 'Headers will be taken away' : 'Headers are set') : 'No headers are set'}</Badge>
      </div>
      {values.no_headers !== true && <Field spec={headers(has)} />}
      {has && <Field spec={noHeaders} />}
    </div>
  )
}
const noHeaders: Spec = { name: 'no_headers', label: 'Send no headers any more', kind: 'switch' }

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'].map((method) => [method, method] as const)

function HttpTools({ user }: { user: UserDocument }) {
  const list = user.ai?.tools.http ?? []
  return (
    <Entries
      user={user}
      list={list}
      most={MOST_HTTP}
      path="http"
      title="Web services"
      note="Each is a tool: the agent fills in the arguments, Callie asks the address, the agent gets the answer."
      add="Add a web service"
      empty="Give the agent your order system, your calendar or your CRM by an address that answers in text or JSON."
      line={(tool: HttpToolDocument) => (
        <>
          <span className="font-mono text-[0.8125rem] font-medium">{tool.name}</span> <span className="text-dim">{tool.description}</span>
          <p className="flex flex-wrap items-center gap-x-2 gap-y-1 font-mono text-xs break-all text-dim">
            {tool.method} {tool.url}
            <span className="font-sans">within {tool.timeout_s} s</span>
            {tool.has_headers && <Badge tone="ok">headers set</Badge>}
          </p>
        </>
      )}
      editor={(tool, submit) => <HttpToolEditor tool={tool} taken={list.filter((each) => each.name !== tool?.name).map((each) => each.name)} submit={submit} />}
    />
  )
}

/** Names in the address that no argument has; of a schema the server judges. */
function lacking(url: string, rows: Argument[] | undefined): string | undefined {
  const missing = unfilled(url, rows)
  return missing.length > 0 ? `there is no argument ${missing.join(', ')} yet: add it below` : undefined
}
const unfilled = (url: string, rows: Argument[] | undefined) => [...new Set(placeholders(url) ?? [])].filter((name) => rows && !rows.some((row) => row.name === name))

function HttpToolEditor({ tool, taken, submit }: { tool: HttpToolDocument | undefined; taken: string[]; submit: (changed: Record<string, unknown>) => Promise<void> }) {
  const [rows, setRows] = useState<Argument[] | undefined>(() => (tool ? rowsOf(tool.parameters) : []))
  const parameters: Spec = { name: 'parameters', label: 'Arguments as JSON Schema', kind: 'long', mono: true, wide: true, rows: 9, check: checkSchema }
  const specs: Spec[] = [
    name(48, taken),
    { name: 'method', label: 'Method', kind: 'select', options: METHODS },
    { name: 'url', label: 'Address', required: true, mono: true, wide: true, maxLength: 2048, placeholder: 'https://crm.example/orders/{number}', check: (text) => checkUrl(text) ?? lacking(text, rows),
      hint: '{number} stands for the argument of that name. The others go into the query, or as JSON into the body of POST, PUT and PATCH.' },
    { name: 'description', label: 'What it does, and when to use it', required: true, kind: 'long', rows: 2, maxLength: 2000, wide: true, placeholder: 'Finds an order by its number. Use it when somebody asks where an order is.', hint: 'The model goes by this.' },
    parameters,
    headers(tool?.has_headers ?? false),
    noHeaders,
    { ...timeout(10), hint: 'For everything, retries included.' },
    { name: 'retries', label: 'Tries again', kind: 'number', unit: 'times', min: 0, max: 3, placeholder: '0' },
    { ...filler, wide: true },
    { name: 'allow_hosts', label: 'May be redirected to', kind: 'lines', mono: true, wide: true, rows: 2, placeholder: 'api.example.com', hint: 'Hosts besides its own, one in each line. Only with GET.' },
  ]
  const shown = (names: string[]) => specs.filter((spec) => names.includes(spec.name))
  const start: Values = { ...Object.fromEntries(specs.map((spec) => [spec.name, read(tool, spec)])), headers: '', no_headers: false, method: tool?.method ?? 'GET', parameters: tool ? JSON.stringify(tool.parameters, null, 2) : '' }
  return (
    <Form
      always
      verb={tool ? 'Save the web service' : 'Add the web service'}
      specs={specs}
      initial={start}
      submit={async (_body, values) => {
        const given = rows ? schemaOf(rows) : values.parameters ? (JSON.parse(String(values.parameters)) as Record<string, unknown>) : { type: 'object', properties: {} }
        if (rows?.some((row) => checkArgument(row, rows))) throw new Error('An argument is not right yet.')
        await submit({ ...entryOf(specs, values), parameters: given })
      }}
    >
      <div className="grid gap-4">
        <Fields specs={shown(['name', 'method', 'url', 'description'])} />
        <Arguments rows={rows} setRows={setRows} spec={parameters} />
        <Headers has={tool?.has_headers ?? false} />
        <Fields specs={shown(['timeout_s', 'retries', 'filler', 'allow_hosts'])} />
      </div>
    </Form>
  )
}

const blankArgument: Argument = { name: '', kind: 'string', meaning: '', required: true, choices: '' }

function Arguments({ rows, setRows, spec }: { rows: Argument[] | undefined; setRows: (rows: Argument[] | undefined) => void; spec: Spec }) {
  const form = useFormState()
  const text = String(form.values.parameters ?? '')
  const asRows = () => {
    try {
      return text.trim() === '' ? [] : rowsOf(JSON.parse(text))
    } catch {
      return undefined
    }
  }
  const set = (at: number, next: Argument) => setRows(rows?.map((row, index) => (index === at ? next : row)))
  if (!rows) {
    const simple = asRows()
    return (
      <div>
        <Field spec={spec} />
        <Button small disabled={!simple} title={simple ? undefined : 'The schema says more than rows can, or is not right yet'} onClick={() => setRows(simple)}>
          As rows
        </Button>
      </div>
    )
  }
  return (
    <fieldset className="min-w-0">
      <legend className="mb-1 text-sm font-medium">Arguments</legend>
      {rows.length === 0 && <p className="text-sm text-dim">None: the address is always the same.</p>}
      <ul className="space-y-2.5">
        {rows.map((row, at) => {
          const fault = checkArgument(row, rows)
          const isTold = fault !== undefined && row.name !== ''
          return (
            <li key={at}>
              <div className="flex items-start gap-2">
                <div className="grid min-w-0 flex-1 gap-2 sm:grid-cols-[1fr_9.5rem_1.6fr_auto]">
                  <input aria-label={`Name of argument ${at + 1}`} aria-invalid={isTold} placeholder="number" className="field font-mono text-sm" value={row.name} onChange={(event) => set(at, { ...row, name: event.target.value.trim() })} />
                  <select aria-label={`Kind of argument ${at + 1}`} className="field text-sm" value={row.kind} onChange={(event) => set(at, { ...row, kind: event.target.value as Argument['kind'] })}>
                    {KINDS.map(([kind, word]) => (
                      <option key={kind} value={kind}>
                        {word}
                      </option>
                    ))}
                  </select>
                  <input aria-label={`Meaning of argument ${at + 1}`} placeholder="The number on the invoice" className="field text-sm" value={row.meaning} onChange={(event) => set(at, { ...row, meaning: event.target.value })} />
                  <label className="flex min-h-9 cursor-pointer items-center gap-1.5 text-sm">
                    <input type="checkbox" aria-label={`Argument ${at + 1} is needed`} className="size-4 accent-[var(--accent)]" checked={row.required} onChange={(event) => set(at, { ...row, required: event.target.checked })} />
                    needed
                  </label>
                  {row.kind === 'choice' && (
                    <input aria-label={`Values of argument ${at + 1}`} placeholder="small, medium, large" className={cx('field text-sm', 'sm:col-span-4')} value={row.choices} onChange={(event) => set(at, { ...row, choices: event.target.value })} />
                  )}
                </div>
                <Button look="quiet" aria-label={`Remove argument ${at + 1}`} className="px-2" onClick={() => setRows(rows.filter((_, index) => index !== at))}>
                  <Trash2 aria-hidden />
                </Button>
              </div>
              {isTold && (
                <p role="alert" className="mt-1 text-[0.8125rem] text-bad first-letter:uppercase">
                  {fault}
                </p>
              )}
            </li>
          )
        })}
      </ul>
      <div className="mt-2 flex flex-wrap gap-2">
        {unfilled(String(form.values.url ?? ''), rows).map((name) => (
          <Button key={name} small onClick={() => setRows([...rows, { ...blankArgument, name }])}>
            <Plus aria-hidden /> Add {name}
          </Button>
        ))}
        <Button small onClick={() => setRows([...rows, blankArgument])}>
          <Plus aria-hidden /> Add an argument
        </Button>
        <Button
          small
          look="quiet"
          onClick={() => {
            form.set('parameters', JSON.stringify(schemaOf(rows), null, 2))
            setRows(undefined)
          }}
        >
          As JSON Schema
        </Button>
      </div>
    </fieldset>
  )
}

function McpServers({ user }: { user: UserDocument }) {
  const list = user.ai?.tools.mcp ?? []
  return (
    <Entries
      user={user}
      list={list}
      most={MOST_MCP}
      path="mcp"
      title="MCP servers"
      note="Their tools become the agent's, each named after its server: calendar_book."
      add="Add an MCP server"
      empty="A server of the Model Context Protocol brings its tools with it, with their descriptions. It is asked for them as a call begins."
      line={(server: McpServerDocument) => (
        <>
          <span className="font-mono text-[0.8125rem] font-medium">{server.name}</span>{' '}
          <span className="text-dim">{server.allow ? server.allow.join(', ') || 'none of its tools' : 'all of its tools'}</span>
          <p className="flex flex-wrap items-center gap-x-2 gap-y-1 font-mono text-xs break-all text-dim">
            {server.url}
            <span className="font-sans">within {server.timeout_s} s</span>
            {server.has_headers && <Badge tone="ok">headers set</Badge>}
          </p>
        </>
      )}
      editor={(server, submit) => <McpServerEditor server={server} taken={list.filter((each) => each.name !== server?.name).map((each) => each.name)} submit={submit} />}
    />
  )
}

function McpServerEditor({ server, taken, submit }: { server: McpServerDocument | undefined; taken: string[]; submit: (changed: Record<string, unknown>) => Promise<void> }) {
  const specs: Spec[] = [
    { ...name(24, taken), placeholder: 'calendar' },
    { ...timeout(15), hint: 'For each use of a tool.' },
    { name: 'url', label: 'Address', required: true, mono: true, wide: true, maxLength: 2048, placeholder: 'https://mcp.example/mcp', hint: 'Of its Streamable HTTP.',
      check: (text) => (text.includes('{') ? 'must be without braces' : checkUrl(text)) },
    headers(server?.has_headers ?? false),
    noHeaders,
    { name: 'allow', label: 'Tools that are offered', kind: 'lines', mono: true, wide: true, rows: 3, placeholder: 'book\ncancel', hint: 'One in each line, by the names of the server. Empty: all of them.' },
    { ...filler, wide: true },
  ]
  const shown = (names: string[]) => specs.filter((spec) => names.includes(spec.name))
  const start: Values = { ...Object.fromEntries(specs.map((spec) => [spec.name, read(server, spec)])), headers: '', no_headers: false }
  return (
    <Form
      always
      verb={server ? 'Save the server' : 'Add the server'}
      specs={specs}
      initial={start}
      submit={async (_body, values) => {
        const entry = entryOf(specs, values)
        if (Array.isArray(entry.allow) && entry.allow.length === 0) delete entry.allow
        await submit(entry)
      }}
    >
      <div className="grid gap-4">
        <Fields specs={shown(['name', 'timeout_s', 'url'])} />
        <Headers has={server?.has_headers ?? false} />
        <Fields specs={shown(['allow', 'filler'])} />
      </div>
    </Form>
  )
}
