// The calls that were, filtered by the server. The filters are in the address, so that a list can be sent to somebody.
import { useNavigate, useSearch } from '@tanstack/react-router'
import { keepPreviousData, useInfiniteQuery } from '@tanstack/react-query'
import { Download, X } from 'lucide-react'
import { useEffect, useState } from 'react'
import { has } from '../api/client'
import { callPage, keys } from '../api/queries'
import { useRights } from '../api/session'
import type { CallQuery } from '../api/types'
import type { CallSearch } from '../router'
import { Button, Card, cx, Empty, Heading, Trouble, Waiting } from '../ui/parts'
import { resultWords } from '../ui/words'
import { UserPicker } from '../users/picker'
import { CallRows } from './rows'

/** The address's filters in the API's words. */
export function asQuery(search: CallSearch): CallQuery {
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
          pages.hasNextPage ? (
            <Empty
              title="Not in the recent calls"
              action={
                <Button busy={pages.isFetchingNextPage} onClick={() => void pages.fetchNextPage()}>
                  Look further back
                </Button>
              }
            >
              What you look for is in older calls, if at all.
            </Empty>
          ) : isFiltered ? (
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
  const { operator } = useRights()
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
        {operator && (
          <Filter id="filter-user_id" name="User">
            <UserPicker id="filter-user_id" placeholder="all" value={search.user_id ?? ''} onPick={(user_id) => set({ user_id })} />
          </Filter>
        )}
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

/** All calls that fit, not only those that are shown: the server writes them as they are read. */
function Export({ query, disabled }: { query: CallQuery; disabled: boolean }) {
  if (disabled) return null
  const asked = new URLSearchParams(Object.entries(query).map(([name, value]) => [name, String(value)]))
  return (
    <Button asChild>
      <a href={`/calls?${asked}&format=csv`} download="calls.csv">
        <Download aria-hidden /> Export CSV
      </a>
    </Button>
  )
}
