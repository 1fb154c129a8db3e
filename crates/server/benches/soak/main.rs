//! Short calls in number, and what is left of them: tasks, sockets, RTP ports, dialogs, memory. Ends with status 1 if anything is.
//!
//! ```text
//! cargo bench -p callie-server --bench soak [-- --calls N] [--at-once N]
//! ```
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the result of a bench is what it prints")]

#[path = "../../tests/soak/run.rs"]
mod run;

use run::Plan;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut plan = Plan { calls: 1_000, at_once: 60, warm_up: 300, to_the_last_transaction: true };
    let mut arguments = std::env::args().skip(1).filter(|a| a != "--bench");
    while let Some(argument) = arguments.next() {
        let number = arguments.next().and_then(|n| n.parse().ok()).expect("--calls N or --at-once N");
        match argument.as_str() {
            "--calls" => plan.calls = number,
            "--at-once" => plan.at_once = number,
            other => panic!("{other} is unknown; --calls N, --at-once N"),
        }
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let outcome = runtime.block_on(run::run(plan));
    println!("{outcome}");
    let faults = outcome.faults();
    faults.iter().for_each(|fault| eprintln!("{fault}"));
    if faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
