// One user: how the line is, and everything about it, in tabs whose names are in the address.
import { Link, useNavigate, useParams, useSearch } from '@tanstack/react-router'
import { useQuery } from '@tanstack/react-query'
import { Tabs } from 'radix-ui'
import { PhoneOutgoing } from 'lucide-react'
import { lazy, type ReactNode, Suspense, useState } from 'react'
import { has } from '../api/client'
import { user as userQuery } from '../api/queries'
import type { UserDocument } from '../api/schema'
import { useRights } from '../api/session'
import { Badge, Button, Heading, isMissing, Missing, Trouble, Waiting } from '../ui/parts'
import { TabList } from '../ui/tabs'
import { RegistrationBadge } from '../ui/words'
import { Line } from './line'
import { DialDialog } from './dial'
import { UserMenu, useUserActions } from './menu'
import { AccountForm, LimitsForm, PersonaForm } from './forms'
import { Contacts, DoNotCall } from './people'
import { Costs, UserCalls } from './costs'
import { Webhooks } from './webhooks'

const Talk = lazy(async () => ({ default: (await import('../talk/talk')).Talk }))
const Keys = lazy(async () => ({ default: (await import('../settings/keys')).Keys }))
const ToolsForm = lazy(async () => ({ default: (await import('./tools')).ToolsForm }))
const Privacy = lazy(async () => ({ default: (await import('./privacy')).Privacy }))
const History = lazy(async () => ({ default: (await import('./history')).History }))

interface Page {
  id: string
  name: string
  show: (user: UserDocument, party: string | undefined) => ReactNode
  when?: boolean
  admin?: boolean
}
const pages: Page[] = [
  { id: 'line', name: 'Line', show: (user) => <Line user={user} /> },
  { id: 'talk', name: 'Talk', show: (user) => <Talk user={user} />, when: has('GET /users/{user_id}/talk') },
  { id: 'persona', name: 'Persona', show: (user) => <PersonaForm user={user} /> },
  { id: 'account', name: 'Account', show: (user) => <AccountForm user={user} /> },
  { id: 'tools', name: 'Tools', show: (user) => <ToolsForm user={user} /> },
  { id: 'limits', name: 'Limits', show: (user) => <LimitsForm user={user} /> },
  { id: 'contacts', name: 'Contacts', show: (user) => <Contacts user={user} /> },
  { id: 'do-not-call', name: 'Do not call', show: (user) => <DoNotCall user={user} /> },
  { id: 'calls', name: 'Calls', show: (user) => <UserCalls user={user} /> },
  { id: 'costs', name: 'Costs', show: (user) => <Costs user={user} /> },
  { id: 'webhooks', name: 'Webhooks', show: (user) => <Webhooks user={user} /> },
  { id: 'privacy', name: 'Privacy', show: (user, party) => <Privacy user={user} party={party} />, when: has('GET /users/{user_id}/erasures') },
  { id: 'keys', name: 'Keys', show: (user) => <Keys only={user.user_id} />, when: has('GET /keys'), admin: true },
  { id: 'history', name: 'History', show: (user) => <History user={user} />, when: has('GET /users/{user_id}/versions') },
]

export function UserScreen() {
  const { id } = useParams({ from: '/users/$id' })
  const query = useQuery(userQuery(id))
  if (isMissing(query.error) && !query.isFetching) {
    return (
      <Missing what="user" error={query.error}>
        <Button asChild>
          <Link to="/users" search={{ q: undefined }}>
            All users
          </Link>
        </Button>
      </Missing>
    )
  }
  if (!query.data) {
    return (
      <>
        <Heading title={id} />
        {query.error ? <Trouble error={query.error} retry={() => void query.refetch()} /> : <Waiting rows={6} />}
      </>
    )
  }
  return <Screen user={query.data} key={id} />
}

function Screen({ user }: { user: UserDocument }) {
  const { tab, party } = useSearch({ from: '/users/$id' })
  const navigate = useNavigate({ from: '/users/$id' })
  const { admin } = useRights()
  const actions = useUserActions(user)
  const [dialling, setDialling] = useState(false)
  const shown = pages.filter((page) => page.when !== false && (admin || !page.admin))
  const current = shown.find((page) => page.id === tab)?.id ?? 'line'
  return (
    <>
      <Heading
        title={user.display_name || user.user_id}
        above={
          <Link to="/users" search={{ q: undefined }} className="hover:underline">
            Users
          </Link>
        }
        actions={
            <>
              <Button onClick={() => setDialling(true)} disabled={user.registration.state !== 'registered'}>
                <PhoneOutgoing aria-hidden /> Place a call
              </Button>
              {user.sip?.connect ? (
                <Button onClick={() => void actions.disconnect()}>Disconnect</Button>
              ) : (
                <Button look="main" disabled={!user.is_active} onClick={() => void actions.connect()}>
                  Connect
                </Button>
              )}
              <UserMenu user={user} wanted={user.sip?.connect ?? false} then={() => void navigate({ to: '/users', search: { q: undefined } })} />
            </>
        }
      >
        <p className="mt-1 flex flex-wrap items-center gap-x-3 gap-y-1 text-sm text-dim">
          <RegistrationBadge state={user.registration.state} alert={user.registration.alert} />
          {!user.is_active && <Badge tone="mute">Inactive</Badge>}
          {user.sip_username !== user.user_id && <span className="min-w-0 wrap-anywhere">{user.user_id}</span>}
          {user.sip && (
            <span className="min-w-0 wrap-anywhere">
              {user.sip_username} at {user.sip.sip_server}
            </span>
          )}
        </p>
      </Heading>
      {user.config_state.state === 'faulty' && (
        <p role="alert" className="mb-4 rounded-xl bg-bad-soft px-4 py-3 text-sm">
          <span className="font-medium text-bad">This document cannot be read. </span>
          {user.config_state.problem} The last settings that could be read stay in force.
        </p>
      )}
      {user.warnings.length > 0 && (
        <ul className="mb-4 space-y-1 rounded-xl bg-warn-soft px-4 py-3 text-sm">
          {user.warnings.map((warning) => (
            <li key={warning.field}>
              <span className="font-mono text-[0.8125rem]">{warning.field}</span>: {warning.problem}
            </li>
          ))}
        </ul>
      )}
      <Tabs.Root
        value={current}
        activationMode="manual"
        onValueChange={(next) => void navigate({ search: { tab: next === 'line' ? undefined : next }, replace: true })}
      >
        <TabList label="About this user" open={current} tabs={shown.map((page) => [page.id, page.name] as const)} />
        {shown.map((page) => (
          <Tabs.Content key={page.id} value={page.id} tabIndex={-1}>
            <Suspense fallback={<Waiting />}>{page.id === current && page.show(user, party)}</Suspense>
          </Tabs.Content>
        ))}
      </Tabs.Root>
      {dialling && <DialDialog user={user} onClose={() => setDialling(false)} />}
    </>
  )
}
