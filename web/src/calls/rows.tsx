// Calls as rows of a table, on all screens that list some.
import { Link } from '@tanstack/react-router'
import { PhoneIncoming, PhoneOutgoing } from 'lucide-react'
import type { ListedCall } from '../api/schema'
import { Cell, Table } from '../ui/parts'
import { length, When } from '../ui/time'
import { party, ResultBadge } from '../ui/words'

export function CallRows({ calls, label, withUser = true }: { calls: ListedCall[]; label: string; withUser?: boolean }) {
  return (
    <Table label={label} head={['Who', ...(withUser ? ['User'] : []), 'When', 'Talked', 'Result', 'How it ended']} narrow={withUser ? [0, 2, 4] : [0, 1, 3]} wide={withUser ? 5 : 4}>
      {calls.map((call) => (
        <tr key={call.id} className="relative hover:bg-sunk">
          <Cell className="whitespace-nowrap">
            <Link
              to="/calls/$id"
              params={{ id: call.id }}
              className="flex items-center gap-2 font-medium after:absolute after:inset-0 after:content-['']"
            >
              {call.direction === 'inbound' ? (
                <PhoneIncoming aria-label="from" className="size-4 shrink-0 text-dim" />
              ) : (
                <PhoneOutgoing aria-label="to" className="size-4 shrink-0 text-dim" />
              )}
              {party(call)}
            </Link>
          </Cell>
          {withUser && <Cell className="whitespace-nowrap max-sm:hidden">{call.user_id}</Cell>}
          <Cell>
            <When at={call.started_at} />
          </Cell>
          <Cell className="num max-sm:hidden">{call.talk_ms === null || call.talk_ms === undefined ? '' : length(call.talk_ms)}</Cell>
          <Cell>
            <ResultBadge call={call} />
          </Cell>
          <Cell className="min-w-44 text-dim max-sm:hidden @max-3xl:hidden">
            {call.matches?.[0] ? <span className="italic">“{call.matches[0].text}”</span> : call.termination?.text}
          </Cell>
        </tr>
      ))}
    </Table>
  )
}
