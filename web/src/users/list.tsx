// All users, page by page, searched and filtered by the server. Ten thousand of them are rows that exist only while they are seen.
import { Link, useNavigate, useSearch } from '@tanstack/react-router'
import { keepPreviousData, useInfiniteQuery } from '@tanstack/react-query'
import { useVirtualizer } from '@tanstack/react-virtual'
import { Plus, Search } from 'lucide-react'
import { useEffect, useRef, useState } from 'react'
import { keys, userPage } from '../api/queries'
import type { LineWord, UserSummary } from '../api/schema'
import { useRights } from '../api/session'
import type { UserQuery } from '../api/types'
import { Badge, Button, Card, Empty, Heading, Trouble, Waiting } from '../ui/parts'
import { usePaused } from '../ui/time'
import { RegistrationBadge } from '../ui/words'
import { UserMenu } from './menu'

const ROW_PX = 60
const PAGE = 100

const groups: Partial<Record<LineWord, string>> = { registered: 'registered', failing: 'in trouble', off: 'off' }

export function UserList() {
  const search = useSearch({ from: '/users' })
  const navigate = useNavigate({ from: '/users' })
  const { operator } = useRights()
  const [words, setWords] = useState(search.q ?? '')
  useEffect(() => setWords(search.q ?? ''), [search.q])
  const paused = usePaused(words)
  useEffect(() => {
    // Typing asks once it pauses. Words that were not typed are those of the address already.
    if (paused === words && paused !== (search.q ?? '')) {
      void navigate({ search: (old) => ({ ...old, q: paused || undefined }), replace: true })
    }
  }, [paused])
  const line = search.line && search.line in groups ? (search.line as LineWord) : undefined
  const query: UserQuery = { q: search.q, line, sort: 'name', limit: PAGE }
  const pages = useInfiniteQuery({
    queryKey: [...keys.users, 'pages', query],
    queryFn: ({ pageParam }) => userPage(query, pageParam),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next ?? undefined,
    placeholderData: keepPreviousData,
  })
  // The last page that came knows best how many there are.
  const about = pages.data?.pages.at(-1)
  return (
    <>
      <Heading
        title="Users"
        actions={
          operator && (
            <Button look="main" asChild>
              <Link to="/users/new">
                <Plus aria-hidden /> New user
              </Link>
            </Button>
          )
        }
      />
      <Card flush>
        <div className="flex flex-wrap items-center gap-3 border-b border-line px-4 py-3">
          <div className="relative min-w-52 flex-1">
            <Search aria-hidden className="absolute top-2.5 left-2.5 size-4 text-dim" />
            <input
              type="search"
              aria-label="Search users"
              placeholder="Name, id, number or server"
              className="field pl-8.5 text-sm"
              maxLength={200}
              value={words}
              onChange={(event) => setWords(event.target.value)}
            />
          </div>
          <select
            aria-label="Which lines"
            className="field w-auto text-sm"
            value={line ?? ''}
            onChange={(event) => void navigate({ search: (old) => ({ ...old, line: event.target.value || undefined }), replace: true })}
          >
            <option value="">all</option>
            {Object.entries(groups).map(([word, name]) => (
              <option key={word} value={word}>
                {name}
              </option>
            ))}
          </select>
          <span role="status" className="num text-sm text-dim">
            {about &&
              (about.found === about.total_users
                ? `${about.found.toLocaleString()} users`
                : `${about.found.toLocaleString()} of ${about.total_users.toLocaleString()}`)}
          </span>
        </div>
        {about === undefined ? (
          pages.error ? <Trouble error={pages.error} retry={() => void pages.refetch()} /> : <Waiting rows={5} />
        ) : about.total_users === 0 ? (
          <Empty
            title="There is no user yet"
            action={
              operator && (
                <Button look="main" asChild>
                  <Link to="/users/new">Create the first user</Link>
                </Button>
              )
            }
          >
            A user is a person with an account at a SIP provider, whose calls Callie answers.
          </Empty>
        ) : about.found === 0 ? (
          <Empty title="Nobody is like that">Try fewer letters, or another group of lines.</Empty>
        ) : (
          <Rows users={pages.data?.pages.flatMap((page) => page.users) ?? []} found={about.found} pages={pages} />
        )}
      </Card>
    </>
  )
}

/** Rows so close to the end of what is there ask for the next page. */
const AHEAD = 30

function Rows({
  users: shown,
  found,
  pages,
}: {
  users: UserSummary[]
  found: number
  pages: { hasNextPage: boolean; isFetching: boolean; fetchNextPage: () => unknown }
}) {
  const box = useRef<HTMLDivElement>(null)
  const rows = useVirtualizer({ count: shown.length, getScrollElement: () => box.current, estimateSize: () => ROW_PX, overscan: 12 })
  const last = rows.getVirtualItems().at(-1)?.index ?? 0
  useEffect(() => {
    if (last >= shown.length - AHEAD && pages.hasNextPage && !pages.isFetching) void pages.fetchNextPage()
  }, [last, shown.length, pages.hasNextPage, pages.isFetching])
  return (
    <div ref={box} tabIndex={0} role="region" aria-label="Users" className="max-h-[calc(100dvh-15rem)] min-h-40 overflow-y-auto">
      <ul className="relative" style={{ height: rows.getTotalSize() }}>
        {rows.getVirtualItems().map((row) => {
          const user = shown[row.index]
          if (!user) return null
          return (
            <li
              key={user.user_id}
              aria-setsize={found}
              aria-posinset={row.index + 1}
              className="absolute inset-x-0 flex items-center gap-3 border-b border-line px-4 hover:bg-sunk"
              style={{ height: ROW_PX, transform: `translateY(${row.start}px)` }}
            >
              <Initials name={user.display_name || user.user_id} />
              <Link to="/users/$id" params={{ id: user.user_id }} search={{ tab: undefined }} className="min-w-0 flex-1">
                <span className="block truncate text-sm font-medium">{user.display_name || user.user_id}</span>
                <span className="block truncate text-[0.8125rem] text-dim">
                  {user.user_id}
                  {user.sip_username && user.sip_username !== user.user_id && <> · {user.sip_username}</>}
                  {user.sip_server && <span className="hidden sm:inline"> · {user.sip_server}</span>}
                </span>
              </Link>
              {user.sip_status.active_calls > 0 && <Badge tone="info">{user.sip_status.active_calls} now</Badge>}
              {user.config_state.state === 'faulty' ? (
                <Badge tone="bad" title={user.config_state.problem}>
                  Unreadable
                </Badge>
              ) : user.is_active ? (
                <RegistrationBadge state={user.registration.state} alert={user.registration.alert} />
              ) : (
                <Badge tone="mute">Inactive</Badge>
              )}
              <UserMenu user={user} wanted={user.connect ?? false} />
            </li>
          )
        })}
      </ul>
    </div>
  )
}

function Initials({ name }: { name: string }) {
  const letters = name
    .split(/\s+/)
    .map((word) => word.charAt(0))
    .slice(0, 2)
    .join('')
    .toUpperCase()
  return (
    <span aria-hidden className="hidden size-9 shrink-0 place-items-center rounded-full bg-accent-soft text-xs font-semibold text-accent sm:grid">
      {letters}
    </span>
  )
}
