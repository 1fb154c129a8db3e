// A list of the user's document, edited row by row and saved as a whole. What is wrong with a row is told at the row, as it is
// typed or once the server has said so.
import { useMutation } from '@tanstack/react-query'
import { Plus, Trash2 } from 'lucide-react'
import { type ReactNode, useId, useState } from 'react'
import { ApiError } from '../api/client'
import type { UserDocument } from '../api/schema'
import { Button, Card, Trouble } from '../ui/parts'
import { useReload, useSave } from './save'

export function Rows<T>({
  title,
  note,
  user,
  stored,
  blank,
  add,
  most,
  body,
  row,
  check,
  head,
  children,
}: {
  title: string
  note: string
  user: UserDocument
  stored: T[]
  blank: T
  add: string
  /** So many rows at most. */
  most?: number
  body: (rows: T[]) => Record<string, unknown>
  row: (row: T, set: (row: T) => void, at: number, fault: { 'aria-invalid': boolean; 'aria-describedby': string | undefined }) => ReactNode
  /** What is wrong with a row; `undefined` when nothing is. */
  check?: (row: T, rows: T[]) => string | undefined
  /** Above the rows, where the columns of wide screens need names. */
  head?: ReactNode
  children?: ReactNode
}) {
  const [edited, setEdited] = useState<T[]>()
  const rows = edited ?? stored
  const id = useId()
  const save = useSave(user)
  const reload = useReload(user)
  const saving = useMutation({ mutationFn: () => save(body(rows)), onSuccess: () => setEdited(undefined) })
  const change = (next: T[]) => {
    setEdited(next)
    if (saving.error) saving.reset()
  }
  const refused = saving.error instanceof ApiError ? saving.error.fields : []
  const faults = rows.map((each, at) => check?.(each, rows) ?? refused.find(({ field }) => new RegExp(`[[.]${at}(\\D|$)`).test(field))?.problem)
  const isStale = saving.error instanceof ApiError && saving.error.status === 412
  return (
    <Card
      title={title}
      note={note}
      actions={
        <Button small disabled={most !== undefined && rows.length >= most} onClick={() => change([...rows, structuredClone(blank)])}>
          <Plus aria-hidden /> {add}
        </Button>
      }
    >
      {rows.length === 0 && !edited && <p className="text-sm text-dim">None yet.</p>}
      {rows.length > 0 && head}
      <ul className="space-y-2.5">
        {rows.map((each, at) => (
          <li key={at}>
            <div className="flex items-start gap-2">
              {row(each, (next) => change(rows.map((old, index) => (index === at ? next : old))), at, {
                'aria-invalid': edited !== undefined && faults[at] !== undefined,
                'aria-describedby': edited !== undefined && faults[at] !== undefined ? `${id}-${at}` : undefined,
              })}
              <Button look="quiet" aria-label={`Remove row ${at + 1}`} className="px-2" onClick={() => change(rows.filter((_, index) => index !== at))}>
                <Trash2 aria-hidden />
              </Button>
            </div>
            {edited !== undefined && faults[at] !== undefined && (
              <p id={`${id}-${at}`} role="alert" className="mt-1 text-[0.8125rem] text-bad first-letter:uppercase">
                {faults[at]}
              </p>
            )}
          </li>
        ))}
      </ul>
      {children}
      {isStale ? (
        <div role="alert" className="mt-3 rounded-lg bg-bad-soft px-4 py-3 text-sm">
          <p className="font-medium text-bad">Somebody else changed this user meanwhile</p>
          <p>Nothing was saved yet. Keep your rows and save them over theirs, or take theirs.</p>
          <div className="mt-2 flex flex-wrap gap-2">
            <Button small onClick={() => void reload().then(() => saving.reset())}>
              Keep mine
            </Button>
            <Button
              small
              onClick={() =>
                void reload().then(() => {
                  setEdited(undefined)
                  saving.reset()
                })
              }
            >
              Take theirs
            </Button>
          </div>
        </div>
      ) : (
        saving.error && !faults.some(Boolean) && <Trouble error={saving.error} />
      )}
      {edited && (
        <div className="mt-3 flex justify-end gap-2">
          <Button
            onClick={() => {
              setEdited(undefined)
              saving.reset()
            }}
          >
            Take back
          </Button>
          <Button look="main" busy={saving.isPending} disabled={faults.some(Boolean) && check !== undefined && rows.some((each) => check(each, rows))} onClick={() => saving.mutate()}>
            Save
          </Button>
        </div>
      )}
    </Card>
  )
}
