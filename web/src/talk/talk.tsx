// Talk to the user's agent from the browser, by the same path as a telephone call: what is said, the events, and the latency of
// each answer as it comes.
import { Link } from '@tanstack/react-router'
import { useQuery } from '@tanstack/react-query'
import { Mic, MicOff, PhoneOff } from 'lucide-react'
import { useEffect, useRef, useState } from 'react'
import { call as callQuery } from '../api/queries'
import type { TurnDocument, UserDocument } from '../api/schema'
import type { CallEvent } from '../api/types'
import { Events, turnsOf } from '../calls/call'
import { Turns } from '../calls/transcript'
import { Button, Card, Empty } from '../ui/parts'
import { milliseconds, Since } from '../ui/time'
import { Conversation, type TalkMessage } from './conversation'

type Phase = 'idle' | 'opening' | 'talking' | 'over'

export function Talk({ user }: { user: UserDocument }) {
  const [phase, setPhase] = useState<Phase>('idle')
  const [trouble, setTrouble] = useState('')
  const [callId, setCallId] = useState<string>()
  const [told, setTold] = useState<CallEvent[]>([])
  const [muted, setMuted] = useState(false)
  const [since, setSince] = useState('')
  const meter = useRef<HTMLDivElement>(null)
  const conversation = useRef<Conversation>(undefined)
  useEffect(() => () => conversation.current?.close(), [])

  const start = async () => {
    setPhase('opening')
    setTrouble('')
    setTold([])
    setCallId(undefined)
    setMuted(false)
    const talk = new Conversation({
      onMessage: (message: TalkMessage) => {
        if (typeof message.call_id === 'string') setCallId(message.call_id)
        if (typeof message.event === 'string' && typeof message.offset_ms === 'number') setTold((old) => [...old, message as unknown as CallEvent])
      },
      onLevel: (level) => {
        if (meter.current) meter.current.style.transform = `scaleX(${Math.sqrt(level).toFixed(3)})`
      },
      onEnd: (why) => {
        setTrouble(why)
        setPhase('over')
      },
    })
    conversation.current = talk
    try {
      await talk.start(`/users/${encodeURIComponent(user.user_id)}/talk`)
      setSince(new Date().toISOString())
      setPhase('talking')
    } catch (error) {
      talk.close()
      setTrouble(error instanceof Error ? error.message : String(error))
      setPhase('idle')
    }
  }
  const isUp = phase === 'opening' || phase === 'talking'
  return (
    <div className="grid items-start gap-4 lg:grid-cols-[minmax(0,5fr)_minmax(0,3fr)]">
      <Card
        title={`Talk to ${user.display_name || user.user_id}'s agent`}
        note="As if you rang the line: same engine, persona, tools and limits. It is kept as a call."
        flush
        actions={
          isUp ? (
            <>
              <span className="num text-sm text-dim">{phase === 'talking' ? <Since at={since} /> : 'connecting …'}</span>
              <Button
                aria-pressed={muted}
                onClick={() => {
                  conversation.current?.mute(!muted)
                  setMuted(!muted)
                }}
              >
                {muted ? <MicOff aria-hidden /> : <Mic aria-hidden />} {muted ? 'Muted' : 'Mute'}
              </Button>
              <Button look="danger" onClick={() => conversation.current?.close()}>
                <PhoneOff aria-hidden /> End
              </Button>
            </>
          ) : (
            <Button look="main" onClick={() => void start()}>
              <Mic aria-hidden /> {phase === 'over' ? 'Talk again' : 'Start talking'}
            </Button>
          )
        }
      >
        {isUp && (
          <div aria-hidden className="h-1 overflow-hidden bg-sunk">
            <div ref={meter} className="h-full origin-left scale-x-0 bg-accent transition-transform duration-75" />
          </div>
        )}
        {trouble && (
          <p role="alert" className="m-4 rounded-lg bg-warn-soft px-3 py-2 text-sm">
            {trouble}
          </p>
        )}
        {callId ? (
          <TalkCall id={callId} told={told} names={['You', user.user_id]} isOver={phase === 'over'} />
        ) : isUp ? (
          <Turns live turns={turnsOf(told)} names={['You', user.user_id]} />
        ) : (
          <Empty title="Hear what your callers hear">The browser asks for the microphone. With headphones the agent does not hear itself.</Empty>
        )}
      </Card>
      <div className="grid gap-4">
        <Strip id={callId} told={told} />
        <Card title="Events" flush>
          {callId ? <TalkEvents id={callId} told={told} /> : <Events events={told} names={['You', user.user_id]} newestFirst />}
        </Card>
      </div>
    </div>
  )
}

/** The record's events where they are there, else what the WebSocket told. */
function useEvents(id: string | undefined, told: CallEvent[]): CallEvent[] {
  const { data } = useQuery({ ...callQuery(id ?? ''), enabled: id !== undefined, retry: 3, retryDelay: 300 })
  const kept = (data?.events ?? []) as CallEvent[]
  return kept.length >= told.length ? kept : told
}

function TalkCall({ id, told, names, isOver }: { id: string; told: CallEvent[]; names: [string, string]; isOver: boolean }) {
  const events = useEvents(id, told)
  return (
    <>
      <Turns live turns={turnsOf(events)} names={names} />
      {isOver && (
        <p className="border-t border-line px-4 py-2.5 text-sm">
          <Link to="/calls/$id" params={{ id }} className="font-medium text-accent hover:underline">
            The call, with its recording
          </Link>
        </p>
      )}
    </>
  )
}

function TalkEvents({ id, told }: { id: string; told: CallEvent[] }) {
  return <Events events={useEvents(id, told)} names={['You', 'agent']} newestFirst />
}

/** One bar for each answer, the last ones first in sight. */
function Strip({ id, told }: { id: string | undefined; told: CallEvent[] }) {
  const answers = turnsOf(useEvents(id, told)).filter((turn): turn is TurnDocument & { latency: NonNullable<TurnDocument['latency']> } => Boolean(turn.latency))
  const most = Math.max(1_000, ...answers.map((turn) => turn.latency.total_ms))
  const last = answers.at(-1)
  return (
    <Card title="Latency" actions={last && <span className="num text-sm font-semibold">{milliseconds(last.latency.total_ms)}</span>}>
      {answers.length === 0 ? (
        <p className="text-sm text-dim">From the end of your words to the first of the agent's. It shows after the first answer.</p>
      ) : (
        <ol aria-label="Latency of each answer" className="flex h-20 items-end gap-1">
          {answers.slice(-24).map((turn) => (
            <li
              key={turn.index}
              title={milliseconds(turn.latency.total_ms)}
              className="min-w-2 flex-1 rounded-t bg-accent"
              style={{ height: `${(turn.latency.total_ms / most) * 100}%`, maxWidth: '2rem' }}
            >
              <span className="sr-only">{milliseconds(turn.latency.total_ms)}</span>
            </li>
          ))}
        </ol>
      )}
    </Card>
  )
}
