//! Short calls in number leave nothing behind: no task, no socket, no port, no dialog, no memory.
#![expect(clippy::print_stdout, reason = "the figures are worth a look when the test fails")]

mod run;

use run::Plan;

#[tokio::test(flavor = "multi_thread")]
async fn many_short_calls_leave_nothing_behind() {
    let outcome = run::run(Plan { calls: 200, at_once: 40, warm_up: 60, to_the_last_transaction: false }).await;
    println!("{outcome}");
    assert_eq!(outcome.faults(), Vec::<String>::new());
    assert_eq!(outcome.endings.values().sum::<usize>(), 200);
}
