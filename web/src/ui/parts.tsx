// The small parts that all screens are made of.
import { type ComponentProps, type ReactNode, useEffect, useId, useRef, useState } from 'react'
import { Slot } from 'radix-ui'
import { ApiError, AwayError } from '../api/client'

export const cx = (...names: (string | false | null | undefined)[]) => names.filter(Boolean).join(' ')

type ButtonLook = 'main' | 'plain' | 'quiet' | 'danger'
const looks: Record<ButtonLook, string> = {
  main: 'bg-accent text-on-accent border-transparent hover:brightness-110',
  plain: 'bg-card border-line-strong hover:border-dim',
  quiet: 'border-transparent hover:bg-sunk text-dim hover:text-ink',
  danger: 'bg-card border-line-strong text-bad hover:border-bad',
}

export function Button({
  look = 'plain',
  small,
  busy,
  asChild,
  className,
  disabled,
  ...props
}: ComponentProps<'button'> & { look?: ButtonLook; small?: boolean; busy?: boolean; asChild?: boolean }) {
  const Element = asChild ? Slot.Root : 'button'
  return (
    <Element
      {...(asChild ? {} : { type: 'button' as const, disabled: disabled || busy, 'aria-busy': busy || undefined })}
      className={cx(
        'inline-flex items-center justify-center gap-1.5 rounded-lg border font-medium whitespace-nowrap transition-[filter,border-color,background-color] disabled:opacity-55 [&_svg]:size-4',
        small ? 'min-h-8 px-2.5 py-1 text-[0.8125rem]' : 'min-h-9 px-3.5 py-1.5 text-sm',
        looks[look],
        className,
      )}
      {...props}
    />
  )
}

export type Tone = 'ok' | 'warn' | 'bad' | 'info' | 'mute'
const tones: Record<Tone, string> = {
  ok: 'bg-ok-soft text-ok',
  warn: 'bg-warn-soft text-warn',
  bad: 'bg-bad-soft text-bad',
  info: 'bg-caller-soft text-caller',
  mute: 'bg-sunk text-dim',
}
/** Never by colour alone: the mark has another shape for each tone. */
const marks: Record<Tone, string> = { ok: '●', warn: '▲', bad: '■', info: '◌', mute: '○' }

export function Badge({ tone, children, title }: { tone: Tone; children: ReactNode; title?: string }) {
  return (
    <span
      title={title}
      className={cx('inline-flex items-center gap-1.5 rounded-full px-2 py-0.5 align-top text-xs font-medium whitespace-nowrap', tones[tone])}
    >
      <span aria-hidden className="text-[0.5rem] leading-none">
        {marks[tone]}
      </span>
      {children}
    </span>
  )
}

export function Card({
  title,
  actions,
  children,
  flush,
  className,
  note,
}: {
  title?: ReactNode
  note?: ReactNode
  actions?: ReactNode
  children: ReactNode
  flush?: boolean
  className?: string
}) {
  const id = useId()
  return (
    <section aria-labelledby={title ? id : undefined} className={cx('min-w-0 rounded-xl border border-line bg-card', className)}>
      {title && (
        <header className="flex min-h-12 flex-wrap items-center justify-between gap-x-4 gap-y-1 px-4 pt-2.5 pb-2">
          <div className="min-w-0 flex-1 basis-40 sm:basis-64">
            <h2 id={id} className="text-[0.9375rem] font-semibold">
              {title}
            </h2>
            {note && <p className="text-[0.8125rem] text-dim">{note}</p>}
          </div>
          {actions && <div className="flex flex-wrap items-center gap-2">{actions}</div>}
        </header>
      )}
      <div className={flush ? 'border-t border-line' : cx('px-4 pb-4', !title && 'pt-4')}>{children}</div>
    </section>
  )
}

let hasMoved = false
/** From now on somebody goes from screen to screen. */
export const moved = () => {
  hasMoved = true
}

/** A screen's heading. It takes the focus when the screen changes, so that a screen reader says where one is. */
export function Heading({ title, above, actions, children }: { title: string; above?: ReactNode; actions?: ReactNode; children?: ReactNode }) {
  const heading = useRef<HTMLHeadingElement>(null)
  useEffect(() => {
    document.title = `${title} · Callie`
  }, [title])
  useEffect(() => {
    if (hasMoved) heading.current?.focus({ preventScroll: true })
  }, [])
  return (
    <header className="mb-5 flex flex-wrap items-end justify-between gap-x-6 gap-y-3">
      <div className="min-w-0">
        {above && <div className="mb-0.5 text-[0.8125rem] text-dim">{above}</div>}
        <h1 ref={heading} tabIndex={-1} className="text-[1.625rem] leading-tight font-semibold tracking-[-0.02em] wrap-anywhere">
          {title}
        </h1>
        {children}
      </div>
      {actions && <div className="flex flex-wrap items-center gap-2">{actions}</div>}
    </header>
  )
}

/** Nothing here yet: what it would be, and what to do. */
export function Empty({ title, children, action }: { title: string; children?: ReactNode; action?: ReactNode }) {
  return (
    <div className="flex flex-col items-center gap-1.5 px-6 py-9 text-center">
      <p className="font-medium">{title}</p>
      {children && <div className="max-w-prose text-sm text-dim">{children}</div>}
      {action && <div className="mt-2.5">{action}</div>}
    </div>
  )
}

/** A screen of its own for what is not there, or is not for whoever asks: the server does not say which. */
export function Missing({ what, error, children }: { what: string; error: unknown; children: ReactNode }) {
  const isRefused = error instanceof ApiError && error.status === 403
  return (
    <>
      <Heading title={isRefused ? 'This is not for you' : `There is no such ${what}`} />
      <Card>
        <Empty title={isRefused ? 'Your role does not allow it' : `Either there is none of this name, or it is not yours to see`} action={children}>
          {error instanceof Error && error.message}
        </Empty>
      </Card>
    </>
  )
}
export const isMissing = (error: unknown) => error instanceof ApiError && (error.status === 404 || error.status === 403)

/** Of a query that has nothing yet. While the server is away the banner says so, and old data stays. */
export function Trouble({ error, retry }: { error: unknown; retry?: () => void }) {
  if (error instanceof AwayError) return <Waiting />
  const title = error instanceof ApiError ? error.title : 'That did not work'
  return (
    <div role="alert" className="m-4 rounded-lg bg-bad-soft px-4 py-3 text-sm">
      <p className="font-medium text-bad">{title}</p>
      <p>{error instanceof Error ? error.message : String(error)}</p>
      {retry && (
        <Button small className="mt-2" onClick={retry}>
          Try again
        </Button>
      )}
    </div>
  )
}

/** Shown only when it takes long enough to be noticed. */
export function Waiting({ rows = 3 }: { rows?: number }) {
  const [shown, show] = useState(false)
  useEffect(() => {
    const timer = setTimeout(() => show(true), 250)
    return () => clearTimeout(timer)
  }, [])
  return (
    <div role="status" aria-label="Loading" className={cx('space-y-2.5 p-4 transition-opacity', shown ? 'opacity-100' : 'opacity-0')}>
      {Array.from({ length: rows }, (_, row) => (
        <div key={row} className="h-4 rounded bg-sunk" style={{ width: `${85 - row * 17}%` }} />
      ))}
    </div>
  )
}

/** Names and values. */
export function Facts({ children, wide }: { children: ReactNode; wide?: boolean }) {
  return (
    <dl className={cx('grid gap-x-6 gap-y-2.5 text-sm', wide ? 'sm:grid-cols-2 xl:grid-cols-3' : 'grid-cols-1')}>{children}</dl>
  )
}
export function Fact({ name, children, mono }: { name: string; children: ReactNode; mono?: boolean }) {
  if (children === null || children === undefined || children === '' || children === false) return null
  return (
    <div className="min-w-0">
      <dt className="text-[0.8125rem] text-dim">{name}</dt>
      <dd className={cx('num break-words', mono && 'font-mono text-[0.8125rem]')}>{children}</dd>
    </div>
  )
}

/** A table that scrolls by itself where the screen is narrow; the region takes the focus so that keys scroll it, too. */
export function Table({
  label,
  head,
  narrow,
  wide,
  children,
}: {
  label: string
  head: ReactNode[]
  /** Columns that a telephone shows; all of them when left out. */
  narrow?: number[]
  /** A column for which only a wide place has room. */
  wide?: number
  children: ReactNode
}) {
  return (
    <div className="@container overflow-x-auto" tabIndex={0} role="region" aria-label={label}>
      <table className="w-full text-sm">
        <thead>
          <tr className="border-b border-line text-left text-[0.8125rem] text-dim">
            {head.map((cell, column) => (
              <th
                key={column}
                scope="col"
                className={cx('px-4 py-2 font-medium whitespace-nowrap max-sm:px-3', narrow && !narrow.includes(column) && 'max-sm:hidden', column === wide && '@max-3xl:hidden')}
              >
                {cell}
              </th>
            ))}
          </tr>
        </thead>
        <tbody className="divide-y divide-line">{children}</tbody>
      </table>
    </div>
  )
}
export const Cell = ({ className, ...props }: ComponentProps<'td'>) => <td className={cx('px-4 py-2 align-top max-sm:px-3', className)} {...props} />

/** The next page of a list that is read page by page, where there is one. */
export function More({ pages }: { pages: { hasNextPage: boolean; isFetchingNextPage: boolean; fetchNextPage: () => unknown } }) {
  if (!pages.hasNextPage) return null
  return (
    <div className="border-t border-line px-4 py-2.5">
      <Button small busy={pages.isFetchingNextPage} onClick={() => void pages.fetchNextPage()}>
        Show more
      </Button>
    </div>
  )
}

export function Figure({ name, children, note, tone }: { name: string; children: ReactNode; note?: ReactNode; tone?: Tone }) {
  return (
    <div className="min-w-0 rounded-xl border border-line bg-card px-4 py-3">
      <div className="text-[0.8125rem] text-dim">{name}</div>
      <div
        data-testid={`figure-${name}`}
        className={cx('num mt-0.5 text-2xl font-semibold tracking-tight', tone === 'bad' && 'text-bad', tone === 'warn' && 'text-warn')}
      >
        {children}
      </div>
      {note && <div className="mt-0.5 text-[0.8125rem] text-dim">{note}</div>}
    </div>
  )
}
