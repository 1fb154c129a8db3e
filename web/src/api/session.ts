// Who looks at the dashboard. Where the server asks for no login (on loopback) everybody is.
import { QueryClient, queryOptions, useSuspenseQuery } from '@tanstack/react-query'
import { api, ApiError, AwayError, plain, setCsrfToken, take } from './client'
import type { RoleWord, SessionDocument } from './schema'

export type Session = SessionDocument

/** Asked too often; a wait that nobody minds, and then it is given. */
const isBrief = (error: unknown) => error instanceof ApiError && error.status === 429 && (error.retryAfterMs ?? 0) <= 10_000

export const cache = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 20_000,
      // The live feed says when the server is back; until then what is there stays.
      retry: (count, error) => count < 3 && (error instanceof AwayError || isBrief(error)),
      retryDelay: (_count, error) => (error instanceof ApiError ? (error.retryAfterMs ?? 700) : 700),
      refetchOnWindowFocus: true,
      networkMode: 'always',
    },
    mutations: { networkMode: 'always' },
  },
})

export const session = queryOptions({
  queryKey: ['session'],
  queryFn: async (): Promise<Session> => {
    const answer = await take(api.GET('/session'))
    setCsrfToken(answer.identity?.csrf_token ?? undefined)
    return answer
  },
  staleTime: 5 * 60_000,
  retry: (count, error) => error instanceof AwayError && count < 1_000,
})

export const useSession = () => useSuspenseQuery(session).data

/** What somebody may do; the server decides, this only hides what it would refuse. */
export const rightsOf = (role: RoleWord) => ({ admin: role === 'admin', operator: role !== 'user' })

export function useRights() {
  const { identity } = useSession()
  return rightsOf(identity?.role ?? 'admin')
}

export async function signIn(key: string) {
  await plain('POST', '/session', { key })
  await cache.resetQueries()
}

/** The link that the server printed at its first start: what is behind `#` opens the door once, and is not sent anywhere else. */
export async function firstRun(): Promise<string | undefined> {
  if (!location.pathname.endsWith('/first-run') || location.hash.length < 2) return undefined
  const first_run = location.hash.slice(1)
  history.replaceState(null, '', '/dashboard/')
  try {
    await plain('POST', '/session', { first_run })
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

export async function signOut() {
  await plain('DELETE', '/session')
  cache.clear()
  location.assign('/dashboard/')
}
