// What can be done with a user from anywhere: connect, disconnect, activate, deactivate, delete.
import { Link } from '@tanstack/react-router'
import { useQueryClient } from '@tanstack/react-query'
import { DropdownMenu } from 'radix-ui'
import { EllipsisVertical } from 'lucide-react'
import { useState } from 'react'
import { api, take } from '../api/client'
import { keys } from '../api/queries'
import type { UserSummary } from '../api/schema'
import { useRights } from '../api/session'
import { Confirm } from '../ui/dialog'
import { Button } from '../ui/parts'
import { complain, say } from '../ui/toast'

type Named = Pick<UserSummary, 'user_id' | 'display_name'>

export function useUserActions(user: Named) {
  const cache = useQueryClient()
  const path = { user_id: user.user_id }
  const name = user.display_name || user.user_id
  const refresh = () => {
    void cache.invalidateQueries({ queryKey: keys.user(user.user_id) })
    void cache.invalidateQueries({ queryKey: keys.users })
  }
  const attempt = async (what: () => Promise<string>) => {
    try {
      say(await what())
    } catch (error) {
      complain(error)
    }
    refresh()
  }
  return {
    connect: () => attempt(async () => (await take(api.POST('/users/{user_id}/sip/connect', { params: { path } }))).message),
    disconnect: () => attempt(async () => (await take(api.POST('/users/{user_id}/sip/disconnect', { params: { path } }))).message),
    setActive: (is_active: boolean) =>
      attempt(async () => {
        await take(api.PUT('/users/{user_id}', { params: { path }, body: { is_active } as never }))
        return is_active ? `${name} is active.` : `${name} is inactive: the line is signed off.`
      }),
    remove: async () => {
      await take(api.DELETE('/users/{user_id}', { params: { path } }))
      say(`${name} is deleted.`)
      refresh()
    },
  }
}

export function DeleteUser({ user, onClose, then }: { user: Named; onClose: () => void; then?: () => void }) {
  const { remove } = useUserActions(user)
  return (
    <Confirm
      title={`Delete ${user.display_name || user.user_id}?`}
      verb="Delete the user"
      onClose={onClose}
      act={async () => {
        await remove()
        then?.()
      }}
    >
      <p>The line is signed off and its settings, password and contacts are gone. A call that is up goes on to its end.</p>
      <p>
        Records and recordings of past calls stay, and cannot be erased any more once the user is gone:{' '}
        <Link to="/users/$id" params={{ id: user.user_id }} search={{ tab: 'privacy' }} className="text-accent underline" onClick={onClose}>
          erase them first
        </Link>
        , if they are to go as well.
      </p>
    </Confirm>
  )
}

const item =
  'block w-full cursor-pointer rounded-md px-3 py-1.5 text-left text-sm outline-none data-[disabled]:cursor-default data-[disabled]:text-dim data-[highlighted]:bg-sunk'

export function UserMenu({ user, wanted, then }: { user: Named & Pick<UserSummary, 'is_active'>; wanted: boolean; then?: () => void }) {
  const actions = useUserActions(user)
  const { operator } = useRights()
  const [deleting, setDeleting] = useState(false)
  return (
    <>
      {/* Not modal: the modal kind writes a style into the page, which the page's policy forbids. */}
      <DropdownMenu.Root modal={false}>
        <DropdownMenu.Trigger asChild>
          <Button look="quiet" small className="px-1.5" aria-label={`What to do with ${user.display_name || user.user_id}`}>
            <EllipsisVertical aria-hidden />
          </Button>
        </DropdownMenu.Trigger>
        <DropdownMenu.Portal>
          <DropdownMenu.Content
            align="end"
            sideOffset={4}
            className="z-40 min-w-44 rounded-xl border border-line bg-raised p-1.5 shadow-xl"
          >
            {wanted ? (
              <DropdownMenu.Item className={item} onSelect={() => void actions.disconnect()}>
                Disconnect the line
              </DropdownMenu.Item>
            ) : (
              <DropdownMenu.Item className={item} disabled={!user.is_active} onSelect={() => void actions.connect()}>
                Connect the line
              </DropdownMenu.Item>
            )}
            <DropdownMenu.Item className={item} onSelect={() => void actions.setActive(!user.is_active)}>
              {user.is_active ? 'Deactivate' : 'Activate'}
            </DropdownMenu.Item>
            {operator && (
              <>
                <DropdownMenu.Separator className="my-1 h-px bg-line" />
                <DropdownMenu.Item className={`${item} text-bad`} onSelect={() => setDeleting(true)}>
                  Delete…
                </DropdownMenu.Item>
              </>
            )}
          </DropdownMenu.Content>
        </DropdownMenu.Portal>
      </DropdownMenu.Root>
      {deleting && <DeleteUser user={user} onClose={() => setDeleting(false)} then={then} />}
    </>
  )
}
