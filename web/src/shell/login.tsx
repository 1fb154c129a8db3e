// The door: an API key, or the login of the organisation.
import { useState } from 'react'
import { ApiError } from '../api/client'
import { signIn, type Session } from '../api/session'
import { Button } from '../ui/parts'

export function Login({ session, trouble: refusal }: { session: Session; trouble: string | undefined }) {
  const [key, setKey] = useState('')
  const [busy, setBusy] = useState(false)
  const [trouble, setTrouble] = useState(refusal)
  const oidc = session.login.oidc
  const submit = async () => {
    setBusy(true)
    setTrouble(undefined)
    try {
      await signIn(key.trim())
    } catch (error) {
      setTrouble(error instanceof ApiError && error.status === 401 ? 'This key is not known, or it has expired.' : String((error as Error).message))
      setBusy(false)
    }
  }
  return (
    <main className="grid min-h-dvh place-items-center p-4">
      <div className="w-full max-w-sm rounded-2xl border border-line bg-card p-6">
        <img src="/dashboard/favicon.svg" alt="" className="mb-4 size-10" />
        <h1 className="text-xl font-semibold">Log in to Callie</h1>
        <p className="mt-1 mb-5 text-sm text-dim">With an API key: an admin makes them in the settings, or <code className="font-mono text-xs">callie api-keys add</code> on the server.</p>
        {oidc && (
          <Button look="main" className="mb-5 w-full" asChild>
            <a href={oidc.url}>Log in with {oidc.name}</a>
          </Button>
        )}
        {session.login.key && (
          <form
            onSubmit={(event) => {
              event.preventDefault()
              void submit()
            }}
          >
            <label htmlFor="key" className="mb-1 block text-sm font-medium">
              API key
            </label>
            <input
              id="key"
              type="password"
              autoComplete="current-password"
              className="field font-mono"
              value={key}
              autoFocus
              aria-invalid={trouble !== undefined}
              aria-describedby={trouble ? 'key-trouble' : undefined}
              onChange={(event) => setKey(event.target.value)}
            />
            {trouble && (
              <p id="key-trouble" role="alert" className="mt-1 text-sm text-bad">
                {trouble}
              </p>
            )}
            <Button type="submit" look={oidc ? 'plain' : 'main'} className="mt-4 w-full" busy={busy} disabled={key.trim() === ''}>
              Log in
            </Button>
          </form>
        )}
      </div>
    </main>
  )
}
