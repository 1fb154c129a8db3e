// Lines as Cargo's tests have them, so that scripts/test counts these tests with the others.
import type { FullConfig, FullResult, Reporter, Suite, TestCase, TestResult } from '@playwright/test/reporter'

export default class Lines implements Reporter {
  private passed = 0
  private failed = 0
  private skipped = 0

  onBegin(_config: FullConfig, suite: Suite) {
    console.log(`running ${suite.allTests().length} tests in the browser`)
  }

  onTestEnd(test: TestCase, result: TestResult) {
    const name = test.titlePath().filter(Boolean).slice(1).join(' › ')
    if (result.status === 'skipped') {
      this.skipped++
      console.log(`test ${name} ... ignored`)
      return
    }
    const ok = result.status === test.expectedStatus
    if (ok) this.passed++
    else this.failed++
    console.log(`test ${name} ... ${ok ? 'ok' : 'FAILED'} (${(result.duration / 1_000).toFixed(1)} s)`)
    for (const error of ok ? [] : result.errors) console.log(error.stack ?? error.message ?? error.value)
  }

  onError(error: { message?: string; stack?: string }) {
    this.failed++
    console.log(error.stack ?? error.message)
  }

  onEnd(_result: FullResult) {
    const word = this.failed === 0 ? 'ok' : 'FAILED'
    console.log(`\ntest result: ${word}. ${this.passed} passed; ${this.failed} failed; ${this.skipped} ignored`)
  }

  printsToStdio() {
    return true
  }
}
