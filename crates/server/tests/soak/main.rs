//! Short calls in number leave nothing behind: no task, no socket, no port, no dialog, no memory.
#![expect(clippy::print_stdout, reason = "the figures are worth a look when the test fails, and the server answers so")]

mod judgement;
mod run;

use run::{Limit, Plan};

#[tokio::test(flavor = "multi_thread")]
async fn many_short_calls_leave_nothing_behind() {
    // So few calls say little of memory: the allocator takes a megabyte at a time.
    let limit = Limit { growth_kb: 16 * 1_024, bytes_per_call: None };
    let server = &["--exact", "the_server", "--ignored", "--nocapture"];
    let outcome =
        run::run(Plan { server, calls: 200, at_once: 40, warm_up: 60, sample_every: 50, to_the_last_transaction: false, limit });
    let outcome = outcome.await;
    println!("{outcome}");
    assert_eq!(outcome.faults(), Vec::<String>::new());
    assert_eq!(outcome.endings.values().sum::<usize>(), 200);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "no test: the process that the other one measures"]
async fn the_server() {
    if let Some(wanted) = run::server::wanted() {
        run::server::serve(&wanted).await;
    }
}
