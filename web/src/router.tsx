// Which screen is at which address. Screens are loaded when they are first gone to.
import { createRootRoute, createRoute, createRouter, lazyRouteComponent } from '@tanstack/react-router'
import { Overview } from './overview/overview'
import { Shell } from './shell/shell'
import { Empty, Heading, moved } from './ui/parts'

const text = (value: unknown) => (typeof value === 'string' && value !== '' ? value : typeof value === 'number' ? String(value) : undefined)
const tab = (search: Record<string, unknown>) => ({ tab: text(search.tab) })

const CALL_FILTERS = [
  'q',
  'user_id',
  'direction',
  'result',
  'from',
  'until',
  'min_duration',
  'max_duration',
  'min_latency',
] as const
export type CallSearch = Partial<Record<(typeof CALL_FILTERS)[number], string>>

const root = createRootRoute({
  component: Shell,
  notFoundComponent: () => (
    <>
      <Heading title="There is no such page" />
      <Empty title="The address leads nowhere">The menu leads to everything there is.</Empty>
    </>
  ),
})
const overview = createRoute({ getParentRoute: () => root, path: '/', component: Overview })
const users = createRoute({
  getParentRoute: () => root,
  path: '/users',
  validateSearch: (search: Record<string, unknown>): { q?: string; line?: string } => ({ q: text(search.q), line: text(search.line) }),
  component: lazyRouteComponent(() => import('./users/list'), 'UserList'),
})
const newUser = createRoute({
  getParentRoute: () => root,
  path: '/users/new',
  component: lazyRouteComponent(() => import('./users/new'), 'NewUser'),
})
const user = createRoute({
  getParentRoute: () => root,
  path: '/users/$id',
  validateSearch: (search: Record<string, unknown>): { tab?: string; party?: string } => ({ tab: text(search.tab), party: text(search.party) }),
  component: lazyRouteComponent(() => import('./users/user'), 'UserScreen'),
})
const calls = createRoute({
  getParentRoute: () => root,
  path: '/calls',
  validateSearch: (search: Record<string, unknown>): CallSearch =>
    Object.fromEntries(CALL_FILTERS.map((name) => [name, text(search[name])])),
  component: lazyRouteComponent(() => import('./calls/list'), 'CallList'),
})
const call = createRoute({
  getParentRoute: () => root,
  path: '/calls/$id',
  component: lazyRouteComponent(() => import('./calls/call'), 'CallScreen'),
})
const analytics = createRoute({
  getParentRoute: () => root,
  path: '/analytics',
  validateSearch: (search: Record<string, unknown>) => ({ user_id: text(search.user_id), range: text(search.range) }),
  component: lazyRouteComponent(() => import('./analytics/analytics'), 'Analytics'),
})
const settings = createRoute({
  getParentRoute: () => root,
  path: '/settings',
  validateSearch: tab,
  component: lazyRouteComponent(() => import('./settings/settings'), 'Settings'),
})

export const router = createRouter({
  routeTree: root.addChildren([overview, users, newUser, user, calls, call, analytics, settings]),
  basepath: '/dashboard',
  defaultPreload: 'intent',
  scrollRestoration: true,
})

router.subscribe('onBeforeNavigate', ({ fromLocation, pathChanged }) => {
  if (fromLocation && pathChanged) moved()
})

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router
  }
}
