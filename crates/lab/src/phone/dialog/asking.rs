//! What this telephone asks of the other side: INVITE, CANCEL, ACK, BYE, and what it makes of the responses.

use super::super::sdp::Direction;
use super::{Dialog, Fact, Output, Repeat, Stage};
use crate::message::{Message, NameAddr, Uri};
use crate::wire::{Flow, Transport};
use std::time::Instant;

/// A request of ours that waits for its response.
#[derive(Debug)]
pub(super) struct Asking {
    pub flow: Flow,
    pub request: Message,
    pub repeat: Option<Repeat>,
    pub begun: Instant,
    pub heard_something: bool,
    pub authorized: bool,
}

impl Dialog {
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

    pub(super) fn response(&mut self, response: Message, now: Instant) {
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

    pub(super) fn send_cancel(&mut self, now: Instant) {
        let cancel = self
            .asking
            .iter()
            .find(|asking| asking.request.method() == "INVITE")
            .map(|asking| sibling(&asking.request, "CANCEL"));
        if let Some(cancel) = cancel {
            self.ask(cancel, now);
        }
    }

    pub(super) fn invite(&mut self, offer: String, now: Instant) {
        let mut invite = self.request_in_dialog("INVITE").with("Contact", self.me.contact());
        if self.me.refers {
            invite.push("Supported", "replaces");
        }
        if let Some(replaces) = self.me.replaces.take() {
            invite.push("Require", "replaces");
            invite.push("Replaces", replaces);
        }
        self.ask(invite.with_body("application/sdp", offer), now);
    }

    /// Asks the other side to call somebody else.
    pub fn refer(&mut self, to: &str, now: Instant) {
        let uri = if to.starts_with("sip:") { to.to_owned() } else { format!("sip:{to}@{}", self.me.domain) };
        let refer = self.request_in_dialog("REFER").with("Contact", self.me.contact()).with("Refer-To", format!("<{uri}>"));
        self.ask(refer, now);
    }

    /// How the call goes that a REFER has asked for (RFC 3515 §2.4.4); `last` ends the subscription.
    pub fn notify(&mut self, code: u16, last: bool, now: Instant) {
        let state = if last { "terminated;reason=noresource" } else { "active;expires=60" };
        let status = format!("SIP/2.0 {code} {}\r\n", crate::message::reason_phrase(code));
        let notify = self
            .request_in_dialog("NOTIFY")
            .with("Contact", self.me.contact())
            .with("Event", "refer")
            .with("Subscription-State", state)
            .with_body("message/sipfrag;version=2.0", status);
        self.ask(notify, now);
    }

    pub(super) fn request_in_dialog(&mut self, method: &str) -> Message {
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
            .with("Allow", self.me.allow());
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

    pub(super) fn ask(&mut self, request: Message, now: Instant) {
        let flow = self.next_hop();
        let repeat = (flow.transport() == Transport::Udp).then(|| Repeat::from(now));
        self.outbox.push_back(Output::Send(flow, request.clone()));
        self.asking.push(Asking { flow, request, repeat, begun: now, heard_something: false, authorized: false });
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
