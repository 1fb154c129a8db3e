//! SIP as it went over the wire, told by the API.

use super::calls::{at, call_id, cdr, keep};
use super::world::World;
use callie_domain::Transport;
use callie_domain::record::{CallEvent, CallFact, Direction, EndReason, SipMessage, Way};
use callie_store::RecordStore;
use jiff::SignedDuration;

fn message(offset_ms: i64, way: Way, text: &str) -> SipMessage {
    SipMessage {
        at: at(1) + SignedDuration::from_millis(offset_ms),
        way,
        transport: Transport::Udp,
        local: ([192, 0, 2, 1], 5060).into(),
        remote: ([203, 0, 113, 5], 5060).into(),
        text: text.to_owned(),
        note: None,
        left_out_before: 0,
    }
}

fn invite() -> SipMessage {
    let text = "INVITE sip:t@h SIP/2.0\r\nSubject: a\r\n b\r\nCSeq: 1 INVITE\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n";
    message(5, Way::Received, text)
}

async fn with_a_call() -> World {
    let world = World::with_alice().await;
    keep(&world, &cdr(1, "alice", Direction::Inbound, EndReason::RemoteHungUp)).await;
    let ringing = message(25, Way::Sent, "SIP/2.0 180 Ringing\r\nCSeq: 1 INVITE\r\n\r\n");
    let messages = vec![invite(), invite(), ringing];
    world.store.append_signalling(&[(call_id(1), messages)]).await.expect("kept");
    let latched = CallFact::RtpLatched { address: "203.0.113.9:20000".into() };
    let event = CallEvent { at: at(1) + SignedDuration::from_millis(10), offset_ms: 10, fact: latched };
    world.store.append(call_id(1), &[event]).await.expect("kept");
    world
}

#[tokio::test]
async fn a_calls_messages_are_told() {
    let world = with_a_call().await;
    let reply = world.get(&format!("/calls/{}/sip", call_id(1))).await;
    assert_eq!(reply.status, 200);
    insta::assert_json_snapshot!(reply.json());
}

#[tokio::test]
async fn a_calls_messages_are_drawn_for_whoever_asks_for_text() {
    let world = with_a_call().await;
    let path = format!("/calls/{}/sip", call_id(1));
    let asked = world.get(&format!("{path}?format=text")).await;
    let accepted = world.send("GET", &path, &[("accept", "text/plain")], "").await;
    for reply in [&asked, &accepted] {
        assert_eq!(reply.header("content-type"), "text/plain; charset=utf-8");
        assert!(reply.text().contains("first audio packet, from 203.0.113.9:20000"), "{}", reply.text());
    }
    let json = world.send("GET", &format!("{path}?format=json"), &[("accept", "text/plain")], "").await;
    assert_eq!(json.header("content-type"), "application/json");
    assert_eq!(world.get(&format!("{path}?format=xml")).await.fields(), ["format"]);
}

#[tokio::test]
async fn a_calls_messages_are_had_as_packets() {
    let world = with_a_call().await;
    let reply = world.get(&format!("/calls/{}/pcap", call_id(1))).await;
    assert_eq!((reply.status, reply.header("content-type")), (200, "application/vnd.tcpdump.pcap"));
    assert!(reply.header("content-disposition").contains(&format!("{}.pcap", call_id(1))));
    assert_eq!(reply.bytes.get(..4), Some(&[0xa1, 0xb2, 0xc3, 0xd4][..]));
}

#[tokio::test]
async fn calls_that_are_not_there_have_no_messages() {
    let world = World::with_alice().await;
    keep(&world, &cdr(2, "alice", Direction::Inbound, EndReason::RemoteHungUp)).await;
    for what in ["sip", "pcap"] {
        assert_eq!(world.get(&format!("/calls/{}/{what}", call_id(1))).await.status, 404);
        assert_eq!(world.get(&format!("/calls/{}/{what}", call_id(2))).await.status, 200, "a call of before has none");
    }
}

#[tokio::test]
async fn a_lines_last_messages_are_told() {
    let world = World::with_alice().await;
    assert_eq!(world.get("/users/alice/sip/trace").await.status, 409);
    assert_eq!(world.get("/users/nobody/sip/trace").await.status, 404);
    world.post("/users/alice/sip/connect", "").await;
    let mut refused = invite();
    refused.note = Some("refused: 203.0.113.5 is no address of this line's provider".into());
    world.exchange.trace.lock().expect("not poisoned").push(refused);
    let reply = world.get("/users/alice/sip/trace").await;
    assert_eq!((reply.status, reply.json()["messages"][0]["summary"].as_str()), (200, Some("INVITE (SDP)")));
    let drawn = world.get("/users/alice/sip/trace?format=text").await.text();
    assert!(drawn.contains("no address of this line's provider"), "{drawn}");
}
