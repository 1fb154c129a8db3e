// The tabs that edit the user's document. Each sends what was changed in it and nothing else, under the revision it has seen.
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useMutation } from '@tanstack/react-query'
import { Plus, Trash2 } from 'lucide-react'
import { type ReactNode, useState } from 'react'
import { api, take } from '../api/client'
import { keys, status } from '../api/queries'
import type { TransferTargetDocument, UserDocument, WindowDocument } from '../api/schema'
import { useRights } from '../api/session'
import { Fields, Form, read, type Spec, useFormState } from '../ui/form'
import { Badge, Button, Card, Empty, Trouble } from '../ui/parts'
import { milliseconds } from '../ui/time'
import { say } from '../ui/toast'
import { engineName, spoken } from '../ui/words'
import { account, handling, limits, network, persona, tools } from './specs'

export function useSave(user: UserDocument) {
  const cache = useQueryClient()
  return async (body: Record<string, unknown>) => {
    const changed = await take(
      api.PUT('/users/{user_id}', {
        params: { path: { user_id: user.user_id }, header: { 'If-Match': `"${user.revision}"` } },
        body: body as never,
      }),
    )
    cache.setQueryData(keys.user(user.user_id), changed)
    void cache.invalidateQueries({ queryKey: keys.users })
    say('Saved.')
  }
}

function Edit({ user, specs, children }: { user: UserDocument; specs: Spec[]; children: ReactNode }) {
  const save = useSave(user)
  return (
    <Form specs={specs} initial={Object.fromEntries(specs.map((spec) => [spec.name, read(user, spec)]))} submit={save} verb="Save">
      {children}
    </Form>
  )
}

export function AccountForm({ user }: { user: UserDocument }) {
  return (
    <Edit user={user} specs={[...account, ...network, ...handling]}>
      <div className="grid gap-4">
        <Card title="The account at the provider">
          <Fields specs={account} />
        </Card>
        <Card title="How calls are handled">
          <Fields specs={handling} />
        </Card>
        <Card title="On the network" note="The defaults suit most providers.">
          <Fields specs={network} />
        </Card>
      </div>
    </Edit>
  )
}

export function PersonaForm({ user }: { user: UserDocument }) {
  const { operator } = useRights()
  const server = useQuery({ ...status, enabled: operator })
  const fallback = server.data?.engines.find((engine) => engine.default)?.name ?? 'local'
  const specs = persona(user.ai?.engine ?? fallback)
  return (
    <div className="grid gap-4">
      <EngineCheck user={user} />
      <Edit user={user} specs={specs}>
        <Card title="Who answers">
          <PersonaFields fallback={fallback} />
        </Card>
      </Edit>
      <TransferTargets user={user} />
    </div>
  )
}

/** The voices are those of the engine that is chosen now. */
function PersonaFields({ fallback }: { fallback: string }) {
  const form = useFormState()
  return <Fields specs={persona(String(form.values['ai.engine'] || fallback))} />
}

function EngineCheck({ user }: { user: UserDocument }) {
  const check = useMutation({
    mutationFn: () => take(api.POST('/users/{user_id}/ai/check', { params: { path: { user_id: user.user_id } } })),
  })
  const result = check.data
  return (
    <Card
      title="Does it work?"
      note="A real session is opened with the saved engine, model and voice, and closed again."
      actions={
        (
          <Button busy={check.isPending} onClick={() => check.mutate()}>
            {check.isPending ? 'Trying …' : 'Try the engine'}
          </Button>
        )
      }
    >
      <div aria-live="polite" className="text-sm">
        {check.error && <Trouble error={check.error} />}
        {result && (
          <div className="flex flex-wrap items-baseline gap-x-3 gap-y-1">
            <Badge tone={result.ok ? (result.warning ? 'warn' : 'ok') : 'bad'}>{result.ok ? 'It works' : spoken(result.cause ?? 'failed')}</Badge>
            <span>
              {engineName(result.engine)}
              {result.model && `, ${result.model}`}
              {result.voice && `, voice ${result.voice}`}
              <span className="text-dim"> after {milliseconds(result.took_ms)}</span>
            </span>
            {result.warning && <p className="w-full text-warn">{result.warning}</p>}
            {result.detail && <p className="w-full text-dim">{result.detail}</p>}
            {result.remedy && <p className="w-full">{result.remedy}</p>}
          </div>
        )}
      </div>
    </Card>
  )
}

export function ToolsForm({ user }: { user: UserDocument }) {
  const own = user.ai?.tools
  const isDefault = !own?.enabled
  // Without a list of its own the user has what the product gives: shown as chosen, sent only when it is changed.
  const initial = Object.fromEntries(tools.map((spec) => [spec.name, read(user, spec)]))
  if (isDefault) initial['ai.tools.enabled'] = ['end_call', 'current_time', 'calculate', 'take_message', ...((user.routing?.transfer_targets.length ?? 0) > 0 ? ['transfer_call'] : [])]
  const save = useSave(user)
  return (
    <div className="grid gap-4">
      <Form specs={tools} initial={initial} submit={save} verb="Save">
        <Card title="Built-in tools" note={isDefault ? 'The default set; what is changed here becomes a set of its own.' : undefined}>
          <Fields specs={tools} />
        </Card>
      </Form>
      <Card title="Tools of your own" note="Web services and MCP servers, by ai.tools of the user's document." flush>
        {(own?.http.length ?? 0) + (own?.mcp.length ?? 0) === 0 ? (
          <Empty title="None yet">
            Give the agent a web service or an MCP server by <code className="font-mono text-xs">PUT /users/{user.user_id}</code>, fields{' '}
            <code className="font-mono text-xs">ai.tools.http</code> and <code className="font-mono text-xs">ai.tools.mcp</code>. They are described at{' '}
            <a href="/docs" className="text-accent underline">
              /docs
            </a>
            .
          </Empty>
        ) : (
          <ul className="divide-y divide-line text-sm">
            {own?.http.map((tool) => (
              <li key={tool.name} className="px-4 py-2.5">
                <span className="font-mono text-[0.8125rem] font-medium">{tool.name}</span> <span className="text-dim">{tool.description}</span>
                <p className="font-mono text-xs break-all text-dim">
                  {tool.method} {tool.url}, within {tool.timeout_s} s{tool.has_headers && ', with headers'}
                </p>
              </li>
            ))}
            {own?.mcp.map((tool) => (
              <li key={tool.name} className="px-4 py-2.5">
                <span className="font-mono text-[0.8125rem] font-medium">{tool.name}</span> <Badge tone="mute">MCP</Badge>
                <p className="font-mono text-xs break-all text-dim">
                  {tool.url}, within {tool.timeout_s} s
                </p>
              </li>
            ))}
          </ul>
        )}
      </Card>
    </div>
  )
}

export function LimitsForm({ user }: { user: UserDocument }) {
  const { operator } = useRights()
  return (
    <div className="grid gap-4">
      <Edit user={user} specs={limits}>
        <Card title="What the line may dial, and what it may cost" note={operator ? 'Checked before everything that is dialled, also by an agent.' : 'Operators set them.'}>
          <fieldset disabled={!operator} className="contents">
            <Fields specs={limits} />
          </fieldset>
        </Card>
      </Edit>
      {operator && <Windows user={user} />}
    </div>
  )
}

const DAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun']

function Windows({ user }: { user: UserDocument }) {
  const stored = user.limits?.calling_windows ?? []
  const blank: WindowDocument = { days: ['mon', 'tue', 'wed', 'thu', 'fri'], from: '09:00', until: '18:00' }
  return (
    <Rows
      title="When it may call"
      note="By the callee's clock. Without a window it may call at any time."
      user={user}
      stored={stored}
      blank={blank}
      add="Add a window"
      body={(rows) => ({ limits: { calling_windows: rows } })}
      row={(window, set, at) => (
        <div className="flex flex-1 flex-wrap items-center gap-x-4 gap-y-2">
          <fieldset className="flex flex-wrap gap-1">
            <legend className="sr-only">Days of window {at + 1}</legend>
            {DAYS.map((day) => (
              <label key={day} className="cursor-pointer rounded-md border border-line-strong px-2 py-1 text-xs has-checked:border-accent has-checked:bg-accent-soft has-checked:text-accent has-focus-visible:outline-2">
                <input
                  type="checkbox"
                  className="sr-only"
                  checked={window.days.includes(day)}
                  onChange={(event) => set({ ...window, days: event.target.checked ? DAYS.filter((each) => each === day || window.days.includes(each)) : window.days.filter((each) => each !== day) })}
                />
                {day}
              </label>
            ))}
          </fieldset>
          <span className="flex items-center gap-2 text-sm">
            <input aria-label={`Window ${at + 1} from`} className="field w-20 text-sm" value={window.from} onChange={(event) => set({ ...window, from: event.target.value })} />
            to
            <input aria-label={`Window ${at + 1} until`} className="field w-20 text-sm" value={window.until} onChange={(event) => set({ ...window, until: event.target.value })} />
          </span>
        </div>
      )}
    />
  )
}

function TransferTargets({ user }: { user: UserDocument }) {
  const blank: TransferTargetDocument = { name: '', target: '', mode: null }
  return (
    <Rows
      title="To whom callers may be handed over"
      note="The agent hands over to these and to nobody else."
      user={user}
      stored={user.routing?.transfer_targets ?? []}
      blank={blank}
      add="Add somebody"
      body={(rows) => ({ routing: { transfer_targets: rows } })}
      row={(target, set, at) => (
        <div className="grid flex-1 gap-2 sm:grid-cols-[1fr_1.4fr_9rem]">
          <input aria-label={`Name of target ${at + 1}`} placeholder="sales" className="field text-sm" value={target.name} onChange={(event) => set({ ...target, name: event.target.value })} />
          <input aria-label={`Number of target ${at + 1}`} placeholder="+15551234567" className="field font-mono text-sm" value={target.target} onChange={(event) => set({ ...target, target: event.target.value })} />
          <select aria-label={`How to hand over to target ${at + 1}`} className="field text-sm" value={target.mode ?? ''} onChange={(event) => set({ ...target, mode: (event.target.value || null) as TransferTargetDocument['mode'] })}>
            <option value="">as it fits</option>
            <option value="warm">warm</option>
            <option value="blind">blind</option>
            <option value="attended">attended</option>
          </select>
        </div>
      )}
    />
  )
}

/** A list of the document, edited row by row and saved as a whole. */
export function Rows<T>({
  title,
  note,
  user,
  stored,
  blank,
  add,
  body,
  row,
}: {
  title: string
  note: string
  user: UserDocument
  stored: T[]
  blank: T
  add: string
  body: (rows: T[]) => Record<string, unknown>
  row: (row: T, set: (row: T) => void, at: number) => ReactNode
}) {
  const [edited, setEdited] = useState<T[]>()
  const rows = edited ?? stored
  const save = useSave(user)
  const saving = useMutation({ mutationFn: () => save(body(rows)), onSuccess: () => setEdited(undefined) })
  return (
    <Card
      title={title}
      note={note}
      actions={
        <Button small onClick={() => setEdited([...rows, structuredClone(blank)])}>
          <Plus aria-hidden /> {add}
        </Button>
      }
    >
      {rows.length === 0 && !edited && <p className="text-sm text-dim">None yet.</p>}
      <ul className="space-y-2.5">
        {rows.map((each, at) => (
          <li key={at} className="flex items-start gap-2">
            {row(each, (next) => setEdited(rows.map((old, index) => (index === at ? next : old))), at)}
            <Button look="quiet" aria-label={`Remove row ${at + 1}`} className="px-2" onClick={() => setEdited(rows.filter((_, index) => index !== at))}>
              <Trash2 aria-hidden />
            </Button>
          </li>
        ))}
      </ul>
      {saving.error && <Trouble error={saving.error} />}
      {edited && (
        <div className="mt-3 flex justify-end gap-2">
          <Button
            onClick={() => {
              setEdited(undefined)
              saving.reset()
            }}
          >
            Take back
          </Button>
          <Button look="main" busy={saving.isPending} onClick={() => saving.mutate()}>
            Save
          </Button>
        </div>
      )}
    </Card>
  )
}
