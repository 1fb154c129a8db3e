//! What this telephone answers: to the INVITE that calls it, and to whatever comes in the call.

use super::super::sdp::{Direction, RemoteSdp};
use super::{Dialog, Fact, Output, Repeat, Stage};
use crate::message::Message;
use crate::phone::refer::Referred;
use crate::wire::Flow;
use callie_media::codec::G711;
use std::time::Instant;

/// An INVITE of the other side.
#[derive(Debug)]
pub(super) struct Invited {
    pub flow: Flow,
    pub request: Message,
    pub last_reply: Option<Message>,
    /// Of a final reply until its ACK comes, over TCP too for a 200 (RFC 3261 §13.3.1.4).
    pub repeat: Option<Repeat>,
}

impl Dialog {
    pub fn ring(&mut self) {
        self.reply_to_invite(180, None, None);
    }

    /// 183 with our answer, or with that codec in it: what is played from now on is early media (RFC 3960). `false` when there is
    /// nothing to describe.
    pub fn progress(&mut self, codec: Option<G711>) -> bool {
        let Some(invited) = self.invited.as_ref().filter(|_| self.stage == Stage::Called) else { return false };
        let Some(mut offer) = RemoteSdp::parse(&invited.request.body) else { return false };
        if let Some(codec) = codec {
            offer.codecs.retain(|offered| *offered == codec);
        }
        let Some(body) = self.sdp.answer(&offer) else { return false };
        self.reply_to_invite(183, Some(body), None);
        true
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
                self.reply_to_invite(200, Some(body), Some(now));
                self.tell(Fact::Answered);
            }
            None => self.refuse(488, now),
        }
    }

    pub fn refuse(&mut self, code: u16, now: Instant) {
        if self.stage == Stage::Called {
            self.stage = Stage::Over;
            self.reply_to_invite(code, None, Some(now));
            self.tell(Fact::Refused(code));
        }
    }

    pub(super) fn request(&mut self, request: Message, flow: Flow, now: Instant) {
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
            "REFER" if !self.me.refers => self.reply(&request, 405, flow),
            "REFER" => match request.header("Refer-To").and_then(Referred::parse) {
                Some(referred) => {
                    self.outbox.push_back(Output::Happened(Fact::Referred(referred)));
                    self.asked_to_refer = Some((request, flow));
                }
                None => self.reply(&request, 400, flow),
            },
            _ => self.reply(&request, 200, flow),
        }
    }

    /// Answers the REFER at hand.
    pub fn answer_refer(&mut self, code: u16) {
        if let Some((request, flow)) = self.asked_to_refer.take() {
            let mut reply = request.reply(code).with("User-Agent", self.me.user_agent.clone());
            reply.push("Contact", self.me.contact());
            self.outbox.push_back(Output::Send(reply_flow(flow, &reply), reply));
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
            Some(body) => self.reply_to_invite(200, Some(body), Some(now)),
            None => self.reply_to_invite(488, None, Some(now)),
        }
    }

    fn cancelled(&mut self, cancel: &Message, flow: Flow, now: Instant) {
        self.reply(cancel, 200, flow);
        if self.stage == Stage::Called {
            self.reply_to_invite(487, None, Some(now));
            self.end(Fact::Cancelled);
        }
    }

    fn reply(&mut self, request: &Message, code: u16, flow: Flow) {
        let mut reply = request.reply(code).with("User-Agent", self.me.user_agent.clone());
        if reply.to_tag().is_none() {
            reply.set("To", self.local.clone());
        }
        self.outbox.push_back(Output::Send(reply_flow(flow, &reply), reply));
    }

    /// Replies to the INVITE at hand; a final reply, given with its time, is repeated until its ACK.
    fn reply_to_invite(&mut self, code: u16, body: Option<String>, last: Option<Instant>) {
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
        reply.push("Allow", self.me.allow());
        if self.me.refers {
            reply.push("Supported", "replaces");
        }
        if let Some(body) = body {
            reply = reply.with_body("application/sdp", body);
        }
        if let Some(now) = last {
            invited.repeat = Some(Repeat::from(now));
        }
        invited.last_reply = Some(reply.clone());
        self.outbox.push_back(Output::Send(reply_flow(invited.flow, &reply), reply));
    }
}

/// Back by the stream, or to the source's address and the port of rport or sent-by.
pub(in crate::phone) fn reply_flow(flow: Flow, reply: &Message) -> Flow {
    match (flow, reply.top_via()) {
        (Flow::Udp(mut peer), Some(via)) if via.param("rport").is_none() => {
            peer.set_port(via.port.unwrap_or(5060));
            Flow::Udp(peer)
        }
        _ => flow,
    }
}
