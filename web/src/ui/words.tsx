// The API's words for people, the same on every screen. The text of a call's end comes from the API itself.
import type { CallDocument, RegistrationStateWord } from '../api/schema'
import { Badge, type Tone } from './parts'

const registrations: Record<RegistrationStateWord, [Tone, string]> = {
  registered: ['ok', 'Registered'],
  registering: ['info', 'Registering'],
  retrying: ['warn', 'Trying again'],
  wrong_password: ['bad', 'Credentials refused'],
  unregistering: ['info', 'Signing off'],
  off: ['mute', 'Off'],
}
export function RegistrationBadge({ state, alert }: { state: RegistrationStateWord; alert?: boolean }) {
  const [tone, word] = registrations[state] ?? ['mute', state]
  return <Badge tone={alert ? 'bad' : tone}>{word}</Badge>
}

const results: Record<string, [Tone, string]> = {
  completed: ['ok', 'Completed'],
  cancelled: ['mute', 'Cancelled'],
  rejected: ['warn', 'Rejected'],
  busy: ['warn', 'Busy'],
  no_answer: ['warn', 'No answer'],
  declined: ['warn', 'Declined'],
  not_found: ['bad', 'Not found'],
  failed: ['bad', 'Failed'],
  lost: ['bad', 'Lost'],
}
export const resultWords = Object.fromEntries(Object.entries(results).map(([word, [, text]]) => [word, text]))
export function ResultBadge({ call }: { call: Pick<CallDocument, 'termination' | 'ended_at'> }) {
  if (!call.termination) return <Badge tone="info">{call.ended_at ? 'Ended' : 'Up now'}</Badge>
  const [tone, word] = results[call.termination.result] ?? ['mute', call.termination.result]
  return <Badge tone={tone}>{word}</Badge>
}
/** Something went wrong that somebody may want to look at. */
export const isFailure = (call: CallDocument) => ['failed', 'lost', 'rejected', 'not_found'].includes(call.termination?.result ?? '')

const engines: Record<string, string> = { local: 'Offline engine', gemini: 'Gemini Live', openai: 'OpenAI Realtime' }
export const engineName = (name: string) => engines[name] ?? name

/** `agent_ended` → "Agent ended" */
export const spoken = (word: string) => {
  const text = word.replaceAll(/[_.]/g, ' ').replaceAll(/\b(rtp|dtmf|sip|api|id|mos|url)\b/gi, (name) => name.toUpperCase())
  return text.charAt(0).toUpperCase() + text.slice(1)
}

/** The other side of a call, without the SIP around it. */
export const party = (call: Pick<CallDocument, 'direction' | 'from' | 'to'>) =>
  plainParty(call.direction === 'inbound' ? call.from : call.to)
export const plainParty = (address: string) => address.replace(/^sips?:/, '').replace(/@(?:\d{1,3}\.){3}\d{1,3}(?::\d+)?$/, '')
