// What is going on: lines, calls now, what failed, and whether the engines are well. Pushed by the live feed.
import { Link } from '@tanstack/react-router'
import { useQuery } from '@tanstack/react-query'
import { Plus } from 'lucide-react'
import { active, latency, ready, recentCalls, someUsers, status } from '../api/queries'
import type { ActiveCallDocument } from '../api/schema'
import type { UserPage } from '../api/types'
import { useRights } from '../api/session'
import { CallRows } from '../calls/rows'
import { Badge, Button, Card, Empty, Figure, Heading, Trouble, Waiting } from '../ui/parts'
import { Ago, length, milliseconds, Since } from '../ui/time'
import { engineName, isFailure, plainParty, RegistrationBadge } from '../ui/words'

/** Lines in trouble that are shown at once. */
const DOWN_SHOWN = 8

export function Overview() {
  // The counts are of all users, whichever are on the page.
  const lines = useQuery(someUsers({ line: 'failing', limit: DOWN_SHOWN }))
  const calls = useQuery(recentCalls({ limit: 100 }))
  const { operator } = useRights()
  const failed = calls.data?.filter(isFailure) ?? []
  if (lines.data?.total_users === 0 && operator) return <FirstSteps />
  return (
    <>
      <Heading
        title="Overview"
        actions={
          operator && (
            <Button asChild>
              <Link to="/users/new">
                <Plus aria-hidden /> New user
              </Link>
            </Button>
          )
        }
      />
      <Figures users={lines.data} />
      <Reasons />
      <div className="mt-4 grid items-start gap-4 xl:grid-cols-[minmax(0,5fr)_minmax(0,3fr)]">
        <div className="grid gap-4">
          <CallsNow />
          <Card title="Last calls" flush actions={<Link to="/calls" className="text-sm font-medium text-accent hover:underline">All calls</Link>}>
            {calls.data === undefined ? (
              calls.error ? <Trouble error={calls.error} /> : <Waiting />
            ) : calls.data.length ? (
              <CallRows calls={calls.data.slice(0, 8)} label="The last calls" />
            ) : (
              <Empty title="No calls yet">Ring one of your lines, or place a call from a user's page.</Empty>
            )}
          </Card>
        </div>
        <div className="grid gap-4">
          <Lines down={lines.data} />
          <Card title="Failures" note="Of the last 100 calls" flush>
            {failed.length === 0 ? (
              <Empty title="None">Each of the last calls ended as calls should.</Empty>
            ) : (
              <ul className="divide-y divide-line">
                {failed.slice(0, 5).map((call) => (
                  <li key={call.id} className="px-4 py-2.5 text-sm">
                    <Link to="/calls/$id" params={{ id: call.id }} className="font-medium hover:underline">
                      {call.termination?.text}
                    </Link>
                    <p className="text-[0.8125rem] text-dim">
                      {call.user_id}, <Ago at={call.started_at} />
                      {call.termination?.remedy && <>. {call.termination.remedy}</>}
                    </p>
                  </li>
                ))}
              </ul>
            )}
          </Card>
          {operator && <Engines />}
        </div>
      </div>
    </>
  )
}

function Figures({ users: list }: { users: UserPage | undefined }) {
  const { data: now } = useQuery(active)
  const { data: health } = useQuery(ready)
  const { operator } = useRights()
  const { data: server } = useQuery({ ...status, enabled: operator })
  const { wanted, registered, active: inUse } = list?.counts ?? {}
  const isWell = health?.status === 'ready' && (server?.problems ?? []).length === 0
  return (
    <div className="grid grid-cols-2 gap-3 lg:grid-cols-4">
      <Figure
        name="Lines registered"
        tone={registered !== undefined && wanted !== undefined && registered < wanted ? 'warn' : undefined}
        note={wanted === undefined ? '' : `of ${wanted.toLocaleString()} that should be`}
      >
        {registered?.toLocaleString() ?? '–'}
      </Figure>
      <Figure name="Calls now" note={now?.length ? `${now.filter((call) => call.answered).length} answered` : 'the lines are quiet'}>
        {now?.length ?? '–'}
      </Figure>
      <Figure name="Users" note={inUse === undefined ? '' : `${inUse.toLocaleString()} active`}>
        {list?.total_users.toLocaleString() ?? '–'}
      </Figure>
      <Figure name="Server" tone={health && !isWell ? 'warn' : undefined} note={server ? `up ${length(server.uptime_s * 1_000)}, ${server.version}` : ''}>
        {health ? (isWell ? 'Well' : health.status === 'ready' ? 'Degraded' : 'Not well') : '–'}
      </Figure>
    </div>
  )
}

/** Why the server is not well, in its own words. */
function Reasons() {
  const { data: health } = useQuery(ready)
  const { operator } = useRights()
  const { data: server } = useQuery({ ...status, enabled: operator })
  const reasons = [...new Set([...(health?.reasons ?? []), ...(server?.problems ?? [])])]
  if (reasons.length === 0) return null
  return (
    <ul className="mt-3 space-y-1 rounded-xl bg-warn-soft px-4 py-3 text-sm">
      {reasons.map((reason) => (
        <li key={reason}>{reason}</li>
      ))}
    </ul>
  )
}

function CallsNow() {
  const calls = useQuery(active)
  return (
    <Card title="Calls now" flush>
      {calls.data === undefined ? (
        calls.error ? <Trouble error={calls.error} /> : <Waiting rows={1} />
      ) : calls.data.length === 0 ? (
        <p className="px-4 py-5 text-sm text-dim">Nobody is on the telephone. A call shows here the moment it rings.</p>
      ) : (
        <ul className="divide-y divide-line" aria-label="Calls now">
          {calls.data.map((call) => (
            <LiveRow key={call.id} call={call} />
          ))}
        </ul>
      )}
    </Card>
  )
}

function LiveRow({ call }: { call: ActiveCallDocument }) {
  return (
    <li>
      <Link to="/calls/$id" params={{ id: call.id }} className="flex items-center gap-3 px-4 py-3 text-sm hover:bg-sunk">
        <span aria-hidden className="relative flex size-2.5">
          <span className="absolute inline-flex size-full animate-ping rounded-full bg-accent opacity-60" />
          <span className="relative inline-flex size-2.5 rounded-full bg-accent" />
        </span>
        <span className="min-w-0 flex-1">
          <span className="font-medium">{plainParty(call.remote_party)}</span>
          <span className="text-dim">
            {call.direction === 'inbound' ? ' calls ' : ' is called by '}
            {call.user_id}
          </span>
        </span>
        <Badge tone={call.answered ? 'ok' : 'info'}>{call.answered ? 'Talking' : 'Ringing'}</Badge>
        <Since at={call.started_at} />
      </Link>
    </li>
  )
}

function Lines({ down }: { down: UserPage | undefined }) {
  return (
    <Card title="Lines in trouble" flush>
      {down === undefined ? (
        <Waiting rows={1} />
      ) : down.found === 0 ? (
        <p className="px-4 py-5 text-sm text-dim">Every line that should be registered is, or is about to be.</p>
      ) : (
        <ul className="divide-y divide-line">
          {down.users.map((user) => (
            <li key={user.user_id} className="px-4 py-2.5 text-sm">
              <div className="flex items-center justify-between gap-2">
                <Link to="/users/$id" params={{ id: user.user_id }} search={{ tab: undefined }} className="font-medium hover:underline">
                  {user.display_name || user.user_id}
                </Link>
                {user.config_state.state === 'faulty' ? (
                  <Badge tone="bad">Unreadable</Badge>
                ) : (
                  <RegistrationBadge state={user.registration.state} alert={user.registration.alert} />
                )}
              </div>
              <p className="text-[0.8125rem] text-dim">
                {user.config_state.state === 'faulty' ? user.config_state.problem : user.registration.reason}
                {user.registration.next_attempt_at && (
                  <>
                    {user.registration.reason && ', '}
                    next attempt <Ago at={user.registration.next_attempt_at} />
                  </>
                )}
              </p>
            </li>
          ))}
          {down.found > down.users.length && (
            <li className="px-4 py-2.5 text-sm">
              <Link to="/users" search={{ line: 'failing' }} className="font-medium text-accent hover:underline">
                and {(down.found - down.users.length).toLocaleString()} more
              </Link>
            </li>
          )}
        </ul>
      )}
    </Card>
  )
}

function Engines() {
  const { data } = useQuery(status)
  const { data: report } = useQuery(latency())
  return (
    <Card title="Engines" flush>
      {!data ? (
        <Waiting />
      ) : (
        <ul className="divide-y divide-line">
          {data.engines.map((engine) => {
            const measured = report?.engines.find((each) => each.engine === engine.name)
            return (
              <li key={engine.name} className="px-4 py-2.5 text-sm">
                <div className="flex items-center justify-between gap-2">
                  <span className="font-medium">
                    {engineName(engine.name)}
                    {engine.default && <span className="font-normal text-dim">, the default</span>}
                  </span>
                  <Badge tone={engine.available ? 'ok' : 'mute'}>{engine.available ? 'Ready' : 'Not set up'}</Badge>
                </div>
                <p className="text-[0.8125rem] text-dim">
                  {engine.detail}
                  {measured && measured.answers > 0 && (
                    <>
                      . Answers after {milliseconds(measured.total.p50_ms)}, 95 of 100 within {milliseconds(measured.total.p95_ms)}
                    </>
                  )}
                </p>
              </li>
            )
          })}
        </ul>
      )}
    </Card>
  )
}

function FirstSteps() {
  return (
    <>
      <Heading title="Welcome to Callie" />
      <Card>
        <Empty
          title="There is no line yet"
          action={
            <Button look="main" asChild>
              <Link to="/users/new">
                <Plus aria-hidden /> Create the first user
              </Link>
            </Button>
          }
        >
          A user is a person with an account at a SIP provider. You need its user name, its password and the name of its server; then
          Callie registers the line and answers its calls.
        </Empty>
      </Card>
    </>
  )
}
