// One call: while it is up, what is said and what can be done; afterwards the evidence.
import { Link, useParams } from '@tanstack/react-router'
import { useQuery } from '@tanstack/react-query'
import { has } from '../api/client'
import { call as callQuery, signalling } from '../api/queries'
import type { CallDetail, ClaimStandingWord, TurnDocument } from '../api/schema'
import type { CallEvent } from '../api/types'
import { Badge, Button, Card, Cell, Empty, Fact, Facts, Heading, isMissing, Missing, Table, type Tone, Trouble, Waiting } from '../ui/parts'
import { length, milliseconds, money, Since, When } from '../ui/time'
import { engineName, party, ResultBadge, spoken } from '../ui/words'
import { Ladder } from './ladder'
import { LiveControls } from './live'
import { Player } from './player'
import { Turns } from './transcript'

export function CallScreen() {
  const { id } = useParams({ from: '/calls/$id' })
  const query = useQuery(callQuery(id))
  if (isMissing(query.error) && !query.isFetching) {
    return (
      <Missing what="call" error={query.error}>
        <Button asChild>
          <Link to="/calls">All calls</Link>
        </Button>
      </Missing>
    )
  }
  if (!query.data) {
    return (
      <>
        <Heading title="Call" />
        {query.error ? <Trouble error={query.error} retry={() => void query.refetch()} /> : <Waiting rows={6} />}
      </>
    )
  }
  const call = query.data
  const events = call.events as CallEvent[]
  const isLive = !call.ended_at && !call.termination && !events.some((event) => event.event === 'ended')
  const names: [string, string] = [party(call) || 'Caller', `${call.user_id}'s agent`]
  return (
    <>
      <Heading
        above={
          <>
            <Link to="/calls" className="hover:underline">
              Calls
            </Link>{' '}
            / {call.direction === 'inbound' ? 'incoming, for ' : 'outgoing, from '}
            <Link to="/users/$id" params={{ id: call.user_id }} search={{ tab: undefined }} className="hover:underline">
              {call.user_id}
            </Link>
          </>
        }
        title={party(call)}
        actions={isLive && <LiveControls call={call} />}
      >
        <p className="mt-1 flex flex-wrap items-center gap-x-3 gap-y-1 text-sm text-dim">
          <ResultBadge call={call} />
          <When at={call.started_at} />
          {isLive ? (
            <span>
              for <Since at={call.answered_at ?? call.started_at} />
            </span>
          ) : (
            call.talk_ms != null && <span className="num">{length(call.talk_ms)} talked</span>
          )}
        </p>
      </Heading>
      {isLive ? <Live call={call} events={events} names={names} /> : <Record call={call} events={events} names={names} />}
    </>
  )
}

/** The last word on each turn. */
export function turnsOf(events: CallEvent[]): TurnDocument[] {
  const turns = new Map<number, TurnDocument>()
  for (const { turn } of events) if (turn) turns.set(turn.index, turn)
  return [...turns.values()].sort((a, b) => a.started_ms - b.started_ms)
}

interface Parts {
  call: CallDetail
  events: CallEvent[]
  names: [string, string]
}

function Live({ call, events, names }: Parts) {
  const speaking = new Map<string, boolean>()
  for (const event of events) {
    if (event.event === 'speech_started' && event.speaker) speaking.set(event.speaker, true)
    if (event.event === 'speech_ended' && event.speaker) speaking.set(event.speaker, false)
  }
  return (
    <div className="grid items-start gap-4 lg:grid-cols-[minmax(0,5fr)_minmax(0,3fr)]">
      <Card
        title="Transcript, as it is spoken"
        flush
        actions={
          <span className="text-[0.8125rem] text-dim">
            {speaking.get('agent') ? `${names[1]} speaks …` : speaking.get('caller') ? `${names[0]} speaks …` : ''}
          </span>
        }
      >
        <Turns live turns={turnsOf(events)} names={names} />
      </Card>
      <Card title="Events" flush>
        <Events events={events} names={names} newestFirst />
      </Card>
      <LiveLadder id={call.id} />
    </div>
  )
}

function LiveLadder({ id }: { id: string }) {
  const { data } = useQuery({ ...signalling(id), refetchInterval: 3_000 })
  if (!data?.messages.length) return null
  return (
    <Card title="SIP" flush className="lg:col-span-2">
      <Ladder {...data} />
    </Card>
  )
}

function Record({ call, events, names }: Parts) {
  const turns = turnsOf(events)
  const opened = events.find((event) => event.event === 'media_opened')?.offset_ms ?? 0
  return (
    <div className="grid items-start gap-4 lg:grid-cols-[minmax(0,5fr)_minmax(0,3fr)]">
      <div className="grid gap-4">
        {call.recording_url ? (
          <Card title="Recording and transcript" flush>
            <div className="pt-3">
              <Player url={call.recording_url} turns={turns} offsetMs={opened} names={names} />
            </div>
          </Card>
        ) : (
          <Card title="Transcript" note="This call was not recorded." flush>
            <Turns turns={turns} names={names} />
          </Card>
        )}
        <Latency turns={turns} call={call} />
        <Tools events={events} />
        <Sip id={call.id} />
      </div>
      <div className="grid gap-4">
        <Ending call={call} />
        <Summary call={call} />
        <Claims call={call} />
        <Cost call={call} />
        <Card title="About this call">
          <Facts>
            <Fact name="From">{call.from}</Fact>
            <Fact name="To">{call.to}</Fact>
            <Fact name="Agent">{call.engine && engineName(call.engine)}</Fact>
            <Fact name="Answered by">{call.answered_by && spoken(call.answered_by)}</Fact>
            <Fact name="Attached by the caller of the API">{call.message}</Fact>
            <Fact name="Configuration">
              <Link to="/users/$id" params={{ id: call.user_id }} search={{ tab: has('GET /users/{user_id}/versions') ? 'history' : undefined }} className="text-accent hover:underline">
                {call.user_id}, revision {call.config_revision}
              </Link>
            </Fact>
            {has('GET /users/{user_id}/erasures') && party(call) && party(call) !== 'erased' && (
              <Fact name="Privacy">
                <Link to="/users/$id" params={{ id: call.user_id }} search={{ tab: 'privacy', party: party(call) }} className="text-accent hover:underline">
                  Erase the calls with this person
                </Link>
              </Fact>
            )}
            <Fact name="SIP Call-ID" mono>
              {call.sip_call_id}
            </Fact>
            <Fact name="Id" mono>
              {call.id}
            </Fact>
            <Fact name="Trace" mono>
              {call.trace_id}
            </Fact>
          </Facts>
        </Card>
        <Media call={call} />
        <Card title="Events" flush>
          <Events events={events} names={names} />
        </Card>
      </div>
    </div>
  )
}

function Ending({ call }: { call: CallDetail }) {
  const end = call.termination
  if (!end && call.engine_failures.length === 0) return null
  return (
    <Card title="How it ended">
      {end && (
        <div className="text-sm">
          <p className="font-medium">{end.text.charAt(0).toUpperCase() + end.text.slice(1)}.</p>
          {end.detail && <p className="mt-1 text-dim">{end.detail}</p>}
          {end.remedy && (
            <p className="mt-2 rounded-lg bg-warn-soft px-3 py-2">
              <span className="font-medium text-warn">What to do: </span>
              {end.remedy}
            </p>
          )}
        </div>
      )}
      {call.engine_failures.map((failure) => (
        <div key={failure.at} className="mt-3 rounded-lg bg-bad-soft px-3 py-2 text-sm">
          <p className="font-medium text-bad">
            {engineName(failure.engine)} failed at {length(failure.offset_ms)}: {spoken(failure.cause)}
          </p>
          <p>{failure.detail}</p>
          <p className="mt-1">{failure.remedy}</p>
        </div>
      ))}
    </Card>
  )
}

/** What a text model made of the call, and whether the agent did what it said it did. */
function Summary({ call }: { call: CallDetail }) {
  const after = call.after_call
  const fields = Object.entries((after?.fields ?? {}) as Record<string, unknown>)
  if (!after || (after.state === 'skipped' && !after.note)) return null
  return (
    <Card title="Summary" actions={after.state !== 'done' && <Badge tone={after.state === 'failed' ? 'bad' : after.state === 'waiting' ? 'info' : 'mute'}>{spoken(after.state)}</Badge>}>
      {after.summary && <p className="text-sm">{after.summary}</p>}
      {fields.length > 0 && (
        <div className="mt-3">
          <Facts>
            {fields.map(([name, value]) => (
              <Fact key={name} name={spoken(name)}>
                {typeof value === 'string' || typeof value === 'number' ? value : JSON.stringify(value)}
              </Fact>
            ))}
          </Facts>
        </div>
      )}
      {after.note && <p className="text-sm text-dim">{after.note}</p>}
    </Card>
  )
}

const standings: Record<ClaimStandingWord, [Tone, string]> = {
  supported: ['ok', 'Done'],
  failed: ['bad', 'Failed'],
  unsupported: ['warn', 'Not done'],
}

function Claims({ call }: { call: CallDetail }) {
  if (!call.claims?.length) return null
  return (
    <Card title="What the agent said it did" note="Held against the tools that it used." flush>
      <ul className="divide-y divide-line">
        {call.claims.map((claim, at) => {
          const [tone, word] = standings[claim.standing]
          return (
            <li key={at} className="px-4 py-2.5 text-sm">
              <div className="flex items-start justify-between gap-3">
                <span>“{claim.text}”</span>
                <Badge tone={tone}>{word}</Badge>
              </div>
              <p className="text-[0.8125rem] text-dim">
                {spoken(claim.kind)}
                {claim.tool && `, by ${claim.tool}`}
              </p>
            </li>
          )
        })}
      </ul>
    </Card>
  )
}

function Cost({ call }: { call: CallDetail }) {
  const cost = call.cost
  if (!cost) return null
  return (
    <Card title="Cost" actions={<span className="num text-sm font-semibold">{money(cost.total, cost.currency)}</span>} flush>
      <Table label="What it cost" head={['What', 'How much', 'Price']}>
        {cost.lines.map((line, at) => (
          <tr key={at}>
            <Cell>
              {line.engine === 'carrier' ? 'Carrier' : engineName(line.engine)}
              {line.modality && <span className="block text-[0.8125rem] text-dim">{spoken(line.modality)}</span>}
            </Cell>
            <Cell className="num whitespace-nowrap">
              {line.quantity} {line.unit}
            </Cell>
            <Cell className="num">{line.priced ? money(line.amount, line.currency) : 'no price known'}</Cell>
          </tr>
        ))}
      </Table>
      {!cost.complete && <p className="border-t border-line px-4 py-2 text-[0.8125rem] text-dim">Not all of it has a price in the table: CALLIE_PRICES_FILE names yours.</p>}
    </Card>
  )
}

function Media({ call }: { call: CallDetail }) {
  const media = call.media
  if (!media) return null
  const heard = media.packets_received + media.packets_lost
  return (
    <Card title="Audio path">
      <Facts>
        <Fact name="Codec">
          {media.codec}
          {media.srtp ? `, encrypted (${media.srtp})` : ''}
        </Fact>
        <Fact name="How it sounded here (MOS)">
          {media.mos != null && `${media.mos.toFixed(2)}${media.mos_min != null && media.mos_min !== media.mos ? `, at worst ${media.mos_min.toFixed(2)}` : ''}`}
        </Fact>
        <Fact name="How it sounded there (MOS)">{media.remote_mos?.toFixed(2)}</Fact>
        <Fact name="Lost on the way here">
          {media.packets_lost} of {heard} packets{media.packets_late > 0 && `, ${media.packets_late} too late`}
        </Fact>
        <Fact name="Jitter">{media.jitter_ms.toFixed(1)} ms</Fact>
        <Fact name="Round trip">{media.rtt_ms != null && milliseconds(media.rtt_ms)}</Fact>
        <Fact name="Their address" mono>
          {media.remote_address ?? media.sdp_address}
        </Fact>
        <Fact name="Ours" mono>
          {media.local_address}
        </Fact>
      </Facts>
    </Card>
  )
}

const PARTS = [
  ['ear_ms', 'ear', 'var(--caller)'],
  ['uplink_ms', 'uplink', 'var(--dim)'],
  ['engine_ms', 'engine', 'var(--accent)'],
  ['playout_ms', 'playout', 'var(--warn)'],
] as const

function Latency({ turns, call }: { turns: TurnDocument[]; call: CallDetail }) {
  const answers = turns.filter((turn) => turn.latency)
  if (answers.length === 0) return null
  const most = Math.max(...answers.map((turn) => turn.latency?.total_ms ?? 0), 1)
  return (
    <Card
      title="Latency of the answers"
      note={call.latency ? `Half within ${milliseconds(call.latency.p50_ms)}, the longest ${milliseconds(call.latency.max_ms)}` : undefined}
      actions={
        <span className="flex flex-wrap gap-3 text-xs text-dim">
          {PARTS.map(([key, name, color]) => (
            <span key={key} className="flex items-center gap-1.5">
              <span aria-hidden className="size-2.5 rounded-sm" style={{ background: color }} />
              {name}
            </span>
          ))}
        </span>
      }
    >
      <ul className="space-y-1.5">
        {answers.map((turn) => (
          <li key={turn.index} className="grid grid-cols-[3rem_1fr_4rem] items-center gap-2 text-[0.8125rem]">
            <span className="num text-dim">{length(turn.started_ms)}</span>
            <span
              className="flex h-3.5 overflow-hidden rounded"
              style={{ width: `${((turn.latency?.total_ms ?? 0) / most) * 100}%` }}
              title={PARTS.map(([key, name]) => `${name} ${turn.latency?.[key] ?? 0} ms`).join(', ')}
            >
              {PARTS.map(([key, , color]) => (
                <span key={key} style={{ flexGrow: turn.latency?.[key] ?? 0, background: color }} />
              ))}
            </span>
            <span className="num text-right">{milliseconds(turn.latency?.total_ms ?? 0)}</span>
          </li>
        ))}
      </ul>
    </Card>
  )
}

function Tools({ events }: { events: CallEvent[] }) {
  const used = events.filter((event) => event.event === 'tool_used')
  if (used.length === 0) return null
  return (
    <Card title="Tools the agent used" flush>
      <ul className="divide-y divide-line">
        {used.map((event, at) => (
          <li key={at} className="px-4 py-2.5 text-sm">
            <div className="flex flex-wrap items-center justify-between gap-2">
              <span className="font-mono text-[0.8125rem] font-medium">{event.name}</span>
              <span className="flex items-center gap-2 text-[0.8125rem] text-dim">
                {event.outcome && <Badge tone={event.outcome === 'result' ? 'ok' : event.outcome === 'cancelled' ? 'mute' : 'bad'}>{spoken(event.outcome)}</Badge>}
                {event.took_ms !== undefined && milliseconds(event.took_ms)}
                <span className="num">{length(event.offset_ms)}</span>
              </span>
            </div>
            <p className="mt-1 font-mono text-xs break-all text-dim">{event.arguments}</p>
            <p className="mt-0.5 font-mono text-xs break-all">{event.result}</p>
          </li>
        ))}
      </ul>
    </Card>
  )
}

function Sip({ id }: { id: string }) {
  const query = useQuery(signalling(id))
  return (
    <Card
      title="SIP"
      flush
      actions={
        <Button small asChild>
          <a href={`/calls/${id}/pcap`} download>
            For Wireshark
          </a>
        </Button>
      }
    >
      {query.data ? <Ladder {...query.data} /> : query.error ? <Trouble error={query.error} /> : <Waiting />}
    </Card>
  )
}

/** Not shown as events of their own: there are many, and the transcript has them. */
const QUIET = new Set(['speech_started', 'speech_ended', 'engine_usage'])

export function Events({ events, names, newestFirst }: { events: CallEvent[]; names: [string, string]; newestFirst?: boolean }) {
  const shown = events.filter((event) => !QUIET.has(event.event))
  if (shown.length === 0) return <Empty title="Nothing yet" />
  if (newestFirst) shown.reverse()
  return (
    <ol tabIndex={0} aria-label="Events" className="max-h-[26rem] overflow-y-auto py-1.5 text-[0.8125rem]">
      {shown.map((event, at) => (
        <li key={`${event.at}${event.event}${at}`} className="flex gap-3 px-4 py-1">
          <span className="num w-11 shrink-0 text-right text-dim">{length(event.offset_ms)}</span>
          <span className="min-w-0 break-words">
            <span className={event.event === 'warning' || event.event.endsWith('failed') ? 'font-medium text-warn' : 'font-medium'}>{spoken(event.event)}</span>{' '}
            <span className="text-dim">{detail(event, names)}</span>
          </span>
        </li>
      ))}
    </ol>
  )
}

function detail(event: CallEvent, names: [string, string]): string {
  if (event.turn) return `${event.turn.speaker === 'agent' ? names[1] : names[0]}: “${event.turn.text}”`
  if (event.termination) return spoken(event.termination.reason)
  const { at: _at, offset_ms: _offset, event: _event, ...rest } = event
  return Object.values(rest)
    .filter((value) => typeof value === 'string' || typeof value === 'number')
    .join(', ')
}
