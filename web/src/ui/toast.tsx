// A word about what was done, said to screen readers too; gone by itself, except when it is about a failure.
import { useSyncExternalStore } from 'react'
import { CircleAlert, CircleCheck, X } from 'lucide-react'

interface Toast {
  id: number
  text: string
  failed: boolean
}
let toasts: Toast[] = []
let last = 0
const readers = new Set<() => void>()
const publish = (next: Toast[]) => {
  toasts = next
  for (const reader of readers) reader()
}
const dismiss = (id: number) => publish(toasts.filter((toast) => toast.id !== id))

export function say(text: string) {
  const id = ++last
  publish([...toasts.slice(-2), { id, text, failed: false }])
  setTimeout(() => dismiss(id), 4_000)
}
export function complain(error: unknown) {
  publish([...toasts.slice(-2), { id: ++last, text: error instanceof Error ? error.message : String(error), failed: true }])
}

export function Toasts() {
  const list = useSyncExternalStore(
    (reader) => {
      readers.add(reader)
      return () => readers.delete(reader)
    },
    () => toasts,
  )
  return (
    <div
      aria-live="polite"
      className="pointer-events-none fixed inset-x-0 bottom-16 z-40 flex flex-col items-center gap-2 px-4 sm:bottom-6"
    >
      {list.map((toast) => (
        <div
          key={toast.id}
          className="pointer-events-auto flex max-w-xl items-start gap-2.5 rounded-xl border border-line bg-raised px-3.5 py-2.5 text-sm shadow-lg"
        >
          {toast.failed ? (
            <CircleAlert aria-hidden className="mt-0.5 size-4 shrink-0 text-bad" />
          ) : (
            <CircleCheck aria-hidden className="mt-0.5 size-4 shrink-0 text-ok" />
          )}
          <span>{toast.text}</span>
          <button type="button" aria-label="Dismiss" className="-mr-1 p-0.5 text-dim hover:text-ink" onClick={() => dismiss(toast.id)}>
            <X aria-hidden className="size-4" />
          </button>
        </div>
      ))}
    </div>
  )
}
