//! Short calls in number, and what is left of them in the server: tasks, sockets, RTP ports, dialogs, transactions, memory. Ends
//! with status 1 if anything is.
//!
//! ```text
//! cargo bench -p callie-server --bench soak [-- --calls N] [--warm-up N] [--at-once N]
//! ```
//!
//! Memory is compared at rest, when the last transaction has run out (32 s after the last call). Its base is taken after the
//! warm-up; what each call leaves behind is taken from the second half, whose needs the first half has met.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the result of a bench is what it prints")]

#[path = "../../tests/soak/run/mod.rs"]
mod run;

use run::{Limit, Plan};
use std::process::ExitCode;

/// Growth: what lingers is about 2.3 KB for a transaction, and 1.66 of them for a call linger for 32 s; with 40 calls at once that
/// is some 12 MB, which the allocator keeps. Each call: one page for twenty calls is noise, a lost `String` of each is not.
const LIMIT: Limit = Limit { growth_kb: 16 * 1_024, bytes_per_call: Some(200) };

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    if let Some(wanted) = run::server::wanted() {
        runtime.block_on(run::server::serve(&wanted));
        return ExitCode::SUCCESS;
    }
    let outcome = runtime.block_on(run::run(plan()));
    println!("{outcome}");
    let faults = outcome.faults();
    faults.iter().for_each(|fault| eprintln!("{fault}"));
    if faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn plan() -> Plan {
    let mut plan = Plan {
        server: &[],
        calls: 1_000,
        at_once: 40,
        warm_up: 1_000,
        sample_every: 1_000,
        to_the_last_transaction: true,
        limit: LIMIT,
    };
    let mut arguments = std::env::args().skip(1).filter(|a| a != "--bench");
    while let Some(argument) = arguments.next() {
        let number = arguments.next().and_then(|n| n.parse().ok()).expect("--calls N, --warm-up N or --at-once N");
        match argument.as_str() {
            "--calls" => plan.calls = number,
            "--warm-up" => plan.warm_up = number,
            "--at-once" => plan.at_once = number,
            other => panic!("{other} is unknown; --calls N, --warm-up N, --at-once N"),
        }
    }
    plan
}
