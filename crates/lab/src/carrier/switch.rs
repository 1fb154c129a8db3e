//! The carrier as a value: messages and time in, messages out.
//!
//! Says who may do what and where a request goes; the carrying of calls is [`super::relay`]'s,
//! REGISTER [`super::registrar`]'s.

use super::CarrierOptions;
use super::auth::{Authenticator, Refusal};
use super::bindings::Bindings;
use super::directory::{Destination, Directory, Subscriber};
use super::fault::{Fault, Faults};
use super::ledger::{CarrierEvent, Ledger};
use super::relay::{Relay, Way};
use crate::digest::hex;
use crate::message::{Message, Via};
use crate::wire::{Flow, Heard};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::sync::broadcast;

/// How long a repeated request gets the same answer again (RFC 3261 timer J, 64·T1).
const ANSWER_KEPT: Duration = Duration::from_secs(32);
const PURGE_EVERY: Duration = Duration::from_secs(1);

/// A message to be sent.
#[derive(Debug)]
pub(super) struct Send {
    pub flow: Flow,
    pub bytes: Vec<u8>,
    pub after: Duration,
}

/// A request with what has been found out about it.
pub(super) struct Asked {
    pub message: Message,
    pub flow: Flow,
    /// Names the transaction: branch, sent-by and method.
    pub key: String,
    /// Subscribers it is from or for.
    pub users: Vec<String>,
    pub now: Instant,
}

impl Asked {
    pub fn user_refs(&self) -> Vec<&str> {
        self.users.iter().map(String::as_str).collect()
    }
}

#[derive(Debug)]
pub(super) struct Switch {
    pub options: CarrierOptions,
    pub directory: Directory,
    pub auth: Authenticator,
    pub bindings: Bindings,
    pub faults: Faults,
    pub ledger: Ledger,
    pub relay: Relay,
    answered: HashMap<String, (Instant, Vec<u8>)>,
    outbox: Vec<Send>,
    delay: Duration,
    next_purge: Option<Instant>,
}

impl Switch {
    pub fn new(
        options: CarrierOptions,
        here: SocketAddr,
        here_secure: Option<SocketAddr>,
        events: broadcast::Sender<CarrierEvent>,
    ) -> Self {
        let mut directory = Directory::default();
        options.subscribers.iter().cloned().for_each(|subscriber| directory.add(subscriber));
        let realm = options.domain.clone().unwrap_or_else(|| here.ip().to_string());
        Self {
            directory,
            auth: Authenticator::new(realm, options.qop, options.nonce_life),
            bindings: Bindings::default(),
            faults: Faults::default(),
            ledger: Ledger::new(events),
            relay: Relay::new(here, here_secure),
            answered: HashMap::new(),
            outbox: Vec::new(),
            delay: Duration::ZERO,
            next_purge: None,
            options,
        }
    }

    pub fn handle(&mut self, heard: Heard, now: Instant) -> Vec<Send> {
        self.delay = Duration::ZERO;
        match heard {
            Heard::Closed(flow) => self.bindings.close(flow),
            Heard::Message(flow, message) if message.is_request() => self.request(flow, *message, now),
            Heard::Message(_, message) => self.response(*message, now),
        }
        std::mem::take(&mut self.outbox)
    }

    /// Repeats what is due and forgets what is over.
    pub fn tick(&mut self, now: Instant) -> Vec<Send> {
        self.delay = Duration::ZERO;
        for (flow, message) in self.relay.tick(now) {
            self.send(flow, &message);
        }
        if self.next_purge.is_none_or(|next| now >= next) {
            self.next_purge = Some(now + PURGE_EVERY);
            self.auth.purge(now);
            self.answered.retain(|_, (at, _)| now.duration_since(*at) < ANSWER_KEPT);
            for username in self.bindings.purge(now) {
                self.ledger.tell(CarrierEvent::Expired { username });
            }
        }
        std::mem::take(&mut self.outbox)
    }

    /// As after a power cut.
    pub fn restart(&mut self) {
        self.bindings.forget();
        self.auth.forget();
        self.relay.forget();
        self.answered.clear();
    }

    /// Answers and remembers the answer for repeats. A final answer gets a To tag.
    pub fn answer(&mut self, asked: &Asked, reply: Message) {
        let reply = if reply.code() == Some(100) { reply } else { reply.with_to_tag(&hex(&rand::random::<[u8; 6]>())) };
        let bytes = reply.to_bytes();
        if reply.code().is_some_and(|code| code >= 200) {
            self.answered.insert(asked.key.clone(), (asked.now, bytes.clone()));
        }
        self.outbox.push(Send { flow: reply_flow(asked.flow, &asked.message), bytes, after: self.delay });
    }

    pub fn send(&mut self, flow: Flow, message: &Message) {
        self.outbox.push(Send { flow, bytes: message.to_bytes(), after: self.delay });
    }

    fn request(&mut self, flow: Flow, mut message: Message, now: Instant) {
        let Some((key, via)) = key_of(&message, flow) else { return };
        message.set("Via", via.to_string());
        self.ledger.note_request(message.method());
        let users = self.users_of(&message);
        let asked = Asked { message, flow, key, users, now };
        let users = asked.user_refs();
        let lost = self.faults.has(&users, &Fault::Silent)
            || (asked.message.method() == "BYE" && self.faults.has(&users, &Fault::LoseBye))
            || self.faults.take_drop(&users);
        if lost {
            return self.note_lost(&asked);
        }
        let delay = |fault: &Fault| if let Fault::DelayMs(ms) = fault { Some(Duration::from_millis(*ms)) } else { None };
        self.delay = self.faults.find(&users, delay).unwrap_or_default();
        if let Some((_, bytes)) = self.answered.get(&asked.key) {
            if asked.message.method() != "ACK" {
                let repeat = Send { flow: reply_flow(flow, &asked.message), bytes: bytes.clone(), after: self.delay };
                self.outbox.push(repeat);
            }
            return;
        }
        self.dispatch(&asked);
    }

    fn dispatch(&mut self, asked: &Asked) {
        let for_the_carrier = asked.message.uri().is_some_and(|uri| uri.user.is_none());
        match asked.message.method() {
            "REGISTER" => self.register(asked),
            "ACK" => self.ack(asked),
            "CANCEL" => self.cancel(asked),
            _ if asked.message.to_tag().is_some() => self.in_dialog(asked),
            "OPTIONS" if for_the_carrier => self.answer(asked, asked.message.reply(200)),
            _ => self.out_of_dialog(asked),
        }
    }

    fn ack(&mut self, asked: &Asked) {
        if let Some((flow, message)) = self.relay.ack(&asked.message, &asked.key) {
            self.send(flow, &message);
        }
    }

    fn cancel(&mut self, asked: &Asked) {
        let known = self.relay.cancel(&asked.key, asked.now);
        let code = if known.is_some() { 200 } else { 481 };
        self.answer(asked, asked.message.reply(code));
        let Some(cancelled) = known else { return };
        self.ledger.tell(CarrierEvent::Cancelled { call_id: asked.message.call_id().to_owned() });
        if let Some((flow, message)) = cancelled {
            self.send(flow, &message);
        }
    }

    /// A request with a To tag goes along its Route or to the Contact it names (RFC 3261 §16.5, §16.6).
    fn in_dialog(&mut self, asked: &Asked) {
        let Some(way) = self.relay.way_in_dialog(&asked.message) else {
            return self.answer(asked, asked.message.reply(481));
        };
        if let Some(event) = self.relay.note_bye(&asked.message, &asked.key, asked.now) {
            self.ledger.tell(event);
        }
        self.carry(asked, way);
    }

    fn out_of_dialog(&mut self, asked: &Asked) {
        if self.relay.knows(&asked.key) {
            return self.repeat(asked);
        }
        if asked.message.method() == "INVITE" && !self.may_call(asked) {
            return;
        }
        match self.find_way(&asked.message, asked.now) {
            Ok(way) => {
                self.note_call(asked, &way);
                self.carry(asked, way);
            }
            Err(code) => self.answer(asked, asked.message.reply(code)),
        }
    }

    /// Checks who calls; has answered if the call may not go on.
    fn may_call(&mut self, asked: &Asked) -> bool {
        let users = asked.user_refs();
        let reject = |fault: &Fault| if let Fault::RejectInvite(code) = fault { Some(*code) } else { None };
        if let Some(code) = self.faults.find(&users, reject) {
            self.answer(asked, asked.message.reply(code));
            return false;
        }
        let caller = asked.message.from().and_then(|from| self.directory.by_uri(&from.uri)).cloned();
        let Some(caller) = caller else {
            if !self.options.open_to_strangers {
                self.answer(asked, asked.message.reply(403));
            }
            return self.options.open_to_strangers;
        };
        self.authorize(asked, &caller, 407).is_ok()
    }

    /// Checks credentials; if they do not do, has answered by `code` (401 or 407) or 403, and says by which.
    pub fn authorize(&mut self, asked: &Asked, subscriber: &Subscriber, code: u16) -> Result<(), u16> {
        let (ask, bring) =
            if code == 407 { ("Proxy-Authenticate", "Proxy-Authorization") } else { ("WWW-Authenticate", "Authorization") };
        let checked = self.auth.check(&asked.message, bring, subscriber, asked.now);
        let user: &[&str] = &[&subscriber.username];
        let verdict = match checked {
            Err(Refusal::Missing) => Err(Refusal::Missing),
            _ if self.faults.has(user, &Fault::BadAuth) => {
                self.answer(asked, asked.message.reply(403));
                return Err(403);
            }
            _ if self.faults.has(user, &Fault::AlwaysChallenge) => Err(Refusal::Wrong),
            Ok(()) if self.faults.take_stale(user) => Err(Refusal::Stale),
            verdict => verdict,
        };
        let Err(refusal) = verdict else { return Ok(()) };
        let challenges = self.auth.challenge(subscriber, refusal == Refusal::Stale, asked.now);
        let mut reply = asked.message.reply(code);
        challenges.iter().for_each(|challenge| reply.push(ask, challenge.to_header()));
        self.answer(asked, reply);
        Err(code)
    }

    /// Where a called number leads, or the code that says why nowhere.
    fn find_way(&self, message: &Message, now: Instant) -> Result<Way, u16> {
        let user = message.uri().and_then(|uri| uri.user).unwrap_or_default();
        match self.directory.find(message.subject()) {
            None => Err(404),
            Some(Destination::Line(address)) => Ok(Way { uri: format!("sip:{user}@{address}"), flow: Flow::Udp(address) }),
            Some(Destination::Subscriber(username)) => {
                let binding = self.bindings.of(&username, now).next_back().ok_or(480_u16)?;
                Ok(Way { uri: binding.contact.clone(), flow: binding.route() })
            }
        }
    }

    fn note_call(&mut self, asked: &Asked, way: &Way) {
        if asked.message.method() != "INVITE" {
            return;
        }
        self.relay.begin_call(&asked.message, asked.flow, way.flow, asked.now);
        let user = |address: Option<crate::message::NameAddr>| address.map(|address| address.user()).unwrap_or_default();
        let (from, to) = (user(asked.message.from()), user(asked.message.to()));
        self.ledger.tell(CarrierEvent::Calling { call_id: asked.message.call_id().to_owned(), from, to });
    }

    fn carry(&mut self, asked: &Asked, way: Way) {
        if self.relay.knows(&asked.key) {
            return self.repeat(asked);
        }
        let hops: u32 = asked.message.header("Max-Forwards").and_then(|text| text.parse().ok()).unwrap_or(70);
        if hops == 0 {
            return self.answer(asked, asked.message.reply(483));
        }
        if asked.message.method() == "INVITE" {
            self.answer(asked, asked.message.reply(100));
        }
        let (flow, message) = self.relay.forward(asked, way, hops - 1);
        self.send(flow, &message);
    }

    fn repeat(&mut self, asked: &Asked) {
        if let Some((flow, message)) = self.relay.again(&asked.key) {
            self.send(flow, &message);
        }
    }

    fn response(&mut self, message: Message, now: Instant) {
        if let Some(code) = message.code() {
            self.ledger.note_response(code);
        }
        let Some(passed) = self.relay.response(message, now) else { return };
        let users: Vec<&str> = passed.users.iter().map(String::as_str).collect();
        if self.faults.has(&users, &Fault::Silent) {
            return;
        }
        passed.events.into_iter().for_each(|event| self.ledger.tell(event));
        for (flow, message) in &passed.sends {
            self.send(*flow, message);
        }
    }

    fn users_of(&self, message: &Message) -> Vec<String> {
        let named = [message.from(), message.to()].into_iter().flatten();
        named
            .filter_map(|address| match self.directory.find(&address.uri)? {
                Destination::Subscriber(username) => Some(username),
                Destination::Line(_) => None,
            })
            .collect()
    }
}

/// The transaction's name, and the top Via with the source noted. `None` if a header every request has is missing.
fn key_of(message: &Message, flow: Flow) -> Option<(String, Via)> {
    let mut via = message.top_via()?;
    let (_, method) = message.cseq()?;
    if method != message.method() || message.from().is_none() || message.to().is_none() || message.call_id().is_empty() {
        return None;
    }
    let key = super::relay::key(via.branch(), &format!("{}:{}", via.host, via.port.unwrap_or(5060)), method);
    via.set_source(flow.peer());
    Some((key, via))
}

/// Where an answer goes: back by the stream, or to the source with the port of rport or sent-by (RFC 3581 §4).
pub(super) fn reply_flow(flow: Flow, message: &Message) -> Flow {
    let Flow::Udp(source) = flow else { return flow };
    match message.top_via() {
        Some(via) if via.param("rport").is_none() => Flow::Udp(SocketAddr::new(source.ip(), via.port.unwrap_or(5060))),
        _ => flow,
    }
}
