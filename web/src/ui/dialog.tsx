// Dialogs: the browser's own, which keeps the focus inside, closes on Escape and gives the focus back.
import { type ReactNode, useEffect, useId, useRef, useState } from 'react'
import { X } from 'lucide-react'
import { Button } from './parts'
import { ApiError } from '../api/client'

export function Dialog({ title, children, onClose, wide }: { title: string; children: ReactNode; onClose: () => void; wide?: boolean }) {
  const element = useRef<HTMLDialogElement>(null)
  const id = useId()
  useEffect(() => {
    const dialog = element.current
    if (dialog && !dialog.open) dialog.showModal()
  }, [])
  return (
    <dialog
      ref={element}
      aria-labelledby={id}
      onClose={onClose}
      onClick={(event) => event.target === element.current && element.current?.close()}
      className={`w-[min(92vw,${wide ? '46rem' : '30rem'})] rounded-2xl border border-line bg-raised p-0 shadow-2xl`}
      style={{ maxWidth: wide ? '46rem' : '30rem', width: '92vw' }}
    >
      <div className="p-5">
        <div className="mb-3 flex items-start justify-between gap-4">
          <h2 id={id} className="text-lg font-semibold">
            {title}
          </h2>
          <Button look="quiet" small aria-label="Close" className="-mt-1 -mr-2 px-1.5" onClick={() => element.current?.close()}>
            <X aria-hidden />
          </Button>
        </div>
        {children}
      </div>
    </dialog>
  )
}

/** Asks before something is done that cannot be taken back; says what went wrong, in place. */
export function Confirm({
  title,
  children,
  verb,
  danger = true,
  wide,
  act,
  onClose,
}: {
  title: string
  children: ReactNode
  verb: string
  danger?: boolean
  wide?: boolean
  act: () => Promise<unknown>
  onClose: () => void
}) {
  const [busy, setBusy] = useState(false)
  const [trouble, setTrouble] = useState<string>()
  const go = async () => {
    setBusy(true)
    try {
      await act()
      onClose()
    } catch (error) {
      setTrouble(error instanceof ApiError ? error.message : String(error))
      setBusy(false)
    }
  }
  return (
    <Dialog title={title} onClose={onClose} wide={wide}>
      <div className="space-y-2 text-sm text-dim">{children}</div>
      {trouble && (
        <p role="alert" className="mt-3 text-sm text-bad">
          {trouble}
        </p>
      )}
      <div className="mt-5 flex justify-end gap-2">
        <Button onClick={onClose}>Cancel</Button>
        <Button look={danger ? 'danger' : 'main'} busy={busy} onClick={() => void go()}>
          {verb}
        </Button>
      </div>
    </Dialog>
  )
}
