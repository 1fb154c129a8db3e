// SIP as it went over the wire, as a ladder: a line for each participant, an arrow for each message, its text on opening it.
import type { MarkDocument, Participant, SipMessageDocument } from '../api/schema'
import { Empty } from '../ui/parts'

type Row = { at: number; message?: SipMessageDocument; mark?: MarkDocument }

export function Ladder({ participants, messages, marks = [] }: { participants: Participant[]; messages: SipMessageDocument[]; marks?: MarkDocument[] }) {
  if (messages.length === 0) return <Empty title="No SIP messages are kept">They are kept for each call, and for the last ones of a line.</Empty>
  const column = (address: string) => {
    const at = participants.findIndex((each) => each.addresses.includes(address) || each.name === address)
    return at < 0 ? 1 : at
  }
  const place = (at: number) => ((at + 0.5) / Math.max(participants.length, 2)) * 100
  const rows: Row[] = [
    ...messages.map((message) => ({ at: message.offset_ms, message })),
    ...marks.map((mark) => ({ at: mark.offset_ms, mark })),
  ].sort((a, b) => a.at - b.at)
  return (
    <div className="overflow-x-auto text-sm" tabIndex={0} role="region" aria-label="SIP messages">
      <div className="min-w-[34rem]">
        <div className="sticky top-0 grid border-b border-line bg-card py-2 pl-20 text-center font-mono text-xs font-medium" style={{ gridTemplateColumns: `repeat(${Math.max(participants.length, 2)}, 1fr)` }}>
          {participants.map((each) => (
            <span key={each.name} className="truncate px-2" title={each.addresses.join(', ')}>
              {each.name}
            </span>
          ))}
        </div>
        <ol className="relative py-1">
          {rows.map((row, index) =>
            row.message ? (
              <Message key={index} message={row.message} from={place(column(row.message.from))} to={place(column(row.message.to))} lines={participants.map((_, at) => place(at))} />
            ) : (
              <li key={index} className="flex">
                <Offset ms={row.at} />
                <span className="m-1 flex-1 rounded bg-sunk px-2 py-0.5 text-center text-xs text-dim">{row.mark?.text}</span>
              </li>
            ),
          )}
        </ol>
      </div>
    </div>
  )
}

const Offset = ({ ms }: { ms: number }) => (
  <span className="num w-20 shrink-0 self-center pr-3 text-right font-mono text-xs text-dim">
    {ms < 10_000 ? `${ms.toFixed(1)} ms` : `${(ms / 1_000).toFixed(2)} s`}
  </span>
)

function Message({ message, from, to, lines }: { message: SipMessageDocument; from: number; to: number; lines: number[] }) {
  const failed = /^SIP\/2\.0 [4-6]/.test(message.start_line)
  const color = failed ? 'var(--bad)' : message.direction === 'sent' ? 'var(--accent)' : 'var(--caller)'
  const [left, right] = from < to ? [from, to] : [to, from]
  return (
    <li>
      <details className="group">
        <summary className="flex list-none items-stretch hover:bg-sunk [&::-webkit-details-marker]:hidden">
          <Offset ms={message.offset_ms} />
          <span className="sr-only">
            {message.arrow}: {message.summary}
          </span>
          <span aria-hidden className="relative block h-10 flex-1">
            {lines.map((at) => (
              <span key={at} className="absolute inset-y-0 w-px bg-line-strong" style={{ left: `${at}%` }} />
            ))}
            <span className="absolute top-6.5 h-px" style={{ left: `${left}%`, width: `${right - left}%`, background: color }} />
            <span
              className="absolute top-[1.4rem] size-0 border-y-[4px] border-y-transparent"
              style={
                from < to
                  ? { left: `calc(${to}% - 7px)`, borderLeft: `7px solid ${color}` }
                  : { left: `${to}%`, borderRight: `7px solid ${color}` }
              }
            />
            <span
              className="absolute top-1 truncate px-3 text-center font-mono text-xs"
              style={{ left: `${left}%`, width: `${right - left}%`, color: failed ? 'var(--bad)' : undefined }}
            >
              {message.summary}
              {message.retransmission && ' (again)'}
            </span>
          </span>
        </summary>
        <pre tabIndex={0} className="mx-4 mb-2 overflow-x-auto rounded-lg bg-sunk p-3 font-mono text-xs leading-relaxed">
          {message.note && `— ${message.note}\n`}
          {message.start_line}
          {'\n'}
          {message.headers.map((header) => `${header.name}: ${header.value}`).join('\n')}
          {message.body && `\n\n${message.body}`}
        </pre>
      </details>
    </li>
  )
}
