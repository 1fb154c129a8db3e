// What is kept of a user's calls and for how long; what was said with somebody, erased with a receipt.
import { Link } from '@tanstack/react-router'
import { useInfiniteQuery, useQuery, useQueryClient } from '@tanstack/react-query'
import { Check, Copy, Download, Trash2 } from 'lucide-react'
import { type FormEvent, useEffect, useId, useState } from 'react'
import { api, ApiError, take } from '../api/client'
import { keys, recentCalls } from '../api/queries'
import type { KeptReceipt, Receipt, UserDocument } from '../api/schema'
import { Dialog } from '../ui/dialog'
import { Button, Card, Cell, Empty, Fact, Facts, More, Table, Trouble, Waiting } from '../ui/parts'
import { When } from '../ui/time'
import { complain, say } from '../ui/toast'
import { party } from '../ui/words'

/** Whom to erase: one party, or everybody. */
export type Wish = { party: string } | { everything: true }
const isEverything = (wish: Wish): wish is { everything: true } => 'everything' in wish

export const receiptKey = (user: string) => [...keys.user(user), 'receipts']

export function Privacy({ user, party: asked }: { user: UserDocument; party: string | undefined }) {
  return (
    <div className="grid gap-4">
      <Policy user={user} />
      <Erase key={asked} user={user} asked={asked} />
      <Receipts user={user} />
    </div>
  )
}

const recordings = { on: 'Calls are recorded', announce: 'Calls are recorded, and the agent says so first', off: 'Calls are not recorded' }

function Policy({ user }: { user: UserDocument }) {
  const policy = user.calls?.recording ?? 'on'
  const days = user.calls?.retention_days
  return (
    <Card
      title="What is kept"
      actions={
        <Link to="/users/$id" params={{ id: user.user_id }} search={{ tab: 'account', party: undefined }} className="text-sm font-medium text-accent hover:underline">
          Change
        </Link>
      }
    >
      <Facts wide>
        <Fact name="Recording">{recordings[policy]}</Fact>
        <Fact name="Recordings and transcripts">{days ? `Deleted after ${days} ${days === 1 ? 'day' : 'days'}` : 'Kept until they are erased'}</Fact>
        <Fact name="Times, outcome and cost of calls">Kept</Fact>
      </Facts>
    </Card>
  )
}

function Erase({ user, asked }: { user: UserDocument; asked: string | undefined }) {
  const [scope, setScope] = useState<'party' | 'everything'>('party')
  const [text, setText] = useState(asked ?? '')
  const [settled, setSettled] = useState(text)
  const [open, setOpen] = useState<Wish>()
  const { data: calls } = useQuery(recentCalls({ user_id: user.user_id, limit: 50 }))
  const id = useId()
  useEffect(() => {
    // Typing asks once it pauses.
    const timer = setTimeout(() => setSettled(text.trim()), 300)
    return () => clearTimeout(timer)
  }, [text])
  const wish: Wish | undefined = scope === 'everything' ? { everything: true } : settled ? { party: settled } : undefined
  const preview = usePreview(user.user_id, wish)
  const found = preview.data
  const known = [...new Set(calls?.map((call) => party(call)).filter((each) => each && each !== 'erased'))]
  const submit = (event: FormEvent) => {
    event.preventDefault()
    if (wish && found?.calls) setOpen(wish)
  }
  return (
    <Card title="Erase what was said" note="When somebody asks for it, or when the user leaves. It cannot be taken back.">
      <form className="grid gap-4" onSubmit={submit}>
        <fieldset className="flex flex-wrap gap-x-6 gap-y-1.5">
          <legend className="sr-only">Whose calls</legend>
          {(
            [
              ['party', 'The calls with one person'],
              ['everything', 'All calls of this user'],
            ] as const
          ).map(([value, label]) => (
            <label key={value} className="flex cursor-pointer items-center gap-2 text-sm font-medium">
              <input type="radio" name={`${id}-scope`} className="size-4 accent-[var(--accent)]" checked={scope === value} onChange={() => setScope(value)} />
              {label}
            </label>
          ))}
        </fieldset>
        {scope === 'party' && (
          <div className="max-w-md">
            <label htmlFor={`${id}-party`} className="mb-1 block text-sm font-medium">
              Number or address
            </label>
            <input id={`${id}-party`} className="field font-mono text-sm" list={`${id}-known`} autoComplete="off" spellCheck={false} placeholder="+4930123456" value={text} aria-describedby={`${id}-hint`} onChange={(event) => setText(event.target.value)} />
            <datalist id={`${id}-known`}>
              {known.map((each) => (
                <option key={each} value={each} />
              ))}
            </datalist>
            <p id={`${id}-hint`} className="mt-1 text-[0.8125rem] text-dim">
              As the calls show it.
            </p>
          </div>
        )}
        <div role="status" className="text-sm">
          {!wish ? (
            <p className="text-dim">What would go is counted here before anything goes.</p>
          ) : preview.error ? (
            <Trouble error={preview.error} />
          ) : !found ? (
            <p className="text-dim">Counting …</p>
          ) : found.calls === 0 ? (
            <p>
              Nothing is left of {isEverything(wish) ? 'any call of this user' : <>calls with <b className="font-semibold break-all">{wish.party}</b></>}.
              {found.calls_up > 0 && ' A call that is up can be erased once it is over.'}
            </p>
          ) : (
            <div className="rounded-lg bg-sunk px-4 py-3">
              <p className="font-medium">
                {found.calls.toLocaleString()} {found.calls === 1 ? 'call' : 'calls'}, {found.recordings.toLocaleString()} with a recording
                {found.oldest && found.newest && (
                  <span className="font-normal text-dim">
                    {', '}
                    {found.oldest === found.newest ? (
                      <When at={found.oldest} />
                    ) : (
                      <>
                        from <When at={found.oldest} /> to <When at={found.newest} />
                      </>
                    )}
                  </span>
                )}
              </p>
              <p className="mt-1">
                Goes: recordings, transcripts, events, SIP messages, summaries, what webhooks were told, and the other side’s name and number.
              </p>
              <p className="text-dim">Stays: that there was a call, when, how it ended, and what it cost.</p>
              {found.calls_up > 0 && <p className="text-warn">{found.calls_up === 1 ? 'One call is' : `${found.calls_up} calls are`} up now and not among them: erase again when it is over.</p>}
            </div>
          )}
        </div>
        <div>
          <Button type="submit" look="danger" disabled={!found?.calls || (scope === 'party' && settled !== text.trim())}>
            <Trash2 aria-hidden /> Erase …
          </Button>
        </div>
      </form>
      {open && found && <EraseDialog user={user} wish={open} calls={found.calls} onClose={() => setOpen(undefined)} />}
    </Card>
  )
}

const usePreview = (user: string, wish: Wish | undefined) =>
  useQuery({
    queryKey: [...keys.user(user), 'erasure', wish],
    queryFn: () => take(api.GET('/users/{user_id}/erasures/preview', { params: { path: { user_id: user }, query: wish } })),
    enabled: wish !== undefined,
    staleTime: 0,
  })

/** Asks once more, erases, and shows the receipt. */
function EraseDialog({ user, wish, calls, onClose }: { user: UserDocument; wish: Wish; calls: number; onClose: () => void }) {
  const cache = useQueryClient()
  const word = isEverything(wish) ? user.user_id : wish.party
  const [typed, setTyped] = useState('')
  const [busy, setBusy] = useState(false)
  const [trouble, setTrouble] = useState<string>()
  const [receipt, setReceipt] = useState<Receipt>()
  const go = async (event: FormEvent) => {
    event.preventDefault()
    if (typed.trim() !== word || busy) return
    setBusy(true)
    setTrouble(undefined)
    try {
      setReceipt(await take(api.POST('/users/{user_id}/erasures', { params: { path: { user_id: user.user_id } }, body: wish })))
      for (const queryKey of [keys.user(user.user_id), keys.calls, ['call']]) void cache.invalidateQueries({ queryKey })
    } catch (error) {
      setTrouble(error instanceof ApiError ? (error.fields[0]?.problem ?? error.message) : String(error))
    }
    setBusy(false)
  }
  if (receipt) {
    return (
      <Dialog title="Erased" onClose={onClose}>
        <ReceiptFacts receipt={receipt} />
        <p className="mt-3 text-sm text-dim">The receipt names nobody. It stands in the audit too, whose chain shows when somebody was at it.</p>
        <div className="mt-5 flex flex-wrap justify-end gap-2">
          <ReceiptActions receipt={receipt} />
          <Button look="main" onClick={onClose}>
            Done
          </Button>
        </div>
      </Dialog>
    )
  }
  return (
    <Dialog title={calls === 1 ? 'Erase this call?' : `Erase ${calls.toLocaleString()} calls?`} onClose={onClose}>
      <form onSubmit={(event) => void go(event)}>
        <p className="text-sm text-dim">
          What was said {isEverything(wish) ? `in all calls of ${user.display_name || user.user_id}` : 'with this person'} is deleted here and now. Nobody can bring it back.
        </p>
        <label htmlFor="erase-word" className="mt-4 mb-1 block text-sm font-medium">
          Type <span className="font-mono break-all">{word}</span> to go on
        </label>
        <input id="erase-word" className="field font-mono text-sm" autoComplete="off" spellCheck={false} autoFocus disabled={busy} value={typed} aria-describedby={trouble ? 'erase-trouble' : undefined} onChange={(event) => setTyped(event.target.value)} />
        {trouble && (
          <p id="erase-trouble" role="alert" className="mt-1 text-sm text-bad">
            {trouble}
          </p>
        )}
        {busy && (
          <div role="progressbar" aria-label="Erasing" className="mt-4 h-1.5 overflow-hidden rounded-full bg-sunk">
            <div className="h-full w-1/3 animate-[slide_1.2s_ease-in-out_infinite] rounded-full bg-bad" />
          </div>
        )}
        <div className="mt-5 flex justify-end gap-2">
          <Button onClick={onClose} disabled={busy}>
            Cancel
          </Button>
          <Button type="submit" look="danger" busy={busy} disabled={typed.trim() !== word}>
            {busy ? 'Erasing …' : 'Erase for ever'}
          </Button>
        </div>
      </form>
    </Dialog>
  )
}

function ReceiptFacts({ receipt }: { receipt: Receipt }) {
  return (
    <Facts>
      <Fact name="Of user">{receipt.user_id}</Fact>
      <Fact name="When">
        <When at={receipt.erased_at} />
      </Fact>
      <Fact name="Calls and recordings">
        {receipt.calls} {receipt.calls === 1 ? 'call' : 'calls'}, {receipt.recordings} {receipt.recordings === 1 ? 'recording' : 'recordings'}
      </Fact>
      <Fact name="Whom: SHA-256 of the number or address as it was typed" mono>
        {receipt.party_sha256 ?? 'everybody'}
      </Fact>
      {receipt.key_id && (
        <Fact name="Key destroyed" mono>
          {receipt.key_id}
        </Fact>
      )}
      <Fact name="Receipt (SHA-256)" mono>
        {receipt.receipt_sha256}
      </Fact>
    </Facts>
  )
}

const textOf = (receipt: Receipt) => {
  const { user_id, erased_at, party_sha256, calls, recordings, recordings_unreadable, key_id, backups, receipt_sha256 } = receipt
  const said = { user_id, erased_at, party_sha256, calls, recordings, recordings_unreadable, key_id, backups, receipt_sha256 }
  return `${JSON.stringify(said, null, 2)}\n`
}
function ReceiptActions({ receipt }: { receipt: Receipt }) {
  const [copied, setCopied] = useState(false)
  const copy = () => {
    const copying = navigator.clipboard ? navigator.clipboard.writeText(textOf(receipt)) : Promise.reject(new Error('This page may not copy: download the receipt instead.'))
    copying.then(() => {
      setCopied(true)
      say('The receipt is copied.')
    }, complain)
  }
  const download = () => {
    const url = URL.createObjectURL(new Blob([textOf(receipt)], { type: 'application/json' }))
    const link = document.createElement('a')
    link.href = url
    link.download = `erasure-${receipt.user_id}-${receipt.erased_at.slice(0, 10)}-${receipt.receipt_sha256.slice(0, 8)}.json`
    link.click()
    URL.revokeObjectURL(url)
  }
  return (
    <>
      <Button onClick={copy}>
        {copied ? <Check aria-hidden /> : <Copy aria-hidden />} Copy
      </Button>
      <Button onClick={download}>
        <Download aria-hidden /> Download
      </Button>
    </>
  )
}

function Receipts({ user }: { user: UserDocument }) {
  const [shown, setShown] = useState<KeptReceipt>()
  const pages = useInfiniteQuery({
    queryKey: receiptKey(user.user_id),
    queryFn: ({ pageParam }) => take(api.GET('/users/{user_id}/erasures', { params: { path: { user_id: user.user_id }, query: { before: pageParam } } })),
    initialPageParam: undefined as number | undefined,
    getNextPageParam: (page) => page.next ?? undefined,
  })
  const list = pages.data?.pages.flatMap((page) => page.receipts)
  return (
    <Card title="Receipts" note="Of what was erased here." flush>
      {!list ? (
        pages.error ? <Trouble error={pages.error} /> : <Waiting />
      ) : list.length === 0 ? (
        <Empty title="Nothing was erased yet">Each erasure leaves a receipt here, which can be given to whoever asked for it.</Empty>
      ) : (
        <Table label="Receipts" head={['When', 'Of whom', 'Calls', 'Recordings', 'By', '']} narrow={[0, 2, 5]}>
          {list.map((receipt) => (
            <tr key={receipt.receipt_sha256}>
              <Cell>
                <When at={receipt.erased_at} />
              </Cell>
              <Cell className="max-sm:hidden">{receipt.party_sha256 ? <code className="font-mono text-xs" title={receipt.party_sha256}>{receipt.party_sha256.slice(0, 12)}…</code> : 'everybody'}</Cell>
              <Cell className="num">{receipt.calls}</Cell>
              <Cell className="num max-sm:hidden">{receipt.recordings}</Cell>
              <Cell className="max-sm:hidden">{receipt.by}</Cell>
              <Cell className="text-right">
                <Button small onClick={() => setShown(receipt)}>
                  Show
                </Button>
              </Cell>
            </tr>
          ))}
        </Table>
      )}
      <More pages={pages} />
      {shown && (
        <Dialog title="Receipt" onClose={() => setShown(undefined)}>
          <ReceiptFacts receipt={shown} />
          <div className="mt-5 flex flex-wrap justify-end gap-2">
            <ReceiptActions receipt={shown} />
          </div>
        </Dialog>
      )}
    </Card>
  )
}
