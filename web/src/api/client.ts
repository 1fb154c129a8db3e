// The API, typed by openapi.json, and its problem documents (RFC 9457) as errors.
import createClient from 'openapi-fetch'
import type { FieldProblem, paths, Problem } from './schema'

declare const __ENDPOINTS__: string[]
const endpoints = new Set(__ENDPOINTS__)

/** Whether this server has an endpoint, as `GET /users/{user_id}/talk`, or `GET /calls?min_duration`. What is not there is not shown. */
export const has = (endpoint: string) => endpoints.has(endpoint)

/** The API said no, and why. */
export class ApiError extends Error {
  readonly status: number
  readonly fields: FieldProblem[]
  readonly title: string
  /** Of one who asks too often: how long to wait. */
  readonly retryAfterMs: number | undefined
  constructor(status: number, problem: Partial<Problem>, headers?: Headers) {
    super(problem.detail ?? problem.title ?? `The server answered ${status}`)
    this.status = status
    this.title = problem.title ?? 'That did not work'
    this.fields = problem.errors ?? []
    const seconds = Number(headers?.get('Retry-After') ?? NaN)
    this.retryAfterMs = Number.isFinite(seconds) ? seconds * 1_000 : undefined
  }
}

/** Nobody answered. */
export class AwayError extends Error {
  constructor() {
    super('The server does not answer.')
  }
}

let csrfToken: string | undefined
export const setCsrfToken = (token: string | undefined) => {
  csrfToken = token
}

const refused = new EventTarget()
/** Tells when a request came back with 401: the session is over. */
export const onSignedOut = (then: () => void) => {
  refused.addEventListener('401', then)
  return () => refused.removeEventListener('401', then)
}

async function send(request: Request): Promise<Response> {
  if (csrfToken !== undefined && request.method !== 'GET') request.headers.set('X-CSRF-Token', csrfToken)
  let response: Response
  try {
    response = await fetch(request)
  } catch (error) {
    if (request.signal.aborted) throw error
    throw new AwayError()
  }
  if (response.status === 401) refused.dispatchEvent(new Event('401'))
  return response
}

export const api = createClient<paths>({ baseUrl: location.origin, fetch: send })

type Outcome<T> = { data?: T; error?: unknown; response: Response }

/** The body of a success; a problem becomes an `ApiError`. */
export async function take<T>(outcome: Promise<Outcome<T>>): Promise<T> {
  const { data, error, response } = await outcome
  if (!response.ok) throw new ApiError(response.status, typeof error === 'object' && error !== null ? error : {}, response.headers)
  return data as T
}

/** For text and for what openapi.json does not type. */
export async function plain(method: string, path: string, body?: unknown): Promise<Response> {
  const init: RequestInit = { method }
  if (body !== undefined) Object.assign(init, { body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } })
  const response = await send(new Request(new URL(path, location.origin), init))
  if (!response.ok) {
    const problem: unknown = await response.json().catch(() => ({}))
    throw new ApiError(response.status, (problem ?? {}) as Partial<Problem>, response.headers)
  }
  return response
}

export const socketUrl = (path: string) => `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}${path}`
