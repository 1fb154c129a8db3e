//! An inbound leg until its answer: ringing, refusing, cancelled (RFC 3261 §13.3).

use super::dialog::Dialog;
use super::refresh::{self, Agreement};
use super::registry::{Legs, Mailbox};
use super::reliable::Due;
use super::reoffer::acknowledgement;
use super::session::{Founding, Session};
use super::session_timer::{Input, SessionTimer};
use super::talk::{Opening, Talk};
use super::turn::{Side, Turn};
use super::{Command, EventSink, Facts, HangUpCause, Leg, LegEvent, LegFailure, extension};
use crate::account::Line;
use crate::digest::AuthAttempt;
use crate::door::SetupPlace;
use crate::stack::{Answer, Flow, Incoming, InviteHeard, InviteServer, Method, Wire, random_token, tag_of};
use std::sync::Arc;
use tokio::sync::mpsc;

struct Callee {
    session: Arc<Session>,
    sink: EventSink,
    commands: mpsc::Receiver<Command>,
    mailbox: Mailbox,
    invite: InviteServer,
    /// What the 200 says about the session timer.
    agreement: Agreement,
    /// The caller wants to acknowledge provisional responses (`Require: 100rel`).
    reliably: bool,
}

/// The session timer that an INVITE gets, or the `Min-SE` of the 422 that refuses it (RFC 4028 §9).
pub(crate) fn session_timer(wire: &Wire, line: &Line, invite: &Incoming) -> Result<Timed, u32> {
    let timer = SessionTimer::new(line.account().upkeep.session_expires_s, wire.ask_peer_every);
    let agreement = timer.answer(refresh::asked(invite))?;
    Ok(Timed { timer, agreement })
}

/// See [`session_timer`].
pub(crate) struct Timed {
    timer: SessionTimer,
    agreement: Agreement,
}

/// An INVITE, how it came, and what has been settled before the leg.
pub(crate) struct Admitted {
    pub line: Arc<Line>,
    pub invite: Incoming,
    pub flow: Flow,
    pub timed: Timed,
    /// Room for it until the ACK.
    pub place: SetupPlace,
}

/// Opens the leg of an INVITE. Its task runs from now on.
pub(crate) fn open(wire: &Arc<Wire>, legs: &Arc<Legs>, admitted: Admitted) -> Leg {
    let Admitted { line, invite, flow, timed: Timed { timer, agreement }, place } = admitted;
    let tag = random_token(10);
    let contact = line.contact_uri(wire, &flow);
    let dialog = Dialog::of_invite(&invite, &tag, contact);
    let facts = Arc::new(Facts::new(&dialog.call_id));
    facts.name(&tag, tag_of(&dialog.remote).unwrap_or_default());
    facts.learn(invite.headers("Allow"), invite.headers("Supported"));
    let mailbox = legs.admit(&facts, &tag, &line.account().user);
    let auth = AuthAttempt::default();
    let (wire, owns_call_id) = (wire.clone(), false);
    let founding = Founding { wire, line, dialog, flow, auth, facts: facts.clone(), owns_call_id, timer };
    let session = Session::new(founding);
    session.heard_description(invite.body());
    let (leg, sink, commands) = super::pair(facts, session.trace());
    // The first reliable response to an INVITE without an offer would have to make one (RFC 3262 §5), and ringing has none: such a
    // caller hears nothing before the answer.
    let reliably = extension::has(invite.headers("Require"), "100rel");
    let invite = invite.into_invite(&tag, Some(place));
    let callee = Callee { reliably, session, sink, commands, mailbox, invite, agreement };
    let tracker = callee.session.wire.tracker.clone();
    tracker.spawn(callee.run());
    leg
}

impl Callee {
    async fn run(mut self) {
        self.invite.answer(Answer::of(100));
        let session = self.session.clone();
        loop {
            tokio::select! {
                // A command that was given before the leg was dropped still counts.
                biased;
                () = session.over.cancelled() => return,
                command = self.commands.recv() => match command {
                    Some(Command::Ring) => self.ring(),
                    Some(Command::Answer(sdp)) => return self.accept(sdp).await,
                    Some(Command::Reject(code)) if (300..700).contains(&code) => return self.refuse(code).await,
                    Some(Command::Reject(_) | Command::HangUp(_)) | None => return self.refuse(480).await,
                    // Not before the answer: who asked is told so by the drop.
                    Some(Command::Offer(..) | Command::Refer(_) | Command::ReportRefer { .. } | Command::Info { .. }) => {}
                },
                () = self.sink.abandoned() => return self.refuse(480).await,
                heard = self.invite.next() => match heard {
                    InviteHeard::Cancel => return self.cancelled().await,
                    InviteHeard::Ack(_) => {}
                    InviteHeard::Over => return self.sink.end(LegEvent::Failed(LegFailure::Timeout)),
                },
                due = session.ringing.due() => match due {
                    Due::Repeat(ringing) => self.invite.answer(self.reliable(ringing)),
                    Due::GiveUp { sent } => {
                        self.sink.end(LegEvent::Failed(LegFailure::PrackMissing { sent }));
                        return self.refuse(504).await;
                    }
                },
                request = self.mailbox.next() => match request.method {
                    // The caller may end an early dialog so (RFC 3261 §15).
                    Method::Bye => {
                        request.answer(self.answer(200)).await;
                        return self.cancelled().await;
                    }
                    Method::Options => request.answer(self.answer(200)).await,
                    Method::Prack => session.acknowledged(request).await,
                    // A refresh that changes nothing; an offer has to wait for the answer (RFC 3261 §14.2, RFC 3311 §5.2).
                    Method::Update if request.body().is_empty() => {
                        session.dialog().accepts(&request);
                        request.answer(self.answer(200)).await;
                    }
                    Method::Invite | Method::Update => request.answer(self.answer(500).with("Retry-After", "2")).await,
                    Method::Notify => request.answer(self.answer(481)).await,
                    _ => request.answer(self.answer(405)).await,
                },
            }
        }
    }

    fn answer(&self, code: u16) -> Answer {
        self.session.answer(code).with("Contact", self.session.contact()).with("Supported", extension::SUPPORTED)
    }

    fn ring(&self) {
        if !self.reliably {
            return self.invite.answer(self.answer(180));
        }
        let has_offer = self.session.heard().is_some();
        if let Some(ringing) = has_offer.then(|| self.session.ringing.begin(self.session.wire.t1)).flatten() {
            self.invite.answer(self.reliable(ringing));
        }
    }

    /// 180 with the number that the caller's PRACK has to name (RFC 3262 §3).
    fn reliable(&self, rseq: u32) -> Answer {
        self.answer(180).with("Require", "100rel").with("RSeq", rseq.to_string())
    }

    async fn accept(self, sdp: String) {
        self.session.described(&sdp);
        self.session.facts.confirm();
        // Ringing without a description need not be acknowledged before the answer (§3), and is repeated no more.
        self.session.ringing.stop();
        let (terms, fields) = self.agreement.clone();
        let turn = self.session.turns.take(Side::Theirs).ok();
        turn.iter().for_each(Turn::answered);
        self.invite.answer(self.answer(200).with_fields(fields).with_sdp(sdp));
        self.session.timing.tell(Input::Agreed(terms));
        let Self { session, sink, commands, mailbox, invite, .. } = self;
        let opening = Opening::Served { invite: Box::new(invite), _turn: turn };
        Talk { session, sink, commands, mailbox, opening, cause: HangUpCause::Normal }.run().await;
    }

    async fn cancelled(mut self) {
        self.sink.end(LegEvent::Cancelled);
        self.refuse(487).await;
    }

    /// Refuses, and stays until the ACK: the refusal is repeated as long as it is missing.
    async fn refuse(mut self, code: u16) {
        self.session.ringing.stop();
        self.invite.answer(self.answer(code));
        self.sink.close();
        let Self { session, mut invite, mailbox, .. } = self;
        drop(mailbox);
        tokio::select! {
            () = session.over.cancelled() => {}
            _ = acknowledgement(&mut invite) => {}
        }
    }
}
