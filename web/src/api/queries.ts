// What is asked for, under which key it is kept, and for how long it is taken as fresh. Changes arrive by the live feed.
import { keepPreviousData, queryOptions } from '@tanstack/react-query'
import { api, ApiError, plain, take } from './client'
import { together } from './heard'
import type { CallList, CallSignalling, LineTrace } from './schema'
import type { CallQuery, UserPage, UserQuery } from './types'

export const keys = {
  status: ['status'] as const,
  ready: ['ready'] as const,
  users: ['users'] as const,
  user: (id: string) => ['user', id] as const,
  active: ['active'] as const,
  calls: ['calls'] as const,
  call: (id: string) => ['call', id] as const,
}

const MINUTE = 60_000

export const status = queryOptions({
  queryKey: keys.status,
  queryFn: () => take(api.GET('/admin/status')),
  refetchInterval: 15_000,
})
export const ready = queryOptions({
  queryKey: keys.ready,
  queryFn: async () => {
    const { data, error } = await api.GET('/health/ready')
    return data ?? (error as { status: string; reasons: string[] })
  },
  refetchInterval: 15_000,
})
export const latency = (user?: string) =>
  queryOptions({
    queryKey: ['latency', user ?? ''],
    queryFn: () => take(api.GET('/latency', { params: { query: { user_id: user } } })),
  })
/** A page of the list of users, in the short form. */
export const userPage = async (query: UserQuery, after?: string) =>
  (await take(api.GET('/users', { params: { query: { ...query, form: 'short', after } } }))) as UserPage

/** The first users that fit, how many there are, and how their lines stand. */
export const someUsers = (query: UserQuery) =>
  queryOptions({
    queryKey: [...keys.users, 'some', query],
    queryFn: () => userPage(query),
    staleTime: 5 * MINUTE,
    placeholderData: keepPreviousData,
  })
export const user = (id: string) =>
  queryOptions({
    queryKey: keys.user(id),
    queryFn: () => take(api.GET('/users/{user_id}', { params: { path: { user_id: id } } })),
  })
export const active = queryOptions({
  queryKey: keys.active,
  queryFn: async () => (await take(api.GET('/calls/active'))).calls,
})
export const presets = queryOptions({
  queryKey: ['presets'],
  queryFn: async () => (await take(api.GET('/presets'))).presets,
  staleTime: Infinity,
})

export const engines = queryOptions({
  queryKey: ['engines'],
  queryFn: async () => (await take(api.GET('/engines'))).engines,
  staleTime: 5 * MINUTE,
})

/** A page of the list of calls. */
export const callPage = async (query: CallQuery, before?: string) =>
  // Its other form is CSV, which is not asked for here.
  (await take(api.GET('/calls', { params: { query: { ...query, before } } }))) as CallList

export const recentCalls = (query: CallQuery) =>
  queryOptions({
    queryKey: [...keys.calls, 'recent', query],
    queryFn: async () => (await callPage(query)).calls,
    placeholderData: keepPreviousData,
  })
export const call = (id: string) =>
  queryOptions({
    queryKey: keys.call(id),
    queryFn: async () => {
      const detail = await take(api.GET('/calls/{call_id}', { params: { path: { call_id: id } } }))
      return { ...detail, events: together(detail.events, id) }
    },
  })
export const signalling = (id: string) =>
  queryOptions({
    queryKey: [...keys.call(id), 'sip'],
    queryFn: async () =>
      (await plain('GET', `/calls/${encodeURIComponent(id)}/sip?format=json`)).json() as Promise<CallSignalling>,
  })
export const lineTrace = (id: string) =>
  queryOptions({
    queryKey: [...keys.user(id), 'trace'],
    queryFn: async () =>
      (await plain('GET', `/users/${encodeURIComponent(id)}/sip/trace?format=json`)).json() as Promise<LineTrace>,
    refetchInterval: 10_000,
  })
export const doctor = (id: string) =>
  queryOptions({
    queryKey: [...keys.user(id), 'doctor'],
    queryFn: async () => {
      try {
        return await take(api.GET('/users/{user_id}/doctor', { params: { path: { user_id: id } } }))
      } catch (error) {
        // Not examined since the server started.
        if (error instanceof ApiError && error.status === 404) return null
        throw error
      }
    },
  })
export const contacts = (id: string) =>
  queryOptions({
    queryKey: [...keys.user(id), 'contacts'],
    queryFn: async () => (await take(api.GET('/users/{user_id}/contacts', { params: { path: { user_id: id } } }))).contacts,
  })
export const costs = (id: string, from: string) =>
  queryOptions({
    queryKey: [...keys.user(id), 'costs', from],
    queryFn: () => take(api.GET('/users/{user_id}/costs', { params: { path: { user_id: id }, query: { from } } })),
    placeholderData: keepPreviousData,
  })
export const pending = (id: string) =>
  queryOptions({
    queryKey: [...keys.user(id), 'pending'],
    queryFn: async () => (await take(api.GET('/users/{user_id}/calls/pending', { params: { path: { user_id: id } } }))).calls,
  })
