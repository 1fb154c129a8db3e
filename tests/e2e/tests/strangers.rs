//! Who is no provider of any line, and what is kept of a call: 127.0.0.1 is the provider, 127.0.0.2 somebody else.

use callie_e2e::peers::{Kamailio, kamailio::Digest, present, sipp::Scenario};
use callie_e2e::{Callie, eventually};
use serde_json::{Value, json};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::process::Command;
use std::time::Duration;

const WITHIN: Duration = Duration::from_secs(30);
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

async fn alice_at_kamailio(more: Value) -> (Callie, Kamailio, String) {
    let mut callie = Callie::start().await;
    let kamailio = Kamailio::start(callie.ports(), Digest::Md5, 600).await;
    callie.create_user("alice", kamailio.address(), more).await;
    callie.register("alice").await;
    let contact = kamailio.await_binding("alice", WITHIN).await.contact;
    (callie, kamailio, contact)
}

/// The user part of a Contact.
fn token(contact: &str) -> &str {
    contact.split(['@', ';']).next().and_then(|user| user.rsplit(':').next()).unwrap_or_default()
}

/// What scanners send, thousands of times; what was heard in return.
fn flood(callie: SocketAddr, datagrams: usize) -> Option<String> {
    let socket = UdpSocket::bind((ELSEWHERE, 0)).expect("loopback has a free port");
    let listen = |patience: Duration| {
        socket.set_read_timeout(Some(patience)).expect("a timeout above zero");
        let mut heard = [0; 2_048];
        socket.recv(&mut heard).ok().map(|len| String::from_utf8_lossy(&heard[..len]).into_owned())
    };
    let here = socket.local_addr().expect("bound");
    for n in 0..datagrams {
        let method = ["OPTIONS", "INVITE", "REGISTER", "CANCEL"][n % 4];
        let probe = format!(
            "{method} sip:100@{callie} SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch=z9hG4bK{n};rport\r\nMax-Forwards: 70\r\n\
             From: \"sipvicious\" <sip:100@1.1.1.1>;tag={n}\r\nTo: <sip:100@{callie}>\r\nCall-ID: {n}\r\nCSeq: 1 {method}\r\n\
             User-Agent: friendly-scanner\r\nContent-Length: 0\r\n\r\n"
        );
        let _ = socket.send_to(probe.as_bytes(), callie);
        if n % 100 == 0
            && let Some(heard) = listen(Duration::from_millis(1))
        {
            return Some(heard);
        }
    }
    listen(Duration::from_millis(200))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_is_not_answered_and_a_call_meanwhile_is() {
    if !present(&["kamailio", "sipp"]) {
        return;
    }
    let (mut callie, kamailio, _) = alice_at_kamailio(json!({})).await;
    let caller = Scenario::caller("call_and_echo", "alice", kamailio.address()).pause(Duration::from_secs(3));
    let mut call = caller.start(callie.ports());
    let sip = callie.sip();
    let heard = tokio::task::spawn_blocking(move || flood(sip, 20_000)).await.expect("sent");
    assert_eq!(heard, None, "strangers are not to hear anything");
    call.finish(WITHIN);
    let record = callie.ended_call("alice", WITHIN).await;
    assert_eq!(record["termination"]["result"], "completed", "{record}");
    let refused = callie.get("/admin/status").await.1["sip"]["refused"].clone();
    assert!(refused["too_many"].as_u64() > Some(10_000) && refused["strangers"].as_u64() > Some(10), "{refused}");
}

#[tokio::test]
async fn a_call_from_elsewhere_is_refused_until_anyone_may_call() {
    if !present(&["kamailio", "sipp"]) {
        return;
    }
    let (mut callie, kamailio, contact) = alice_at_kamailio(json!({})).await;
    let sip = callie.sip();
    let service = token(&contact).to_owned();
    Scenario::caller("call_refused", &service, sip).from(ELSEWHERE).expecting(403).start(callie.ports()).finish(WITHIN);
    let trace = callie.get("/users/alice/sip/trace").await.1;
    let noted = trace["messages"].as_array().into_iter().flatten().find(|message| !message["note"].is_null());
    let note = noted.and_then(|message| message["note"].as_str()).unwrap_or_default();
    assert!(note.contains("127.0.0.2"), "{trace}");

    callie.put("/users/alice", json!({"sip": {"accept_from": "anyone"}})).await;
    callie.await_registration("alice", true, WITHIN).await;
    let contact = kamailio.await_binding("alice", WITHIN).await.contact;
    let service = token(&contact).to_owned();
    let caller = Scenario::caller("call_and_echo", &service, sip).from(ELSEWHERE).pause(Duration::from_secs(1));
    caller.start(callie.ports()).finish(WITHIN);
}

#[tokio::test]
async fn a_calls_messages_are_read_by_wireshark() {
    if !present(&["kamailio", "sipp", "tshark"]) {
        return;
    }
    let (mut callie, kamailio, _) = alice_at_kamailio(json!({})).await;
    Scenario::caller("call_and_echo", "alice", kamailio.address())
        .pause(Duration::from_secs(1))
        .start(callie.ports())
        .finish(WITHIN);
    let call = callie.ended_call("alice", WITHIN).await;
    let id = call["id"].as_str().unwrap_or_default().to_owned();
    let whole = eventually("the last message is written down", WITHIN, || async {
        let signalling = callie.get(&format!("/calls/{id}/sip")).await.1;
        (signalling["messages"].as_array().is_some_and(|messages| messages.len() >= 6)).then_some(signalling)
    })
    .await;
    assert_eq!(whole["messages"][0]["summary"], "INVITE (SDP)", "{whole}");
    assert_eq!(whole["participants"][1]["name"], kamailio.address().to_string(), "{whole}");
    let file = callie.download(&format!("/calls/{id}/pcap"), "call.pcap").await.expect("a file");
    let read = Command::new("tshark")
        .args(["-n", "-Y", "sip", "-T", "fields", "-e", "sip.CSeq", "-r"])
        .arg(&file)
        .output()
        .expect("tshark runs");
    let lines = String::from_utf8_lossy(&read.stdout);
    let of = |method: &str| lines.lines().filter(|line| line.contains(method)).count();
    assert!(of("INVITE") >= 3 && of("ACK") == 1 && of("BYE") >= 2, "{lines}\n{}", String::from_utf8_lossy(&read.stderr));
}
