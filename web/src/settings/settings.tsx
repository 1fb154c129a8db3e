// The server itself: how it is, who may use it, what was done with it.
import { useNavigate, useSearch } from '@tanstack/react-router'
import { useQuery } from '@tanstack/react-query'
import { Tabs } from 'radix-ui'
import { type ReactNode, useState } from 'react'
import { has } from '../api/client'
import { ready, someUsers, status } from '../api/queries'
import type { UserPage } from '../api/types'
import { useRights } from '../api/session'
import { Badge, Card, Empty, Fact, Facts, Heading, Trouble, Waiting } from '../ui/parts'
import { TabList } from '../ui/tabs'
import { length } from '../ui/time'
import { engineName, spoken } from '../ui/words'
import { UserPicker } from '../users/picker'
import { Deliveries } from '../users/webhooks'
import { Audit } from './audit'
import { Keys } from './keys'

export function Settings() {
  const { tab } = useSearch({ from: '/settings' })
  const navigate = useNavigate({ from: '/settings' })
  const { admin, operator } = useRights()
  const pages: [id: string, name: string, show: () => ReactNode, when: boolean][] = [
    ['server', 'Server', () => <Server />, operator],
    ['keys', 'API keys', () => <Keys />, admin && has('GET /keys')],
    ['webhooks', 'Webhook deliveries', () => <AllDeliveries />, true],
    ['audit', 'Audit', () => <Audit />, admin && has('GET /audit')],
  ]
  const shown = pages.filter(([, , , when]) => when)
  const current = shown.find(([id]) => id === tab)?.[0] ?? shown[0]?.[0]
  return (
    <>
      <Heading title="Settings" />
      <Tabs.Root
        value={current}
        activationMode="manual"
        onValueChange={(next) => void navigate({ search: { tab: next === 'server' ? undefined : next }, replace: true })}
      >
        <TabList label="Settings" open={current} tabs={shown.map(([id, name]) => [id, name] as const)} />
        {shown.map(([id, , show]) => (
          <Tabs.Content key={id} value={id} tabIndex={-1}>
            {id === current && show()}
          </Tabs.Content>
        ))}
      </Tabs.Root>
    </>
  )
}

/** Users that are named at most. */
const NAMED = 20
const named = ({ users, found }: UserPage) => {
  const more = found - users.length
  return users.map((user) => user.user_id).join(', ') + (more > 0 ? ` and ${more} more` : '')
}

function Server() {
  const query = useQuery(status)
  const { data: health } = useQuery(ready)
  const { data: unreadable } = useQuery(someUsers({ readable: false, limit: NAMED }))
  const { data: unsealed } = useQuery(someUsers({ has_password: false, readable: true, limit: NAMED }))
  const server = query.data
  if (!server) return query.error ? <Trouble error={query.error} /> : <Waiting rows={6} />
  const faulty = unreadable?.users ?? []
  const without = unsealed?.found ?? 0
  const refused = Object.entries(server.sip.refused).filter(([, count]) => count > 0)
  return (
    <div className="grid items-start gap-4 lg:grid-cols-2">
      <Card title="Server" actions={<Badge tone={health?.status === 'ready' && server.problems.length === 0 ? 'ok' : 'warn'}>{!health ? '…' : health.status === 'ready' && server.problems.length > 0 ? 'Degraded' : spoken(health.status)}</Badge>}>
        {[...(health?.reasons ?? []), ...server.problems].map((reason) => (
          <p key={reason} className="mb-2 rounded-lg bg-warn-soft px-3 py-2 text-sm">
            {reason}
          </p>
        ))}
        <Facts wide>
          <Fact name="Version">{server.version}</Fact>
          <Fact name="Up">{length(server.uptime_s * 1_000)}</Fact>
          <Fact name="Calls now">{server.active_calls}</Fact>
          <Fact name="Lines">
            {server.registered_sip_clients} of {server.connected_sip_clients} registered
          </Fact>
        </Facts>
        <p className="mt-4 flex flex-wrap gap-x-4 gap-y-1 text-sm">
          <a className="text-accent hover:underline" href="/docs">
            API, with a console
          </a>
          <a className="text-accent hover:underline" href="/metrics">
            Metrics
          </a>
          <a className="text-accent hover:underline" href="/openapi.json">
            openapi.json
          </a>
        </p>
      </Card>
      <Card title="Store" actions={<Badge tone={faulty.length ? 'bad' : 'ok'}>{faulty.length ? 'Not all can be read' : 'Readable'}</Badge>}>
        <Facts wide>
          <Fact name="Users live in">{server.store === 'sqlite' ? 'the embedded database' : spoken(server.store)}</Fact>
          <Fact name="Users">{server.total_users}</Fact>
          <Fact name="Recordings lie in">{server.recordings.place === 'disk' ? 'sealed files on the disk' : server.recordings.place}</Fact>
          {server.recordings.place !== 'disk' && <Fact name="On their way there">{server.recordings.pending_uploads.toLocaleString()}</Fact>}
          {server.recordings.pending_deletions > 0 && <Fact name="To be deleted there">{server.recordings.pending_deletions.toLocaleString()}</Fact>}
        </Facts>
        {faulty.map((user) => (
          <p key={user.user_id} className="mt-2 rounded-lg bg-bad-soft px-3 py-2 text-sm">
            <span className="font-medium">{user.user_id}</span>: {user.config_state.state === 'faulty' && user.config_state.problem}
          </p>
        ))}
        {unreadable && unreadable.found > faulty.length && <p className="mt-2 text-sm text-dim">and {unreadable.found - faulty.length} more</p>}
      </Card>
      <Card title="Secrets" actions={<Badge tone={without ? 'warn' : 'ok'}>{without ? 'Some are missing' : 'Sealed'}</Badge>}>
        <p className="mb-3 text-sm text-dim">
          Passwords, keys and webhook secrets are sealed with the server's key ring. The API takes them and never gives them back.
        </p>
        <Facts>
          <Fact name="Lines with a password">{unsealed && `${unsealed.total_users - without} of ${unsealed.total_users}`}</Fact>
          <Fact name="Without one">{unsealed && without > 0 && named(unsealed)}</Fact>
        </Facts>
      </Card>
      <Card title="Engines" flush>
        <ul className="divide-y divide-line">
          {server.engines.map((engine) => (
            <li key={engine.name} className="px-4 py-2.5 text-sm">
              <div className="flex items-center justify-between gap-2">
                <span className="font-medium">
                  {engineName(engine.name)}
                  {engine.default && <span className="font-normal text-dim">, the default</span>}
                </span>
                <Badge tone={engine.available ? 'ok' : 'mute'}>{engine.available ? 'Ready' : 'Not set up'}</Badge>
              </div>
              <p className="text-[0.8125rem] text-dim">{engine.detail}</p>
            </li>
          ))}
        </ul>
      </Card>
      <Card title="SIP traffic">
        <Facts wide>
          <Fact name="Datagrams">{server.sip.datagrams.toLocaleString()}</Fact>
          <Fact name="Connections">{server.sip.connections}</Fact>
          <Fact name="Unreadable">{server.sip.garbage}</Fact>
          {refused.map(([why, count]) => (
            <Fact key={why} name={`Turned away: ${spoken(why).toLowerCase()}`}>
              {count.toLocaleString()}
            </Fact>
          ))}
        </Facts>
      </Card>
      <Card title="Webhooks">
        <Facts wide>
          {Object.entries(server.webhooks).map(([what, count]) => (
            <Fact key={what} name={spoken(what)}>
              {count.toLocaleString()}
            </Fact>
          ))}
        </Facts>
      </Card>
    </div>
  )
}

function AllDeliveries() {
  const { data: told } = useQuery(someUsers({ has_webhooks: true, limit: 1 }))
  const [chosen, setChosen] = useState<string>()
  const user = chosen ?? told?.users[0]?.user_id
  if (!told) return <Waiting />
  if (!user) {
    return (
      <Card>
        <Empty title="No user has a receiver">Add one on a user's page, under Webhooks: it is told when calls begin and end, what is said, and when the line changes.</Empty>
      </Card>
    )
  }
  return (
    <div className="grid gap-4">
      <label className="flex items-center gap-2 text-sm">
        User
        <UserPicker among={{ has_webhooks: true }} wide={false} value={user} onPick={setChosen} />
      </label>
      <Deliveries key={user} userId={user} canTest />
    </div>
  )
}
