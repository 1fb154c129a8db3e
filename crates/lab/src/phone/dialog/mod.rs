//! The telephone's side of one call as a value: messages and time in, messages and facts out
//! (RFC 3261 §12, §13, §14, §15, §17).

mod answering;
mod asking;
#[cfg(test)]
mod tests;

pub(super) use answering::reply_flow;

use super::identity::{Identity, token};
use super::refer::Referred;
use super::sdp::{Direction, LocalSdp, RemoteSdp};
use crate::message::{Message, NameAddr};
use crate::wire::Flow;
use answering::Invited;
use asking::Asking;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

const T1: Duration = Duration::from_millis(500);
const T2: Duration = Duration::from_secs(4);
/// 64·T1.
const GIVE_UP: Duration = Duration::from_secs(32);

#[derive(Debug)]
pub(super) enum Output {
    Send(Flow, Message),
    Happened(Fact),
}

/// What the telephone's owner needs to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fact {
    Ringing,
    /// 200 came, or was sent.
    Answered,
    /// What the other side wants to hear and where.
    Media(RemoteSdp),
    Refused(u16),
    Cancelled,
    NoAnswer,
    RemoteHungUp,
    /// Asked to call somebody else; to be answered.
    Referred(Referred),
    /// Our BYE was answered, or given up.
    HungUp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Calling,
    Called,
    Up,
    HangingUp,
    Over,
}

#[derive(Clone, Copy, Debug)]
struct Repeat {
    due: Instant,
    interval: Duration,
    until: Instant,
}

impl Repeat {
    fn from(now: Instant) -> Self {
        Self { due: now + T1, interval: T1, until: now + GIVE_UP }
    }

    /// `true` when it is time; then the next time is twice as far, `cap` at most.
    fn is_due(&mut self, now: Instant, cap: Duration) -> bool {
        let due = now >= self.due && now < self.until;
        if due {
            self.interval = (self.interval * 2).min(cap);
            self.due = now + self.interval;
        }
        due
    }
}

#[derive(Debug)]
pub(super) struct Dialog {
    me: Identity,
    sdp: LocalSdp,
    call_id: String,
    /// From of our requests, To of theirs: with our tag.
    local: String,
    /// The other side's, with its tag when known.
    remote: String,
    target: String,
    routes: Vec<String>,
    cseq: u32,
    stage: Stage,
    cancel_wanted: bool,
    asking: Vec<Asking>,
    invited: Option<Invited>,
    last_ack: Option<(Flow, Message)>,
    asked_to_refer: Option<(Message, Flow)>,
    outbox: VecDeque<Output>,
}

impl Dialog {
    /// Calls `to`, a number or a whole URI.
    pub fn call(me: Identity, to: &str, mut sdp: LocalSdp, now: Instant) -> Self {
        let uri = if to.starts_with("sip:") { to.to_owned() } else { format!("sip:{to}@{}", me.domain) };
        let offer = sdp.offer(Direction::SendRecv);
        let (local, remote) = (me.caller_value(), format!("<{uri}>"));
        let mut dialog = Self::new(me, sdp, token() + "@phone", local, remote, uri, Stage::Calling);
        dialog.invite(offer, now);
        dialog
    }

    /// Is called by `invite`, which came by `flow`.
    pub fn called(me: Identity, invite: Message, flow: Flow, sdp: LocalSdp) -> Self {
        let value = |name: &str| invite.header(name).unwrap_or_default().to_owned();
        let target = invite.contact().map(|contact| contact.uri).unwrap_or_default();
        let (local, call_id) = (format!("{};tag={}", value("To"), token()), invite.call_id().to_owned());
        let mut dialog = Self::new(me, sdp, call_id, local, value("From"), target, Stage::Called);
        dialog.routes = invite.all("Record-Route").map(str::to_owned).collect();
        dialog.note_media(&invite.body);
        dialog.invited = Some(Invited { flow, request: invite, last_reply: None, repeat: None });
        dialog
    }

    fn new(me: Identity, sdp: LocalSdp, call_id: String, local: String, remote: String, target: String, stage: Stage) -> Self {
        Self {
            me,
            sdp,
            call_id,
            local,
            remote,
            target,
            routes: Vec::new(),
            cseq: 0,
            stage,
            cancel_wanted: false,
            asking: Vec::new(),
            invited: None,
            last_ack: None,
            asked_to_refer: None,
            outbox: VecDeque::new(),
        }
    }

    pub fn poll(&mut self) -> Option<Output> {
        self.outbox.pop_front()
    }

    pub fn call_id(&self) -> &str {
        &self.call_id
    }

    /// A `Replaces` header that names this call to the other side (RFC 3891 §6.1).
    pub fn replaces(&self) -> String {
        let tag =
            |value: &str| NameAddr::parse(value).and_then(|address| address.param("tag").map(str::to_owned)).unwrap_or_default();
        format!("{};to-tag={};from-tag={}", self.call_id, tag(&self.remote), tag(&self.local))
    }

    /// The other side's user part.
    pub fn peer(&self) -> String {
        NameAddr::parse(&self.remote).map(|remote| remote.user()).unwrap_or_default()
    }

    /// Ends the call in whatever state it is.
    pub fn hang_up(&mut self, now: Instant) {
        match self.stage {
            Stage::Calling => self.cancel(now),
            Stage::Called => self.refuse(603, now),
            Stage::Up => {
                self.stage = Stage::HangingUp;
                let bye = self.request_in_dialog("BYE");
                self.ask(bye, now);
            }
            Stage::HangingUp | Stage::Over => {}
        }
    }

    pub fn handle(&mut self, message: Message, flow: Flow, now: Instant) {
        if message.is_request() { self.request(message, flow, now) } else { self.response(message, now) }
    }

    /// Repeats what waits for an answer, and gives up.
    pub fn tick(&mut self, now: Instant) {
        let mut given_up = Vec::new();
        let outbox = &mut self.outbox;
        self.asking.retain_mut(|asking| {
            let cap = if asking.request.method() == "INVITE" { GIVE_UP } else { T2 };
            if asking.repeat.as_mut().is_some_and(|repeat| repeat.is_due(now, cap)) {
                outbox.push_back(Output::Send(asking.flow, asking.request.clone()));
            }
            let waiting = asking.heard_something || now.duration_since(asking.begun) < GIVE_UP;
            if !waiting {
                given_up.push(asking.request.method().to_owned());
            }
            waiting
        });
        if let Some(invited) = &mut self.invited
            && invited.repeat.as_mut().is_some_and(|repeat| repeat.is_due(now, T2))
            && let Some(reply) = invited.last_reply.clone()
        {
            self.outbox.push_back(Output::Send(reply_flow(invited.flow, &reply), reply));
        }
        for method in given_up {
            match (method.as_str(), self.stage) {
                ("INVITE", Stage::Calling) => self.end(Fact::NoAnswer),
                ("BYE", _) => self.end(Fact::HungUp),
                _ => {}
            }
        }
    }

    fn note_media(&mut self, body: &[u8]) {
        if let Some(remote) = RemoteSdp::parse(body) {
            self.tell(Fact::Media(remote));
        }
    }

    fn end(&mut self, fact: Fact) {
        if self.stage != Stage::Over {
            self.stage = Stage::Over;
            self.tell(fact);
        }
    }

    fn tell(&mut self, fact: Fact) {
        self.outbox.push_back(Output::Happened(fact));
    }
}
