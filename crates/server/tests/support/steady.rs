//! For tests that judge what is heard and when, on machines that may be too busy to keep a telephone's time.
//!
//! Telephones, service and product share one machine here. When it lets the telephones wait, their packets leave late, and no
//! product can hear what has not come. So such a test is judged as it stands; only if it fails *and* the telephones' threads
//! were late meanwhile is it repeated, and that is said. The product has no part in those threads: nothing that it does
//! excuses it, and on a machine that keeps time one failure is a failure.

use callie_lab::phone::Promptness;
use std::future::Future;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;
use tokio::runtime::Runtime;

/// The last counts, whatever the machine did.
const ATTEMPTS: u32 = 3;
/// Two packets, with which the jitter buffer begins: what is later has to be made up.
const TOO_LATE: Duration = Duration::from_millis(40);

/// Runs a test, each attempt on a runtime of its own.
///
/// # Panics
/// As the test does: at once if the telephones were on time, else in the last attempt.
pub fn steadily<F: Future<Output = ()>>(name: &str, test: fn() -> F) {
    for attempt in 1..=ATTEMPTS {
        let promptness = Promptness::watch().expect("threads for telephones");
        let run = || Runtime::new().expect("a runtime").block_on(test());
        let Err(failure) = catch_unwind(AssertUnwindSafe(run)) else { return };
        let late = promptness.lateness();
        if attempt == ATTEMPTS || late < TOO_LATE {
            resume_unwind(failure);
        }
        // Past the test harness, which would swallow it.
        let _ = writeln!(
            std::io::stderr(),
            "{name}: attempt {attempt} of {ATTEMPTS} failed while the telephones were {late:?} late (see above); again"
        );
    }
}
