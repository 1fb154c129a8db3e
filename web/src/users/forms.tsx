// The tabs that edit the user's document. Each sends what was changed in it and nothing else, under the revision it has seen.
import { useMutation, useQuery } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import { api, take } from '../api/client'
import { engines } from '../api/queries'
import type { EngineOffer, TransferTargetDocument, UserDocument, WindowDocument } from '../api/schema'
import { useRights } from '../api/session'
import { Fields, Form, read, type Spec, useFormState } from '../ui/form'
import { Badge, Button, Card, Trouble } from '../ui/parts'
import { milliseconds } from '../ui/time'
import { engineName, spoken } from '../ui/words'
import { Rows } from './rows'
import { useReload, useSave } from './save'
import { account, handling, limits, network, persona } from './specs'
import { Variables } from './variables'

function Edit({ user, specs, children }: { user: UserDocument; specs: Spec[]; children: ReactNode }) {
  const save = useSave(user)
  const reload = useReload(user)
  return (
    <Form specs={specs} initial={Object.fromEntries(specs.map((spec) => [spec.name, read(user, spec)]))} submit={save} verb="Save" onConflict={reload}>
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
  const { data: list } = useQuery(engines)
  const offers = list ?? []
  const specs = persona(offers, offerOf(offers, user.ai?.engine))
  return (
    <div className="grid gap-4">
      <EngineCheck user={user} />
      <Edit user={user} specs={specs}>
        <Card title="Who answers">
          <PersonaFields engines={offers} />
        </Card>
      </Edit>
      <Variables user={user} />
      <TransferTargets user={user} />
    </div>
  )
}

const offerOf = (list: EngineOffer[], wanted: string | null | undefined) => list.find((each) => (wanted ? each.name === wanted : each.default))

/** Voices and models are those of the engine that is chosen now. */
function PersonaFields({ engines: list }: { engines: EngineOffer[] }) {
  const form = useFormState()
  return <Fields specs={persona(list, offerOf(list, String(form.values['ai.engine'] ?? '')))} />
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
      check={(window) =>
        window.days.length === 0
          ? 'choose a day'
          : [window.from, window.until].some((time) => !/^([01]\d|2[0-4]):[0-5]\d$/.test(time))
            ? 'times are such as 09:00 and 18:30'
            : window.from >= window.until
              ? 'it ends before it begins: make two windows of one over midnight'
              : undefined
      }
      row={(window, set, at, fault) => (
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
            <input {...fault} aria-label={`Window ${at + 1} from`} className="field w-20 text-sm" value={window.from} onChange={(event) => set({ ...window, from: event.target.value })} />
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
      check={(target, all) => {
        if (target.name.trim() === '') return 'the name is needed'
        if (target.target.trim() === '') return 'the number is needed'
        return all.filter((each) => each.name === target.name).length > 1 ? `${target.name} is there twice` : undefined
      }}
      row={(target, set, at, fault) => (
        <div className="grid min-w-0 flex-1 gap-2 sm:grid-cols-[1fr_1.4fr_9rem]">
          <input {...fault} aria-label={`Name of target ${at + 1}`} placeholder="sales" className="field text-sm" value={target.name} onChange={(event) => set({ ...target, name: event.target.value })} />
          <input aria-label={`Number of target ${at + 1}`} placeholder="+15551234567" className="field font-mono text-sm" value={target.target} onChange={(event) => set({ ...target, target: event.target.value })} />
          <select aria-label={`How to hand over to target ${at + 1}`} className="field text-sm" value={target.mode ?? ''} onChange={(event) => set({ ...target, mode: (event.target.value || null) as TransferTargetDocument['mode'] })}>
            <option value="">blind, as usual</option>
            <option value="warm">warm</option>
            <option value="blind">blind</option>
            <option value="attended">attended</option>
          </select>
        </div>
      )}
    />
  )
}
