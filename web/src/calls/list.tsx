// The calls that were, filtered by the server. The filters are in the address, so that a list can be sent to somebody.
import { useNavigate, useSearch } from '@tanstack/react-router'
import { keepPreviousData, useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { Download, X } from 'lucide-react'
import { useEffect, useState } from 'react'
import { has } from '../api/client'
import { callPage, keys, users } from '../api/queries'
import type { ListedCall } from '../api/schema'
import type { CallQuery } from '../api/types'
import type { CallSearch } from '../router'
import { Button, Card, cx, Empty, Heading, Trouble, Waiting } from '../ui/parts'
import { complain, say } from '../ui/toast'
import { party, resultWords } from '../ui/words'
import { CallRows } from './rows'

/** At most so many calls go into one file. */
const MOST_EXPORTED = 10_000

/** The address's filters in the API's words. */
function asQuery(search: CallSearch): CallQuery {
  const query: Record<string, unknown> = { ...search }
  // A day is meant from its beginning to its end, in the time of whoever looks.
  if (search.from) query.from = new Date(`${search.from}T00:00:00`).toISOString()
  if (search.until) {
    const end = new Date(`${search.until}T00:00:00`)
    end.setDate(end.getDate() + 1)
    query.until = end.toISOString()
  }
  // Seconds, as people say it; the API has latency in milliseconds.
  delete query.min_latency
  if (search.min_latency) query.min_latency_ms = Math.round(Number(search.min_latency) * 1_000)
  return Object.fromEntries(Object.entries(query).filter(([, value]) => value !== undefined))
}

export function CallList() {
  const search = useSearch({ from: '/calls' })
  const navigate = useNavigate({ from: '/calls' })
  const set = (change: CallSearch) => void navigate({ search: (old) => ({ ...old, ...change }), replace: true })
  const query = asQuery(search)
  const pages = useInfiniteQuery({
    queryKey: [...keys.calls, 'pages', query],
    queryFn: ({ pageParam }) => callPage(query, pageParam),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next ?? undefined,
    placeholderData: keepPreviousData,
  })
  const calls = pages.data?.pages.flatMap((page) => page.calls)
  const isFiltered = Object.values(search).some((value) => value !== undefined)
  return (
    <>
      <Heading title="Calls" actions={<Export query={query} disabled={!calls?.length} />} />
      <Card flush>
        <Filters search={search} set={set} isFiltered={isFiltered} />
        {calls === undefined ? (
          pages.error ? <Trouble error={pages.error} retry={() => void pages.refetch()} /> : <Waiting rows={6} />
        ) : calls.length === 0 ? (
          isFiltered ? (
            <Empty
              title="No call fits"
              action={<Button onClick={() => void navigate({ search: {}, replace: true })}>Show all calls</Button>}
            >
              Take a filter away, or widen the dates.
            </Empty>
          ) : (
            <Empty title="No calls yet">Ring one of your lines, or place a call from a user's page. What was said is kept here.</Empty>
          )
        ) : (
          <>
            <CallRows calls={calls} label="Calls" />
            <div className="border-t border-line px-4 py-2.5 text-sm text-dim" role="status">
              {pages.hasNextPage ? (
                <Button small busy={pages.isFetchingNextPage} onClick={() => void pages.fetchNextPage()}>
                  Show more
                </Button>
              ) : (
                `${calls.length} ${calls.length === 1 ? 'call' : 'calls'}, and that is all`
              )}
            </div>
          </>
        )}
      </Card>
    </>
  )
}

function Filters({ search, set, isFiltered }: { search: CallSearch; set: (change: CallSearch) => void; isFiltered: boolean }) {
  const list = useQuery(users)
  const [words, setWords] = useState(search.q ?? '')
  const [open, setOpen] = useState(isFiltered)
  useEffect(() => setWords(search.q ?? ''), [search.q])
  useEffect(() => {
    // Typing asks once it pauses.
    const timer = setTimeout(() => words !== (search.q ?? '') && set({ q: words || undefined }), 250)
    return () => clearTimeout(timer)
  })
  const field = (name: keyof CallSearch) => ({
    id: `filter-${name}`,
    className: 'field text-sm',
    value: search[name] ?? '',
    onChange: (event: { target: { value: string } }) => set({ [name]: event.target.value || undefined }),
  })
  return (
    <form
      role="search"
      aria-label="Filter calls"
      className="grid grid-cols-2 gap-x-3 gap-y-2.5 border-b border-line px-4 py-3.5 sm:grid-cols-3 lg:grid-cols-6"
      onSubmit={(event) => event.preventDefault()}
    >
      <Filter id="filter-q" name="Said, or number" className="col-span-2 lg:col-span-2">
        <input
          id="filter-q"
          type="search"
          className="field text-sm"
          placeholder="delivery, +1555…"
          maxLength={200}
          value={words}
          onChange={(event) => setWords(event.target.value)}
        />
      </Filter>
      <Button small className="col-span-2 justify-self-start sm:hidden" aria-expanded={open} onClick={() => setOpen(!open)}>
        {open ? 'Fewer filters' : 'More filters'}
      </Button>
      <div className={cx('contents', !open && 'max-sm:hidden')}>
      <Filter id="filter-user_id" name="User">
        <input {...field('user_id')} list="all-users" placeholder="all" autoComplete="off" />
        <datalist id="all-users">
          {list.data?.slice(0, 500).map((user) => (
            <option key={user.user_id} value={user.user_id}>
              {user.display_name}
            </option>
          ))}
        </datalist>
      </Filter>
      <Filter id="filter-direction" name="Direction">
        <select {...field('direction')}>
          <option value="">both</option>
          <option value="inbound">incoming</option>
          <option value="outbound">outgoing</option>
        </select>
      </Filter>
      <Filter id="filter-result" name="Result">
        <select {...field('result')}>
          <option value="">any</option>
          {Object.entries(resultWords).map(([word, text]) => (
            <option key={word} value={word}>
              {text}
            </option>
          ))}
        </select>
      </Filter>
      <div className="hidden lg:block" />
      <Filter id="filter-from" name="From">
        <input type="date" {...field('from')} />
      </Filter>
      <Filter id="filter-until" name="Until">
        <input type="date" {...field('until')} />
      </Filter>
      {has('GET /calls?min_duration') && (
        <>
          <Filter id="filter-min_duration" name="Talked, s at least">
            <input type="number" min={0} inputMode="decimal" {...field('min_duration')} />
          </Filter>
          <Filter id="filter-max_duration" name="Talked, s at most">
            <input type="number" min={0} inputMode="decimal" {...field('max_duration')} />
          </Filter>
          <Filter id="filter-min_latency" name="Answers after, s at least">
            <input type="number" min={0} step={0.1} inputMode="decimal" {...field('min_latency')} />
          </Filter>
        </>
      )}
      </div>
      {isFiltered && (
        <div className="col-span-full">
          <Button
            small
            look="quiet"
            onClick={() => {
              setWords('')
              set(Object.fromEntries(Object.keys(search).map((name) => [name, undefined])))
            }}
          >
            <X aria-hidden /> Clear all filters
          </Button>
        </div>
      )}
    </form>
  )
}

function Filter({ id, name, children, className }: { id: string; name: string; children: React.ReactNode; className?: string }) {
  return (
    <div className={className}>
      <label htmlFor={id} className="mb-0.5 block text-[0.8125rem] text-dim">
        {name}
      </label>
      {children}
    </div>
  )
}

const COLUMNS: [string, (call: ListedCall) => unknown][] = [
  ['id', (call) => call.id],
  ['user_id', (call) => call.user_id],
  ['direction', (call) => call.direction],
  ['from', (call) => call.from],
  ['to', (call) => call.to],
  ['other_party', party],
  ['started_at', (call) => call.started_at],
  ['answered_at', (call) => call.answered_at],
  ['ended_at', (call) => call.ended_at],
  ['talk_seconds', (call) => (call.talk_ms == null ? '' : (call.talk_ms / 1_000).toFixed(1))],
  ['result', (call) => call.termination?.result],
  ['reason', (call) => call.termination?.reason],
  ['engine', (call) => call.engine],
  ['cost', (call) => call.cost?.total],
  ['currency', (call) => call.cost?.currency],
]

/** RFC 4180; what a spreadsheet would take for a formula is kept from being one. */
function csvField(value: unknown): string {
  const text = value === null || value === undefined ? '' : String(value)
  const harmless = /^[=+\-@\t\r]/.test(text) && !/^[+-]?\d+(\.\d+)?$/.test(text) ? `'${text}` : text
  return /[",\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless
}

function Export({ query, disabled }: { query: CallQuery; disabled: boolean }) {
  const [busy, setBusy] = useState(false)
  const go = async () => {
    setBusy(true)
    try {
      const rows: ListedCall[] = []
      let before: string | undefined
      do {
        const page = await callPage({ ...query, limit: 500 }, before)
        rows.push(...page.calls)
        before = page.next ?? undefined
      } while (before !== undefined && rows.length < MOST_EXPORTED)
      const lines = [COLUMNS.map(([name]) => name), ...rows.map((call) => COLUMNS.map(([, of]) => of(call)))]
      const text = lines.map((line) => line.map(csvField).join(',')).join('\r\n')
      const link = document.createElement('a')
      link.href = URL.createObjectURL(new Blob([text, '\r\n'], { type: 'text/csv;charset=utf-8' }))
      link.download = `calls-${new Date().toISOString().slice(0, 10)}.csv`
      link.click()
      URL.revokeObjectURL(link.href)
      say(
        before === undefined
          ? `${rows.length} ${rows.length === 1 ? 'call is' : 'calls are'} in the file.`
          : `The ${rows.length} newest calls are in the file; narrow the dates for the others.`,
      )
    } catch (error) {
      complain(error)
    }
    setBusy(false)
  }
  return (
    <Button onClick={() => void go()} busy={busy} disabled={disabled}>
      <Download aria-hidden /> Export CSV
    </Button>
  )
}
