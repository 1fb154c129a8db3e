// A new user: the provider first, because it says what the other fields should be.
import { Link, useNavigate } from '@tanstack/react-router'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { api, ApiError, take } from '../api/client'
import { keys, presets } from '../api/queries'
import { useRights } from '../api/session'
import { Field, Fields, Form, type Spec } from '../ui/form'
import { Button, Card, Heading, Missing } from '../ui/parts'
import { complain, say } from '../ui/toast'
import { newUser } from './specs'

export function NewUser() {
  const { operator } = useRights()
  if (operator) return <NewUserForm />
  return (
    <Missing what="page" error={new ApiError(403, { detail: 'Operators and admins create users.' })}>
      <Button asChild>
        <Link to="/users" search={{ q: undefined }}>
          All users
        </Link>
      </Button>
    </Missing>
  )
}

function NewUserForm() {
  const navigate = useNavigate()
  const cache = useQueryClient()
  const { data: list } = useQuery(presets)
  const [preset, setPreset] = useState('')
  const [connect, setConnect] = useState(true)
  const chosen = list?.find((each) => each.name === preset)
  const given = (chosen?.give ?? {}) as Record<string, string>
  const filled = (chosen?.fields ?? {}) as Record<string, unknown>
  const account: Spec[] = newUser.account.map((spec) => {
    const field = spec.name.replace('sip.', '')
    const isNeeded = field in given && field === 'sip_server'
    return {
      ...spec,
      required: spec.required || isNeeded,
      hint: given[field] ? `${given[field].charAt(0).toUpperCase()}${given[field].slice(1)}.` : spec.hint,
      placeholder: field in filled ? String(filled[field]) : spec.placeholder,
    }
  })
  const specs = [...newUser.who, ...account, ...newUser.agent]
  return (
    <div className="mx-auto max-w-3xl">
      <Heading
        title="New user"
        above={
          <Link to="/users" search={{ q: undefined }} className="hover:underline">
            Users
          </Link>
        }
      />
      <Form
        always
        verb={connect ? 'Create and connect' : 'Create'}
        specs={specs}
        initial={Object.fromEntries(specs.map((spec) => [spec.name, '']))}
        submit={async (body) => {
          const user = await take(api.POST('/users', { body: { ...body, ...(preset ? { preset } : {}) } as never }))
          if (connect) {
            try {
              say((await take(api.POST('/users/{user_id}/sip/connect', { params: { path: { user_id: user.user_id } } }))).message)
            } catch (error) {
              complain(error)
            }
          } else say(`${user.display_name} is created.`)
          await cache.invalidateQueries({ queryKey: keys.users })
          await navigate({ to: '/users/$id', params: { id: user.user_id }, search: { tab: undefined } })
        }}
      >
        <div className="grid gap-4">
          <Card title="Who">
            <Fields specs={newUser.who} />
          </Card>
          <Card title="The account at the provider">
            <div className="mb-4">
              <label htmlFor="preset" className="mb-1 block text-sm font-medium">
                Provider
              </label>
              <select id="preset" className="field text-sm" value={preset} onChange={(event) => setPreset(event.target.value)}>
                <option value="">another, or none of these</option>
                {list?.map((each) => (
                  <option key={each.name} value={each.name}>
                    {each.title}
                  </option>
                ))}
              </select>
              {chosen && chosen.notes.length > 0 && (
                <ul className="mt-2 list-disc space-y-1 rounded-lg bg-sunk py-2.5 pr-4 pl-8 text-[0.8125rem]">
                  {chosen.notes.map((note) => (
                    <li key={note}>{note}</li>
                  ))}
                </ul>
              )}
            </div>
            <Fields specs={account} />
          </Card>
          <Card title="The agent" note="Voice, instructions and tools can be set afterwards.">
            {newUser.agent.map((spec) => (
              <Field key={spec.name} spec={spec} />
            ))}
          </Card>
          <label className="flex cursor-pointer items-center gap-2.5 px-1 text-sm">
            <input type="checkbox" className="size-4 accent-[var(--accent)]" checked={connect} onChange={(event) => setConnect(event.target.checked)} />
            Connect the line once the user is created
          </label>
        </div>
      </Form>
    </div>
  )
}
