import './app.css'
import { QueryClientProvider, useQuery } from '@tanstack/react-query'
import { RouterProvider } from '@tanstack/react-router'
import { StrictMode, useEffect } from 'react'
import { createRoot } from 'react-dom/client'
import { onSignedOut } from './api/client'
import { LiveFeed } from './api/live'
import { cache, session } from './api/session'
import { router } from './router'
import { Login } from './shell/login'
import { Waiting } from './ui/parts'

/** Either the door or the house. */
function Door() {
  const { data } = useQuery(session)
  useEffect(() => onSignedOut(() => void cache.invalidateQueries({ queryKey: session.queryKey })), [])
  if (!data) return <Waiting />
  if (data.authentication === 'required' && !data.identity) return <Login session={data} />
  return (
    <LiveFeed>
      <RouterProvider router={router} />
    </LiveFeed>
  )
}

const root = document.getElementById('root')
if (root) {
  createRoot(root).render(
    <StrictMode>
      <QueryClientProvider client={cache}>
        <Door />
      </QueryClientProvider>
    </StrictMode>,
  )
}
