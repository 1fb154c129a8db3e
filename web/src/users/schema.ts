// The arguments of a tool as rows, and as the JSON Schema that the model and the server have. Schemas that say more than rows can
// stay as they are and are edited as JSON.

export type Kind = 'string' | 'number' | 'integer' | 'boolean' | 'choice'

export interface Argument {
  name: string
  kind: Kind
  meaning: string
  required: boolean
  /** Of `choice`, separated by commas. */
  choices: string
}

export const KINDS: readonly (readonly [Kind, string])[] = [
  ['string', 'text'],
  ['number', 'number'],
  ['integer', 'whole number'],
  ['boolean', 'yes or no'],
  ['choice', 'one of …'],
]

type Json = Record<string, unknown>
const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value)

export function schemaOf(rows: Argument[]): Json {
  const property = ({ kind, meaning, choices }: Argument) => ({
    type: kind === 'choice' ? 'string' : kind,
    ...(kind === 'choice' ? { enum: listed(choices) } : {}),
    ...(meaning.trim() ? { description: meaning.trim() } : {}),
  })
  const required = rows.filter((row) => row.required).map((row) => row.name)
  return {
    type: 'object',
    properties: Object.fromEntries(rows.map((row) => [row.name, property(row)])),
    ...(required.length > 0 ? { required } : {}),
  }
}

const listed = (choices: string) => choices.split(',').map((choice) => choice.trim()).filter(Boolean)

/** `undefined` where rows cannot say it all. */
export function rowsOf(schema: unknown): Argument[] | undefined {
  if (!isObject(schema)) return undefined
  const { type, properties = {}, required = [], ...rest } = schema
  if (type !== 'object' || !isObject(properties) || !Array.isArray(required) || Object.keys(rest).length > 0) return undefined
  const rows: Argument[] = []
  for (const [name, property] of Object.entries(properties)) {
    if (!isObject(property)) return undefined
    const { type: kind, description = '', enum: choices, ...more } = property
    const isChoice = Array.isArray(choices) && kind === 'string' && choices.every((choice) => typeof choice === 'string' && !choice.includes(','))
    if (Object.keys(more).length > 0 || typeof description !== 'string' || (choices !== undefined && !isChoice)) return undefined
    if (!['string', 'number', 'integer', 'boolean'].includes(String(kind))) return undefined
    rows.push({
      name,
      kind: isChoice ? 'choice' : (kind as Kind),
      meaning: description,
      required: required.includes(name),
      choices: isChoice ? choices.join(', ') : '',
    })
  }
  return required.every((name) => typeof name === 'string' && name in properties) ? rows : undefined
}

export function checkArgument({ name, kind, choices }: Argument, all: Argument[]): string | undefined {
  if (name === '') return 'the name is needed'
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) return 'a name has letters, digits and _, and begins with no digit'
  if (all.filter((each) => each.name === name).length > 1) return `${name} is there twice`
  if (kind === 'choice' && listed(choices).length < 2) return 'give two values or more, separated by commas'
  return undefined
}

/** Where a text stops being JSON; browsers do not all say. */
export function faultAt(text: string): number | undefined {
  const token = /(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*")/y
  let at = 0
  const space = () => {
    while (' \t\r\n'.includes(text[at] ?? 'x')) at++
  }
  const takes = (sign: string) => {
    space()
    if (text[at] !== sign) return false
    at++
    return true
  }
  const plain = () => {
    space()
    token.lastIndex = at
    if (!token.test(text)) return false
    at = token.lastIndex
    return true
  }
  const value = (): boolean => {
    const close = takes('{') ? '}' : takes('[') ? ']' : undefined
    if (!close) return plain()
    if (takes(close)) return true
    for (;;) {
      if (close === '}') {
        space()
        if (text[at] !== '"' || !plain() || !takes(':')) return false
      }
      if (!value()) return false
      if (takes(close)) return true
      if (!takes(',')) return false
    }
  }
  if (value()) space()
  else return at
  return at === text.length ? undefined : at
}

/** What is wrong with a schema as text, with where it is. */
export function checkSchema(text: string): string | undefined {
  if (text.trim() === '') return undefined
  const fault = faultAt(text)
  if (fault !== undefined) {
    const before = text.slice(0, fault)
    return `is no JSON: look at line ${before.split('\n').length}, column ${before.length - before.lastIndexOf('\n')}`
  }
  const value: unknown = JSON.parse(text)
  if (!isObject(value) || value.type !== 'object') return 'must be a JSON Schema of the type object'
  if (value.properties !== undefined && !isObject(value.properties)) return 'properties must be an object'
  return new TextEncoder().encode(JSON.stringify(value)).length > 16_384 ? 'is longer than 16,384 bytes' : undefined
}

/** The names in braces of an address; `undefined` when a brace stands alone or holds something else. */
export function placeholders(url: string): string[] | undefined {
  const left = url.replace(/\{[A-Za-z0-9_]+\}/g, '')
  if (/[{}]/.test(left)) return undefined
  return [...url.matchAll(/\{([A-Za-z0-9_]+)\}/g)].map((match) => match[1] ?? '')
}

export function checkUrl(text: string): string | undefined {
  const names = placeholders(text)
  if (!names) return 'has a brace that is left open, or something else than a name in braces'
  let url: URL
  try {
    url = new URL(text.replace(/\{[A-Za-z0-9_]+\}/g, 'x'))
  } catch {
    return 'must be an address such as https://crm.example/orders/{number}'
  }
  if (!['http:', 'https:'].includes(url.protocol)) return 'must begin with https:// (or http:// in your own network)'
  if (url.username || url.password || url.hash) return 'must be without user, password and #'
  if (/\{/.test(text.split('/')[2] ?? '')) return 'must have a fixed host: arguments stand in path and query only'
  return undefined
}
