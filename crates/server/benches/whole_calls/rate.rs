//! Calls set up and torn down as fast as they come: in, SIPp calls the Contacts of registered accounts, talks for a moment and
//! hangs up; out, the accounts call a number of the carrier's that SIPp answers, and SIPp hangs up. What fails is SIPp's word: no
//! answer, an unexpected message, a time-out.
//!
//! `cargo bench -p callie-server --bench whole_calls -- --rate 500 [--out] [--total N] [--users N]`; SIPp must be installed.

use crate::{PATIENCE, carrier, process::Server, user};
use callie_lab::carrier::{Carrier, Destination};
use std::{
    fmt::Write as _,
    net::SocketAddr,
    path::Path,
    time::{Duration, Instant},
};
use tokio::process::Command;

/// From the ACK to the BYE.
const TALK: Duration = Duration::from_millis(100);

/// The number that SIPp answers.
pub const NUMBER: &str = "5000";
const CALLER: &str = include_str!("rate/caller.xml");
const CALLEE: &str = include_str!("rate/callee.xml");

pub const COLUMNS: &str =
    "offered per s | calls | failed | retransmissions | made per s | CPU µs per call | INVITE→200 ms mean | MB before → after";

/// How many calls, how fast, over how many accounts.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    pub per_second: usize,
    pub total: usize,
    pub users: usize,
    pub out: bool,
    pub realtime: bool,
}

pub async fn row(load: Load) -> String {
    let Load { per_second, total, users, .. } = load;
    let carrier = carrier(users).await;
    let server = Server::start(users, carrier.address(), load.realtime, None).await;
    carrier.wait_until("all are registered", PATIENCE, |c| c.bindings().len() == users).await.expect("in time");
    let folder = tempfile::tempdir().expect("a folder");
    let (before_kb, cpu, begun) = (server.memory_kb(), server.cpu(), Instant::now());
    let (counts, server) = if load.out {
        go_out(&carrier, server, load, folder.path()).await
    } else {
        (come_in(&carrier, load, folder.path()).await, server)
    };
    let (took, cpu) = (begun.elapsed(), server.cpu() - cpu);
    let row = format!(
        "{per_second:5} | {} | {} | {} | {:.0} | {:.0} | {} | {} → {}",
        counts.made,
        counts.failed,
        counts.retransmissions,
        counts.made as f64 / took.as_secs_f64(),
        cpu.as_secs_f64() * 1e6 / total as f64,
        counts.answered_after,
        before_kb / 1024,
        server.memory_kb() / 1024,
    );
    server.stop().await;
    carrier.stop().await;
    row
}

async fn come_in(carrier: &Carrier, load: Load, folder: &Path) -> Counts {
    let callee = prepare(carrier, load.users, folder);
    let mut sipp = sipp(folder, CALLER, load);
    sipp.arg(callee.to_string()).args(["-inf", "contacts.csv"]);
    sipp.args(["-r", &load.per_second.to_string(), "-l", &load.total.to_string()]);
    let status = sipp.status().await;
    assert!(status.is_ok(), "{NOT_THERE}: {status:?}");
    counts(folder)
}

async fn go_out(carrier: &Carrier, mut server: Server, load: Load, folder: &Path) -> (Counts, Server) {
    let port = std::net::UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a free port").port();
    carrier.add_number(NUMBER, Destination::Line(([127, 0, 0, 1], port).into()));
    let mut sipp = sipp(folder, CALLEE, load).args(["-p", &port.to_string()]).spawn().expect(NOT_THERE);
    server.tell(&format!("dial {} {} {}", load.per_second, load.total, load.users)).await;
    let status = sipp.wait().await;
    assert!(status.is_ok(), "SIPp ends: {status:?}");
    (counts(folder), server)
}

const NOT_THERE: &str = "SIPp is installed (apt-get install sip-tester)";

fn sipp(folder: &Path, scenario: &str, load: Load) -> Command {
    std::fs::write(folder.join("rate.xml"), scenario).expect("writable");
    let limit = (load.total / load.per_second + 80).to_string();
    let mut sipp = Command::new("sipp");
    sipp.current_dir(folder)
        .args(["-sf", "rate.xml", "-i", "127.0.0.1", "-t", "u1", "-nostdin", "-timeout", &limit])
        .args(["-m", &load.total.to_string(), "-d", &TALK.as_millis().to_string()])
        .args(["-buff_size", "4194304", "-default_behaviors", "-bye", "-trace_stat", "-stf", "stat.csv", "-fd", "1"])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null());
    sipp
}

/// Writes the Contacts; gives the address that all Contacts have.
fn prepare(carrier: &Carrier, users: usize, folder: &Path) -> SocketAddr {
    let bindings = carrier.bindings();
    let mut list = "SEQUENTIAL\n".to_owned();
    let mut callee = None;
    for n in 0..users {
        let binding = bindings.iter().find(|b| b.username == user(n)).expect("registered");
        let uri = binding.contact.trim_matches(['<', '>']).to_owned();
        callee = callee.or_else(|| uri.split_once('@')?.1.split(';').next()?.parse().ok());
        // Writing to a String cannot fail.
        let _ = writeln!(list, "{uri}");
    }
    std::fs::write(folder.join("contacts.csv"), list).expect("writable");
    callee.expect("an address")
}

struct Counts {
    made: u64,
    failed: u64,
    retransmissions: u64,
    answered_after: String,
}

fn counts(folder: &Path) -> Counts {
    let stat = std::fs::read_to_string(folder.join("stat.csv")).expect("its statistics");
    let mut lines = stat.lines();
    let names: Vec<&str> = lines.next().unwrap_or_default().split(';').collect();
    let last: Vec<&str> = lines.next_back().unwrap_or_default().split(';').collect();
    let value = |name: &str| names.iter().position(|n| *n == name).and_then(|at| last.get(at)).copied().unwrap_or_default();
    let number = |name: &str| value(name).parse().unwrap_or_else(|_| panic!("SIPp counts {name}: {stat}"));
    Counts {
        made: number("SuccessfulCall(C)"),
        failed: number("FailedCall(C)"),
        retransmissions: number("Retransmissions(C)"),
        answered_after: value("ResponseTime1(C)").to_owned(),
    }
}
