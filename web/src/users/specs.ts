// The fields of a user, with what may be in them and when a change is felt. The server judges in the end; this is to be told early.
import type { EngineOffer } from '../api/schema'
import type { Spec } from '../ui/form'

const host = (value: string) =>
  /^(\[[0-9a-f:]+\]|[a-z0-9_.-]+)(:\d{1,5})?$/i.test(value) ? undefined : 'must be a host name or address, optionally with a port'
const oneLine = (value: string) => (/[\u0000-\u001f]/.test(value) ? 'must be one line of text' : undefined)
const zones: readonly string[] = typeof Intl.supportedValuesOf === 'function' ? Intl.supportedValuesOf('timeZone') : []

const displayName: Spec = { name: 'display_name', label: 'Name', required: true, maxLength: 128, check: oneLine, applies: 'line', hint: 'What the other side sees.' }
const username: Spec = { name: 'sip.sip_username', label: 'SIP user name', required: true, mono: true, check: oneLine, applies: 'line' }
const server: Spec = { name: 'sip.sip_server', label: 'Server', mono: true, check: host, applies: 'line', placeholder: 'sip.example.com', hint: 'A name, an address, or host:port.' }
const password: Spec = { name: 'sip.sip_password', label: 'Password', kind: 'password', keepsWhenEmpty: true, autoComplete: 'new-password', applies: 'line', hint: 'Sealed as it is stored; it is never shown again.' }
const transport: Spec = { name: 'sip.transport', label: 'Transport', kind: 'select', applies: 'line', options: [['udp', 'UDP'], ['tcp', 'TCP'], ['tls', 'TLS']] }
const authUsername: Spec = { name: 'sip.auth_username', label: 'Authentication name', mono: true, check: oneLine, applies: 'line', hint: 'Where it is not the user name.' }
const greeting: Spec = {
  name: 'calls.default_greeting', label: 'Greeting', kind: 'long', maxLength: 2000, wide: true, applies: 'call',
  placeholder: "Hello! This is {display_name}'s AI assistant. How can I help you today?",
}

export const newUser = {
  who: [
    { name: 'user_id', label: 'Id', required: true, mono: true, placeholder: 'alice', hint: 'For addresses and logs; it stays.',
      check: (value) => (/^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$/.test(value) ? undefined : 'up to 64 letters, digits, and . _ - @ inside') },
    { ...displayName, placeholder: 'Alice Johnson' },
  ] satisfies Spec[],
  account: [
    { ...server, hint: 'Empty is sip.zoho.com, or what the provider above says.' },
    { ...username, placeholder: 'alice@company.com' },
    { ...password, required: true },
    authUsername,
  ] satisfies Spec[],
  agent: [greeting] satisfies Spec[],
}

export const account: Spec[] = [
  displayName,
  username,
  { ...password, placeholder: 'unchanged', hint: 'Empty keeps the present one.' },
  authUsername,
  server,
  { name: 'sip.sip_port', label: 'Port', kind: 'number', min: 1, max: 65535, applies: 'line', hint: 'Where the server names none.' },
  transport,
  { name: 'sip.backup_server', label: 'Backup server', mono: true, check: host, applies: 'line', hint: 'Registered at while the first does not answer.' },
  { name: 'sip.outbound_proxy', label: 'Outbound proxy', mono: true, applies: 'line' },
  { name: 'sip.caller_id', label: 'Caller ID', mono: true, check: oneLine, applies: 'call', placeholder: '+15551234567' },
  { name: 'sip.from_user', label: 'From user', mono: true, check: oneLine, applies: 'call', hint: 'Where the provider wants another than the user name.' },
]
export const network: Spec[] = [
  { name: 'sip.accept_from', label: 'Whose calls are taken', kind: 'select', applies: 'now', options: [['provider', "the provider's addresses only"], ['anyone', 'anyone who knows the line']] },
  { name: 'sip.srtp', label: 'Encrypted audio (SRTP)', kind: 'select', applies: 'call', options: [['off', 'off'], ['optional', 'where the other side can'], ['required', 'required']] },
  { name: 'sip.dtmf', label: 'How keys are sent', kind: 'select', applies: 'call', options: [['auto', 'as negotiated'], ['rfc4733', 'telephone events'], ['info', 'INFO'], ['inband', 'tones']] },
  { name: 'sip.registration_expires', label: 'Registration lasts', kind: 'number', unit: 's', min: 60, max: 86400, applies: 'line' },
  { name: 'sip.keepalive', label: 'Keepalive every', kind: 'number', unit: 's', min: 0, max: 600, applies: 'line', hint: '5 to 600; 0 sends none.' },
  { name: 'sip.session_expires', label: 'Session timer', kind: 'number', unit: 's', min: 0, max: 86400, applies: 'call', hint: '90 or more; 0 asks for none.' },
  { name: 'sip.external_address', label: 'Our address from outside', mono: true, applies: 'line', placeholder: '203.0.113.7' },
  { name: 'sip.stun_server', label: 'STUN server', mono: true, check: host, applies: 'line' },
]
export const handling: Spec[] = [
  { name: 'calls.max_call_duration', label: 'A call lasts at most', kind: 'number', unit: 's', min: 1, max: 86400, applies: 'call' },
  { name: 'calls.answer_timeout', label: 'A call of ours rings', kind: 'number', unit: 's', min: 1, max: 300, applies: 'call' },
  { name: 'calls.voicemail', label: 'When a machine answers', kind: 'select', applies: 'call', options: [['talk', 'talk to it'], ['hang_up', 'hang up'], ['drop', 'leave the message below']] },
  { name: 'calls.voicemail_message', label: 'Message for machines', maxLength: 2000, applies: 'call' },
  { name: 'calls.recording', label: 'Recording', kind: 'select', applies: 'call', options: [['on', 'on'], ['announce', 'on, and the agent says so first'], ['off', 'off']] },
  { name: 'calls.recording_notice', label: 'What is said about it', maxLength: 500, applies: 'call', hint: 'Before the greeting, where recording is announced.' },
  { name: 'calls.retention_days', label: 'Recordings and transcripts are kept', kind: 'number', unit: 'days', min: 1, max: 3650, applies: 'now', hint: 'Empty keeps them until they are erased.' },
  { name: 'calls.barge_in', label: 'Callers may interrupt', kind: 'switch', applies: 'call', hint: 'The line hears it by itself.' },
  { name: 'calls.protect_greeting', label: 'The greeting is heard to its end', kind: 'switch', applies: 'call' },
  { name: 'routing.accept_refer', label: 'The other side may transfer us', kind: 'switch', applies: 'call', hint: 'REFER of the far end is followed.' },
]

/** What may be chosen is what the engine says; others may be typed, and the check tells whether they exist. */
export const persona = (engines: EngineOffer[], engine: EngineOffer | undefined): Spec[] => [
  greeting,
  { name: 'ai.instructions', label: 'Instructions', kind: 'long', rows: 9, maxLength: 20000, wide: true, applies: 'call', hint: 'Who the agent is, what it may promise, what it must ask. {name} stands for a variable.' },
  { name: 'ai.engine', label: 'Engine', kind: 'select', applies: 'call',
    options: [['', "the server's default"], ...engines.map(({ name, title, available }) => [name, available ? title : `${title} (not set up)`] as const)],
    hint: engine?.needs ? `This server lacks ${engine.needs}: until it is set the default engine talks.` : undefined },
  { name: 'ai.voice', label: 'Voice', suggestions: engine?.voices ?? [], applies: 'call', placeholder: engine?.voice ?? "the engine's own",
    hint: engine && engine.voices.length > 0 ? (engine.voices.length === 1 ? 'The only one it has.' : `${engine.voices.length} are known: ${engine.voices.slice(0, 3).join(', ')} …`) : undefined },
  { name: 'ai.model', label: 'Model', mono: true, suggestions: engine?.models ?? [], applies: 'call', placeholder: engine?.model ?? 'none to choose' },
  { name: 'ai.language', label: 'Language', applies: 'call', placeholder: 'en-US', suggestions: engine?.languages.length ? engine.languages : LANGUAGES,
    hint: engine?.languages.length ? `It speaks ${engine.languages.join(', ')} only.` : undefined },
  { name: 'ai.temperature', label: 'Temperature', kind: 'number', min: 0, max: 2, applies: 'call', hint: engine && !engine.takes_temperature ? 'This engine has none; it is kept for others.' : '0 is sober, 2 is wild.' },
  { name: 'ai.time_zone', label: 'Time zone', suggestions: zones, applies: 'call', placeholder: 'Europe/Vienna' },
  { name: 'ai.dead_air', label: 'Silence before something is done', kind: 'number', unit: 's', min: 2, max: 60, applies: 'call', placeholder: '4' },
  { name: 'ai.when_lost', label: 'When no engine is left, hand over to', applies: 'call', hint: 'A transfer target by its name; else a message is taken.' },
  { name: 'ai.after_call.summary', label: 'Sum each call up when it is over', kind: 'switch', applies: 'call', hint: "By the server's text model (CALLIE_CHAT_URL)." },
]
const LANGUAGES = ['en-US', 'en-GB', 'de-DE', 'de-AT', 'fr-FR', 'es-ES', 'it-IT', 'nl-NL', 'pt-BR', 'ja-JP', 'hi-IN']

export const limits: Spec[] = [
  { name: 'limits.concurrent_calls', label: 'Calls at a time', kind: 'number', min: 0, max: 1000, applies: 'now', hint: '0 is no limit.' },
  { name: 'limits.calls_per_hour', label: 'Calls an hour', kind: 'number', min: 0, max: 100000, applies: 'now', placeholder: '600' },
  { name: 'limits.minutes_per_day', label: 'Minutes a day', kind: 'number', min: 0, max: 1000000, applies: 'now' },
  { name: 'limits.spend_per_day', label: 'Money a day', kind: 'number', min: 0, applies: 'now', hint: 'In the currency of the price table.' },
  { name: 'limits.spend_per_month', label: 'Money a month', kind: 'number', min: 0, applies: 'now' },
  { name: 'limits.country', label: 'Country of national numbers', maxLength: 2, applies: 'now', placeholder: 'AT' },
  { name: 'limits.time_zone', label: "Time zone of the callee's day", suggestions: zones, applies: 'now', placeholder: 'UTC' },
  { name: 'limits.allowed_prefixes', label: 'Numbers that may be dialled begin with', kind: 'lines', mono: true, applies: 'now', placeholder: '+43\n+49', hint: 'One in each line; empty allows all but emergency and premium numbers.' },
  { name: 'limits.denied_prefixes', label: 'Numbers that may not', kind: 'lines', mono: true, applies: 'now' },
]

export const tools: Spec[] = [
  { name: 'ai.tools.enabled', label: 'What the agent may do', kind: 'checks', wide: true, applies: 'call',
    options: [
      ['end_call', 'Hang up', 'Says goodbye and ends the call. Without it only the caller can.'],
      ['transfer_call', 'Hand over', 'To the people named under Persona, and to nobody else. Offered only while there are some.'],
      ['current_time', 'Tell the time', 'Date and time of the time zone under Persona.'],
      ['calculate', 'Calculate', 'Sums and percentages, done by the server and not guessed by the model.'],
      ['take_message', 'Take messages', 'Writes down name, number and matter; it stands in the call’s record and goes to webhooks.'],
      ['lookup_contact', 'Look up contacts', 'Finds people under Contacts. Whoever calls may learn who is in there.'],
      ['send_dtmf', 'Press keys', 'Presses keys on the line, for other menus. Which ones is limited below.'],
    ] },
  { name: 'ai.tools.keys.digits', label: 'Keys that it may press', mono: true, applies: 'call', check: (text) => (/^[0-9*#A-Da-d]+$/.test(text) ? undefined : '0 to 9, *, # and A to D only') },
  { name: 'ai.tools.keys.most', label: 'Keys in one call, at most', kind: 'number', min: 1, max: 200, applies: 'call' },
]
