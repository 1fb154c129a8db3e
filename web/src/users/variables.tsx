// Texts by name, which stand in greeting and instructions as `{name}`.
import type { UserDocument } from '../api/schema'
import { Rows } from './rows'

const MOST = 50
const LONGEST = 500
const LONGEST_NAME = 64

interface Variable {
  name: string
  value: string
}

/** Given by the call itself; a variable of the same name takes their place. */
export const OF_THE_CALL = ['caller_number', 'caller_name', 'display_name', 'direction', 'date', 'time', 'weekday']

/** The names in braces that nothing gives a value. */
export function unknownNames(texts: (string | null | undefined)[], known: string[]): string[] {
  const used = texts.flatMap((text) => [...(text ?? '').matchAll(/\{([A-Za-z0-9_.]+)\}/g)].map((match) => match[1] ?? ''))
  return [...new Set(used)].filter((name) => !known.includes(name) && !OF_THE_CALL.includes(name) && !name.startsWith('metadata.'))
}

export function checkVariable({ name, value }: Variable, all: Variable[]): string | undefined {
  if (name === '') return 'the name is needed'
  if (!/^[A-Za-z0-9_.]+$/.test(name)) return 'a name has letters, digits, _ and . only'
  if (name.length > LONGEST_NAME) return `the name is longer than ${LONGEST_NAME} characters`
  if (all.filter((each) => each.name === name).length > 1) return `${name} is there twice`
  if (value.length > LONGEST) return `the text is longer than ${LONGEST} characters`
  return undefined
}

export function Variables({ user }: { user: UserDocument }) {
  const stored = Object.entries(user.ai?.variables ?? {}).map(([name, value]) => ({ name, value }))
  const missing = unknownNames([user.ai?.instructions, user.calls?.default_greeting], stored.map(({ name }) => name))
  return (
    <Rows
      title="Variables"
      note="Texts for {name} in greeting and instructions, so that these stay the same for many users. A call may bring others."
      user={user}
      stored={stored}
      blank={{ name: '', value: '' }}
      add="Add a variable"
      most={MOST}
      body={(rows) => ({ ai: { variables: Object.fromEntries(rows.map(({ name, value }) => [name, value])) } })}
      check={checkVariable}
      row={(variable, set, at, fault) => (
        <div className="grid min-w-0 flex-1 gap-2 sm:grid-cols-[1fr_2fr]">
          <input {...fault} aria-label={`Name of variable ${at + 1}`} placeholder="company" className="field font-mono text-sm" value={variable.name} onChange={(event) => set({ ...variable, name: event.target.value.trim() })} />
          <input aria-label={`Text of variable ${at + 1}`} placeholder="Johnson Kitchens" className="field text-sm" value={variable.value} onChange={(event) => set({ ...variable, value: event.target.value })} />
        </div>
      )}
    >
      {missing.length > 0 && (
        <p className="mt-3 rounded-lg bg-warn-soft px-3 py-2 text-sm">
          {missing.map((name) => `{${name}}`).join(', ')} {missing.length === 1 ? 'is' : 'are'} used and {missing.length === 1 ? 'has' : 'have'} no text
          here: unless a call brings {missing.length === 1 ? 'one, it is' : 'some, they are'} read out as {missing.length === 1 ? 'it stands' : 'they stand'}.
        </p>
      )}
      <p className="mt-3 text-[0.8125rem] text-dim">
        Always there:{' '}
        {OF_THE_CALL.map((name, at) => (
          <span key={name}>
            {at > 0 && ', '}
            <code className="font-mono text-xs">{`{${name}}`}</code>
          </span>
        ))}
        .
      </p>
    </Rows>
  )
}
