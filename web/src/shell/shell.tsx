// What is around every screen: navigation, theme, the word about a server that is away.
import { Link, Outlet } from '@tanstack/react-router'
import { useQuery } from '@tanstack/react-query'
import { ChartNoAxesColumn, LayoutDashboard, LogOut, type LucideIcon, Moon, Phone, Settings, Sun, SunMoon, Users } from 'lucide-react'
import { useState } from 'react'
import { has } from '../api/client'
import { useLink } from '../api/live'
import { active } from '../api/queries'
import { signOut, useSession } from '../api/session'
import { cx } from '../ui/parts'
import { Toasts } from '../ui/toast'

interface Place {
  to: '/' | '/calls' | '/users' | '/analytics' | '/settings'
  name: string
  icon: LucideIcon
}
const places: Place[] = [
  { to: '/', name: 'Overview', icon: LayoutDashboard },
  { to: '/calls', name: 'Calls', icon: Phone },
  { to: '/users', name: 'Users', icon: Users },
  ...(has('GET /analytics') ? [{ to: '/analytics' as const, name: 'Analytics', icon: ChartNoAxesColumn }] : []),
  { to: '/settings', name: 'Settings', icon: Settings },
]

export function Shell() {
  return (
    <div className="min-h-dvh md:grid md:grid-cols-[13.5rem_minmax(0,1fr)]">
      <a
        href="#main"
        className="sr-only z-50 rounded-lg bg-accent px-4 py-2 text-on-accent focus:not-sr-only focus:fixed focus:top-3 focus:left-3"
        onClick={(event) => {
          event.preventDefault()
          document.getElementById('main')?.focus()
        }}
      >
        Skip to the content
      </a>
      <Sidebar />
      <div className="min-w-0 pb-20 md:pb-10">
        <Away />
        <main id="main" tabIndex={-1} className="mx-auto max-w-[80rem] px-4 py-5 sm:px-7 sm:py-7">
          <Outlet />
        </main>
      </div>
      <BottomBar />
      <Toasts />
    </div>
  )
}

function Mark() {
  return (
    <Link to="/" className="flex items-center gap-2.5 text-[1.0625rem] font-semibold tracking-tight" aria-label="Callie, overview">
      <svg viewBox="0 0 32 32" aria-hidden className="size-7">
        <rect width="32" height="32" rx="9" className="fill-accent" />
        <g className="fill-on-accent">
          <rect x="6" y="13" width="3" height="6" rx="1.5" />
          <rect x="11.3" y="9" width="3" height="14" rx="1.5" />
          <rect x="16.6" y="6" width="3" height="20" rx="1.5" />
          <rect x="21.9" y="11" width="3" height="10" rx="1.5" />
        </g>
      </svg>
      Callie
    </Link>
  )
}

function Sidebar() {
  return (
    <div className="flex items-center justify-between border-b border-line px-4 py-2.5 md:sticky md:top-0 md:h-dvh md:flex-col md:items-stretch md:justify-start md:border-r md:border-b-0 md:px-3.5 md:py-5">
      <div className="md:mb-6 md:px-2">
        <Mark />
      </div>
      <nav aria-label="Main" className="hidden flex-col gap-0.5 md:flex">
        {places.map((place) => (
          <PlaceLink key={place.to} place={place} />
        ))}
      </nav>
      <div className="flex items-center gap-1 md:mt-auto md:flex-col md:items-stretch md:gap-2">
        <Identity />
        <ThemeSwitch />
      </div>
    </div>
  )
}

function PlaceLink({ place }: { place: Place }) {
  const Icon = place.icon
  return (
    <Link
      to={place.to}
      activeOptions={{ exact: place.to === '/', includeSearch: false }}
      className="flex items-center gap-2.5 rounded-lg px-2.5 py-1.5 text-sm font-medium text-dim hover:bg-sunk hover:text-ink aria-[current=page]:bg-accent-soft aria-[current=page]:text-accent"
    >
      <Icon aria-hidden className="size-[1.125rem]" />
      {place.name}
      {place.to === '/calls' && <CallsNow />}
    </Link>
  )
}

function CallsNow() {
  const { data } = useQuery(active)
  if (!data?.length) return null
  return (
    <span className="num ml-auto rounded-full bg-accent px-1.5 text-xs leading-5 text-on-accent">
      {data.length}
      <span className="sr-only"> now</span>
    </span>
  )
}

function BottomBar() {
  return (
    <nav
      aria-label="Main, at the bottom"
      className="fixed inset-x-0 bottom-0 z-30 flex border-t border-line bg-card pb-[env(safe-area-inset-bottom)] md:hidden"
    >
      {places.map(({ to, name, icon: Icon }) => (
        <Link
          key={to}
          to={to}
          activeOptions={{ exact: to === '/', includeSearch: false }}
          className="flex min-h-14 flex-1 flex-col items-center justify-center gap-0.5 text-2xs font-medium text-dim aria-[current=page]:text-accent"
        >
          <Icon aria-hidden className="size-5" />
          {name}
        </Link>
      ))}
    </nav>
  )
}

const themes = ['system', 'light', 'dark'] as const
type Theme = (typeof themes)[number]
const themeIcons: Record<Theme, LucideIcon> = { system: SunMoon, light: Sun, dark: Moon }

function ThemeSwitch() {
  const [theme, setTheme] = useState<Theme>(() => (document.documentElement.dataset.theme as Theme | undefined) ?? 'system')
  const choose = (next: Theme) => {
    setTheme(next)
    try {
      if (next === 'system') localStorage.removeItem('callie.theme')
      else localStorage.setItem('callie.theme', next)
    } catch {
      // It lasts until the page is left, then.
    }
    if (next === 'system') delete document.documentElement.dataset.theme
    else document.documentElement.dataset.theme = next
  }
  return (
    <div role="radiogroup" aria-label="Theme" className="flex gap-0.5 rounded-lg border border-line p-0.5 md:self-start">
      {themes.map((each) => {
        const Icon = themeIcons[each]
        return (
          <button
            key={each}
            type="button"
            role="radio"
            aria-checked={theme === each}
            aria-label={`Theme: ${each}`}
            title={`Theme: ${each}`}
            tabIndex={theme === each ? 0 : -1}
            onClick={() => choose(each)}
            onKeyDown={(event) => {
              const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key]
              if (step === undefined) return
              event.preventDefault()
              const next = themes[(themes.indexOf(theme) + step + themes.length) % themes.length] ?? 'system'
              choose(next)
              event.currentTarget.parentElement?.querySelector<HTMLElement>(`[aria-label="Theme: ${next}"]`)?.focus()
            }}
            className={cx('rounded-md p-1.5', theme === each ? 'bg-sunk text-ink' : 'text-dim hover:text-ink')}
          >
            <Icon aria-hidden className="size-4" />
          </button>
        )
      })}
    </div>
  )
}

function Identity() {
  const session = useSession()
  if (!session.identity || session.authentication === 'open') return null
  return (
    <div className="flex items-center gap-1 text-sm md:justify-between md:px-2">
      <span className="hidden min-w-0 md:block">
        <span className="block truncate font-medium">{session.identity.name}</span>
        <span className="block text-xs text-dim">{session.identity.role}</span>
      </span>
      <button type="button" aria-label="Log out" title="Log out" className="rounded-md p-1.5 text-dim hover:text-ink" onClick={() => void signOut()}>
        <LogOut aria-hidden className="size-4" />
      </button>
    </div>
  )
}

function Away() {
  const link = useLink()
  return (
    <div role="status" aria-live="polite" className="sticky top-0 z-20">
      {link === 'away' && (
        <div className="flex items-center justify-center gap-2.5 border-b border-warn/30 bg-warn-soft px-4 py-2 text-sm font-medium text-warn">
          <span aria-hidden className="size-2 animate-pulse rounded-full bg-warn" />
          The server is away; trying again. What you see is what it said last.
        </div>
      )}
    </div>
  )
}
