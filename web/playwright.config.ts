import { defineConfig } from '@playwright/test'

/** Debian's Chromium; the tests fetch no browser. */
export const chromium = process.env.CHROMIUM ?? '/usr/bin/chromium'
/** A container's root has no sandbox to be in. */
export const sandbox = process.getuid?.() === 0 ? ['--no-sandbox'] : []

export default defineConfig({
  testDir: 'tests',
  globalSetup: './tests/world.ts',
  reporter: [['./tests/reporter.ts']],
  // One world, one browser: the tests share the demo's lines, and two cores.
  workers: 1,
  fullyParallel: false,
  timeout: 90_000,
  expect: { timeout: 15_000 },
  use: {
    viewport: { width: 1280, height: 860 },
    locale: 'en-GB',
    launchOptions: { executablePath: chromium, args: sandbox },
    trace: process.env.TRACE ? 'retain-on-failure' : 'off',
  },
})
