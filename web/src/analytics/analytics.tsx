// Calls in figures and over time, of one user or of all.
import { useNavigate, useSearch } from '@tanstack/react-router'
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { Download } from 'lucide-react'
import { useRights } from '../api/session'
import { Button, Card, Empty, Figure, Heading, Trouble, Waiting } from '../ui/parts'
import { clock, length, milliseconds, money, zone } from '../ui/time'
import { resultWords } from '../ui/words'
import { UserPicker } from '../users/picker'
import { Chart } from './chart'
import { ask, type Figures, type Group, type Question } from './figures'

const HOUR = 3_600_000
const DAY = 24 * HOUR
const RANGES: Record<string, { name: string; ms: number; group: Group }> = {
  day: { name: 'a day', ms: DAY, group: 'hour' },
  week: { name: 'a week', ms: 7 * DAY, group: 'day' },
  month: { name: '30 days', ms: 30 * DAY, group: 'day' },
  year: { name: 'a year', ms: 364 * DAY, group: 'week' },
}

const resultColors: Record<string, string> = {
  completed: 'var(--accent)',
  cancelled: 'var(--dim)',
  rejected: 'color-mix(in srgb, var(--warn) 55%, var(--card))',
  busy: 'color-mix(in srgb, var(--warn) 75%, var(--card))',
  no_answer: 'var(--warn)',
  declined: 'color-mix(in srgb, var(--warn) 40%, var(--card))',
  not_found: 'color-mix(in srgb, var(--bad) 50%, var(--card))',
  failed: 'var(--bad)',
  lost: 'color-mix(in srgb, var(--bad) 70%, var(--card))',
}

/** Up to the end of this hour, so that the question is the same for a while and its answer can be kept. */
function question(range: string, user: string | undefined): Question {
  const { ms, group } = RANGES[range] ?? RANGES.week!
  const until = Math.ceil(Date.now() / HOUR) * HOUR
  return {
    user,
    from: new Date(until - ms).toISOString(),
    until: new Date(until).toISOString(),
    group,
    zone,
  }
}

function label(at: string, group: Group) {
  const date = new Date(at)
  if (group === 'hour') return clock.format(date)
  return date.toLocaleDateString(undefined, { day: 'numeric', month: 'short' })
}

const percent = (share: number) => `${Math.round(share * 100)} %`
const whole = (value: number) => (Number.isInteger(value) ? String(value) : value.toFixed(1))

export function Analytics() {
  const search = useSearch({ from: '/analytics' })
  const navigate = useNavigate({ from: '/analytics' })
  const range = search.range && search.range in RANGES ? search.range : 'week'
  const asked = question(range, search.user_id)
  const { operator } = useRights()
  const query = useQuery({
    queryKey: ['analytics', asked],
    queryFn: () => ask(asked),
    placeholderData: keepPreviousData,
  })
  const figures = query.data
  return (
    <>
      <Heading
        title="Analytics"
        actions={
          <>
            {operator && (
              <UserPicker
                aria-label="Whose calls"
                placeholder="everybody"
                wide={false}
                value={search.user_id ?? ''}
                onPick={(user_id) => void navigate({ search: (old) => ({ ...old, user_id }), replace: true })}
              />
            )}
            <select
              aria-label="How far back"
              className="field w-auto text-sm"
              value={range}
              onChange={(event) => void navigate({ search: (old) => ({ ...old, range: event.target.value }), replace: true })}
            >
              {Object.entries(RANGES).map(([id, { name }]) => (
                <option key={id} value={id}>
                  {name}
                </option>
              ))}
            </select>
            {figures && (
              <Button asChild>
                <a href={figures.csv} download="analytics.csv">
                  <Download aria-hidden /> CSV
                </a>
              </Button>
            )}
          </>
        }
      />
      {!figures ? (
        query.error ? <Trouble error={query.error} retry={() => void query.refetch()} /> : <Waiting rows={6} />
      ) : (
        <>
          <Sum figures={figures} />
          {figures.total.calls === 0 && figures.total.uptime === null ? (
            <Card className="mt-4">
              <Empty title="No calls in this time">Look further back, or ring one of your lines.</Empty>
            </Card>
          ) : (
            <Charts figures={figures} group={asked.group} />
          )}
        </>
      )}
    </>
  )
}

function Sum({ figures: { total, currency } }: { figures: Figures }) {
  return (
    <div className="grid grid-cols-2 gap-3 lg:grid-cols-3">
      <Figure name="Calls" note={total.calls > 0 ? `${total.inbound} in, ${total.calls - total.inbound} out` : ''}>
        {total.calls.toLocaleString()}
      </Figure>
      <Figure name="Answered" note={total.calls > 0 ? `${total.answered} of ${total.calls}` : ''}>
        {total.calls > 0 ? percent(total.answered / total.calls) : '–'}
      </Figure>
      <Figure name="Talked" note={total.agentShare === null ? '' : `${percent(total.agentShare)} of the speech was the agent's`}>
        {length(total.durationMs)}
      </Figure>
      <Figure name="Answers came after" note={total.p95Ms === null ? '' : `95 of 100 within ${milliseconds(total.p95Ms)}`}>
        {total.p50Ms === null ? '–' : milliseconds(total.p50Ms)}
      </Figure>
      {total.uptime !== null && (
        <Figure name="Lines registered" note="of the time in which they should be">
          {(total.uptime * 100).toFixed(total.uptime > 0.999 ? 2 : 1)} %
        </Figure>
      )}
      {total.cost !== null && (
        <Figure name="Cost" note={total.isCostComplete ? '' : 'without what has no price in the table'}>
          {money(total.cost, currency)}
        </Figure>
      )}
    </div>
  )
}

function Charts({ figures, group }: { figures: Figures; group: Group }) {
  const { groups, currency } = figures
  const labels = groups.map((each) => label(each.from, group))
  const results = Object.keys(resultWords).filter((result) => groups.some((each) => (each.results[result] ?? 0) > 0))
  const by = <T,>(of: (each: (typeof groups)[number]) => T) => groups.map(of)
  return (
    <div className="mt-4 grid gap-4 xl:grid-cols-2">
      <Chart
        title="Calls, by how they ended"
        kind="bars"
        labels={labels}
        format={whole}
        series={results.map((result) => ({ name: resultWords[result] ?? result, color: resultColors[result] ?? 'var(--dim)', values: by((each) => each.results[result] ?? 0) }))}
      />
      <Chart
        title="Latency of the answers"
        kind="lines"
        labels={labels}
        format={milliseconds}
        series={[
          { name: 'half within', color: 'var(--accent)', values: by((each) => each.p50Ms) },
          { name: '95 of 100 within', color: 'var(--warn)', values: by((each) => each.p95Ms) },
        ]}
      />
      <Chart title="Minutes talked" kind="bars" labels={labels} format={whole} series={[{ name: 'minutes', color: 'var(--caller)', values: by((each) => each.durationMs / 60_000) }]} />
      {figures.total.uptime !== null && (
        <Chart title="Lines registered" note="Of the time in which they should be" kind="lines" most={1} labels={labels} format={percent} series={[{ name: 'registered', color: 'var(--ok)', values: by((each) => each.uptime) }]} />
      )}
      {(figures.total.cost ?? 0) > 0 && (
        <Chart title="Cost" kind="bars" labels={labels} format={(value) => money(value, currency)} series={[{ name: 'cost', color: 'var(--accent)', values: by((each) => each.cost ?? 0) }]} />
      )}
    </div>
  )
}
