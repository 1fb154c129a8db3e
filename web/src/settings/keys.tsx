// API keys: who may use the server, made and revoked here. A key is shown once.
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Check, Copy, Plus } from 'lucide-react'
import { useState } from 'react'
import { api, plain, take } from '../api/client'
import type { FreshKey, KeyDocument } from '../api/schema'
import { someUsers } from '../api/queries'
import { cache, session } from '../api/session'
import { Confirm, Dialog } from '../ui/dialog'
import { Field, Fields, Form, type Spec, useFormState } from '../ui/form'
import { Badge, Button, Card, Cell, Empty, Table, type Tone, Trouble, Waiting } from '../ui/parts'
import { Ago, usePaused, When } from '../ui/time'
import { say } from '../ui/toast'
import { spoken } from '../ui/words'

const tones: Record<string, Tone> = { valid: 'ok', expired: 'warn', revoked: 'mute' }

export function Keys({ only }: { only?: string }) {
  const query = useQuery({
    queryKey: ['keys'],
    queryFn: async () => (await take(api.GET('/keys'))).keys,
  })
  const client = useQueryClient()
  const [making, setMaking] = useState(false)
  const [fresh, setFresh] = useState<{ key: string; name: string }>()
  const [revoking, setRevoking] = useState<KeyDocument>()
  const list = query.data?.filter((key) => only === undefined || key.user_id === only)
  const isOpen = client.getQueryData(session.queryKey)?.authentication === 'open'
  return (
    <>
      <Card
        title={only ? 'Keys of this user' : 'API keys'}
        note={only ? 'They see and touch this user alone.' : 'For programs and people. What each does stands in the audit.'}
        flush
        actions={
          <Button look="main" onClick={() => setMaking(true)}>
            <Plus aria-hidden /> New key
          </Button>
        }
      >
        {!list ? (
          query.error ? <Trouble error={query.error} /> : <Waiting />
        ) : list.length === 0 ? (
          <Empty title="No key yet">
            {only
              ? 'A key of this user sees its calls and settings and nobody else’s.'
              : isOpen
                ? 'Whoever is on this machine may do everything. With the first key, which is an admin’s, everybody has to show one.'
                : 'Make one for each program and each person.'}
          </Empty>
        ) : (
          <Table label="API keys" head={['Name', 'Role', 'State', 'Last used', 'Made', '']}>
            {list.map((key) => (
              <tr key={key.id}>
                <Cell>
                  <span className="font-medium">{key.name}</span>
                  <span className="block font-mono text-xs text-dim">callie_{key.id}_…</span>
                </Cell>
                <Cell>
                  {spoken(key.role)}
                  {key.user_id && <span className="block text-[0.8125rem] text-dim">{key.user_id}</span>}
                </Cell>
                <Cell>
                  <Badge tone={tones[key.state] ?? 'mute'}>{spoken(key.state)}</Badge>
                  {key.expires_at && key.state === 'valid' && (
                    <span className="block text-[0.8125rem] text-dim">
                      until <When at={key.expires_at} />
                    </span>
                  )}
                </Cell>
                <Cell>{key.last_used_at ? <Ago at={key.last_used_at} /> : <span className="text-dim">never</span>}</Cell>
                <Cell>
                  <When at={key.created_at} />
                  <span className="block text-[0.8125rem] text-dim">by {key.created_by}</span>
                </Cell>
                <Cell className="text-right">
                  {key.state !== 'revoked' && (
                    <Button small look="danger" onClick={() => setRevoking(key)}>
                      Revoke
                    </Button>
                  )}
                </Cell>
              </tr>
            ))}
          </Table>
        )}
      </Card>
      {making && (
        <NewKey
          only={only}
          isFirst={isOpen}
          onClose={() => setMaking(false)}
          onMade={(key) => {
            setFresh(key)
            void client.invalidateQueries({ queryKey: ['keys'] })
            // The first key closes the door; whoever made it has a session now.
            void cache.invalidateQueries({ queryKey: session.queryKey })
          }}
        />
      )}
      {fresh && <Shown fresh={fresh} onClose={() => setFresh(undefined)} />}
      {revoking && (
        <Confirm
          title={`Revoke “${revoking.name}”?`}
          verb="Revoke the key"
          onClose={() => setRevoking(undefined)}
          act={async () => {
            await take(api.DELETE('/keys/{key_id}', { params: { path: { key_id: revoking.id } } }))
            say('The key opens nothing any more.')
            await client.invalidateQueries({ queryKey: ['keys'] })
          }}
        >
          <p>Whoever uses it is refused from now on, and sessions that were opened with it end. This cannot be taken back.</p>
        </Confirm>
      )}
    </>
  )
}

const roles: Spec = {
  name: 'role', label: 'Role', kind: 'select',
  options: [['operator', 'Operator: users, calls, everything but keys'], ['admin', 'Admin: everything'], ['user', 'User: one user and its calls']],
}
const userSpec: Spec = { name: 'user_id', label: 'Which user', mono: true, required: true }

function NewKey({ only, isFirst, onClose, onMade }: { only?: string; isFirst: boolean; onClose: () => void; onMade: (key: { key: string; name: string }) => void }) {
  const specs: Spec[] = [
    { name: 'name', label: 'For whom or what', required: true, maxLength: 100, wide: true, placeholder: 'front desk' },
    { ...roles, wide: true },
    userSpec,
    { name: 'expires', label: 'Valid until', wide: true, placeholder: '2027-01-31', hint: 'Empty: until it is revoked.', check: (text) => (/^\d{4}-\d\d-\d\d$/.test(text) ? undefined : 'a day, as 2027-01-31') },
  ]
  const initial = { name: '', role: only ? 'user' : isFirst ? 'admin' : 'operator', user_id: only ?? '', expires: '' }
  return (
    <Dialog title="New API key" onClose={onClose}>
      <Form
        always
        verb="Make the key"
        // Which user is asked of the role `user` alone.
        specs={specs.map((spec) => (spec.name === 'user_id' ? { ...spec, required: false } : spec))}
        initial={initial}
        submit={async (_body, values) => {
          const body = {
            name: String(values.name),
            role: values.role,
            ...(values.role === 'user' ? { user_id: values.user_id } : {}),
            ...(values.expires ? { expires_at: `${String(values.expires)}T23:59:59Z` } : {}),
          }
          const made = (await (await plain('POST', '/keys', body)).json()) as FreshKey
          onClose()
          onMade(made)
        }}
      >
        <KeyFields specs={specs} only={only} />
      </Form>
    </Dialog>
  )
}

function KeyFields({ specs, only }: { specs: Spec[]; only?: string }) {
  const { values } = useFormState()
  const asked = usePaused(String(values.user_id ?? '').trim())
  const { data: list } = useQuery(someUsers({ q: asked || undefined, limit: 20 }))
  const [name, role, user, expires] = specs
  return (
    <div className="grid gap-4">
      {name && <Field spec={name} />}
      {role && !only && <Field spec={role} />}
      {user && values.role === 'user' && !only && <Field spec={{ ...user, suggestions: list?.users.map((each) => each.user_id) }} />}
      {expires && <Fields specs={[expires]} />}
    </div>
  )
}

function Shown({ fresh, onClose }: { fresh: { key: string; name: string }; onClose: () => void }) {
  const [copied, setCopied] = useState(false)
  return (
    <Dialog title="Keep this key" onClose={onClose}>
      <p className="mb-3 text-sm text-dim">It is shown this once; the server keeps a digest of it only.</p>
      <div className="flex items-center gap-2">
        <code className="min-w-0 flex-1 rounded-lg bg-sunk px-3 py-2 font-mono text-[0.8125rem] break-all select-all">{fresh.key}</code>
        <Button
          aria-label="Copy the key"
          onClick={() => {
            void navigator.clipboard.writeText(fresh.key).then(() => setCopied(true))
          }}
        >
          {copied ? <Check aria-hidden /> : <Copy aria-hidden />}
        </Button>
      </div>
      <div className="mt-5 flex justify-end">
        <Button look="main" onClick={onClose}>
          I have it
        </Button>
      </div>
    </Dialog>
  )
}
