// A user, typed or chosen: the server is asked who fits what is typed, so that it does not matter how many there are.
import { useQuery } from '@tanstack/react-query'
import { type ComponentProps, useEffect, useId, useState } from 'react'
import { someUsers } from '../api/queries'
import type { UserQuery } from '../api/types'
import { cx } from '../ui/parts'
import { usePaused } from '../ui/time'

const SHOWN = 20

export function UserPicker({
  value,
  onPick,
  among,
  wide = true,
  ...input
}: {
  value: string
  onPick: (id: string | undefined) => void
  /** Which users are offered; all when left out. */
  among?: UserQuery
  wide?: boolean
} & Pick<ComponentProps<'input'>, 'id' | 'aria-label' | 'placeholder'>) {
  const [text, setText] = useState(value)
  useEffect(() => setText(value), [value])
  const typed = text.trim()
  const asked = usePaused(typed)
  const { data } = useQuery(someUsers({ ...among, q: asked || undefined, limit: SHOWN }))
  const list = useId()
  const pick = (id: string) => {
    if (id !== value) onPick(id || undefined)
  }
  // It counts once it is somebody's id, is taken away, or is left.
  const isKnown = typed !== '' && data?.users.some((user) => user.user_id === typed)
  useEffect(() => {
    if (isKnown) pick(typed)
    // What was picked before is not picked again, whatever the text still says.
  }, [isKnown, typed])
  return (
    <>
      <input
        {...input}
        className={cx('field text-sm', !wide && 'w-auto max-w-52')}
        list={list}
        autoComplete="off"
        value={text}
        onChange={(event) => {
          setText(event.target.value)
          if (event.target.value === '') pick('')
        }}
        onBlur={() => pick(typed)}
        onKeyDown={(event) => event.key === 'Enter' && pick(typed)}
      />
      <datalist id={list}>
        {data?.users.map((user) => (
          <option key={user.user_id} value={user.user_id}>
            {user.display_name}
          </option>
        ))}
      </datalist>
    </>
  )
}
