// Events of calls as the live feed told them. The store is written a moment later than the feed speaks: what is asked for in
// between would lack the last words, so both are laid together.
import type { CallEvent } from './types'

/** Calls that are remembered; those that ended are forgotten at once. */
const MOST_CALLS = 64
const heard = new Map<string, CallEvent[]>()

export const isSame = (a: CallEvent, b: CallEvent) => a.event === b.event && a.at === b.at && a.offset_ms === b.offset_ms

export function hear(call: string, event: CallEvent) {
  const events = heard.get(call) ?? []
  events.push(event)
  heard.set(call, events)
  const oldest = heard.keys().next()
  if (heard.size > MOST_CALLS && !oldest.done) heard.delete(oldest.value)
}

export const forget = (call: string) => heard.delete(call)

export function together(kept: CallEvent[], call: string): CallEvent[] {
  const more = (heard.get(call) ?? []).filter((event) => !kept.some((each) => isSame(each, event)))
  return more.length === 0 ? kept : [...kept, ...more].sort((a, b) => a.offset_ms - b.offset_ms)
}
