//! Telephone to telephone through the carrier, on loopback.

use callie_lab::analysis;
use callie_lab::carrier::{Algorithms, Carrier, CarrierEvent, CarrierOptions, Destination, Subscriber};
use callie_lab::line::LineFaults;
use callie_lab::phone::{Ending, G711, Listener, Phone, PhoneOptions, PhoneReport, PhoneState, Script, Step};
use callie_lab::samples::Line;
use callie_lab::wire::Transport;
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_secs(20);
const MS: Duration = Duration::from_millis(1);

async fn carrier(algorithms: Algorithms) -> Carrier {
    let subscriber = |name: &str| Subscriber::new(name, "secret").with_algorithms(algorithms);
    let options = CarrierOptions { subscribers: vec![subscriber("alice"), subscriber("bob")], ..CarrierOptions::default() };
    Carrier::start(options).await.expect("carrier")
}

fn phone(carrier: &Carrier, user: &str) -> PhoneOptions {
    PhoneOptions::new(carrier.address(), user).with_password("secret")
}

async fn listening(carrier: &Carrier, options: &PhoneOptions, script: impl Into<Script>) -> Listener {
    let listener = Phone::listen(options, script).await.expect("listens");
    listener.wait_registered(SOON).await.expect("registered");
    carrier.wait_registered(&options.user, SOON).await.expect("bound");
    listener
}

/// Alice calls `to`; both reports.
async fn call(from: &PhoneOptions, to: &str, script: impl Into<Script>, mut listener: Listener) -> (PhoneReport, PhoneReport) {
    let call = Phone::call(from, to, script).await.expect("call");
    let caller = tokio::time::timeout(SOON, call.finished()).await.expect("in time").expect("report");
    let callee = listener.next_report(SOON).await.unwrap_or_else(|late| panic!("{late}: {:#?}", caller.trace));
    (caller, callee)
}

fn play(line: Line) -> Step {
    Step::Play(line.samples())
}

async fn both_hear_each_other(algorithms: Algorithms, caller_by: Transport, callee_by: Transport, codec: G711) {
    let carrier = carrier(algorithms).await;
    let bob = phone(&carrier, "bob").with_transport(callee_by);
    let listener = listening(&carrier, &bob, [Step::Ring(60 * MS), play(Line::Maria1), Step::WaitHangUp]).await;
    let alice = phone(&carrier, "alice").with_transport(caller_by).with_codecs(&[codec]);
    let script = [Step::WaitAnswer, Step::WaitSilence { after: 200 * MS }, play(Line::Tom2), Step::Pause(100 * MS), Step::HangUp];
    let (caller, callee) = call(&alice, "bob", script, listener).await;
    assert_eq!((caller.ending, caller.final_status), (Ending::HungUp, Some(200)), "{:#?}", caller.trace);
    assert_eq!((callee.ending, callee.peer.as_str()), (Ending::RemoteHungUp, "alice"), "{:#?}", callee.trace);
    assert!(caller.ringing_after.is_some() && caller.answered_after > caller.ringing_after);
    assert!(analysis::contains(&Line::Maria1.samples(), caller.heard()), "alice hears bob");
    assert!(analysis::contains(&Line::Tom2.samples(), callee.heard()), "bob hears alice");
    assert!(!analysis::contains(&Line::Tom2.samples(), caller.heard()), "alice does not hear herself");
    assert_eq!(caller.rtp.payload_types.keys().copied().collect::<Vec<_>>(), [codec.payload_type()]);
    assert_eq!((caller.rtp.lost, caller.rtp.timestamp_jumps, caller.rtp.ssrc_changes), (0, 0, 0));
    assert!(caller.rtp.gap_p50 > 15 * MS && caller.rtp.gap_p50 < 25 * MS, "{:?}", caller.rtp);
    carrier.stop().await;
}

#[tokio::test]
async fn a_call_over_udp_with_md5() {
    both_hear_each_other(Algorithms::Md5, Transport::Udp, Transport::Udp, G711::Pcmu).await;
}

#[tokio::test]
async fn a_call_over_tcp_with_sha_256() {
    both_hear_each_other(Algorithms::Sha256, Transport::Tcp, Transport::Tcp, G711::Pcma).await;
}

#[tokio::test]
async fn a_call_from_tcp_to_udp_and_back() {
    both_hear_each_other(Algorithms::Both, Transport::Tcp, Transport::Udp, G711::Pcmu).await;
    both_hear_each_other(Algorithms::Both, Transport::Udp, Transport::Tcp, G711::Pcmu).await;
}

#[tokio::test]
async fn the_called_side_hangs_up_and_keys_arrive() {
    let carrier = carrier(Algorithms::Md5).await;
    let mut events = carrier.events();
    let listener = listening(&carrier, &phone(&carrier, "bob"), [Step::Answer, Step::Pause(900 * MS), Step::HangUp]).await;
    let script = [Step::WaitAnswer, Step::Dtmf("12#".into()), Step::WaitHangUp];
    let (caller, callee) = call(&phone(&carrier, "alice"), "bob", script, listener).await;
    assert_eq!((caller.ending, callee.ending), (Ending::RemoteHungUp, Ending::HungUp), "{:#?}", caller.trace);
    assert_eq!(callee.keys, "12#");
    let mut seen = Vec::new();
    while let Ok(event) = events.try_recv() {
        seen.push(match event {
            CarrierEvent::Registered { username, .. } => format!("registered {username}"),
            CarrierEvent::Calling { from, to, .. } => format!("{from} calls {to}"),
            CarrierEvent::Answered { .. } => "answered".to_owned(),
            CarrierEvent::Ended { by_caller, .. } => format!("ended by_caller={by_caller}"),
            other => format!("{other:?}"),
        });
    }
    assert_eq!(seen, ["registered bob", "alice calls bob", "answered", "ended by_caller=false"]);
    assert_eq!(carrier.calls_up(), 0);
}

#[tokio::test]
async fn a_hold_is_a_reinvite_in_the_call() {
    let carrier = carrier(Algorithms::Md5).await;
    let listener = listening(&carrier, &phone(&carrier, "bob"), [Step::Answer, Step::WaitHangUp]).await;
    let script = [
        Step::WaitAnswer,
        Step::Pause(60 * MS),
        Step::Hold,
        Step::Pause(200 * MS),
        Step::Resume,
        Step::Pause(200 * MS),
        Step::HangUp,
    ];
    let (caller, callee) = call(&phone(&carrier, "alice"), "bob", script, listener).await;
    assert_eq!((caller.ending, callee.ending), (Ending::HungUp, Ending::RemoteHungUp));
    let count = |report: &PhoneReport, what: &str| report.trace.iter().filter(|line| line.contains(what)).count();
    assert_eq!(
        (count(&callee, "< INVITE"), count(&callee, "< ACK"), count(&caller, "< 200 OK (4 INVITE)")),
        (3, 3, 1),
        "{:#?}",
        callee.trace
    );
}

/// A call that does not come about ends with this status and ending at the caller.
async fn fails(to: &str, callee: Option<Script>, script: impl Into<Script>, status: u16, ending: Ending) {
    let carrier = carrier(Algorithms::Md5).await;
    let _listener = match callee {
        Some(script) => Some(listening(&carrier, &phone(&carrier, "bob"), script).await),
        None => None,
    };
    let call = Phone::call(&phone(&carrier, "alice"), to, script).await.expect("call");
    let report = tokio::time::timeout(SOON, call.finished()).await.expect("in time").expect("report");
    assert_eq!((report.final_status, report.ending), (Some(status), ending), "{:#?}", report.trace);
    assert_eq!(carrier.calls_up(), 0);
}

#[tokio::test]
async fn calls_that_fail_say_why() {
    let wait = || Script::from([Step::WaitAnswer]);
    fails("nobody", None, wait(), 404, Ending::Refused).await;
    fails("bob", None, wait(), 480, Ending::Refused).await;
    fails("bob", Some([Step::Busy].into()), wait(), 486, Ending::Refused).await;
    fails("bob", Some([Step::Ring(40 * MS), Step::Decline(603)].into()), wait(), 603, Ending::Refused).await;
    let ringing = Script::from([Step::Ring(SOON)]);
    fails("bob", Some(ringing), [Step::Cancel { after: 200 * MS }], 487, Ending::Cancelled).await;
}

#[tokio::test]
async fn a_cancel_that_comes_too_late_becomes_a_bye() {
    let carrier = carrier(Algorithms::Md5).await;
    let listener = listening(&carrier, &phone(&carrier, "bob"), [Step::Answer, Step::WaitHangUp]).await;
    let (caller, callee) =
        call(&phone(&carrier, "alice"), "bob", [Step::WaitAnswer, Step::Cancel { after: 40 * MS }], listener).await;
    assert_eq!((caller.ending, callee.ending), (Ending::HungUp, Ending::RemoteHungUp));
}

#[tokio::test]
async fn a_wrong_password_gets_no_call_and_no_binding() {
    let carrier = carrier(Algorithms::Sha256).await;
    let wrong = PhoneOptions::new(carrier.address(), "alice").with_password("wrong");
    let call = Phone::call(&wrong, "bob", [Step::WaitAnswer]).await.expect("call");
    assert_eq!(call.finished().await.and_then(|report| report.final_status), Some(407));
    let listener = Phone::listen(&wrong, [Step::Answer]).await.expect("listens");
    carrier.wait_until("two tries", SOON, |carrier| carrier.registers("alice").len() >= 2).await.expect("tried");
    assert!(carrier.bindings().is_empty());
    assert_eq!(carrier.registers("alice").iter().map(|seen| seen.authorized).take(2).collect::<Vec<_>>(), [false, true]);
    listener.stop().await;
}

#[tokio::test]
async fn a_number_leads_to_a_subscriber_or_to_a_line() {
    let carrier = carrier(Algorithms::Md5).await;
    let mut line =
        Phone::listen(&PhoneOptions::new(carrier.address(), "line"), [Step::Answer, Step::WaitHangUp]).await.expect("listens");
    carrier.add_number("+1234567890", Destination::Line(line.address()));
    carrier.add_number("100", Destination::Subscriber("bob".into()));
    let mut bob = listening(&carrier, &phone(&carrier, "bob"), [Step::Answer, Step::WaitHangUp]).await;
    for (number, listener) in [("+1234567890", &mut line), ("100", &mut bob)] {
        // A stranger calls: no password.
        let call =
            Phone::call(&PhoneOptions::new(carrier.address(), "stranger"), number, [Step::WaitAnswer]).await.expect("call");
        let report = call.finished().await.expect("report");
        assert_eq!((report.final_status, report.ending), (Some(200), Ending::HungUp), "{number}: {:#?}", report.trace);
        assert_eq!(listener.next_report(SOON).await.expect("report").peer, "stranger");
    }
}

#[tokio::test]
async fn a_vanished_caller_says_nothing_more() {
    let carrier = carrier(Algorithms::Md5).await;
    let listener = listening(&carrier, &phone(&carrier, "bob"), [Step::Answer, Step::Pause(400 * MS), Step::HangUp]).await;
    let mut call = Phone::call(&phone(&carrier, "alice"), "bob", [Step::WaitAnswer, Step::Pause(60 * MS), Step::Vanish])
        .await
        .expect("call");
    assert_eq!(call.wait_for(PhoneState::Up, SOON).await, Ok(PhoneState::Up));
    assert_eq!(call.report().await.map(|report| report.ending), Some(Ending::Vanished));
    carrier.wait_until("a bye repeated", SOON, |carrier| carrier.seen("BYE") >= 2).await.expect("no answer to bye");
    assert_eq!(carrier.seen_responses(200), 1, "only the 200 of the invite");
    drop(listener);
}

#[tokio::test]
async fn many_calls_at_once() {
    let carrier = carrier(Algorithms::Md5).await;
    let mut listener = listening(&carrier, &phone(&carrier, "bob"), [Step::Answer, Step::WaitHangUp]).await;
    let mut calls = Vec::new();
    for _ in 0..20 {
        calls.push(Phone::call(&phone(&carrier, "alice"), "bob", [Step::WaitAnswer, Step::WaitHangUp]).await.expect("call"));
    }
    for call in &calls {
        assert_eq!(call.wait_for(PhoneState::Up, SOON).await, Ok(PhoneState::Up));
    }
    carrier.wait_until("20 calls", SOON, |carrier| carrier.calls_up() == 20).await.expect("up");
    for call in calls {
        call.hang_up().await;
        assert_eq!(call.finished().await.map(|report| report.ending), Some(Ending::HungUp));
        listener.next_report(SOON).await.expect("report");
    }
    assert_eq!(carrier.calls_up(), 0);
}

#[tokio::test]
async fn a_bad_line_loses_and_delays_both_ways() {
    let carrier = carrier(Algorithms::Md5).await;
    let listener = listening(&carrier, &phone(&carrier, "bob"), [Step::Answer, play(Line::Maria2), Step::WaitHangUp]).await;
    let line = LineFaults { loss: 0.2, jitter_sd: 30 * MS, seed: 1 };
    let alice = phone(&carrier, "alice").with_line(line);
    let script = [Step::WaitAnswer, play(Line::Tom1), Step::Pause(300 * MS), Step::HangUp];
    let (caller, callee) = call(&alice, "bob", script, listener).await;
    for report in [&caller, &callee] {
        let share = report.rtp.lost as f64 / (report.rtp.packets + report.rtp.lost) as f64;
        assert!((0.1..0.3).contains(&share), "{:?}", report.rtp);
        assert!(report.rtp.reordered > 10, "{:?}", report.rtp);
    }
    let last_ones = caller.rtp_lost_on_the_way.abs_diff(callee.rtp.lost);
    assert!(last_ones < 5, "{} went astray, {} are missing", caller.rtp_lost_on_the_way, callee.rtp.lost);
    assert_eq!(callee.rtp_lost_on_the_way, 0);
    carrier.stop().await;
}

/// One runtime, one thread, and that does nothing but look on.
#[tokio::test]
async fn a_runtime_that_is_busy_keeps_no_telephone_waiting() {
    let nobody = PhoneOptions::new(([127, 0, 0, 1], 9).into(), "line");
    let listener = Phone::listen(&nobody, [Step::Answer, play(Line::Hmm), Step::WaitHangUp]).await.expect("listens");
    let caller = PhoneOptions::new(listener.address(), "stranger");
    let script = [Step::WaitAnswer, Step::WaitSilence { after: 100 * MS }, Step::HangUp];
    let call = Phone::call(&caller, "line", script).await.expect("call");
    let give_up = Instant::now() + SOON;
    while call.state() != PhoneState::Over && Instant::now() < give_up {
        std::thread::park_timeout(5 * MS);
    }
    assert_eq!(call.state(), PhoneState::Over);
    assert_eq!(call.wait_for_voice(SOON).await, Ok(true));
}

#[tokio::test]
async fn a_call_without_a_voice_is_waited_for_to_its_end() {
    let nobody = PhoneOptions::new(([127, 0, 0, 1], 9).into(), "line");
    let listener = Phone::listen(&nobody, [Step::Answer, Step::Pause(100 * MS), Step::HangUp]).await.expect("listens");
    let caller = PhoneOptions::new(listener.address(), "stranger");
    let call = Phone::call(&caller, "line", [Step::WaitAnswer, Step::WaitHangUp]).await.expect("call");
    assert_eq!(call.wait_for_voice(SOON).await, Ok(false));
    assert_eq!(call.state(), PhoneState::Over);
}
