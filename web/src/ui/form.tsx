// Forms made of fields that are data. A field's name is its path in the user's document, which is also how the API names it when
// something is wrong with it. What is typed is checked as it is typed; what only the server can know is shown at the same place.
import { createContext, type ReactNode, useContext, useEffect, useId, useRef, useState } from 'react'
import { ApiError } from '../api/client'
import { Button, cx } from './parts'

/** When a change of a field is felt. */
export type Applies = 'now' | 'call' | 'line'
export const appliesWords: Record<Applies, string> = {
  now: 'Applies at once.',
  call: 'Applies from the next call on.',
  line: 'Applies at once: the line registers again; calls that are up go on.',
}

export type Value = string | boolean | string[]

export interface Spec {
  name: string
  label: string
  kind?: 'text' | 'password' | 'number' | 'long' | 'select' | 'switch' | 'lines' | 'checks'
  hint?: ReactNode
  applies?: Applies
  /** Of `select` and `checks`; what a check means stands below it. */
  options?: readonly (readonly [value: string, label: string, meaning?: string])[]
  suggestions?: readonly string[]
  placeholder?: string
  required?: boolean
  min?: number
  max?: number
  maxLength?: number
  unit?: string
  mono?: boolean
  wide?: boolean
  rows?: number
  /** An empty field is left out instead of sent as null: a stored secret stays. */
  keepsWhenEmpty?: boolean
  autoComplete?: string
  check?: (value: string) => string | undefined
}

export type Values = Record<string, Value>

export function complaint(spec: Spec, value: Value): string | undefined {
  if (typeof value !== 'string') return undefined
  const text = value.trim()
  if (text === '') return spec.required ? 'is needed' : undefined
  if (spec.kind === 'number') {
    const number = Number(text)
    if (!Number.isFinite(number)) return 'must be a number'
    if (spec.min !== undefined && number < spec.min) return `must be at least ${spec.min}`
    if (spec.max !== undefined && number > spec.max) return `must be at most ${spec.max}`
  }
  if (spec.maxLength !== undefined && value.length > spec.maxLength) return `is longer than ${spec.maxLength} characters`
  return spec.check?.(text)
}

/** The value in a document, as a form has it. */
export function read(document: unknown, spec: Spec): Value {
  let at: unknown = document
  for (const part of spec.name.split('.')) at = typeof at === 'object' && at !== null ? (at as Record<string, unknown>)[part] : undefined
  if (spec.kind === 'switch') return at === true
  if (spec.kind === 'checks') return Array.isArray(at) ? at.map(String) : []
  if (spec.kind === 'lines') return Array.isArray(at) ? at.join('\n') : ''
  return at === null || at === undefined ? '' : String(at)
}

function written(spec: Spec, value: Value): unknown {
  if (typeof value !== 'string') return value
  const text = value.trim()
  if (spec.kind === 'lines') return text === '' ? [] : text.split(/\n/).map((line) => line.trim()).filter(Boolean)
  if (text === '') return spec.keepsWhenEmpty ? undefined : null
  if (spec.kind === 'number') return Number(text)
  return spec.kind === 'long' || spec.kind === 'password' ? value : text
}

/** `{ 'ai.voice': 'Kore' }` as `{ ai: { voice: 'Kore' } }`. */
export function change(specs: Spec[], values: Values, only: (name: string) => boolean): Record<string, unknown> {
  const body: Record<string, unknown> = {}
  for (const spec of specs) {
    const value = values[spec.name]
    if (value === undefined || !only(spec.name)) continue
    const sent = written(spec, value)
    if (sent === undefined) continue
    const parts = spec.name.split('.')
    const last = parts.pop() ?? spec.name
    let at = body
    for (const part of parts) at = (at[part] ??= {}) as Record<string, unknown>
    at[last] = sent
  }
  return body
}

interface FormState {
  values: Values
  set: (name: string, value: Value) => void
  problem: (spec: Spec) => string | undefined
  touched: (name: string) => void
  isChanged: (name: string) => boolean
  /** What somebody else made of a field that is being changed here. */
  theirs: Values
  takeTheirs: (name: string) => void
}
const FormContext = createContext<FormState | null>(null)
export const useFormState = () => {
  const form = useContext(FormContext)
  if (!form) throw new Error('a field stands outside of a form')
  return form
}

/** What is typed stays; where somebody else changed the same field to something else, both are told of. */
export function merge(old: Values, current: Values, fresh: Values): { merged: Values; contested: Values } {
  const merged: Values = {}
  const contested: Values = {}
  for (const [name, theirs] of Object.entries(fresh)) {
    const mine = current[name] ?? ''
    const isMine = !same(mine, old[name])
    merged[name] = isMine ? mine : theirs
    if (isMine && !same(theirs, old[name]) && !same(theirs, mine)) contested[name] = theirs
  }
  return { merged, contested }
}

const same = (a: Value | undefined, b: Value | undefined) => JSON.stringify(a) === JSON.stringify(b)

export function Form({
  specs,
  initial,
  submit,
  verb,
  children,
  always = false,
  onDirty,
  onConflict,
}: {
  specs: Spec[]
  initial: Values
  /** Gets the changed fields as a body, or all that are filled in where `always`. */
  submit: (body: Record<string, unknown>, values: Values) => Promise<unknown>
  verb: string
  children: ReactNode
  always?: boolean
  onDirty?: (dirty: boolean) => void
  /** Somebody else was faster: asks for what they made of it, which then comes in as `initial`. */
  onConflict?: () => Promise<unknown>
}) {
  const [base, setBase] = useState(initial)
  const [values, setValues] = useState(initial)
  const [seen, setSeen] = useState<ReadonlySet<string>>(new Set())
  const [refused, setRefused] = useState<Record<string, string>>({})
  const [trouble, setTrouble] = useState<{ title: string; rest: string[]; isConflict: boolean }>()
  const [theirs, setTheirs] = useState<Values>({})
  const [busy, setBusy] = useState(false)
  const form = useRef<HTMLFormElement>(null)
  const changed = specs.filter((spec) => !same(values[spec.name], base[spec.name])).map((spec) => spec.name)
  const isDirty = changed.length > 0

  const latest = useRef({ values, base })
  useEffect(() => {
    latest.current = { values, base }
  }, [values, base])
  // What somebody else changed comes in, save where one is typing.
  const incoming = JSON.stringify(initial)
  useEffect(() => {
    const fresh = JSON.parse(incoming) as Values
    const { values: current, base: old } = latest.current
    const { merged, contested } = merge(old, current, fresh)
    latest.current = { values: merged, base: fresh }
    setValues(merged)
    setBase(fresh)
    setTheirs((known) => ({ ...Object.fromEntries(Object.entries(known).filter(([name]) => !same(merged[name], fresh[name]))), ...contested }))
  }, [incoming])
  useEffect(() => onDirty?.(isDirty), [isDirty, onDirty])

  // Once what is wrong stands on the page, and not a frame later by luck.
  const [told, setTold] = useState(0)
  useEffect(() => {
    if (told > 0) form.current?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus()
  }, [told])
  const firstFaulty = () => setTold((times) => times + 1)

  const go = async () => {
    setSeen(new Set(specs.map((spec) => spec.name)))
    setRefused({})
    setTrouble(undefined)
    if (specs.some((spec) => complaint(spec, values[spec.name] ?? ''))) {
      firstFaulty()
      return
    }
    setBusy(true)
    try {
      const isSent = (name: string) => (always ? !same(values[name], '') : changed.includes(name))
      await submit(change(specs, values, isSent), values)
      // What was kept is now the base; secrets are gone from the page.
      const kept = Object.fromEntries(specs.map((spec) => [spec.name, spec.kind === 'password' ? '' : (values[spec.name] ?? '')]))
      setBase(kept)
      setValues((now) => ({ ...now, ...kept }))
      setSeen(new Set())
      setTheirs({})
    } catch (error) {
      const fields = error instanceof ApiError ? error.fields : []
      const found: Record<string, string> = {}
      const rest: string[] = []
      for (const { field, problem } of fields) {
        // As it was written, or by its flat name.
        const spec = specs.find(({ name }) => name === field || name.endsWith(`.${field}`) || field.startsWith(`${name}.`) || field.startsWith(`${name}[`))
        if (spec) found[spec.name] = field.startsWith(`${spec.name}.`) || field.startsWith(`${spec.name}[`) ? `${field}: ${problem}` : problem
        else rest.push(`${field}: ${problem}`)
      }
      setRefused(found)
      const isConflict = error instanceof ApiError && error.status === 412
      if (isConflict) {
        setTrouble({ title: 'Somebody else changed this user meanwhile', rest: ['Nothing was saved yet, and what you have typed is still here.'], isConflict })
      } else if (Object.keys(found).length === 0 || rest.length > 0) {
        setTrouble({
          title: error instanceof ApiError ? error.title : 'That did not work',
          rest: rest.length > 0 ? rest : [error instanceof Error ? error.message : String(error)],
          isConflict,
        })
      }
      firstFaulty()
    }
    setBusy(false)
  }

  const state: FormState = {
    values,
    set: (name, value) => {
      setValues((old) => ({ ...old, [name]: value }))
      setRefused(({ [name]: _gone, ...others }) => others)
    },
    touched: (name) => setSeen((old) => new Set(old).add(name)),
    problem: (spec) => {
      const value = values[spec.name] ?? ''
      const own = complaint(spec, value)
      // Something wrong is told while typing; that something is missing only once one has been there.
      return refused[spec.name] ?? (own && (seen.has(spec.name) || (own !== 'is needed' && value !== base[spec.name])) ? own : undefined)
    },
    isChanged: (name) => changed.includes(name),
    theirs,
    takeTheirs: (name) => {
      setValues((old) => ({ ...old, [name]: base[name] ?? '' }))
      setTheirs(({ [name]: _taken, ...others }) => others)
    },
  }
  return (
    <FormContext.Provider value={state}>
      <form
        ref={form}
        noValidate
        onSubmit={(event) => {
          event.preventDefault()
          void go()
        }}
      >
        {trouble && (
          <div role="alert" className="mb-4 rounded-lg bg-bad-soft px-4 py-3 text-sm">
            <p className="font-medium text-bad">{trouble.title}</p>
            {trouble.rest.map((line) => (
              <p key={line}>{line}</p>
            ))}
            {trouble.isConflict && onConflict && (
              <Button
                small
                className="mt-2"
                onClick={() => {
                  onConflict().then(
                    () => setTrouble(undefined),
                    (error: unknown) => setTrouble({ ...trouble, rest: [error instanceof Error ? error.message : String(error)] }),
                  )
                }}
              >
                Bring in their changes
              </Button>
            )}
          </div>
        )}
        {children}
        {(isDirty || always) && (
          <div className="sticky bottom-16 z-10 mt-4 flex flex-wrap items-center justify-end gap-2 rounded-xl border border-line bg-raised px-4 py-3 shadow-lg md:bottom-4 in-[dialog]:bottom-0! in-[dialog]:-mx-5 in-[dialog]:-mb-5 in-[dialog]:rounded-t-none in-[dialog]:rounded-b-2xl in-[dialog]:border-x-0 in-[dialog]:border-b-0 in-[dialog]:px-5 in-[dialog]:shadow-none">
            {!always && (
              <>
                <span className="mr-auto text-sm text-dim" role="status">
                  {changed.length === 1 ? 'One field is changed' : `${changed.length} fields are changed`}
                </span>
                <Button
                  onClick={() => {
                    setValues(base)
                    setTheirs({})
                    setRefused({})
                    setTrouble(undefined)
                  }}
                >
                  Take back
                </Button>
              </>
            )}
            <Button type="submit" look="main" busy={busy}>
              {verb}
            </Button>
          </div>
        )}
      </form>
    </FormContext.Provider>
  )
}

/** A value for people. */
function told(spec: Spec, value: Value): string {
  if (typeof value === 'boolean') return value ? 'on' : 'off'
  if (Array.isArray(value)) return value.join(', ') || 'nothing'
  if (spec.kind === 'password' || value === '') return value === '' ? 'nothing' : 'something else'
  const text = spec.options?.find(([option]) => option === value)?.[1] ?? value
  return `“${text.length > 120 ? `${text.slice(0, 120)}…` : text}”`
}

export function Field({ spec, after }: { spec: Spec; after?: ReactNode }) {
  const form = useFormState()
  const id = useId()
  const value = form.values[spec.name] ?? ''
  const problem = form.problem(spec)
  const changed = form.isChanged(spec.name)
  const theirs = form.theirs[spec.name]
  const describedBy = `${id}-note`
  const shared = {
    id,
    name: spec.name,
    'aria-invalid': problem !== undefined,
    'aria-describedby': describedBy,
    'aria-required': spec.required,
    onBlur: () => form.touched(spec.name),
    className: cx('field text-sm', spec.mono && 'font-mono'),
  }
  const set = (event: { target: { value: string } }) => form.set(spec.name, event.target.value)
  const note = (
    <p id={describedBy} className="mt-1 text-[0.8125rem] text-dim">
      {problem && (
        <span role="alert" className="block text-bad first-letter:uppercase">
          {problem}
        </span>
      )}
      {theirs !== undefined && (
        <span className="block text-warn">
          Somebody else set this to {told(spec, theirs)} meanwhile.{' '}
          <button type="button" className="font-medium underline" onClick={() => form.takeTheirs(spec.name)}>
            Take theirs
          </button>
        </span>
      )}
      {spec.hint} {changed && !problem && spec.applies && <span className="font-medium text-ink">{appliesWords[spec.applies]}</span>}
    </p>
  )
  if (spec.kind === 'switch') {
    return (
      <div className={cx('min-w-0', spec.wide && 'sm:col-span-2')}>
        <label htmlFor={id} className="flex cursor-pointer items-center gap-2.5 text-sm font-medium">
          <input
            id={id}
            name={spec.name}
            type="checkbox"
            className="size-4 accent-[var(--accent)]"
            checked={value === true}
            aria-describedby={describedBy}
            onChange={(event) => form.set(spec.name, event.target.checked)}
          />
          {spec.label}
        </label>
        {note}
      </div>
    )
  }
  if (spec.kind === 'checks') {
    const chosen = Array.isArray(value) ? value : []
    return (
      <fieldset className={cx('min-w-0', spec.wide && 'sm:col-span-2')} aria-describedby={describedBy}>
        <legend className="mb-1 text-sm font-medium">{spec.label}</legend>
        <div className={spec.options?.some(([, , meaning]) => meaning) ? 'grid gap-x-6 gap-y-2.5 sm:grid-cols-2' : 'flex flex-wrap gap-x-5 gap-y-1.5'}>
          {spec.options?.map(([option, label, meaning]) => (
            <label key={option} className="flex cursor-pointer items-start gap-2 text-sm">
              <input
                type="checkbox"
                className="mt-0.5 size-4 shrink-0 accent-[var(--accent)]"
                aria-label={meaning ? label : undefined}
                aria-describedby={meaning ? `${id}-${option}` : undefined}
                checked={chosen.includes(option)}
                onChange={(event) =>
                  form.set(spec.name, event.target.checked ? [...chosen, option] : chosen.filter((each) => each !== option))
                }
              />
              <span>
                {label}
                {meaning && (
                  <span id={`${id}-${option}`} className="block text-[0.8125rem] text-dim">
                    {meaning}
                  </span>
                )}
              </span>
            </label>
          ))}
        </div>
        {note}
      </fieldset>
    )
  }
  return (
    <div className={cx('min-w-0', spec.wide && 'sm:col-span-2')}>
      <label htmlFor={id} className="mb-1 flex items-baseline justify-between gap-2 text-sm font-medium">
        <span>
          {spec.label}
          {spec.unit && <span className="font-normal text-dim"> ({spec.unit})</span>}
        </span>
        {spec.maxLength !== undefined && typeof value === 'string' && value.length > spec.maxLength * 0.8 && (
          <span className="num text-xs font-normal text-dim">
            {value.length} / {spec.maxLength}
          </span>
        )}
      </label>
      {spec.kind === 'select' ? (
        <select {...shared} value={String(value)} onChange={set}>
          {spec.options?.map(([option, label]) => (
            <option key={option} value={option}>
              {label}
            </option>
          ))}
        </select>
      ) : spec.kind === 'long' || spec.kind === 'lines' ? (
        <textarea {...shared} rows={spec.rows ?? 3} value={String(value)} placeholder={spec.placeholder} onChange={set} />
      ) : (
        <input
          {...shared}
          type={spec.kind === 'password' ? 'password' : 'text'}
          inputMode={spec.kind === 'number' ? 'decimal' : undefined}
          list={spec.suggestions ? `${id}-list` : undefined}
          autoComplete={spec.autoComplete ?? 'off'}
          spellCheck={spec.mono || spec.kind === 'password' ? false : undefined}
          placeholder={spec.placeholder}
          value={String(value)}
          onChange={set}
        />
      )}
      {spec.suggestions && (
        <datalist id={`${id}-list`}>
          {spec.suggestions.map((each) => (
            <option key={each} value={each} />
          ))}
        </datalist>
      )}
      {note}
      {after}
    </div>
  )
}

export const Fields = ({ specs }: { specs: Spec[] }) => (
  <div className="grid gap-x-5 gap-y-4 sm:grid-cols-2">
    {specs.map((spec) => (
      <Field key={spec.name} spec={spec} />
    ))}
  </div>
)
