// Who is told of what happens to a user, and what became of it.
import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { api, take } from '../api/client'
import { keys } from '../api/queries'
import type { DeliveryDocument, DeliveryStateWord, HookEventWord, UserDocument, WebhookChange } from '../api/schema'
import { Dialog } from '../ui/dialog'
import { Badge, Button, Card, Cell, Empty, More, Table, type Tone, Trouble, Waiting } from '../ui/parts'
import { Ago } from '../ui/time'
import { complain, say } from '../ui/toast'
import { Rows } from './rows'

const EVENTS: HookEventWord[] = ['call.started', 'call.answered', 'call.ended', 'transcript.turn', 'message.taken', 'registration.changed']

export function Webhooks({ user }: { user: UserDocument }) {
  const blank: WebhookChange = { url: '', events: [], active: true, secret: '' }
  const stored: WebhookChange[] = (user.webhooks ?? []).map(({ url, events, active }) => ({ url, events, active, secret: '' }))
  return (
    <div className="grid gap-4">
      <Rows
        title="Receivers"
        note="Each is told in order, signed with its secret, and tried again for a day. Applies at once."
        user={user}
        stored={stored}
        blank={blank}
        add="Add a receiver"
        body={(rows) => ({ webhooks: rows.map(({ secret, ...hook }) => ({ ...hook, ...(secret ? { secret } : {}) })) })}
        check={(hook) => {
          if (!/^https?:\/\/[^\s/]/.test(hook.url)) return 'the address begins with https:// (or http:// in your own network)'
          const isStored = user.webhooks?.some((each) => each.url === hook.url)
          if (!hook.secret && !isStored) return 'a secret is needed: 16 characters or more'
          return hook.secret && hook.secret.length < 16 ? 'the secret is too short: 16 characters or more' : undefined
        }}
        row={(hook, set, at, fault) => {
          const isStored = user.webhooks?.some((each) => each.url === hook.url)
          return (
            <div className="min-w-0 flex-1 rounded-lg border border-line p-3">
              <div className="grid gap-2 sm:grid-cols-[1.6fr_1fr]">
                <input {...fault} aria-label={`Address of receiver ${at + 1}`} placeholder="https://example.com/hook" className="field font-mono text-sm" value={hook.url} onChange={(event) => set({ ...hook, url: event.target.value })} />
                <input aria-label={`Secret of receiver ${at + 1}`} type="password" autoComplete="new-password" placeholder={isStored ? 'secret: unchanged' : 'secret, 16 characters or more'} className="field text-sm" value={hook.secret ?? ''} onChange={(event) => set({ ...hook, secret: event.target.value })} />
              </div>
              <fieldset className="mt-2 flex flex-wrap gap-x-4 gap-y-1">
                <legend className="sr-only">What receiver {at + 1} is told; nothing chosen is everything</legend>
                {EVENTS.map((name) => (
                  <label key={name} className="flex cursor-pointer items-center gap-1.5 font-mono text-xs">
                    <input
                      type="checkbox"
                      className="accent-[var(--accent)]"
                      checked={hook.events?.includes(name) ?? false}
                      onChange={(event) => set({ ...hook, events: event.target.checked ? [...(hook.events ?? []), name] : (hook.events ?? []).filter((each) => each !== name) })}
                    />
                    {name}
                  </label>
                ))}
                <label className="ml-auto flex cursor-pointer items-center gap-1.5 text-xs">
                  <input type="checkbox" className="accent-[var(--accent)]" checked={hook.active !== false} onChange={(event) => set({ ...hook, active: event.target.checked })} />
                  active
                </label>
              </fieldset>
              {!hook.events?.length && <p className="mt-1 text-xs text-dim">Nothing chosen: it is told everything.</p>}
            </div>
          )
        }}
      />
      <Deliveries userId={user.user_id} canTest={(user.webhooks?.length ?? 0) > 0} />
    </div>
  )
}

const states: Record<DeliveryStateWord, [Tone, string]> = {
  waiting: ['info', 'Waiting'],
  delivered: ['ok', 'Delivered'],
  failed: ['bad', 'Given up'],
  dropped: ['warn', 'Dropped'],
}

export function Deliveries({ userId, canTest }: { userId: string; canTest: boolean }) {
  const path = { user_id: userId }
  const cache = useQueryClient()
  const key = [...keys.user(userId), 'deliveries']
  const [state, setState] = useState<DeliveryStateWord | ''>('')
  const [shown, setShown] = useState<string>()
  const pages = useInfiniteQuery({
    queryKey: [...key, state],
    queryFn: ({ pageParam }) =>
      take(api.GET('/users/{user_id}/webhooks/deliveries', { params: { path, query: { limit: 50, before: pageParam, state: state || undefined } } })),
    initialPageParam: undefined as number | undefined,
    getNextPageParam: (page) => page.next ?? undefined,
    refetchInterval: 10_000,
  })
  const test = useMutation({
    mutationFn: () => take(api.POST('/users/{user_id}/webhooks/test', { params: { path }, body: {} })),
    onSuccess: ({ deliveries }) => {
      const well = deliveries.filter((each) => each.state === 'delivered').length
      say(`${well} of ${deliveries.length} receivers took the test.`)
    },
    onError: complain,
    onSettled: () => cache.invalidateQueries({ queryKey: key }),
  })
  const resend = async (delivery: DeliveryDocument) => {
    try {
      await take(api.POST('/users/{user_id}/webhooks/deliveries/{delivery_id}/resend', { params: { path: { ...path, delivery_id: delivery.id } } }))
      say('It is sent once more.')
    } catch (error) {
      complain(error)
    }
    void cache.invalidateQueries({ queryKey: key })
  }
  const list = pages.data?.pages.flatMap((page) => page.deliveries)
  return (
    <Card
      title="Deliveries"
      flush
      actions={
        <>
          <select aria-label="Which deliveries" className="field w-auto text-sm" value={state} onChange={(event) => setState(event.target.value as DeliveryStateWord | '')}>
            <option value="">all</option>
            {Object.entries(states).map(([word, [, text]]) => (
              <option key={word} value={word}>
                {text}
              </option>
            ))}
          </select>
          {canTest && (
            <Button busy={test.isPending} onClick={() => test.mutate()}>
              Send a test
            </Button>
          )}
        </>
      }
    >
      {!list ? (
        pages.error ? <Trouble error={pages.error} /> : <Waiting />
      ) : list.length === 0 ? (
        state ? <Empty title="None of them is like that">Choose another state, or all of them.</Empty> :
        <Empty title="Nothing was sent yet">{canTest ? 'Send a test, or wait for a call.' : 'Add a receiver above; then each call leaves its deliveries here.'}</Empty>
      ) : (
        <>
          <Table label="Deliveries" head={['Event', 'To', 'When', 'State', '']}>
            {list.map((delivery) => {
              const [tone, word] = states[delivery.state]
              return (
                <tr key={delivery.id}>
                  <Cell>
                    <button type="button" className="font-mono text-[0.8125rem] font-medium hover:underline" onClick={() => setShown(delivery.id)}>
                      {delivery.event}
                    </button>
                  </Cell>
                  <Cell className="max-w-64 truncate font-mono text-xs text-dim">{delivery.url}</Cell>
                  <Cell className="whitespace-nowrap">
                    <Ago at={delivery.last_attempt_at ?? delivery.created_at} />
                  </Cell>
                  <Cell>
                    <Badge tone={tone}>{word}</Badge>
                    <span className="block text-[0.8125rem] text-dim">
                      {delivery.last_status && `HTTP ${delivery.last_status} `}
                      {delivery.last_error}
                      {delivery.attempts > 1 && ` after ${delivery.attempts} attempts`}
                      {delivery.next_attempt_at && (
                        <>
                          , again <Ago at={delivery.next_attempt_at} />
                        </>
                      )}
                    </span>
                  </Cell>
                  <Cell className="text-right">
                    <Button small onClick={() => void resend(delivery)}>
                      Resend
                    </Button>
                  </Cell>
                </tr>
              )
            })}
          </Table>
          <More pages={pages} />
        </>
      )}
      {shown && <DeliveryDialog userId={userId} id={shown} onClose={() => setShown(undefined)} />}
    </Card>
  )
}

function DeliveryDialog({ userId, id, onClose }: { userId: string; id: string; onClose: () => void }) {
  const query = useQuery({
    queryKey: [...keys.user(userId), 'delivery', id],
    queryFn: () => take(api.GET('/users/{user_id}/webhooks/deliveries/{delivery_id}', { params: { path: { user_id: userId, delivery_id: id } } })),
  })
  const delivery = query.data
  return (
    <Dialog title="What was sent" onClose={onClose} wide>
      {!delivery ? (
        query.error ? <Trouble error={query.error} /> : <Waiting />
      ) : (
        <>
          <p className="mb-2 text-sm break-all text-dim">
            {delivery.event} to {delivery.url}
          </p>
          <pre tabIndex={0} className="max-h-96 overflow-auto rounded-lg bg-sunk p-3 font-mono text-xs">
            {JSON.stringify(delivery.body, null, 2)}
          </pre>
        </>
      )}
    </Dialog>
  )
}
