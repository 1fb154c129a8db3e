//! The carrier's faults, seen from a telephone that registers, and garbage on its ports.

use callie_lab::carrier::{Carrier, CarrierEvent, CarrierOptions, Fault, Subscriber};
use callie_lab::phone::{Ending, Listener, Phone, PhoneOptions, Step};
use callie_lab::wire::Transport;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

const SOON: Duration = Duration::from_secs(20);
const MS: Duration = Duration::from_millis(1);

async fn carrier() -> Carrier {
    let subscribers = ["alice", "bob"].map(|name| Subscriber::new(name, "secret")).to_vec();
    Carrier::start(CarrierOptions { subscribers, ..CarrierOptions::default() }).await.expect("carrier")
}

async fn listener(carrier: &Carrier, user: &str, transport: Transport) -> Listener {
    let options = PhoneOptions::new(carrier.address(), user).with_password("secret").with_transport(transport);
    Phone::listen(&options, [Step::Answer, Step::WaitHangUp]).await.expect("listens")
}

/// With this fault the first REGISTERs are answered so.
async fn check(fault: Fault, wanted: &[Option<u16>]) {
    let carrier = carrier().await;
    carrier.fault_for("alice", fault.clone());
    let _alice = listener(&carrier, "alice", Transport::Udp).await;
    carrier.wait_until("registers", SOON, |carrier| carrier.registers("alice").len() >= wanted.len()).await.expect("tried");
    let seen: Vec<Option<u16>> = carrier.registers("alice").iter().map(|seen| seen.answered).take(wanted.len()).collect();
    assert_eq!(seen, wanted, "{fault:?}");
    let _bob = listener(&carrier, "bob", Transport::Udp).await;
    carrier.wait_registered("bob", SOON).await.expect("another subscriber is not concerned");
}

#[tokio::test]
async fn each_fault_answers_registers_its_own_way() {
    check(Fault::Silent, &[None, None]).await;
    check(Fault::RejectRegister(403, vec![]), &[Some(403)]).await;
    check(Fault::RetryAfter(7), &[Some(503)]).await;
    check(Fault::MinExpires(900), &[Some(401), Some(423), Some(401), Some(200)]).await;
    check(Fault::AlwaysChallenge, &[Some(401), Some(401)]).await;
    check(Fault::BadAuth, &[Some(401), Some(403)]).await;
    check(Fault::StaleOnce, &[Some(401), Some(401)]).await;
    check(Fault::DropNext(1), &[None, Some(401), Some(200)]).await;
    check(Fault::Redirect("sip:elsewhere@127.0.0.1".into()), &[Some(302)]).await;
}

#[tokio::test]
async fn a_delay_delays_and_a_short_grant_expires() {
    let carrier = carrier().await;
    carrier.fault(Fault::DelayMs(300));
    let began = Instant::now();
    let alice = listener(&carrier, "alice", Transport::Udp).await;
    alice.wait_registered(SOON).await.expect("registered");
    assert!(began.elapsed() >= 600 * MS, "two answers, each late");
    carrier.clear_faults();
    alice.stop().await;
    carrier.wait_unregistered("alice", SOON).await.expect("unregistered");

    let mut events = carrier.events();
    carrier.fault_for("bob", Fault::GrantExpires(1));
    let bob = listener(&carrier, "bob", Transport::Udp).await;
    bob.wait_registered(SOON).await.expect("registered");
    drop(bob);
    let over = async {
        loop {
            let event = events.recv().await.expect("the carrier runs");
            if matches!(event, CarrierEvent::Expired { .. } | CarrierEvent::Unregistered { .. }) {
                return event;
            }
        }
    };
    let over = tokio::time::timeout(SOON, over).await.expect("it does not stay");
    assert_eq!(over, CarrierEvent::Expired { username: "bob".into() }, "it went without a word");
}

#[tokio::test]
async fn a_restart_forgets_bindings_and_drops_streams() {
    let carrier = carrier().await;
    let alice = listener(&carrier, "alice", Transport::Tcp).await;
    let bob = listener(&carrier, "bob", Transport::Udp).await;
    for (name, phone) in [("alice", &alice), ("bob", &bob)] {
        phone.wait_registered(SOON).await.expect("registered");
        carrier.wait_registered(name, SOON).await.expect("bound");
    }
    let seen = &carrier.registers("alice")[1];
    assert_eq!((seen.transport, seen.authorized, seen.user_agent.as_str()), (Transport::Tcp, true, "Lab telephone"));
    let mut stream = TcpStream::connect(carrier.address()).await.expect("connects");
    stream.write_all(b"\r\n\r\n").await.expect("ping");
    let mut pong = [0; 2];
    stream.read_exact(&mut pong).await.expect("pong");
    carrier.fault(Fault::Restart);
    assert!(carrier.bindings().is_empty());
    assert_eq!(tokio::time::timeout(SOON, stream.read(&mut pong)).await.expect("in time").unwrap_or(0), 0, "stream closed");
}

#[tokio::test]
async fn a_lost_bye_leaves_the_other_side_in_the_call() {
    let carrier = carrier().await;
    let mut bob = listener(&carrier, "bob", Transport::Udp).await;
    bob.wait_registered(SOON).await.expect("registered");
    carrier.fault(Fault::LoseBye);
    let alice = PhoneOptions::new(carrier.address(), "alice").with_password("secret");
    let call = Phone::call(&alice, "bob", [Step::WaitAnswer, Step::HangUp]).await.expect("call");
    carrier.wait_until("bye", SOON, |carrier| carrier.seen("BYE") >= 2).await.expect("repeated");
    assert_eq!((carrier.calls_up(), bob.calls()), (1, 1));
    carrier.clear_faults();
    assert_eq!(call.finished().await.map(|report| report.ending), Some(Ending::HungUp));
    assert_eq!(bob.next_report(SOON).await.map(|report| report.ending), Ok(Ending::RemoteHungUp));
}

#[tokio::test]
async fn a_refused_invite_is_refused() {
    let carrier = carrier().await;
    carrier.fault_for("alice", Fault::RejectInvite(503));
    let alice = PhoneOptions::new(carrier.address(), "alice").with_password("secret");
    let call = Phone::call(&alice, "bob", [Step::WaitAnswer]).await.expect("call");
    assert_eq!(call.finished().await.and_then(|report| report.final_status), Some(503));
}

#[tokio::test]
async fn garbage_does_not_end_the_carrier() {
    let carrier = carrier().await;
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("socket");
    let template = b"INVITE sip:bob@x SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z\r\nFrom: <sip:a@x>;tag=1\r\nTo: <sip:bob@x>\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\n\r\n";
    let mut seed = 1_u32;
    let mut random = move || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 16) as usize
    };
    for round in 0..2000 {
        let mut bytes: Vec<u8> =
            if round % 2 == 0 { template.to_vec() } else { (0..random() % 600).map(|_| random() as u8).collect() };
        for _ in 0..random() % 8 {
            let at = random() % bytes.len().max(1);
            if let Some(byte) = bytes.get_mut(at) {
                *byte = random() as u8;
            }
        }
        socket.send_to(&bytes, carrier.address()).await.expect("sent");
        if round % 200 == 0 {
            let mut stream = TcpStream::connect(carrier.address()).await.expect("connects");
            // The carrier may close in the middle of it.
            let _ = stream.write_all(&bytes).await;
        }
    }
    let alice = listener(&carrier, "alice", Transport::Tcp).await;
    alice.wait_registered(SOON).await.expect("still serving");
    assert!(carrier.garbage_count() > 500);
    carrier.stop().await;
}
