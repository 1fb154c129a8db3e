// Whom the user knows, and who is not to be called.
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Plus, Trash2 } from 'lucide-react'
import { type FormEvent, useState } from 'react'
import { api, ApiError, take } from '../api/client'
import { contacts, keys } from '../api/queries'
import type { ContactDocument, UserDocument } from '../api/schema'
import { Button, Card, Cell, Empty, Table, Trouble, Waiting } from '../ui/parts'
import { When } from '../ui/time'
import { complain, say } from '../ui/toast'

export function Contacts({ user }: { user: UserDocument }) {
  const query = useQuery(contacts(user.user_id))
  const cache = useQueryClient()
  const [edited, setEdited] = useState<ContactDocument[]>()
  const rows = edited ?? query.data
  const save = useMutation({
    mutationFn: () =>
      take(api.PUT('/users/{user_id}/contacts', { params: { path: { user_id: user.user_id } }, body: { contacts: rows ?? [] } })),
    onSuccess: (list) => {
      cache.setQueryData([...keys.user(user.user_id), 'contacts'], list.contacts)
      setEdited(undefined)
      say('Saved.')
    },
  })
  const faults = save.error instanceof ApiError ? save.error.fields : []
  const set = (at: number, next: ContactDocument) => setEdited(rows?.map((old, index) => (index === at ? next : old)))
  return (
    <Card
      title="Contacts"
      note="Looked up by the agent when somebody calls or is asked for."
      actions={
        <Button small onClick={() => setEdited([...(rows ?? []), { name: '', numbers: [] }])}>
          <Plus aria-hidden /> Add a contact
        </Button>
      }
    >
      {rows === undefined ? (
        query.error ? <Trouble error={query.error} /> : <Waiting />
      ) : rows.length === 0 ? (
        <Empty title="Nobody yet">Add the people that the agent should recognise by their numbers.</Empty>
      ) : (
        <ul className="space-y-2">
          {rows.map((contact, at) => {
            const fault = faults.find(({ field }) => field.startsWith(`contacts[${at}]`) || field.startsWith(`contacts.${at}`))
            return (
              <li key={at}>
                <div className="flex items-start gap-2">
                  <div className="grid flex-1 gap-2 sm:grid-cols-3">
                    <input aria-label={`Name of contact ${at + 1}`} placeholder="Maria Lopez" className="field text-sm" aria-invalid={fault !== undefined} value={contact.name} onChange={(event) => set(at, { ...contact, name: event.target.value })} />
                    <input
                      aria-label={`Numbers of contact ${at + 1}`}
                      placeholder="+15551234567, +43…"
                      className="field font-mono text-sm"
                      defaultValue={contact.numbers?.join(', ')}
                      onChange={(event) => set(at, { ...contact, numbers: event.target.value.split(',').map((number) => number.trim()).filter(Boolean) })}
                    />
                    <input aria-label={`Note on contact ${at + 1}`} placeholder="note" className="field text-sm" value={contact.note ?? ''} onChange={(event) => set(at, { ...contact, note: event.target.value || null })} />
                  </div>
                  <Button look="quiet" aria-label={`Remove contact ${at + 1}`} className="px-2" onClick={() => setEdited(rows.filter((_, index) => index !== at))}>
                    <Trash2 aria-hidden />
                  </Button>
                </div>
                {fault && (
                  <p role="alert" className="mt-1 text-[0.8125rem] text-bad">
                    {fault.problem}
                  </p>
                )}
              </li>
            )
          })}
        </ul>
      )}
      {save.error && faults.length === 0 && <Trouble error={save.error} />}
      {edited && (
        <div className="mt-3 flex justify-end gap-2">
          <Button
            onClick={() => {
              setEdited(undefined)
              save.reset()
            }}
          >
            Take back
          </Button>
          <Button look="main" busy={save.isPending} onClick={() => save.mutate()}>
            Save
          </Button>
        </div>
      )}
    </Card>
  )
}

export function DoNotCall({ user }: { user: UserDocument }) {
  const path = { user_id: user.user_id }
  const cache = useQueryClient()
  const key = [...keys.user(user.user_id), 'do-not-call']
  const query = useQuery({
    queryKey: key,
    queryFn: () => take(api.GET('/users/{user_id}/do-not-call', { params: { path, query: { limit: 500 } } })),
  })
  const [numbers, setNumbers] = useState('')
  const [note, setNote] = useState('')
  const add = useMutation({
    mutationFn: () =>
      take(
        api.POST('/users/{user_id}/do-not-call', {
          params: { path },
          body: { numbers: numbers.split(/[\s,;]+/).filter(Boolean), ...(note ? { note } : {}) },
        }),
      ),
    onSuccess: ({ changed }) => {
      setNumbers('')
      setNote('')
      say(changed === 1 ? 'One number is on the list.' : `${changed} numbers are on the list.`)
      void cache.invalidateQueries({ queryKey: key })
    },
  })
  const remove = async (number: string) => {
    try {
      await take(api.DELETE('/users/{user_id}/do-not-call', { params: { path }, body: { numbers: [number] } }))
      await cache.invalidateQueries({ queryKey: key })
    } catch (error) {
      complain(error)
    }
  }
  const submit = (event: FormEvent) => {
    event.preventDefault()
    add.mutate()
  }
  const fault = add.error instanceof ApiError ? (add.error.fields[0]?.problem ?? add.error.message) : undefined
  return (
    <Card title="Do not call" note="Looked at right before each dialling. A list of the law stays yours to bring." flush>
      <form className="grid gap-2 border-b border-line px-4 py-3 sm:grid-cols-[1fr_1fr_auto]" onSubmit={submit}>
        <div>
          <input aria-label="Numbers to add" aria-invalid={fault !== undefined} aria-describedby={fault ? 'dnc-fault' : undefined} placeholder="+15551234567, one or many" className="field font-mono text-sm" value={numbers} onChange={(event) => setNumbers(event.target.value)} />
          {fault && (
            <p id="dnc-fault" role="alert" className="mt-1 text-[0.8125rem] text-bad">
              {fault}
            </p>
          )}
        </div>
        <input aria-label="Note" placeholder="why (optional)" className="field text-sm" value={note} onChange={(event) => setNote(event.target.value)} />
        <Button type="submit" look="main" busy={add.isPending} disabled={numbers.trim() === ''}>
          Add
        </Button>
      </form>
      {query.data === undefined ? (
        query.error ? <Trouble error={query.error} /> : <Waiting />
      ) : query.data.numbers.length === 0 ? (
        <Empty title="Nobody is on the list">Whoever asks not to be called again belongs here.</Empty>
      ) : (
        <Table label="Numbers not to be called" head={['Number', 'Why', 'Since', '']}>
          {query.data.numbers.map((entry) => (
            <tr key={entry.number}>
              <Cell className="font-mono text-[0.8125rem]">{entry.number}</Cell>
              <Cell className="text-dim">{entry.note}</Cell>
              <Cell>
                <When at={entry.added_at} />
              </Cell>
              <Cell className="text-right">
                <Button look="quiet" small onClick={() => void remove(entry.number)} aria-label={`Take ${entry.number} off the list`}>
                  <Trash2 aria-hidden />
                </Button>
              </Cell>
            </tr>
          ))}
        </Table>
      )}
    </Card>
  )
}
