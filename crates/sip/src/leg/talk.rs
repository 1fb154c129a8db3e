//! A leg whose INVITE has been answered: the part that both directions share, until the BYE.
//!
//! ```text
//!   our 200 ── ACK ─────▶ talking ── BYE of the peer ──▶ 200, HungUp
//!      └─ 64·T1 without ─▶ AckMissing ─▶ BYE
//!   talking ── HangUp, nobody listens ──▶ BYE (a crossing BYE of the peer gets its 200)
//! ```

use super::registry::Mailbox;
use super::session::{Ask, Session};
use super::session_timer::Input;
use super::turn::Turn;
use super::{
    Command, EventSink, HangUpCause, LegEvent, LegFailure, RequestFailure, dtmf, extension, offer, refer, refresh, reoffer,
};
use crate::header;
use crate::stack::{Answer, ClientTransaction, Heard, Incoming, InviteHeard, InviteServer, Method};
use std::sync::Arc;
use tokio::sync::mpsc;

/// What is left of the INVITE.
pub(super) enum Opening {
    /// Ours: kept to acknowledge copies of the answer, and answers of other branches.
    Placed(ClientTransaction),
    /// The peer's: our 200 waits for the ACK, and until then the offer is not through.
    Served {
        invite: Box<InviteServer>,
        _turn: Option<Turn>,
    },
    Done,
}

pub(super) struct Talk {
    pub session: Arc<Session>,
    pub sink: EventSink,
    pub commands: mpsc::Receiver<Command>,
    pub mailbox: Mailbox,
    pub opening: Opening,
    pub cause: HangUpCause,
}

/// What the loop does next.
enum Next {
    Go,
    /// Say BYE as soon as it is allowed.
    Leave,
    /// The dialog is over.
    End,
}

enum Opened {
    Acknowledged(Vec<u8>),
    AckMissing,
    /// Another branch of a forked INVITE has answered too.
    Forked(crate::stack::Reply),
    Nothing,
}

impl Talk {
    pub async fn run(mut self) {
        let session = self.session.clone();
        let mut leaving = false;
        loop {
            let next = tokio::select! {
                () = session.over.cancelled() => Next::End,
                () = session.broken.cancelled(), if !leaving => self.fail(session.failure()),
                () = self.sink.abandoned() => Next::Leave,
                command = self.commands.recv(), if !leaving => self.on_command(command),
                request = self.mailbox.next() => self.on_request(request).await,
                opened = self.opening.next() => self.on_opened(opened),
                output = session.timing.due(), if !leaving => {
                    refresh::carry_out(&session, output, self.sink.teller());
                    Next::Go
                }
            };
            match next {
                Next::Go => {}
                Next::Leave => {
                    self.sink.close();
                    leaving = true;
                }
                Next::End => break,
            }
            // The called party must not say BYE before the ACK (RFC 3261 §15).
            if leaving && !matches!(self.opening, Opening::Served { .. }) {
                self.say_bye().await;
                break;
            }
        }
        session.over.cancel();
    }

    /// Ends what has just begun: the answer crossed our CANCEL.
    pub async fn leave(mut self) {
        self.say_bye().await;
        self.session.over.cancel();
    }

    fn fail(&mut self, failure: LegFailure) -> Next {
        if matches!(failure, LegFailure::SessionExpired(_)) {
            self.cause = HangUpCause::SessionExpired;
        }
        self.sink.end(LegEvent::Failed(failure));
        Next::Leave
    }

    fn on_command(&mut self, command: Option<Command>) -> Next {
        match command {
            None | Some(Command::Reject(_)) => return Next::Leave,
            Some(Command::HangUp(cause)) => {
                self.cause = cause;
                return Next::Leave;
            }
            // Too late, or not ours to do: the call is up.
            Some(Command::Ring | Command::Answer(_)) => {}
            Some(Command::Offer(sdp, outcome)) => {
                // Our 200 waits for its ACK: the first offer is not through yet.
                if matches!(self.opening, Opening::Served { .. }) {
                    outcome.send(Err(RequestFailure::Busy)).ok();
                    return Next::Go;
                }
                let session = self.session.clone();
                self.session.clone().beside(async move {
                    outcome.send(offer::offer(&session, &sdp).await).ok();
                });
            }
            Some(Command::Refer(target)) => refer::begin(&self.session, target, self.sink.teller()),
            Some(Command::ReportRefer { code, phrase }) => refer::report(&self.session, code, phrase),
            Some(Command::Info { kind, body, outcome }) => {
                let session = self.session.clone();
                self.session.clone().beside(async move {
                    outcome.send(refer::info(&session, kind, &body).await).ok();
                });
            }
        }
        Next::Go
    }

    fn on_opened(&mut self, opened: Opened) -> Next {
        match opened {
            Opened::Acknowledged(body) => {
                self.opening = Opening::Done;
                self.session.heard_description(&body);
                self.sink.tell(LegEvent::Acknowledged { sdp: (!body.is_empty()).then_some(body) });
                Next::Go
            }
            Opened::AckMissing => {
                self.opening = Opening::Done;
                self.fail(self.session.ack_missing())
            }
            Opened::Forked(reply) => {
                self.leave_fork(&reply);
                Next::Go
            }
            Opened::Nothing => {
                self.opening = Opening::Done;
                Next::Go
            }
        }
    }

    /// The stack has acknowledged the other branch; it is hung up at once (RFC 3261 §13.2.2.4).
    fn leave_fork(&self, reply: &crate::stack::Reply) {
        let dialog = self.session.dialog().answered_by(reply);
        if reply.to_tag() == crate::stack::tag_of(&self.session.dialog().remote) {
            return;
        }
        let fork = self.session.fork(dialog);
        fork.clone().beside(async move {
            fork.ask(&bye(HangUpCause::AnsweredElsewhere)).await.ok();
        });
    }

    async fn on_request(&mut self, request: Incoming) -> Next {
        if !self.session.dialog().is_from_peer(&request) {
            request.answer(self.plain(481)).await;
            return Next::Go;
        }
        if !self.session.dialog().accepts(&request) {
            request.answer(Answer::of(500)).await;
            return Next::Go;
        }
        match request.method {
            Method::Bye => {
                let reason = request.header("Reason").map(readable_reason);
                request.answer(self.plain(200)).await;
                self.sink.end(LegEvent::HungUp { reason });
                return Next::End;
            }
            Method::Invite | Method::Update => self.on_reoffer(request).await,
            Method::Refer => self.on_refer(request).await,
            Method::Notify => refer::notified(&self.session, request).await,
            // Of ringing, late.
            Method::Prack => self.session.acknowledged(request).await,
            Method::Info => {
                let kind = request.header("Content-Type").unwrap_or_default();
                let key = dtmf::key(kind, request.body());
                let code = if key.is_some() || request.body().is_empty() { 200 } else { 415 };
                request.answer(self.plain(code)).await;
                if let Some(key) = key {
                    self.sink.tell(LegEvent::Dtmf(key));
                }
            }
            Method::Options => request.answer(self.plain(200).with("Accept", "application/sdp")).await,
            _ => request.answer(self.plain(405)).await,
        }
        Next::Go
    }

    async fn on_reoffer(&mut self, request: Incoming) {
        if let Some(tags) = extension::unknown(request.headers("Require")) {
            return request.answer(self.plain(420).with("Unsupported", tags)).await;
        }
        self.session.facts.learn(request.headers("Allow"), request.headers("Supported"));
        if request.method == Method::Update && request.body().is_empty() {
            // A session refresh (RFC 4028).
            let answer = match self.session.timing.timer().answer(refresh::asked(&request)) {
                Err(least_s) => Err(least_s),
                Ok((terms, fields)) => Ok((terms, fields)),
            };
            let (terms, fields) = match answer {
                Ok(agreed) => agreed,
                Err(least_s) => return request.answer(refresh::too_short(|code| self.plain(code), least_s)).await,
            };
            self.session.dialog().retarget(&request);
            let answer = self.plain(200).with("Contact", self.session.contact()).with("Supported", extension::SUPPORTED);
            request.answer(answer.with_fields(fields)).await;
            self.session.timing.tell(Input::Agreed(terms));
            return;
        }
        if !self.sink.is_open() {
            return request.answer(self.plain(491)).await;
        }
        reoffer::begin(&self.session, request, self.sink.teller()).await;
    }

    async fn on_refer(&mut self, request: Incoming) {
        if let Some(tags) = extension::unknown(request.headers("Require")) {
            return request.answer(self.plain(420).with("Unsupported", tags)).await;
        }
        refer::asked(&self.session, request, self.sink.teller()).await;
    }

    fn plain(&self, code: u16) -> Answer {
        self.session.answer(code)
    }

    /// Says BYE and waits for its answer, answering what crosses it.
    async fn say_bye(&mut self) {
        self.sink.close();
        let session = self.session.clone();
        let ask = bye(self.cause);
        let mut bye = Box::pin(session.ask(&ask));
        loop {
            tokio::select! {
                () = session.over.cancelled() => return,
                sent = &mut bye => {
                    if let Err(error) = sent {
                        tracing::debug!(%error, "bye not sent");
                    }
                    break;
                }
                request = self.mailbox.next() => self.answer_beside_bye(request).await,
            }
        }
        // Their BYE may have come together with the answer to ours.
        for request in self.mailbox.close() {
            self.answer_beside_bye(request).await;
        }
    }

    async fn answer_beside_bye(&mut self, request: Incoming) {
        let code = if request.method == Method::Bye { 200 } else { 481 };
        request.answer(self.plain(code)).await;
    }
}

impl Opening {
    async fn next(&mut self) -> Opened {
        match self {
            Self::Done => std::future::pending().await,
            Self::Served { invite, .. } => loop {
                match invite.next().await {
                    InviteHeard::Ack(body) => return Opened::Acknowledged(body),
                    InviteHeard::Over => return Opened::AckMissing,
                    // Too late: the stack has answered it, and it changes nothing.
                    InviteHeard::Cancel => {}
                }
            },
            Self::Placed(invite) => loop {
                match invite.next().await {
                    Some(Heard::Reply(reply)) if (200..300).contains(&reply.code) => return Opened::Forked(reply),
                    Some(_) => {}
                    None => return Opened::Nothing,
                }
            },
        }
    }
}

fn bye(cause: HangUpCause) -> Ask {
    Ask::new(Method::Bye).with("Reason", cause.reason())
}

/// `text`, else the cause as a number, else what it is.
fn readable_reason(value: &str) -> String {
    match header::reason(value) {
        Some(reason) => match (reason.text, reason.cause) {
            (Some(text), _) => text,
            (None, Some(cause)) => format!("{} {cause}", reason.protocol),
            (None, None) => reason.protocol,
        },
        None => "unreadable reason".to_owned(),
    }
}
