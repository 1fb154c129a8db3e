// Short names for what openapi.json calls by longer ones, and the events of a call, which it leaves open.
import type { InfiniteData } from '@tanstack/react-query'
import type { operations, SpeakerWord, TerminationDocument, TurnDocument, UserList, UserSummary } from './schema'

export type CallQuery = NonNullable<operations['list_calls']['parameters']['query']>
export type UserQuery = Omit<NonNullable<operations['list_users']['parameters']['query']>, 'form' | 'after'>
/** Users in the short form, which is the one that is asked for here. */
export type UserPage = Omit<UserList, 'users'> & { users: UserSummary[] }
/** What the cache has under `keys.users`: a page, or one after the other. */
export type KeptUsers = UserPage | InfiniteData<UserPage>

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
