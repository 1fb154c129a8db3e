// Short names for what openapi.json calls by longer ones, and the events of a call, which it leaves open.
import type { operations, SpeakerWord, TerminationDocument, TurnDocument } from './schema'

export type CallQuery = NonNullable<operations['list_calls']['parameters']['query']>

/** One event of a call. What is in it depends on `event`. */
export interface CallEvent {
  at: string
  offset_ms: number
  event: string
  turn?: TurnDocument
  speaker?: SpeakerWord
  text?: string
  termination?: TerminationDocument
  name?: string
  arguments?: string
  result?: string
  outcome?: string
  took_ms?: number
  [detail: string]: unknown
}
