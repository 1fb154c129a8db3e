// What the user's document was. A version is looked at, and brought back by sending it as a change: secrets stay as they are.
import { useInfiniteQuery, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { plain } from '../api/client'
import { keys } from '../api/queries'
import type { UserDocument } from '../api/schema'
import { Confirm, Dialog } from '../ui/dialog'
import { Badge, Button, Card, Cell, Empty, More, Table, Trouble, Waiting } from '../ui/parts'
import { When } from '../ui/time'
import { say } from '../ui/toast'

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
        <Confirm
          title={`Bring version ${wanted} back?`}
          verb="Bring it back"
          danger={false}
          onClose={() => setWanted(undefined)}
          act={async () => {
            const { document } = (await (await plain('GET', `${path}/${wanted}`)).json()) as { document: unknown }
            await plain('PUT', `/users/${encodeURIComponent(user.user_id)}`, document)
            say(`The settings are those of version ${wanted} again.`)
            await cache.invalidateQueries({ queryKey: keys.user(user.user_id) })
          }}
        >
          <p>The settings become what they were; passwords and other secrets stay as they are. Calls that are up go on with what they have.</p>
        </Confirm>
      )}
    </Card>
  )
}

function Look({ path, version, onClose }: { path: string; version: number; onClose: () => void }) {
  const query = useQuery({
    queryKey: [path, version],
    queryFn: async () => ((await (await plain('GET', `${path}/${version}`)).json()) as { document: unknown }).document,
  })
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
