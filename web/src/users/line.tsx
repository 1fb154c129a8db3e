// How the line is: registration with reason and next attempt, the doctor, and the last SIP messages.
import { Link } from '@tanstack/react-router'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Stethoscope } from 'lucide-react'
import { api, take } from '../api/client'
import { active, doctor, keys, lineTrace } from '../api/queries'
import type { OutcomeWord, ReportDocument, UserDocument } from '../api/schema'
import { Ladder } from '../calls/ladder'
import { Badge, Button, Card, Empty, Fact, Facts, type Tone, Trouble, Waiting } from '../ui/parts'
import { Ago, Since, When } from '../ui/time'
import { plainParty, RegistrationBadge } from '../ui/words'

export function Line({ user }: { user: UserDocument }) {
  return (
    <div className="grid items-start gap-4 lg:grid-cols-2">
      <Registration user={user} />
      <div className="grid gap-4">
        <CallsNow user={user} />
        <Doctor user={user} />
      </div>
      <Trace user={user} />
    </div>
  )
}

function Registration({ user }: { user: UserDocument }) {
  const { registration: line, sip } = user
  const wanted = user.is_active && sip?.connect
  return (
    <Card title="Registration" actions={<RegistrationBadge state={line.state} alert={line.alert} />}>
      {!wanted && line.state === 'off' ? (
        <p className="text-sm text-dim">
          {user.is_active ? 'The line is not connected. Connect it, and Callie registers it and keeps it so.' : 'The user is inactive. Activate it, then the line can be connected.'}
        </p>
      ) : (
        <>
          {line.reason && (
            <p className="mb-3 rounded-lg bg-warn-soft px-3 py-2 text-sm">
              {line.reason}
              {line.state === 'wrong_password' && (
                <>
                  . It is not tried again by itself, so that the provider does not ban the line:{' '}
                  <Link to="/users/$id" params={{ id: user.user_id }} search={{ tab: 'account' }} className="underline">
                    put the right password in
                  </Link>
                  .
                </>
              )}
            </p>
          )}
          {line.failover_reason && <p className="mb-3 rounded-lg bg-warn-soft px-3 py-2 text-sm">{line.failover_reason}</p>}
          {line.dns_failure && <p className="mb-3 rounded-lg bg-warn-soft px-3 py-2 text-sm">{line.dns_failure}</p>}
          <Facts wide>
            <Fact name="In this state since">{line.since && <Ago at={line.since} />}</Fact>
            <Fact name={line.state === 'registered' ? 'To be renewed' : 'Next attempt'}>{line.next_attempt_at && <Ago at={line.next_attempt_at} />}</Fact>
            <Fact name="Granted until">{line.expires_at && <When at={line.expires_at} />}</Fact>
            <Fact name="Down since">{line.down_since && <Ago at={line.down_since} />}</Fact>
            <Fact name="Registrar" mono>
              {line.registrar && `${line.registrar.host} (${line.registrar.address}, ${line.registrar.transport})${line.registrar.is_backup ? ', the backup' : ''}`}
            </Fact>
            <Fact name="Its last answer">{line.last_code}</Fact>
            <Fact name="Attempts since the start">{line.attempts}</Fact>
            <Fact name="Seen from outside as" mono>
              {line.public_address}
            </Fact>
            <Fact name="Contact" mono>
              {line.contact}
            </Fact>
            <Fact name="Calls itself" mono>
              {user.user_agent}
            </Fact>
          </Facts>
        </>
      )}
    </Card>
  )
}

function CallsNow({ user }: { user: UserDocument }) {
  const { data } = useQuery(active)
  const own = data?.filter((call) => call.user_id === user.user_id) ?? []
  if (own.length === 0) return null
  return (
    <Card title="Calls now" flush>
      <ul className="divide-y divide-line">
        {own.map((call) => (
          <li key={call.id}>
            <Link to="/calls/$id" params={{ id: call.id }} className="flex items-center justify-between gap-3 px-4 py-2.5 text-sm hover:bg-sunk">
              <span className="font-medium">{plainParty(call.remote_party)}</span>
              <Badge tone={call.answered ? 'ok' : 'info'}>{call.answered ? 'Talking' : 'Ringing'}</Badge>
              <Since at={call.started_at} />
            </Link>
          </li>
        ))}
      </ul>
    </Card>
  )
}

const outcomes: Record<OutcomeWord, [Tone, string]> = {
  passed: ['ok', 'Passed'],
  warning: ['warn', 'Warning'],
  failed: ['bad', 'Failed'],
  skipped: ['mute', 'Skipped'],
}

function Doctor({ user }: { user: UserDocument }) {
  const cache = useQueryClient()
  const last = useQuery(doctor(user.user_id))
  const examine = useMutation({
    mutationFn: () => take(api.POST('/users/{user_id}/doctor', { params: { path: { user_id: user.user_id } }, body: {} })),
    onSuccess: (report) => cache.setQueryData([...keys.user(user.user_id), 'doctor'], report),
  })
  const report = last.data
  return (
    <Card
      title="Doctor"
      note={report ? <>Examined <Ago at={report.examined_at} /></> : 'Proves the line, from the DNS to a call of the account to itself.'}
      flush
      actions={
        (
          <Button busy={examine.isPending} onClick={() => examine.mutate()}>
            <Stethoscope aria-hidden /> {examine.isPending ? 'Examining …' : 'Examine'}
          </Button>
        )
      }
    >
      <div aria-live="polite">
        {examine.error && <Trouble error={examine.error} />}
        {report ? <Findings report={report} /> : !examine.error && <Empty title="Not examined since the server started">It takes up to half a minute, and says what to do about each failure.</Empty>}
      </div>
    </Card>
  )
}

function Findings({ report }: { report: ReportDocument }) {
  return (
    <ul className="divide-y divide-line">
      {report.findings.map((finding) => {
        const [tone, word] = outcomes[finding.outcome]
        return (
          <li key={finding.subject} className="px-4 py-2.5 text-sm">
            <div className="flex items-center justify-between gap-3">
              <span className="font-medium">{finding.title}</span>
              <Badge tone={tone}>{word}</Badge>
            </div>
            <p className="text-[0.8125rem] text-dim">{finding.text}</p>
            {finding.remedy && <p className="mt-1 text-[0.8125rem]">{finding.remedy}</p>}
          </li>
        )
      })}
    </ul>
  )
}

function Trace({ user }: { user: UserDocument }) {
  const trace = useQuery({ ...lineTrace(user.user_id), retry: false, enabled: user.registration.state !== 'off' })
  return (
    <Card title="SIP trace" note="The last messages of the line, secrets masked." flush className="lg:col-span-2">
      <div className="max-h-[32rem] overflow-y-auto">
        {trace.data ? (
          <Ladder {...trace.data} />
        ) : user.registration.state === 'off' ? (
          <Empty title="The line is off">Its messages show here once it is connected.</Empty>
        ) : trace.error ? (
          <Trouble error={trace.error} />
        ) : (
          <Waiting />
        )}
      </div>
    </Card>
  )
}
