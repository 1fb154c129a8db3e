// All users. Ten thousand of them are rows that exist only while they are seen.
import { Link, useNavigate, useSearch } from '@tanstack/react-router'
import { useQuery } from '@tanstack/react-query'
import { useVirtualizer } from '@tanstack/react-virtual'
import { Plus, Search } from 'lucide-react'
import { useMemo, useRef, useState } from 'react'
import { users } from '../api/queries'
import type { UserDocument } from '../api/schema'
import { useRights } from '../api/session'
import { Badge, Button, Card, Empty, Heading, Trouble, Waiting } from '../ui/parts'
import { RegistrationBadge } from '../ui/words'
import { UserMenu } from './menu'

const ROW_PX = 60

/** Each word must occur somewhere. */
function fits(user: UserDocument, words: string[]) {
  const text = `${user.user_id} ${user.display_name} ${user.sip_username} ${user.sip?.sip_server ?? ''}`.toLowerCase()
  return words.every((word) => text.includes(word))
}

const groups = {
  all: { name: 'all', has: () => true },
  up: { name: 'registered', has: (user: UserDocument) => user.registration.state === 'registered' },
  trouble: {
    name: 'in trouble',
    has: (user: UserDocument) => ['retrying', 'wrong_password'].includes(user.registration.state) || user.config_state.state === 'faulty',
  },
  off: { name: 'off', has: (user: UserDocument) => user.registration.state === 'off' },
}

export function UserList() {
  const search = useSearch({ from: '/users' })
  const navigate = useNavigate({ from: '/users' })
  const list = useQuery(users)
  const { operator } = useRights()
  const [group, setGroup] = useState<keyof typeof groups>('all')
  const words = useMemo(() => (search.q ?? '').toLowerCase().split(/\s+/).filter(Boolean), [search.q])
  const shown = useMemo(() => {
    const found = list.data?.filter((user) => fits(user, words) && groups[group].has(user))
    return found?.sort((a, b) => a.user_id.localeCompare(b.user_id))
  }, [list.data, words, group])
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
              value={search.q ?? ''}
              onChange={(event) => void navigate({ search: { q: event.target.value || undefined }, replace: true })}
            />
          </div>
          <select
            aria-label="Which lines"
            className="field w-auto text-sm"
            value={group}
            onChange={(event) => setGroup(event.target.value as keyof typeof groups)}
          >
            {Object.entries(groups).map(([key, { name }]) => (
              <option key={key} value={key}>
                {name}
              </option>
            ))}
          </select>
          <span role="status" className="num text-sm text-dim">
            {shown && list.data && (shown.length === list.data.length ? `${shown.length} users` : `${shown.length} of ${list.data.length}`)}
          </span>
        </div>
        {shown === undefined ? (
          list.error ? <Trouble error={list.error} retry={() => void list.refetch()} /> : <Waiting rows={5} />
        ) : list.data?.length === 0 ? (
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
        ) : shown.length === 0 ? (
          <Empty title="Nobody is like that">Try fewer letters, or another group of lines.</Empty>
        ) : (
          <Rows users={shown} />
        )}
      </Card>
    </>
  )
}

function Rows({ users: shown }: { users: UserDocument[] }) {
  const box = useRef<HTMLDivElement>(null)
  const rows = useVirtualizer({ count: shown.length, getScrollElement: () => box.current, estimateSize: () => ROW_PX, overscan: 12 })
  return (
    <div ref={box} tabIndex={0} role="region" aria-label="Users" className="max-h-[calc(100dvh-15rem)] min-h-40 overflow-y-auto">
      <ul className="relative" style={{ height: rows.getTotalSize() }}>
        {rows.getVirtualItems().map((row) => {
          const user = shown[row.index]
          if (!user) return null
          return (
            <li
              key={user.user_id}
              aria-setsize={shown.length}
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
                  {user.sip && <span className="hidden sm:inline"> · {user.sip.sip_server}</span>}
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
              <UserMenu user={user} />
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
