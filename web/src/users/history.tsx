// What the user's document was. A version is looked at, and brought back by sending it as a change: secrets stay as they are.
import { useInfiniteQuery, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { api, plain, take } from '../api/client'
import { keys } from '../api/queries'
import type { UserDocument } from '../api/schema'
import { Confirm, Dialog } from '../ui/dialog'
import { Badge, Button, Card, Cell, Empty, More, Table, Trouble, Waiting } from '../ui/parts'
import { When } from '../ui/time'
import { say } from '../ui/toast'
import { type Difference, differences } from './diff'

interface Version {
  version: number
  seen_at: string
  current: boolean
  changed?: string[] | null
}

export function History({ user }: { user: UserDocument }) {
  const path = `/users/${encodeURIComponent(user.user_id)}/versions`
  const cache = useQueryClient()
  const [shown, setShown] = useState<number>()
  const [wanted, setWanted] = useState<number>()
  const pages = useInfiniteQuery({
    queryKey: [...keys.user(user.user_id), 'versions', user.revision],
    queryFn: async ({ pageParam }) =>
      (await (await plain('GET', pageParam ? `${path}?before=${pageParam}` : path)).json()) as { versions: Version[]; next: number | null },
    initialPageParam: null as number | null,
    getNextPageParam: (page) => page.next,
    // A version is written down a moment after the change that made it.
    refetchInterval: ({ state }) => (state.dataUpdateCount > 10 || state.data?.pages[0]?.versions.some(({ version }) => version >= user.revision) ? false : 500),
  })
  const list = pages.data?.pages.flatMap((page) => page.versions)
  return (
    <Card title="History" note="The last versions of the settings. Each call names the one it ran with." flush>
      {!list ? (
        pages.error ? <Trouble error={pages.error} /> : <Waiting />
      ) : list.length === 0 ? (
        <Empty title="No version is kept yet" />
      ) : (
        <Table label="Versions" head={['Version', 'Since', 'What changed', '']}>
          {list.map((version) => (
            <tr key={version.version}>
              <Cell className="num whitespace-nowrap">
                {version.version} {version.current && <Badge tone="ok">Now</Badge>}
              </Cell>
              <Cell>
                <When at={version.seen_at} />
              </Cell>
              <Cell className="font-mono text-xs break-words">{version.changed ? version.changed.join(', ') || 'nothing that is shown' : 'the oldest that is kept'}</Cell>
              <Cell className="text-right whitespace-nowrap">
                <Button small onClick={() => setShown(version.version)}>
                  Look
                </Button>{' '}
                {!version.current && (
                  <Button small onClick={() => setWanted(version.version)}>
                    Bring back
                  </Button>
                )}
              </Cell>
            </tr>
          ))}
        </Table>
      )}
      <More pages={pages} />
      {shown !== undefined && <Look path={path} version={shown} onClose={() => setShown(undefined)} />}
      {wanted !== undefined && (
        <BringBack
          path={path}
          version={wanted}
          current={list?.find((each) => each.current)?.version}
          onClose={() => setWanted(undefined)}
          act={async (document) => {
            const changed = await take(
              api.PUT('/users/{user_id}', {
                params: { path: { user_id: user.user_id }, header: { 'If-Match': `"${user.revision}"` } },
                body: document as never,
              }),
            )
            say(`The settings are those of version ${wanted} again.`)
            cache.setQueryData(keys.user(user.user_id), changed)
          }}
        />
      )}
    </Card>
  )
}

function Look({ path, version, onClose }: { path: string; version: number; onClose: () => void }) {
  const query = useQuery(documentOf(path, version))
  return (
    <Dialog title={`Version ${version}`} onClose={onClose} wide>
      {query.data ? (
        <pre tabIndex={0} className="max-h-[60dvh] overflow-auto rounded-lg bg-sunk p-3 font-mono text-xs">
          {JSON.stringify(query.data, null, 2)}
        </pre>
      ) : query.error ? (
        <Trouble error={query.error} />
      ) : (
        <Waiting />
      )}
    </Dialog>
  )
}

const documentOf = (path: string, version: number) => ({
  queryKey: [path, version],
  queryFn: async () => ((await (await plain('GET', `${path}/${version}`)).json()) as { document: unknown }).document,
  staleTime: Infinity,
})

/** Says what becomes otherwise before it does. */
function BringBack({ path, version, current, act, onClose }: { path: string; version: number; current: number | undefined; act: (document: unknown) => Promise<void>; onClose: () => void }) {
  const wanted = useQuery(documentOf(path, version))
  const now = useQuery({ ...documentOf(path, current ?? version), enabled: current !== undefined })
  const error = wanted.error ?? now.error
  if (error || !wanted.data || !now.data) {
    return (
      <Dialog title={`Bring version ${version} back?`} onClose={onClose}>
        {error ? <Trouble error={error} /> : <Waiting />}
      </Dialog>
    )
  }
  const found = differences(now.data, wanted.data)
  return (
    <Confirm title={`Bring version ${version} back?`} verb="Bring it back" danger={false} wide onClose={onClose} act={() => act(wanted.data)}>
      {found.length === 0 ? <p>Nothing that is shown is otherwise than now; a secret may have been.</p> : <Changes found={found} />}
      <p>Passwords and other secrets stay as they are. Calls that are up go on with what they have.</p>
    </Confirm>
  )
}

function Changes({ found }: { found: Difference[] }) {
  return (
    <div className="max-h-[50dvh] overflow-auto rounded-lg border border-line" tabIndex={0} role="region" aria-label="What changes">
      <table className="w-full table-fixed text-left text-sm">
        <thead className="max-sm:sr-only">
          <tr className="border-b border-line text-[0.8125rem] text-dim">
            <th scope="col" className="w-[28%] px-3 py-1.5 font-medium">
              Setting
            </th>
            <th scope="col" className="px-3 py-1.5 font-medium">
              Now
            </th>
            <th scope="col" className="px-3 py-1.5 font-medium">
              Then
            </th>
          </tr>
        </thead>
        <tbody className="divide-y divide-line">
          {found.map(({ path, before, after }) => (
            <tr key={path} className="align-top max-sm:block max-sm:py-1.5">
              <th scope="row" className="px-3 py-1.5 font-mono text-xs font-normal wrap-anywhere text-ink max-sm:block max-sm:pb-0">
                {path}
              </th>
              <td className="px-3 py-1.5 text-bad max-sm:block max-sm:py-0.5">
                <span aria-hidden className="text-dim sm:hidden">now </span>
                {shownValue(before)}
              </td>
              <td className="px-3 py-1.5 text-ok max-sm:block max-sm:py-0.5">
                <span aria-hidden className="text-dim sm:hidden">then </span>
                {shownValue(after)}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

function shownValue(text: string | undefined) {
  if (text === undefined || text === 'null') return '–'
  if (text === '') return '(empty)'
  const isList = /^[[{]/.test(text)
  return <span className={isList ? 'font-mono text-xs whitespace-pre-wrap wrap-anywhere' : 'whitespace-pre-wrap wrap-anywhere'}>{isList ? pretty(text) : text}</span>
}

function pretty(text: string) {
  try {
    return JSON.stringify(JSON.parse(text), null, 1)
  } catch {
    return text
  }
}
