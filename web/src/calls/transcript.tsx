// What was said, turn by turn; the one that is heard now stands out.
import { useEffect, useRef, useState } from 'react'
import type { TurnDocument } from '../api/schema'
import { cx } from '../ui/parts'
import { length, milliseconds } from '../ui/time'

export function Turns({
  turns,
  names,
  atMs,
  onPick,
  live,
}: {
  turns: TurnDocument[]
  names: [string, string]
  atMs?: number
  onPick?: (turn: TurnDocument) => void
  live?: boolean
}) {
  const list = useRef<HTMLOListElement>(null)
  const last = turns.at(-1)
  useEffect(() => {
    // Follows what is said, unless somebody reads further up.
    const element = list.current
    if (live && element && element.scrollHeight - element.scrollTop - element.clientHeight < 160) element.scrollTop = element.scrollHeight
  }, [live, turns.length, last?.text])
  const [said, setSaid] = useState('')
  const latest = live && last ? `${last.speaker === 'agent' ? names[1] : names[0]}: ${last.text}` : ''
  useEffect(() => {
    // A screen reader hears each turn once, when its words have come to rest, and not every piece of it.
    const timer = setTimeout(() => setSaid(latest), 1_200)
    return () => clearTimeout(timer)
  }, [latest])
  if (turns.length === 0) {
    return <p className="px-4 py-5 text-sm text-dim">{live ? 'Nothing has been said yet.' : 'No words were recognised in this call.'}</p>
  }
  return (
    <>
      {live && (
        <p aria-live="polite" className="sr-only">
          {said}
        </p>
      )}
      <ol
        ref={list}
        aria-label="Transcript"
        tabIndex={0}
        className="max-h-[28rem] divide-y divide-line/60 overflow-y-auto py-1"
      >
        {turns.map((turn) => {
          const isNow = atMs !== undefined && atMs >= turn.started_ms && atMs < Math.max(turn.ended_ms, turn.started_ms + 300)
          const who = turn.speaker === 'agent' ? names[1] : names[0]
          const text = (
            <>
              <span className={cx('block text-[0.8125rem] font-medium', turn.speaker === 'agent' ? 'text-accent' : 'text-caller')}>
                {who}
                <span className="num ml-2 font-normal text-dim">
                  {length(turn.started_ms)}
                  {turn.latency && <> · answered after {milliseconds(turn.latency.total_ms)}</>}
                  {turn.interrupted && <> · interrupted</>}
                </span>
              </span>
              <span className="block">{turn.text}</span>
            </>
          )
          return (
            <li key={turn.index} aria-current={isNow || undefined} className={cx('text-sm', isNow && 'bg-accent-soft')}>
              {onPick ? (
                <button type="button" className="block w-full px-4 py-2 text-left hover:bg-sunk" title="Listen from here" onClick={() => onPick(turn)}>
                  {text}
                </button>
              ) : (
                <div className="px-4 py-2">{text}</div>
              )}
            </li>
          )
        })}
      </ol>
    </>
  )
}
