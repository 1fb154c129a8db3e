// What the user's calls cost, and the calls themselves: those that were, and those that will be tried again.
import { Link } from '@tanstack/react-router'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { api, take } from '../api/client'
import { costs, keys, pending, recentCalls } from '../api/queries'
import type { UserDocument } from '../api/schema'
import { CallRows } from '../calls/rows'
import { Button, Card, Cell, Empty, Figure, Table, Trouble, Waiting } from '../ui/parts'
import { Ago, length, money } from '../ui/time'
import { complain } from '../ui/toast'
import { engineName, spoken } from '../ui/words'

const SPANS: readonly (readonly [string, number])[] = [
  ['today', 0],
  ['7 days', 7],
  ['30 days', 30],
  ['a year', 365],
]

/** Midnight, so many days ago: the same text for a whole day, so that the answer can be kept. */
const daysAgo = (days: number) => {
  const date = new Date()
  date.setHours(0, 0, 0, 0)
  date.setDate(date.getDate() - days)
  return date.toISOString()
}

export function Costs({ user }: { user: UserDocument }) {
  const [days, setDays] = useState(30)
  const query = useQuery(costs(user.user_id, daysAgo(days)))
  const report = query.data
  return (
    <Card
      title="Costs"
      flush
      actions={
        <select aria-label="Since when" className="field w-auto text-sm" value={days} onChange={(event) => setDays(Number(event.target.value))}>
          {SPANS.map(([name, value]) => (
            <option key={value} value={value}>
              {name}
            </option>
          ))}
        </select>
      }
    >
      {!report ? (
        query.error ? <Trouble error={query.error} /> : <Waiting />
      ) : report.calls === 0 ? (
        <Empty title="No calls in this time" />
      ) : (
        <>
          <div className="grid gap-3 p-4 sm:grid-cols-3">
            {report.totals.map((total) => (
              <Figure key={total.currency} name="In all" note={total.complete ? undefined : 'without what has no price in the table'}>
                {money(total.amount, total.currency)}
              </Figure>
            ))}
            <Figure name="Calls">{report.calls}</Figure>
            <Figure name="Talked">{length(report.talk_seconds * 1_000)}</Figure>
          </div>
          <Table label="Costs by what they are for" head={['What', 'How much', 'Price', 'Amount']}>
            {report.lines.map((line, at) => (
              <tr key={at}>
                <Cell>
                  {line.engine === 'carrier' ? 'Carrier' : engineName(line.engine)}
                  {line.model && <span className="text-dim"> {line.model}</span>}
                  {line.modality && <span className="block text-[0.8125rem] text-dim">{spoken(line.modality)}</span>}
                </Cell>
                <Cell className="num">
                  {line.quantity.toLocaleString()} {line.unit}
                </Cell>
                <Cell className="num">{line.price != null ? `${line.price} ${line.currency}` : 'not known'}</Cell>
                <Cell className="num">{line.priced ? money(line.amount, line.currency) : ''}</Cell>
              </tr>
            ))}
          </Table>
        </>
      )}
    </Card>
  )
}

export function UserCalls({ user }: { user: UserDocument }) {
  const query = useQuery(recentCalls({ user_id: user.user_id, limit: 50 }))
  return (
    <div className="grid gap-4">
      <Pending user={user} />
      <Card
        title="Calls"
        flush
        actions={
          <Link to="/calls" search={{ user_id: user.user_id }} className="text-sm font-medium text-accent hover:underline">
            All, with filters
          </Link>
        }
      >
        {!query.data ? (
          query.error ? <Trouble error={query.error} /> : <Waiting />
        ) : query.data.length === 0 ? (
          <Empty title="No calls yet">Ring the line, or place a call with the button above.</Empty>
        ) : (
          <CallRows calls={query.data} label={`Calls of ${user.user_id}`} withUser={false} />
        )}
      </Card>
    </div>
  )
}

function Pending({ user }: { user: UserDocument }) {
  const { data } = useQuery(pending(user.user_id))
  const cache = useQueryClient()
  if (!data?.length) return null
  const cancel = async (order_id: string) => {
    try {
      await take(api.DELETE('/users/{user_id}/calls/pending/{order_id}', { params: { path: { user_id: user.user_id, order_id } } }))
    } catch (error) {
      complain(error)
    }
    void cache.invalidateQueries({ queryKey: [...keys.user(user.user_id), 'pending'] })
  }
  return (
    <Card title="To be tried again" flush>
      <Table label="Calls to be tried again" head={['Number', 'Attempts', 'Last', 'Next', '']}>
        {data.map((order) => (
          <tr key={order.id}>
            <Cell className="font-mono text-[0.8125rem]">{order.number}</Cell>
            <Cell className="num">
              {order.attempts_made} of {order.attempts}
            </Cell>
            <Cell>{order.last_reason && spoken(order.last_reason)}</Cell>
            <Cell>{order.next_attempt_at ? <Ago at={order.next_attempt_at} /> : spoken(order.state)}</Cell>
            <Cell className="text-right">
              <Button small onClick={() => void cancel(order.id)}>
                Cancel
              </Button>
            </Cell>
          </tr>
        ))}
      </Table>
    </Card>
  )
}
