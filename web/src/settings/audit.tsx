// Who did what: every change and every access to a recording, newest first.
import { keepPreviousData, useInfiniteQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { api, take } from '../api/client'
import { Badge, Card, Cell, Empty, More, Table, Trouble, Waiting } from '../ui/parts'
import { When } from '../ui/time'

export function Audit() {
  const [actor, setActor] = useState('')
  const [target, setTarget] = useState('')
  const pages = useInfiniteQuery({
    queryKey: ['audit', actor, target],
    queryFn: ({ pageParam }) =>
      take(api.GET('/audit', { params: { query: { limit: 50, actor: actor || undefined, target: target || undefined, before: pageParam } } })),
    initialPageParam: undefined as number | undefined,
    getNextPageParam: (page) => page.next ?? undefined,
    placeholderData: keepPreviousData,
    refetchInterval: 10_000,
  })
  const entries = pages.data?.pages.flatMap((page) => page.entries)
  return (
    <Card title="Audit" note="A chain of hashes: callie audit verify finds an entry that was changed or taken out." flush>
      <div className="grid gap-3 border-b border-line px-4 py-3 sm:grid-cols-2">
        <input type="search" aria-label="By whom" placeholder="by whom" className="field text-sm" value={actor} onChange={(event) => setActor(event.target.value.trim())} />
        <input type="search" aria-label="On what" placeholder="on what, such as /users/alice" className="field font-mono text-sm" value={target} onChange={(event) => setTarget(event.target.value.trim())} />
      </div>
      {!entries ? (
        pages.error ? <Trouble error={pages.error} /> : <Waiting />
      ) : entries.length === 0 ? (
        <Empty title="Nothing like that was done">Changes and accesses to recordings stand here.</Empty>
      ) : (
        <>
          <Table label="Audit" head={['When', 'Who', 'What', 'Answer', 'Link']}>
            {entries.map((entry) => (
              <tr key={entry.seq}>
                <Cell>
                  <When at={entry.at} />
                </Cell>
                <Cell>
                  <span className="font-medium">{entry.actor}</span>
                  <span className="block text-[0.8125rem] text-dim">
                    {entry.role}, {entry.via} {entry.address && `from ${entry.address}`}
                  </span>
                </Cell>
                <Cell>
                  <span className="font-mono text-[0.8125rem]">{entry.action.split(' ')[0]}</span>{' '}
                  <span className="font-mono text-[0.8125rem] break-all">{entry.target}</span>
                  {entry.detail !== null && entry.detail !== undefined && (
                    <span className="block max-w-96 truncate font-mono text-xs text-dim">{JSON.stringify(entry.detail)}</span>
                  )}
                </Cell>
                <Cell>{entry.status > 0 && <Badge tone={entry.status < 400 ? 'ok' : 'warn'}>{entry.status}</Badge>}</Cell>
                <Cell className="font-mono text-xs text-dim" title={entry.link}>
                  {entry.link.slice(0, 10)}
                </Cell>
              </tr>
            ))}
          </Table>
          <More pages={pages} />
        </>
      )}
    </Card>
  )
}
