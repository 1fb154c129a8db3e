// The live feed: one EventSource for the whole dashboard. What it says is put into the cache of queries, so that a screen
// changes where something changed and nowhere else. When the feed breaks the server is away: it is tried again until it is back,
// and then everything that is on the screen is asked for once more.
import { type QueryClient, useQueryClient } from '@tanstack/react-query'
import { createContext, type ReactNode, useContext, useEffect, useState } from 'react'
import { forget, hear, isSame } from './heard'
import { keys } from './queries'
import { session } from './session'
import type { ActiveCallDocument, CallDetail, CallDocument, RegistrationDocument, UserDocument, UserSummary } from './schema'
import type { CallEvent, KeptUsers, UserPage } from './types'

export type Link = 'opening' | 'open' | 'away'

const LinkContext = createContext<Link>('opening')
export const useLink = () => useContext(LinkContext)

/** Between two attempts; the server is on this machine more often than not. */
const RETRY_MS = 1_000

/** Before the first of them. */
const SOON_MS = 100

type CallMessage = CallEvent & { type?: string; call_id: string; user_id: string; direction: 'inbound' | 'outbound' }

/** Events that change what the list of present calls shows. */
const LIFE = new Set(['invited', 'dialled', 'answered', 'ended'])

/** Lists of users are asked for anew at most so often, however many lines change at a time. */
const ANEW_MS = 1_000
let anew: ReturnType<typeof setTimeout> | undefined
let isDue = false

/** Who is on which page, and how many are how, may be otherwise now. */
function usersChanged(cache: QueryClient) {
  isDue = true
  if (anew !== undefined) return
  isDue = false
  void cache.invalidateQueries({ queryKey: keys.users })
  anew = setTimeout(() => {
    anew = undefined
    if (isDue) usersChanged(cache)
  }, ANEW_MS)
}

/** In every list that has users on it. */
function patchLists(cache: QueryClient, change: (users: UserSummary[]) => UserSummary[]) {
  const patched = (page: UserPage): UserPage => ({ ...page, users: change(page.users) })
  cache.setQueriesData<KeptUsers>({ queryKey: keys.users }, (kept) =>
    kept && ('pages' in kept ? { ...kept, pages: kept.pages.map(patched) } : patched(kept)),
  )
}

function patchRegistration(cache: QueryClient, id: string, registration: RegistrationDocument) {
  const patched = <User extends UserDocument | UserSummary>(user: User): User => ({
    ...user,
    registration,
    sip_status: { ...user.sip_status, registered: registration.state === 'registered' },
  })
  patchLists(cache, (users) => users.map((user) => (user.user_id === id ? patched(user) : user)))
  cache.setQueryData<UserDocument>(keys.user(id), (user) => user && patched(user))
  usersChanged(cache)
  // An answer that is under way may be older than this: it is asked for again.
  if (cache.isFetching({ queryKey: keys.user(id), exact: true })) void cache.invalidateQueries({ queryKey: keys.user(id), exact: true })
}

function appendEvent(cache: QueryClient, message: CallMessage) {
  const { call_id, user_id: _user, direction: _direction, type: _type, ...event } = message
  hear(call_id, event)
  cache.setQueryData<CallDetail>(keys.call(call_id), (detail) => {
    if (!detail) return detail
    const known = detail.events.some((seen) => isSame(seen, event))
    return known ? detail : { ...detail, events: [...detail.events, event] }
  })
}

/** Puts one message where it belongs. */
export function apply(cache: QueryClient, type: string, data: unknown) {
  switch (type) {
    case 'registration':
    case 'registration_alert': {
      const { user_id, registration } = data as { user_id: string; registration: RegistrationDocument }
      patchRegistration(cache, user_id, registration)
      void cache.invalidateQueries({ queryKey: [...keys.user(user_id), 'trace'] })
      break
    }
    case 'user': {
      const { user_id, change } = data as { user_id: string; change: string }
      if (change === 'deleted') patchLists(cache, (users) => users.filter((user) => user.user_id !== user_id))
      usersChanged(cache)
      void cache.invalidateQueries({ queryKey: keys.user(user_id) })
      break
    }
    case 'call': {
      const message = data as CallMessage
      appendEvent(cache, message)
      if (LIFE.has(message.event)) {
        void cache.invalidateQueries({ queryKey: keys.active })
        usersChanged(cache)
      }
      break
    }
    case 'call_recorded': {
      const { call } = data as { call: CallDocument }
      forget(call.id)
      cache.setQueryData<ActiveCallDocument[]>(keys.active, (list) => list?.filter((active) => active.id !== call.id))
      void cache.invalidateQueries({ queryKey: keys.active })
      void cache.invalidateQueries({ queryKey: keys.calls })
      void cache.invalidateQueries({ queryKey: keys.call(call.id) })
      void cache.invalidateQueries({ queryKey: ['latency'] })
      void cache.invalidateQueries({ queryKey: ['analytics'] })
      void cache.invalidateQueries({ queryKey: [...keys.user(call.user_id), 'costs'] })
      break
    }
    case 'lagged':
      void cache.invalidateQueries()
      break
  }
}

const TYPES = ['call', 'call_recorded', 'registration', 'registration_alert', 'user', 'lagged']

export function LiveFeed({ children }: { children: ReactNode }) {
  const cache = useQueryClient()
  const [link, setLink] = useState<Link>('opening')

  useEffect(() => {
    let source: EventSource | undefined
    let timer: ReturnType<typeof setTimeout> | undefined
    let wasOpen = false
    let failures = 0
    const open = () => {
      source = new EventSource('/events')
      source.onopen = () => {
        setLink('open')
        failures = 0
        // The feed has no memory: what was missed is asked for.
        if (wasOpen) void cache.invalidateQueries()
        wasOpen = true
      }
      source.onerror = () => {
        source?.close()
        failures++
        // One that ends and is open again at once was no server that is away.
        if (failures > 1) setLink('away')
        wasOpen = true
        // It may be that whoever looks is not let in any more.
        void cache.invalidateQueries({ queryKey: session.queryKey })
        timer = setTimeout(open, failures > 1 ? RETRY_MS : SOON_MS)
      }
      // Who is signed out sees it at once; who may come in again another way does.
      source.addEventListener('ended', () => {
        source?.close()
        void cache.invalidateQueries({ queryKey: session.queryKey })
        timer = setTimeout(open, RETRY_MS)
      })
      for (const type of TYPES) {
        source.addEventListener(type, (message) => apply(cache, type, JSON.parse((message as MessageEvent<string>).data)))
      }
    }
    open()
    return () => {
      clearTimeout(timer)
      source?.close()
    }
  }, [cache])

  return <LinkContext.Provider value={link}>{children}</LinkContext.Provider>
}
