import { readFileSync } from 'node:fs'
import tailwindcss from '@tailwindcss/vite'
import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

const openapi = JSON.parse(readFileSync(new URL('../openapi.json', import.meta.url), 'utf8')) as {
  paths: Record<string, Record<string, { parameters?: { in: string; name: string }[] }>>
}
const endpoints = Object.entries(openapi.paths).flatMap(([path, methods]) =>
  Object.entries(methods).flatMap(([method, { parameters }]) => {
    const endpoint = `${method.toUpperCase()} ${path}`
    return [endpoint, ...(parameters ?? []).filter((each) => each.in === 'query').map(({ name }) => `${endpoint}?${name}`)]
  }),
)

/** A running server for `npm run dev`: CALLIE=http://127.0.0.1:8080 */
const server = process.env.CALLIE ?? 'http://127.0.0.1:8080'
const api = ['/users', '/calls', '/events', '/admin', '/health', '/latency', '/presets', '/engines', '/openapi.json', '/session', '/keys', '/audit',
  '/analytics', '/metrics', '/recordings', '/login', '/oidc']

export default defineConfig({
  base: '/dashboard/',
  plugins: [react(), tailwindcss()],
  // What the server that this is embedded in can do.
  define: { __ENDPOINTS__: JSON.stringify(endpoints) },
  build: {
    outDir: 'dist/dashboard',
    emptyOutDir: true,
    // Data URLs are against the page's policy for scripts.
    assetsInlineLimit: 0,
    target: 'es2022',
    // The notices that go with what is shipped.
    license: { fileName: 'licenses.md' },
    modulePreload: { polyfill: false },
  },
  server: {
    proxy: Object.fromEntries(
      api.map((path) => [
        path,
        {
          target: server,
          changeOrigin: true,
          ws: true,
          // The server answers its own pages only; during development this one counts as such.
          headers: { origin: server },
        },
      ]),
    ),
  },
})
