//! The switch by itself, with a clock that jumps.

use super::switch::Switch;
use super::*;
use crate::digest::Challenge;
use crate::message::Message;
use crate::wire::{Flow, Heard};

const S: Duration = Duration::from_secs(1);
const HERE: &str = "127.0.0.1:5060";
const ALICE: &str = "127.0.0.1:1001";
const BOB: &str = "127.0.0.1:1002";

struct Room {
    switch: Switch,
    start: Instant,
    branch: u32,
}

fn room(options: CarrierOptions) -> Room {
    let subscribers = ["alice", "bob"].map(|name| Subscriber::new(name, "secret")).to_vec();
    let (events, _) = broadcast::channel(16);
    let options = CarrierOptions { subscribers, domain: Some("test".into()), ..options };
    Room { switch: Switch::new(options, address(HERE), None, events), start: Instant::now(), branch: 0 }
}

fn address(text: &str) -> SocketAddr {
    text.parse().expect("address")
}

impl Room {
    fn request(&mut self, method: &str, uri: &str, user: &str, from: &str) -> Message {
        self.branch += 1;
        Message::request(method, uri)
            .with("Via", format!("SIP/2.0/UDP {from};branch=z9hG4bK{};rport", self.branch))
            .with("From", format!("<sip:{user}@test>;tag={user}"))
            .with("To", format!("<{uri}>"))
            .with("Call-ID", format!("{user}-{method}"))
            .with("CSeq", format!("{} {method}", self.branch))
            .with("Contact", format!("<sip:{user}@{from}>"))
    }

    fn say(&mut self, at_s: u64, from: &str, message: &Message) -> Vec<(SocketAddr, Message)> {
        let heard = Heard::Message(Flow::Udp(address(from)), Box::new(message.clone()));
        read(self.switch.handle(heard, self.start + at_s as u32 * S))
    }

    fn tick(&mut self, at_ms: u64) -> Vec<(SocketAddr, Message)> {
        read(self.switch.tick(self.start + Duration::from_millis(at_ms)))
    }

    fn code(&mut self, at_s: u64, from: &str, message: &Message) -> Option<u16> {
        self.say(at_s, from, message).first().and_then(|(_, reply)| reply.code())
    }

    /// A REGISTER that answers this challenge, for `expires`.
    fn register(&mut self, user: &str, from: &str, challenge: Option<&Challenge>, expires: u32) -> Message {
        let mut register = self.request("REGISTER", &format!("sip:{user}@test"), user, from).with("Expires", expires.to_string());
        if let Some(challenge) = challenge {
            register.push("Authorization", challenge.answer(user, "secret", "REGISTER", &format!("sip:{user}@test")));
        }
        register
    }

    fn challenge(&mut self, at_s: u64, message: &Message) -> Challenge {
        let replies = self.say(at_s, ALICE, message);
        let (_, reply) = replies.first().expect("challenged");
        Challenge::parse(reply.header("WWW-Authenticate").or(reply.header("Proxy-Authenticate")).expect("header"))
            .expect("challenge")
    }

    fn bind(&mut self, user: &str, from: &str, expires: u32) {
        let register = self.register(user, from, None, expires);
        let challenge = self.challenge(0, &register);
        let register = self.register(user, from, Some(&challenge), expires);
        assert_eq!(self.code(0, from, &register), Some(200));
    }

    /// A stranger's INVITE to bob and what bob got of it.
    fn invited(&mut self) -> (Message, Message) {
        self.bind("bob", BOB, 600);
        let invite = self.request("INVITE", "sip:bob@test", "stranger", ALICE);
        let sent = self.say(0, ALICE, &invite);
        assert_eq!(sent.iter().map(|(to, _)| *to).collect::<Vec<_>>(), [address(ALICE), address(BOB)]);
        assert_eq!(sent[0].1.code(), Some(100));
        (invite, sent[1].1.clone())
    }
}

fn read(sends: Vec<switch::Send>) -> Vec<(SocketAddr, Message)> {
    sends.into_iter().map(|send| (send.flow.peer(), Message::parse(&send.bytes).expect("ours"))).collect()
}

#[test]
fn a_nonce_is_used_again_with_a_higher_count_and_is_stale_in_the_end() {
    let mut room = room(CarrierOptions { nonce_life: 60 * S, ..CarrierOptions::default() });
    let register = room.register("alice", ALICE, None, 600);
    let first = room.challenge(0, &register);
    assert!(!first.stale && first.qop_auth && first.realm == "test");
    let register = room.register("alice", ALICE, Some(&first), 600);
    assert_eq!(room.code(1, ALICE, &register), Some(200));
    assert_eq!(room.code(1, ALICE, &register), Some(200), "a repeat gets the same answer");
    let replay = room.register("alice", ALICE, Some(&first), 600);
    assert!(room.challenge(2, &replay).stale, "a count that was used");
    let fresh = room.register("alice", ALICE, None, 600);
    let second = room.challenge(3, &fresh);
    let late = room.register("alice", ALICE, Some(&second), 600);
    assert!(room.challenge(64, &late).stale, "a nonce that is too old");
}

#[test]
fn bindings_expire_and_brief_ones_are_refused() {
    let mut room = room(CarrierOptions { min_expires_s: 60, ..CarrierOptions::default() });
    room.bind("alice", ALICE, 90);
    assert_eq!(room.switch.bindings.all(room.start + 89 * S).len(), 1);
    assert_eq!(room.switch.bindings.all(room.start + 90 * S).len(), 0);
    let register = room.register("alice", ALICE, None, 30);
    let challenge = room.challenge(0, &register);
    let register = room.register("alice", ALICE, Some(&challenge), 30);
    let (_, reply) = room.say(0, ALICE, &register).remove(0);
    assert_eq!((reply.code(), reply.header("Min-Expires")), (Some(423), Some("60")));
    room.bind("alice", ALICE, 0);
    assert_eq!(room.switch.bindings.all(room.start).len(), 0, "expires 0 takes it away");
}

#[test]
fn an_invite_is_repeated_until_something_is_heard_and_given_up_in_the_end() {
    let mut room = room(CarrierOptions::default());
    let (_, at_bob) = room.invited();
    assert_eq!(at_bob.subject(), format!("sip:bob@{BOB}"));
    assert_eq!(at_bob.header("Record-Route"), Some(format!("<sip:{HERE};lr>").as_str()));
    assert_eq!(room.tick(400).len(), 0);
    assert_eq!(room.tick(500), [(address(BOB), at_bob.clone())]);
    assert_eq!(room.tick(1400).len(), 0);
    assert_eq!(room.tick(1500).len(), 1);
    let given_up = room.tick(32_000);
    assert_eq!(given_up.last().map(|(to, message)| (*to, message.code())), Some((address(ALICE), Some(408))));
    assert_eq!(room.tick(40_000), []);
}

#[test]
fn a_cancel_waits_for_the_first_word_of_the_called() {
    let mut room = room(CarrierOptions::default());
    let (invite, at_bob) = room.invited();
    let mut cancel = invite.clone();
    cancel.start = crate::message::Start::Request { method: "CANCEL".into(), uri: invite.subject().into() };
    cancel.set("CSeq", invite.header("CSeq").expect("cseq").replace("INVITE", "CANCEL"));
    let sent = room.say(1, ALICE, &cancel);
    assert_eq!(sent.iter().map(|(to, message)| (*to, message.code())).collect::<Vec<_>>(), [(address(ALICE), Some(200))]);
    let sent = room.say(1, BOB, &at_bob.reply(180));
    assert_eq!(
        sent.iter().map(|(to, message)| (*to, message.method())).collect::<Vec<_>>(),
        [(address(BOB), "CANCEL"), (address(ALICE), "INVITE")]
    );
    assert_eq!(sent[0].1.header("Via"), at_bob.header("Via"), "same branch as the invite");
    assert_eq!(room.say(1, BOB, &sent[0].1.reply(200)), [], "its answer ends here");
    assert_eq!(room.code(1, BOB, &at_bob.reply(487)), Some(487));
}

#[test]
fn subscribers_must_prove_themselves_to_call_and_strangers_may_be_shut_out() {
    let mut open = room(CarrierOptions::default());
    let invite = open.request("INVITE", "sip:bob@test", "alice", ALICE);
    assert_eq!(open.code(0, ALICE, &invite), Some(407));
    let mut shut = room(CarrierOptions { open_to_strangers: false, ..CarrierOptions::default() });
    let invite = shut.request("INVITE", "sip:bob@test", "stranger", ALICE);
    assert_eq!(shut.code(0, ALICE, &invite), Some(403));
    let bye = shut.request("BYE", "sip:bob@127.0.0.1:5060", "stranger", ALICE);
    let bye = bye.with_to_tag("x");
    assert_eq!(shut.code(0, ALICE, &bye), Some(481));
}

#[test]
fn a_thousand_accounts_are_bound_and_found() {
    let mut room = room(CarrierOptions::default());
    for index in 0..1000 {
        let name = format!("user{index}");
        room.switch.directory.add(Subscriber::new(&name, "secret"));
        room.bind(&name, BOB, 600);
    }
    assert_eq!(room.switch.bindings.all(room.start).len(), 1000);
    assert_eq!(room.switch.ledger.registers("user999").len(), 2);
}
