// What can be done with a call that is up: listen in, whisper to the agent, hand the caller over, hang up.
import { useQuery } from '@tanstack/react-query'
import { Ear, EarOff, MessageSquareText, PhoneForwarded, PhoneOff } from 'lucide-react'
import { useEffect, useRef, useState } from 'react'
import { api, ApiError, has, plain, take } from '../api/client'
import { user as userQuery } from '../api/queries'
import type { CallDetail, TransferModeWord } from '../api/schema'
import { Loudspeaker } from '../talk/loudspeaker'
import { Confirm, Dialog } from '../ui/dialog'
import { Button } from '../ui/parts'
import { complain, say } from '../ui/toast'
import type { CallEvent } from '../api/types'

type Open = 'hint' | 'transfer' | 'hangup'

export function LiveControls({ call }: { call: CallDetail }) {
  const [open, setOpen] = useState<Open>()
  const close = () => setOpen(undefined)
  const path = { call_id: call.id }
  const isAnswered = call.answered_at != null || call.events.some((event) => (event as CallEvent).event === 'answered')
  return (
    <>
      {has('GET /calls/{call_id}/listen') && <Listen id={call.id} />}
      <>
          {has('POST /calls/{call_id}/hint') && (
            <Button onClick={() => setOpen('hint')}>
              <MessageSquareText aria-hidden /> Whisper
            </Button>
          )}
          {isTransferring(call.events as CallEvent[]) ? (
            <Transferring call={call} />
          ) : (
            <Button onClick={() => setOpen('transfer')} disabled={!isAnswered} title={isAnswered ? undefined : 'Once the call is answered'}>
              <PhoneForwarded aria-hidden /> Take over
            </Button>
          )}
          <Button look="danger" onClick={() => setOpen('hangup')}>
            <PhoneOff aria-hidden /> Hang up
          </Button>
      </>
      {open === 'hint' && <Hint id={call.id} onClose={close} />}
      {open === 'transfer' && <Transfer call={call} onClose={close} />}
      {open === 'hangup' && (
        <Confirm
          title="Hang up?"
          verb="Hang up"
          onClose={close}
          act={async () => {
            await take(api.POST('/calls/{call_id}/hangup', { params: { path } }))
            say('The call is being ended.')
          }}
        >
          <p>The agent is cut off and both sides hear the line end.</p>
        </Confirm>
      )}
    </>
  )
}

/** A transfer has begun and is not over. */
export function isTransferring(events: CallEvent[]): boolean {
  const last = events.findLast((event) => ['transfer_started', 'transfer_completed', 'transfer_failed'].includes(event.event))
  return last?.event === 'transfer_started'
}

/** While the one who is to take over rings or is briefed by the agent: they are put through without waiting, or called off. */
function Transferring({ call }: { call: CallDetail }) {
  const [busy, setBusy] = useState(false)
  const path = { call_id: call.id }
  const attempt = async (what: () => Promise<unknown>, done: string) => {
    setBusy(true)
    try {
      await what()
      say(done)
    } catch (error) {
      complain(error)
    }
    setBusy(false)
  }
  return (
    <>
      <Button look="main" busy={busy} onClick={() => void attempt(() => take(api.POST('/calls/{call_id}/transfer/join', { params: { path } })), 'Both are being put through.')}>
        <PhoneForwarded aria-hidden /> Put through now
      </Button>
      <Button busy={busy} onClick={() => void attempt(() => take(api.POST('/calls/{call_id}/transfer/cancel', { params: { path } })), 'The caller stays with the agent.')}>
        Call it off
      </Button>
    </>
  )
}

/** Both sides, as they are heard: the other one left, the agent right. That somebody listened stands in the record. */
function Listen({ id }: { id: string }) {
  const [on, setOn] = useState(false)
  useEffect(() => {
    if (!on) return
    const speaker = new Loudspeaker(`/calls/${encodeURIComponent(id)}/listen`, () => setOn(false))
    return () => speaker.close()
  }, [on, id])
  return (
    <Button onClick={() => setOn(!on)} aria-pressed={on}>
      {on ? <EarOff aria-hidden /> : <Ear aria-hidden />}
      {on ? 'Stop listening' : 'Listen in'}
    </Button>
  )
}

function Hint({ id, onClose }: { id: string; onClose: () => void }) {
  const [text, setText] = useState('')
  const [busy, setBusy] = useState(false)
  const [trouble, setTrouble] = useState<string>()
  const go = async () => {
    setBusy(true)
    try {
      await plain('POST', `/calls/${encodeURIComponent(id)}/hint`, { text })
      say('The agent knows. The caller heard nothing of it.')
      onClose()
    } catch (error) {
      setTrouble(error instanceof Error ? error.message : String(error))
      setBusy(false)
    }
  }
  return (
    <Dialog title="Whisper to the agent" onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault()
          void go()
        }}
      >
        <label htmlFor="hint" className="mb-1 block text-sm text-dim">
          Only the agent reads it; it takes it into account from its next words on.
        </label>
        <textarea id="hint" rows={3} maxLength={2000} className="field text-sm" value={text} onChange={(event) => setText(event.target.value)} autoFocus placeholder="Offer them the appointment on Tuesday at ten." aria-describedby={trouble ? 'hint-trouble' : undefined} />
        {trouble && (
          <p id="hint-trouble" role="alert" className="mt-1 text-sm text-bad">
            {trouble}
          </p>
        )}
        <div className="mt-4 flex justify-end gap-2">
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" look="main" busy={busy} disabled={text.trim() === ''}>
            Whisper
          </Button>
        </div>
      </form>
    </Dialog>
  )
}

const modes: Record<TransferModeWord, string> = {
  warm: 'Warm: the agent calls the target first and says what it is about',
  blind: 'Blind: the caller is handed over at once',
  attended: 'Attended: by replacing the leg of a call that is up',
}

function Transfer({ call, onClose }: { call: CallDetail; onClose: () => void }) {
  const { data: user } = useQuery(userQuery(call.user_id))
  const targets = user?.routing?.transfer_targets ?? []
  const [target, setTarget] = useState('')
  const [mode, setMode] = useState<TransferModeWord>('warm')
  const [busy, setBusy] = useState(false)
  const [trouble, setTrouble] = useState<string>()
  const input = useRef<HTMLInputElement>(null)
  const go = async () => {
    setBusy(true)
    try {
      await take(api.POST('/calls/{call_id}/transfer', { params: { path: { call_id: call.id } }, body: { target: target.trim(), mode } }))
      say('The caller is being handed over.')
      onClose()
    } catch (error) {
      setTrouble(error instanceof ApiError ? (error.fields[0]?.problem ?? error.message) : String(error))
      setBusy(false)
      input.current?.focus()
      if (!(error instanceof ApiError)) complain(error)
    }
  }
  return (
    <Dialog title="Take the call over" onClose={onClose}>
      <form
        className="space-y-4"
        onSubmit={(event) => {
          event.preventDefault()
          void go()
        }}
      >
        <div>
          <label htmlFor="target" className="mb-1 block text-sm font-medium">
            To whom
          </label>
          <input
            id="target"
            ref={input}
            className="field text-sm"
            list="targets"
            autoFocus
            value={target}
            placeholder={targets[0] ? targets[0].name : 'your own number, +15551234567'}
            aria-invalid={trouble !== undefined}
            aria-describedby="target-note"
            onChange={(event) => setTarget(event.target.value)}
          />
          <datalist id="targets">
            {targets.map((each) => (
              <option key={each.name} value={each.name}>
                {each.target}
              </option>
            ))}
          </datalist>
          <p id="target-note" className={trouble ? 'mt-1 text-sm text-bad' : 'mt-1 text-[0.8125rem] text-dim'} role={trouble ? 'alert' : undefined}>
            {trouble ?? 'A transfer target of the user by name, a number, or a SIP address.'}
          </p>
        </div>
        <fieldset className="space-y-1.5">
          <legend className="mb-1 text-sm font-medium">How</legend>
          {(Object.keys(modes) as TransferModeWord[]).map((each) => (
            <label key={each} className="flex cursor-pointer items-start gap-2 text-sm">
              <input type="radio" name="mode" className="mt-1 accent-[var(--accent)]" checked={mode === each} onChange={() => setMode(each)} />
              {modes[each]}
            </label>
          ))}
        </fieldset>
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" look="main" busy={busy} disabled={target.trim() === ''}>
            Hand over
          </Button>
        </div>
      </form>
    </Dialog>
  )
}
