// The API's figures as the screen has them.

export type Group = 'hour' | 'day' | 'week'
export interface Question {
  user: string | undefined
  from: string
  until: string
  group: Group
  zone: string
}
export interface Sum {
  from: string
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
  groups: Sum[]
  currency: string
  csv: string
}

export async function ask(_question: Question): Promise<Figures> {
  throw new Error('this server has no analytics')
}
