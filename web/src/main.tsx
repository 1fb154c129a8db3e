// Where the dashboard begins: who is there decides between the sign-in and the screens.
import './app.css'
import { QueryClientProvider, useQuery } from '@tanstack/react-query'
import { RouterProvider } from '@tanstack/react-router'
import { StrictMode, useEffect } from 'react'
import { createRoot } from 'react-dom/client'
import { onSignedOut } from './api/client'
import { LiveFeed } from './api/live'
import { cache, firstRun, session } from './api/session'
import { router } from './router'
import { Login } from './shell/login'
import { Waiting } from './ui/parts'

/** Either the door or the house. */
function Door({ refusal }: { refusal: string | undefined }) {
  const { data } = useQuery(session)
  useEffect(() => onSignedOut(() => void cache.invalidateQueries({ queryKey: session.queryKey })), [])
  if (!data) return <Waiting />
  if (data.authentication === 'required' && !data.identity) return <Login session={data} trouble={refusal} />
  return (
    <LiveFeed>
      <RouterProvider router={router} />
    </LiveFeed>
  )
}

const root = document.getElementById('root')
if (root) {
  const refusal = await firstRun()
  createRoot(root).render(
    <StrictMode>
      <QueryClientProvider client={cache}>
        <Door refusal={refusal} />
      </QueryClientProvider>
    </StrictMode>,
  )
}
