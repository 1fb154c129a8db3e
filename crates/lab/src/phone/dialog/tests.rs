//! A caller's and a called party's dialog against each other, with a clock that jumps and no wire.

use super::*;
use crate::phone::G711;

const SIP: &str = "127.0.0.1:1001";

fn identity(user: &str) -> Identity {
    Identity {
        user: user.to_owned(),
        display_name: None,
        domain: "test".to_owned(),
        credentials: None,
        user_agent: String::new(),
        here: SIP.parse().expect("address"),
        refers: false,
        replaces: None,
        flow: flow(),
    }
}

fn flow() -> Flow {
    Flow::Udp(SIP.parse().expect("address"))
}

fn sdp() -> LocalSdp {
    LocalSdp::new("127.0.0.1:4000".parse().expect("address"), vec![G711::Pcmu])
}

/// What a dialog has said: messages, and facts other than media.
fn said(dialog: &mut Dialog) -> (Vec<Message>, Vec<Fact>) {
    let (mut messages, mut facts) = (Vec::new(), Vec::new());
    while let Some(output) = dialog.poll() {
        match output {
            Output::Send(_, message) => messages.push(message),
            Output::Happened(Fact::Media(_)) => {}
            Output::Happened(fact) => facts.push(fact),
        }
    }
    (messages, facts)
}

fn methods(messages: &[Message]) -> Vec<String> {
    messages.iter().map(|message| message.code().map_or(message.method().to_owned(), |code| code.to_string())).collect()
}

/// A caller and a called party; the INVITE has arrived.
fn pair(now: Instant) -> (Dialog, Dialog) {
    let mut caller = Dialog::call(identity("alice"), "bob", sdp(), now);
    let invite = said(&mut caller).0.remove(0);
    (caller, Dialog::called(identity("bob"), invite, flow(), sdp()))
}

/// Gives each what the other says until both are silent; the facts of each.
fn talk(one: &mut Dialog, other: &mut Dialog, now: Instant) -> (Vec<Fact>, Vec<Fact>) {
    let (mut of_one, mut of_other) = (Vec::new(), Vec::new());
    loop {
        let (from_one, facts) = said(one);
        of_one.extend(facts);
        let (from_other, facts) = said(other);
        of_other.extend(facts);
        if from_one.is_empty() && from_other.is_empty() {
            return (of_one, of_other);
        }
        from_one.into_iter().for_each(|message| other.handle(message, flow(), now));
        from_other.into_iter().for_each(|message| one.handle(message, flow(), now));
    }
}

#[test]
fn a_cancel_that_the_answer_overtakes_ends_in_ack_and_bye() {
    let now = Instant::now();
    let (mut caller, mut called) = pair(now);
    caller.cancel(now);
    assert_eq!(methods(&said(&mut caller).0), [""; 0], "nothing has been heard yet");
    called.answer(now);
    said(&mut called).0.into_iter().for_each(|message| caller.handle(message, flow(), now));
    let (messages, facts) = said(&mut caller);
    assert_eq!((methods(&messages), facts), (vec!["ACK".to_owned(), "BYE".to_owned()], vec![Fact::Answered]));
}

#[test]
fn a_cancel_waits_for_ringing() {
    let now = Instant::now();
    let (mut caller, mut called) = pair(now);
    caller.cancel(now);
    called.ring();
    assert_eq!(talk(&mut caller, &mut called, now), (vec![Fact::Ringing, Fact::Cancelled], vec![Fact::Cancelled]));
}

#[test]
fn a_200_is_repeated_until_its_ack_and_each_one_is_acknowledged() {
    let now = Instant::now();
    let (mut caller, mut called) = pair(now);
    called.answer(now);
    let first = said(&mut called).0.remove(0);
    called.tick(now + T1);
    assert_eq!(said(&mut called).0, std::slice::from_ref(&first));
    for _ in 0..2 {
        caller.handle(first.clone(), flow(), now);
    }
    let acks = said(&mut caller).0;
    assert_eq!(methods(&acks), ["ACK", "ACK"]);
    called.handle(acks[0].clone(), flow(), now);
    called.tick(now + 4 * T1);
    assert_eq!(said(&mut called).0, []);
}

#[test]
fn byes_that_cross_are_both_answered() {
    let now = Instant::now();
    let (mut caller, mut called) = pair(now);
    called.answer(now);
    talk(&mut caller, &mut called, now);
    caller.hang_up(now);
    called.hang_up(now);
    assert_eq!(talk(&mut caller, &mut called, now), (vec![Fact::HungUp], vec![Fact::HungUp]));
}

#[test]
fn an_invite_nobody_answers_is_repeated_and_given_up() {
    let now = Instant::now();
    let (mut caller, _) = pair(now);
    for (at_ms, wanted) in [(400, 0), (500, 1), (900, 0), (1500, 1), (3500, 1)] {
        caller.tick(now + Duration::from_millis(at_ms));
        assert_eq!(said(&mut caller).0.len(), wanted, "at {at_ms} ms");
    }
    caller.tick(now + GIVE_UP);
    assert_eq!(said(&mut caller).1, [Fact::NoAnswer]);
}
