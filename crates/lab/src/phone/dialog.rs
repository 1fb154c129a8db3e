//! The telephone's side of one call as a value: messages and time in, messages and facts out
//! (RFC 3261 §12, §13, §14, §15, §17).

use super::identity::{Identity, token};
use super::sdp::{Direction, LocalSdp, RemoteSdp};
use crate::message::{Message, NameAddr, Uri};
use crate::wire::{Flow, Transport};
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

/// A request of ours that waits for its response.
#[derive(Debug)]
struct Asking {
    flow: Flow,
    request: Message,
    repeat: Option<Repeat>,
    begun: Instant,
    heard_something: bool,
    authorized: bool,
}

/// An INVITE of the other side.
#[derive(Debug)]
struct Invited {
    flow: Flow,
    request: Message,
    last_reply: Option<Message>,
    /// Of a final reply until its ACK comes, over TCP too for a 200 (RFC 3261 §13.3.1.4).
    repeat: Option<Repeat>,
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
            outbox: VecDeque::new(),
        }
    }

    pub fn poll(&mut self) -> Option<Output> {
        self.outbox.pop_front()
    }

    pub fn call_id(&self) -> &str {
        &self.call_id
    }

    /// The other side's user part.
    pub fn peer(&self) -> String {
        NameAddr::parse(&self.remote).map(|remote| remote.user()).unwrap_or_default()
    }

    pub fn ring(&mut self) {
        self.reply_to_invite(180, None);
    }

    /// 200 with our answer, or our offer if the INVITE had none; 488 when no codec is shared.
    pub fn answer(&mut self, now: Instant) {
        let Some(invited) = self.invited.as_ref().filter(|_| self.stage == Stage::Called) else { return };
        let body = match RemoteSdp::parse(&invited.request.body) {
            Some(offer) => self.sdp.answer(&offer),
            None if invited.request.body.is_empty() => Some(self.sdp.offer(Direction::SendRecv)),
            None => None,
        };
        match body {
            Some(body) => {
                self.stage = Stage::Up;
                self.reply_to_invite(200, Some((body, now)));
                self.tell(Fact::Answered);
            }
            None => self.refuse(488, now),
        }
    }

    pub fn refuse(&mut self, code: u16, now: Instant) {
        if self.stage == Stage::Called {
            self.stage = Stage::Over;
            self.reply_to_invite(code, Some((String::new(), now)));
            self.tell(Fact::Refused(code));
        }
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

    /// Takes the INVITE back, as soon as something has been heard of it (RFC 3261 §9.1); BYE if it was answered.
    pub fn cancel(&mut self, now: Instant) {
        if self.stage == Stage::Up {
            return self.hang_up(now);
        }
        if self.stage != Stage::Calling || std::mem::replace(&mut self.cancel_wanted, true) {
            return;
        }
        if self.asking.iter().any(|asking| asking.request.method() == "INVITE" && asking.heard_something) {
            self.send_cancel(now);
        }
    }

    /// A new offer in the call.
    pub fn reinvite(&mut self, direction: Direction, now: Instant) {
        if self.stage == Stage::Up {
            let offer = self.sdp.offer(direction);
            self.invite(offer, now);
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

    fn request(&mut self, request: Message, flow: Flow, now: Instant) {
        match request.method() {
            "INVITE" => self.invited_again(request, flow, now),
            "ACK" => {
                if let Some(invited) = &mut self.invited {
                    invited.repeat = None;
                    if invited.request.body.is_empty() {
                        self.note_media(&request.body);
                    }
                }
            }
            "CANCEL" => self.cancelled(&request, flow, now),
            "BYE" => {
                self.reply(&request, 200, flow);
                if matches!(self.stage, Stage::Up | Stage::Called) {
                    self.end(Fact::RemoteHungUp);
                }
            }
            _ => self.reply(&request, 200, flow),
        }
    }

    /// The same INVITE once more, or a new offer in the call.
    fn invited_again(&mut self, request: Message, flow: Flow, now: Instant) {
        let same = self.invited.as_ref().filter(|invited| invited.request.cseq() == request.cseq());
        if let Some(invited) = same {
            let repeat = invited.last_reply.clone();
            self.outbox.extend(repeat.map(|reply| Output::Send(reply_flow(flow, &reply), reply)));
            return;
        }
        let offer = RemoteSdp::parse(&request.body);
        let body = match &offer {
            Some(offer) => self.sdp.answer(offer),
            None => Some(self.sdp.offer(Direction::SendRecv)),
        };
        self.note_media(&request.body);
        if let Some(contact) = request.contact() {
            self.target = contact.uri;
        }
        self.invited = Some(Invited { flow, request, last_reply: None, repeat: None });
        match body {
            Some(body) => self.reply_to_invite(200, Some((body, now))),
            None => self.reply_to_invite(488, Some((String::new(), now))),
        }
    }

    fn cancelled(&mut self, cancel: &Message, flow: Flow, now: Instant) {
        self.reply(cancel, 200, flow);
        if self.stage == Stage::Called {
            self.reply_to_invite(487, Some((String::new(), now)));
            self.end(Fact::Cancelled);
        }
    }

    fn response(&mut self, response: Message, now: Instant) {
        let Some(code) = response.code() else { return };
        let branch = response.top_via().map(|via| via.branch().to_owned()).unwrap_or_default();
        let fits = |asking: &Asking| {
            asking.request.method() == response.method() && asking.request.top_via().is_some_and(|via| via.branch() == branch)
        };
        let Some(at) = self.asking.iter().position(fits) else { return self.late_response(&response, code) };
        if code < 200 {
            return self.provisional(at, code, now);
        }
        let asking = self.asking.remove(at);
        if response.method() == "INVITE" {
            self.invite_answered(asking, &response, code, now);
        } else if response.method() == "BYE" {
            self.end(Fact::HungUp);
        }
    }

    /// A 200 that came again wants its ACK again (RFC 3261 §13.2.2.4).
    fn late_response(&mut self, response: &Message, code: u16) {
        if response.method() == "INVITE" && (200..300).contains(&code) {
            self.outbox.extend(self.last_ack.clone().map(|(flow, ack)| Output::Send(flow, ack)));
        }
    }

    fn provisional(&mut self, at: usize, code: u16, now: Instant) {
        let Some(asking) = self.asking.get_mut(at) else { return };
        asking.repeat = None;
        let first = !std::mem::replace(&mut asking.heard_something, true);
        let initial = asking.request.method() == "INVITE" && self.stage == Stage::Calling;
        if initial && (code == 180 || code == 183) {
            self.tell(Fact::Ringing);
        }
        if initial && first && self.cancel_wanted {
            self.send_cancel(now);
        }
    }

    fn invite_answered(&mut self, asking: Asking, response: &Message, code: u16, now: Instant) {
        if (200..300).contains(&code) {
            return self.accepted(response, now);
        }
        self.acknowledge_refusal(&asking, response);
        if (code == 401 || code == 407) && !asking.authorized && !self.cancel_wanted {
            let mut again = asking.request;
            if self.me.authorize(&mut again, response) {
                self.cseq += 1;
                again.set("CSeq", format!("{} INVITE", self.cseq));
                again.set("Via", self.me.via(asking.flow));
                self.ask(again, now);
                if let Some(asking) = self.asking.last_mut() {
                    asking.authorized = true;
                }
                return;
            }
        }
        if self.stage == Stage::Calling {
            self.end(if self.cancel_wanted { Fact::Cancelled } else { Fact::Refused(code) });
        }
    }

    fn accepted(&mut self, response: &Message, now: Instant) {
        let first = self.stage == Stage::Calling;
        if let Some(contact) = response.contact() {
            self.target = contact.uri;
        }
        if first {
            self.remote = response.header("To").unwrap_or_default().to_owned();
            self.routes = response.all("Record-Route").rev().map(str::to_owned).collect();
        }
        let number = response.cseq().map_or(self.cseq, |(number, _)| number);
        let mut ack = self.request_in_dialog("ACK");
        ack.set("CSeq", format!("{number} ACK"));
        let flow = self.next_hop();
        self.last_ack = Some((flow, ack.clone()));
        self.outbox.push_back(Output::Send(flow, ack));
        if first {
            self.stage = Stage::Up;
            self.tell(Fact::Answered);
        }
        self.note_media(&response.body);
        if first && self.cancel_wanted {
            self.hang_up(now);
        }
    }

    /// ACK of a refusal is of the INVITE's own transaction (RFC 3261 §17.1.1.3).
    fn acknowledge_refusal(&mut self, asking: &Asking, response: &Message) {
        let mut ack = sibling(&asking.request, "ACK");
        ack.set("To", response.header("To").unwrap_or_default());
        self.outbox.push_back(Output::Send(asking.flow, ack));
    }

    fn send_cancel(&mut self, now: Instant) {
        let cancel = self
            .asking
            .iter()
            .find(|asking| asking.request.method() == "INVITE")
            .map(|asking| sibling(&asking.request, "CANCEL"));
        if let Some(cancel) = cancel {
            self.ask(cancel, now);
        }
    }

    fn invite(&mut self, offer: String, now: Instant) {
        let invite = self.request_in_dialog("INVITE").with("Contact", self.me.contact()).with_body("application/sdp", offer);
        self.ask(invite, now);
    }

    fn request_in_dialog(&mut self, method: &str) -> Message {
        if method != "ACK" {
            self.cseq += 1;
        }
        let mut request = Message::request(method, &self.target)
            .with("Via", self.me.via(self.next_hop()))
            .with("Max-Forwards", "70")
            .with("From", self.local.clone())
            .with("To", self.remote.clone())
            .with("Call-ID", self.call_id.clone())
            .with("CSeq", format!("{} {method}", self.cseq))
            .with("User-Agent", self.me.user_agent.clone())
            .with("Allow", "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE");
        self.routes.iter().for_each(|route| request.push("Route", route));
        request
    }

    /// The first Route, or the other side's Contact; by the stream to the carrier if that is how it is reached.
    fn next_hop(&self) -> Flow {
        if matches!(self.stage, Stage::Calling) {
            return self.me.flow;
        }
        let uri = match self.routes.first() {
            Some(route) => NameAddr::parse(route).and_then(|route| Uri::parse(&route.uri)),
            None => Uri::parse(&self.target),
        };
        match (self.me.flow, uri.as_ref().and_then(Uri::socket_addr)) {
            (Flow::Udp(_), Some(address)) => Flow::Udp(address),
            (flow, _) => flow,
        }
    }

    fn ask(&mut self, request: Message, now: Instant) {
        let flow = self.next_hop();
        let repeat = (flow.transport() == Transport::Udp).then(|| Repeat::from(now));
        self.outbox.push_back(Output::Send(flow, request.clone()));
        self.asking.push(Asking { flow, request, repeat, begun: now, heard_something: false, authorized: false });
    }

    fn reply(&mut self, request: &Message, code: u16, flow: Flow) {
        let mut reply = request.reply(code).with("User-Agent", self.me.user_agent.clone());
        if reply.to_tag().is_none() {
            reply.set("To", self.local.clone());
        }
        self.outbox.push_back(Output::Send(reply_flow(flow, &reply), reply));
    }

    /// Replies to the INVITE at hand; a final reply, given with its body, is repeated until its ACK.
    fn reply_to_invite(&mut self, code: u16, last: Option<(String, Instant)>) {
        let Some(invited) = &mut self.invited else { return };
        let mut reply = invited.request.reply(code);
        if invited.request.to_tag().is_none() {
            reply.set("To", self.local.clone());
        }
        for route in invited.request.all("Record-Route") {
            reply.push("Record-Route", route);
        }
        reply.push("Contact", self.me.contact());
        reply.push("User-Agent", self.me.user_agent.clone());
        if let Some((body, now)) = last {
            if !body.is_empty() {
                reply = reply.with_body("application/sdp", body);
            }
            invited.repeat = Some(Repeat::from(now));
        }
        invited.last_reply = Some(reply.clone());
        self.outbox.push_back(Output::Send(reply_flow(invited.flow, &reply), reply));
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

/// ACK or CANCEL beside an INVITE: same branch, same CSeq number.
fn sibling(invite: &Message, method: &str) -> Message {
    let mut request = Message::request(method, invite.subject());
    for name in ["Via", "From", "To", "Call-ID", "Route", "User-Agent"] {
        if let Some(value) = invite.header(name) {
            request.push(name, value);
        }
    }
    let number = invite.cseq().map_or(1, |(number, _)| number);
    request.with("CSeq", format!("{number} {method}")).with("Max-Forwards", "70")
}

/// Back by the stream, or to the source's address and the port of rport or sent-by.
pub(super) fn reply_flow(flow: Flow, reply: &Message) -> Flow {
    match (flow, reply.top_via()) {
        (Flow::Udp(mut peer), Some(via)) if via.param("rport").is_none() => {
            peer.set_port(via.port.unwrap_or(5060));
            Flow::Udp(peer)
        }
        _ => flow,
    }
}
