// What is otherwise in one document than in another, path by path, as a reader wants it.

export interface Difference {
  path: string
  /** As JSON; `undefined` where it is not there. */
  before: string | undefined
  after: string | undefined
}

/** What differs with each document and says nothing of its settings. */
const ASIDE = new Set(['revision', 'updated_at', 'created_at', 'registration', 'sip_status', 'config_state', 'warnings', 'user_agent'])

type Json = Record<string, unknown>
const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value)
const text = (value: unknown) => (value === undefined ? undefined : typeof value === 'string' ? value : JSON.stringify(value))

/** Fields of the first version repeat those of the maps under flat names; they are told once, by their place in a map. */
export function differences(before: unknown, after: unknown): Difference[] {
  const found: Difference[] = []
  const walk = (old: unknown, now: unknown, path: string) => {
    if (isObject(old) && isObject(now)) {
      for (const key of new Set([...Object.keys(old), ...Object.keys(now)])) {
        if (ASIDE.has(key)) continue
        walk(old[key], now[key], path ? `${path}.${key}` : key)
      }
    } else if (JSON.stringify(old) !== JSON.stringify(now)) {
      found.push({ path, before: text(old), after: text(now) })
    }
  }
  walk(before, after, '')
  const inMaps = new Set(found.filter(({ path }) => path.includes('.')).map(({ path, before, after }) => JSON.stringify([path.split('.').pop(), before, after])))
  return found.filter(({ path, before, after }) => path.includes('.') || !inMaps.has(JSON.stringify([path, before, after])))
}
