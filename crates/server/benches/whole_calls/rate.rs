//! Calls set up and torn down as fast as they come: SIPp calls the Contacts of registered accounts, talks for a moment and hangs
//! up. What fails is SIPp's word: no answer, an unexpected message, a time-out.
//!
//! `cargo bench -p callie-server --bench whole_calls -- --rate 500 [--total N] [--users N]`; SIPp must be installed.

use crate::{PATIENCE, carrier, process::Server, user};
use callie_lab::carrier::Carrier;
use std::{
    fmt::Write as _,
    net::SocketAddr,
    path::Path,
    time::{Duration, Instant},
};
use tokio::process::Command;

/// From the ACK to the BYE.
const TALK: Duration = Duration::from_millis(100);

/// `[field0]` is the Contact of an account.
const SCENARIO: &str = r#"<?xml version="1.0" encoding="ISO-8859-1" ?>
<scenario name="rate">
  <send retrans="500"><![CDATA[
      INVITE [field0] SIP/2.0
      Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]
      From: <sip:+4930[call_number]@carrier.test>;tag=[call_number]
      To: <[field0]>
      Call-ID: [call_id]
      CSeq: 1 INVITE
      Contact: <sip:load@[local_ip]:[local_port]>
      Max-Forwards: 70
      Content-Type: application/sdp
      Content-Length: [len]

      v=0
      o=load 1 1 IN IP4 [local_ip]
      s=-
      c=IN IP4 [local_ip]
      t=0 0
      m=audio 9 RTP/AVP 0
      a=rtpmap:0 PCMU/8000
  ]]></send>
  <recv response="100" optional="true"/>
  <recv response="180" optional="true"/>
  <recv response="200" rtd="true" rrs="true" timeout="32000"/>
  <send><![CDATA[
      ACK [next_url] SIP/2.0
      Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]
      From: <sip:+4930[call_number]@carrier.test>;tag=[call_number]
      [last_To:]
      Call-ID: [call_id]
      CSeq: 1 ACK
      Max-Forwards: 70
      Content-Length: 0

  ]]></send>
  <pause/>
  <send retrans="500"><![CDATA[
      BYE [next_url] SIP/2.0
      Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]
      From: <sip:+4930[call_number]@carrier.test>;tag=[call_number]
      [last_To:]
      Call-ID: [call_id]
      CSeq: 2 BYE
      Max-Forwards: 70
      Content-Length: 0

  ]]></send>
  <recv response="200" timeout="32000"/>
  <ResponseTimeRepartition value="5, 10, 25, 50, 100, 500, 1000, 5000"/>
</scenario>
"#;

pub const COLUMNS: &str =
    "offered per s | calls | failed | retransmissions | made per s | CPU µs per call | INVITE→200 ms mean | MB before → after";

/// Calls at `per_second` until there were `total`, spread over `users` accounts.
pub async fn row(per_second: usize, total: usize, users: usize, realtime: bool) -> String {
    let carrier = carrier(users).await;
    let server = Server::start(users, carrier.address(), realtime, None).await;
    carrier.wait_until("all are registered", PATIENCE, |c| c.bindings().len() == users).await.expect("in time");
    let folder = tempfile::tempdir().expect("a folder");
    let callee = prepare(&carrier, users, folder.path());
    let (before_kb, cpu, begun) = (server.memory_kb(), server.cpu(), Instant::now());
    let counts = load(folder.path(), callee, per_second, total).await;
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

/// Writes scenario and Contacts; gives the address that all Contacts have.
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
    std::fs::write(folder.join("rate.xml"), SCENARIO).expect("writable");
    callee.expect("an address")
}

struct Counts {
    made: u64,
    failed: u64,
    retransmissions: u64,
    answered_after: String,
}

async fn load(folder: &Path, callee: SocketAddr, per_second: usize, total: usize) -> Counts {
    let limit = (total / 250 + 60).to_string();
    let status = Command::new("sipp")
        .current_dir(folder)
        .arg(callee.to_string())
        .args(["-sf", "rate.xml", "-inf", "contacts.csv", "-i", "127.0.0.1", "-t", "u1", "-nostdin", "-timeout", &limit])
        .args(["-r", &per_second.to_string(), "-m", &total.to_string(), "-l", &total.to_string()])
        .args(["-d", &TALK.as_millis().to_string(), "-buff_size", "4194304", "-default_behaviors", "-bye"])
        .args(["-trace_stat", "-stf", "stat.csv", "-fd", "1"])
        .stdout(std::process::Stdio::null())
        .status()
        .await;
    assert!(status.is_ok(), "SIPp is installed (apt-get install sip-tester): {status:?}");
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
