// Keeps a change of the user's document: what was changed and nothing else, under the revision that was seen.
import { useQueryClient } from '@tanstack/react-query'
import { api, take } from '../api/client'
import { keys, user as userQuery } from '../api/queries'
import type { UserDocument } from '../api/schema'
import { say } from '../ui/toast'

export function useSave(user: UserDocument) {
  const cache = useQueryClient()
  return async (body: Record<string, unknown>) => {
    const changed = await take(
      api.PUT('/users/{user_id}', {
        params: { path: { user_id: user.user_id }, header: { 'If-Match': `"${user.revision}"` } },
        body: body as never,
      }),
    )
    cache.setQueryData(keys.user(user.user_id), changed)
    void cache.invalidateQueries({ queryKey: keys.users })
    say('Saved.')
  }
}

/** Asks for the document as it is now, whoever made it so. */
export function useReload(user: UserDocument) {
  const cache = useQueryClient()
  return () => cache.fetchQuery({ ...userQuery(user.user_id), staleTime: 0 })
}
