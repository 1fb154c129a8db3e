// The API's figures as the screen has them.
import { plain } from '../api/client'
import type { AnalyticsReport, FiguresDocument } from '../api/schema'

export type Group = 'hour' | 'day' | 'week'
export interface Question {
  user: string | undefined
  from: string
  until: string
  group: Group
  zone: string
}

export interface Sum {
  calls: number
  inbound: number
  answered: number
  results: Record<string, number>
  durationMs: number
  agentShare: number | null
  p50Ms: number | null
  p95Ms: number | null
  uptime: number | null
  cost: number | null
  isCostComplete: boolean
}
export interface Figures {
  total: Sum
  groups: (Sum & { from: string })[]
  currency: string
  csv: string
}

export async function ask({ user, from, until, group, zone }: Question): Promise<Figures> {
  const path = user === undefined ? '/analytics' : `/users/${encodeURIComponent(user)}/analytics`
  const query = new URLSearchParams({ from, to: until, group, time_zone: zone })
  const report = (await (await plain('GET', `${path}?${query}&format=json`)).json()) as AnalyticsReport
  // Where more than one currency was used, the one of most groups is drawn; the CSV has all.
  const currency = report.total.costs[0]?.currency ?? 'USD'
  return {
    total: sum(report.total, currency),
    groups: report.groups.map((each) => ({ ...sum(each, currency), from: each.from })),
    currency,
    csv: `${path}?${query}&format=csv`,
  }
}

function sum(told: FiguresDocument, currency: string): Sum {
  const cost = told.costs.find((each) => each.currency === currency)
  return {
    calls: told.calls,
    inbound: told.inbound,
    answered: told.answered,
    results: { ...told.outcomes },
    durationMs: told.talk_seconds * 1_000,
    agentShare: told.speech.agent_share ?? null,
    p50Ms: told.latency?.p50_ms ?? null,
    p95Ms: told.latency?.p95_ms ?? null,
    uptime: told.lines.uptime ?? null,
    cost: cost?.amount ?? null,
    isCostComplete: cost?.complete ?? true,
  }
}
