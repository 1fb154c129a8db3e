//! Short calls in number, and what is left of them: tasks, sockets, RTP ports, dialogs, memory. Ends with status 1 if anything is.
//!
//! ```text
//! cargo bench -p callie-server --bench soak [-- --calls N] [--warm-up N] [--at-once N]
//! ```
//!
//! The base is taken after as many calls again, unless `--warm-up` says: what lingers after calls (32 s of transactions, at this
//! rate thousands) is memory that the allocator keeps, and only what more calls add to it is lost.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the result of a bench is what it prints")]

#[path = "../../tests/soak/run.rs"]
mod run;

use run::Plan;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut plan = Plan { calls: 1_000, at_once: 60, warm_up: 0, to_the_last_transaction: true };
    let mut warm_up = None;
    let mut arguments = std::env::args().skip(1).filter(|a| a != "--bench");
    while let Some(argument) = arguments.next() {
        let number = arguments.next().and_then(|n| n.parse().ok()).expect("--calls N, --warm-up N or --at-once N");
        match argument.as_str() {
            "--calls" => plan.calls = number,
            "--warm-up" => warm_up = Some(number),
            "--at-once" => plan.at_once = number,
            other => panic!("{other} is unknown; --calls N, --warm-up N, --at-once N"),
        }
    }
    plan.warm_up = warm_up.unwrap_or(plan.calls);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let outcome = runtime.block_on(run::run(plan));
    println!("{outcome}");
    let faults = outcome.faults();
    faults.iter().for_each(|fault| eprintln!("{fault}"));
    if faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
