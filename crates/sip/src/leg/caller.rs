//! An outbound leg until its answer: INVITE, challenges, ringing, refusals, CANCEL (RFC 3261 §13.2, §9.1).
//!
//! ```text
//!   INVITE ── 401/407 ──▶ INVITE with credentials (same Call-ID and tag, next CSeq; proxy and registrar may both ask)
//!          ── 1xx ─────▶ Ringing
//!          ── 2xx ─────▶ Answered (the stack sends the ACK) ─▶ talk
//!          ── 3xx–6xx ─▶ Refused
//!   hung up before the answer: CANCEL, or, before any 1xx, CANCEL with the first 1xx; a 2xx that crosses it gets ACK and BYE
//! ```

use super::control::Outcome;
use super::dialog::Dialog;
use super::early::Branches;
use super::redirect::Redirects;
use super::registry::{Legs, Mailbox};
use super::session::{Founding, Session};
use super::session_timer::SessionTimer;
use super::talk::{Opening, Talk};
use super::{Command, EventSink, Facts, HangUpCause, Leg, LegEvent, LegFailure, extension, offer, reoffer};
use crate::account::Line;
use crate::digest::{AuthAttempt, Verdict};
use crate::error::SipError;
use crate::header;
use crate::outbound::GoOn;
use crate::stack::{Answer, ClientTransaction, Draft, Flow, Heard, Incoming, Method, Reply, Wire};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// A phone that rings longer than this is given up, whatever the product's own patience.
const RING_LIMIT: Duration = Duration::from_secs(330);
/// INVITEs sent for one call: challenges, another session interval, redirections.
const INVITES: usize = 12;

/// What an outbound call begins with.
pub(crate) struct Placed {
    /// The dialog as far as it is known: Call-ID, our tag, the callee, the Request-URI as target.
    pub dialog: Dialog,
    pub sdp_offer: String,
    /// Further fields of the INVITE.
    pub fields: Vec<crate::stack::Field>,
    /// Where a callee may send us.
    pub go_on: GoOn,
}

pub(crate) struct Caller {
    wire: Arc<Wire>,
    line: Arc<Line>,
    placed: Placed,
    auth: AuthAttempt,
    sink: EventSink,
    commands: mpsc::Receiver<Command>,
    mailbox: Mailbox,
    facts: Arc<Facts>,
    timer: SessionTimer,
    branches: Branches,
    redirects: Redirects,
    local_tag: String,
    cause: HangUpCause,
    /// We do not want the call any more.
    leaving: bool,
    give_up_at: Instant,
}

/// One INVITE under way.
struct Attempt {
    flow: Flow,
    invite: ClientTransaction,
    draft: Draft,
    /// A provisional response has come: a CANCEL may be sent.
    provisional: bool,
    cancel: Option<ClientTransaction>,
}

/// What becomes of the call after an INVITE.
enum Fate {
    Again,
    Answered(Reply),
    Over,
}

/// Opens the leg. Its task runs from now on.
pub(crate) fn open(wire: &Arc<Wire>, legs: &Arc<Legs>, line: Arc<Line>, placed: Placed, local_tag: &str) -> Leg {
    let facts = Arc::new(Facts::new(&placed.dialog.call_id));
    let mailbox = legs.admit(&facts, local_tag, &line.account().user);
    let named = wire.name_call(&placed.dialog.call_id, &line.account().user_agent);
    let (leg, sink, commands) = super::pair(facts.clone(), named.trace.clone());
    let timer = SessionTimer::new(line.account().upkeep.session_expires_s, wire.ask_peer_every);
    let redirects = Redirects::of(&placed.dialog.target, placed.go_on.clone());
    let caller = Caller {
        wire: wire.clone(),
        line,
        placed,
        auth: AuthAttempt::default(),
        sink,
        commands,
        mailbox,
        facts,
        timer,
        branches: Branches::default(),
        redirects,
        local_tag: local_tag.to_owned(),
        cause: HangUpCause::Normal,
        leaving: false,
        give_up_at: Instant::now() + RING_LIMIT,
    };
    wire.tracker.spawn(async move {
        let _named = named;
        let cancel = caller.wire.cancel.clone();
        tokio::select! {
            () = cancel.cancelled() => {}
            () = Box::pin(caller.run()) => {}
        }
    });
    leg
}

impl Caller {
    async fn run(mut self) {
        let flow = tokio::select! {
            flow = self.line.first_hop(&self.wire) => flow,
            _ = wants_to_leave(&mut self.commands, &self.sink) => return self.sink.close(),
        };
        let flow = match flow {
            Ok(flow) => flow,
            Err(error) => return self.fail(LegFailure::Transport(error.to_string())),
        };
        self.placed.dialog.contact = self.line.contact_uri(&self.wire, &flow);
        for _ in 0..INVITES {
            let mut attempt = match self.invite(&flow).await {
                Ok(attempt) => attempt,
                Err(error) => return self.fail(LegFailure::Transport(error.to_string())),
            };
            match self.follow(&mut attempt).await {
                Fate::Again => self.branches.clear(),
                Fate::Over => return,
                Fate::Answered(reply) => return self.talk(attempt, &reply).await,
            }
        }
        self.fail(LegFailure::AuthenticationFailed("challenged again and again".into()));
    }

    fn fail(&mut self, failure: LegFailure) {
        self.sink.end(LegEvent::Failed(failure));
    }

    async fn invite(&mut self, flow: &Flow) -> Result<Attempt, SipError> {
        let draft = self.draft();
        let invite = self.wire.send(draft.clone(), flow).await?;
        Ok(Attempt { flow: flow.clone(), invite, draft, provisional: false, cancel: None })
    }

    fn draft(&mut self) -> Draft {
        let account = self.line.account();
        let mut draft = self.placed.dialog.request(Method::Invite);
        draft.fields.push(("Allow", Method::ALLOW.into()));
        draft.fields.push(("Supported", extension::SUPPORTED.into()));
        draft.fields.extend(self.timer.request_fields());
        draft.fields.push(("User-Agent", account.user_agent.clone()));
        draft.fields.extend(self.line.routes().into_iter().map(|route| ("Route", route)));
        draft.fields.extend(self.placed.fields.iter().cloned());
        draft.fields.extend(self.line.authorize(&mut self.auth, Method::Invite, &draft.uri));
        draft.fields.push(("Content-Type", "application/sdp".into()));
        draft.body = self.placed.sdp_offer.clone().into_bytes();
        draft
    }

    /// Follows one INVITE to its final response.
    async fn follow(&mut self, attempt: &mut Attempt) -> Fate {
        loop {
            tokio::select! {
                heard = attempt.invite.next() => match heard {
                    Some(Heard::Reply(reply)) if reply.code < 200 => self.on_provisional(attempt, &reply).await,
                    Some(Heard::Reply(reply)) if reply.code < 300 => return Fate::Answered(reply),
                    Some(Heard::Reply(reply)) => return self.on_refusal(&reply),
                    Some(Heard::ConnectionLost) => return self.over(LegFailure::Transport("connection lost".into())),
                    Some(Heard::Timeout) | None => return self.over(LegFailure::Timeout),
                },
                () = self.sink.abandoned(), if !self.leaving => self.give_up(attempt, HangUpCause::Normal).await,
                command = self.commands.recv(), if !self.leaving => match command {
                    Some(Command::HangUp(cause)) => self.give_up(attempt, cause).await,
                    None | Some(Command::Reject(_)) => self.give_up(attempt, HangUpCause::Normal).await,
                    Some(Command::Offer(sdp, outcome)) => self.offer(sdp, outcome),
                    // Not before the answer: who asked is told so by the drop.
                    Some(_) => {}
                },
                () = answered(&mut attempt.cancel) => attempt.cancel = None,
                request = self.mailbox.next() => self.on_request(request, attempt).await,
                () = tokio::time::sleep_until(self.give_up_at) => {
                    if self.leaving {
                        return Fate::Over;
                    }
                    self.fail(LegFailure::Timeout);
                    self.leave(attempt).await;
                }
            }
        }
    }

    async fn give_up(&mut self, attempt: &mut Attempt, cause: HangUpCause) {
        self.cause = cause;
        self.sink.close();
        self.leave(attempt).await;
    }

    /// Before the answer an offer needs a telephone that has answered the first one reliably.
    fn offer(&self, sdp: String, outcome: Outcome<Vec<u8>>) {
        let Some(session) = self.branches.described().cloned() else { return };
        session.clone().beside(async move {
            outcome.send(offer::offer_early(&session, &sdp).await).ok();
        });
    }

    fn over(&mut self, failure: LegFailure) -> Fate {
        self.fail(failure);
        Fate::Over
    }

    async fn on_provisional(&mut self, attempt: &mut Attempt, reply: &Reply) {
        self.facts.learn(reply.headers("Allow"), reply.headers("Supported"));
        let first = !attempt.provisional;
        attempt.provisional = true;
        if self.leaving {
            if first {
                self.cancel(attempt).await;
            }
            return;
        }
        if reply.code == 100 {
            return;
        }
        let invite_cseq = self.placed.dialog.cseq;
        let mut branches = std::mem::take(&mut self.branches);
        let is_news = branches.heard(reply, invite_cseq, || self.session(reply, attempt));
        self.branches = branches;
        if reply.code == 199 {
            // One of several telephones has ended (RFC 6228); the others ring.
            self.branches.ended(reply);
        } else if is_news {
            let sdp = (!reply.body.is_empty()).then(|| reply.body.clone());
            self.sink.tell(LegEvent::Ringing { code: reply.code, sdp });
        }
    }

    /// The session of a dialog that this response has begun.
    fn session(&self, reply: &Reply, attempt: &Attempt) -> Arc<Session> {
        let session = Session::new(Founding {
            wire: self.wire.clone(),
            line: self.line.clone(),
            dialog: self.placed.dialog.answered_by(reply),
            flow: attempt.flow.clone(),
            auth: self.auth.clone(),
            facts: self.facts.clone(),
            owns_call_id: true,
            timer: self.timer.clone(),
        });
        session.described(&self.placed.sdp_offer);
        session
    }

    fn on_refusal(&mut self, reply: &Reply) -> Fate {
        if reply.code == 422 && !self.leaving && self.timer.raise(reply.header("Min-SE")) {
            return Fate::Again;
        }
        if let Some(phrase) = self.not_redirected(reply) {
            self.sink.end(LegEvent::Refused { code: reply.code, phrase });
            return Fate::Over;
        }
        if !matches!(reply.code, 401 | 407) {
            return Fate::Again;
        }
        if self.leaving {
            return Fate::Over;
        }
        match self.line.challenged(&mut self.auth, reply) {
            Verdict::Retry => Fate::Again,
            Verdict::Rejected => self.over(LegFailure::AuthenticationFailed(format!("{} {}", reply.code, reply.phrase))),
            Verdict::Unsupported => self.over(LegFailure::AuthenticationFailed("no challenge that we can answer".into())),
        }
    }

    /// The phrase to end with, when this refusal is one: no challenge, and nowhere else to go.
    fn not_redirected(&mut self, reply: &Reply) -> Option<String> {
        if matches!(reply.code, 401 | 407) {
            return None;
        }
        let mut phrase = reply.phrase.clone();
        if matches!(reply.code, 300..=302) {
            self.auth.accepted();
            let refused = self.redirects.take_in(reply.headers("Contact"), &self.line.account());
            if let Some((uri, why)) = refused {
                phrase = format!("{phrase} (to {}, {why})", header::scan::printable(&uri, 128));
            }
        }
        // Who says 6xx speaks for all (RFC 3261 §16.7).
        if self.leaving || reply.code >= 600 {
            return Some(phrase);
        }
        match self.redirects.next() {
            Some(uri) => {
                tracing::debug!(code = reply.code, "a call goes on to where it was redirected");
                self.placed.dialog.target = uri;
                None
            }
            None => Some(phrase),
        }
    }

    /// A request before the answer: mostly the callee's BYE overtaking its own 200.
    async fn on_request(&mut self, request: Incoming, attempt: &mut Attempt) {
        if request.method == Method::Update && !request.body().is_empty() {
            return self.on_update(request).await;
        }
        let code = match request.method {
            Method::Bye | Method::Options => 200,
            Method::Invite | Method::Update => 491,
            Method::Prack | Method::Notify => 481,
            _ => 405,
        };
        let is_bye = request.method == Method::Bye;
        request.answer(Answer::of(code).with("Allow", Method::ALLOW)).await;
        if is_bye && !self.leaving {
            self.sink.end(LegEvent::HungUp { reason: None });
            self.leave(attempt).await;
        }
    }

    /// A telephone that has answered our offer reliably offers something else before it is lifted (RFC 3311 §5.2).
    async fn on_update(&self, request: Incoming) {
        match self.branches.of(&request) {
            Some(session) => reoffer::begin(session, request, self.sink.teller()).await,
            None => request.answer(Answer::of(491).with("Allow", Method::ALLOW)).await,
        }
    }

    /// Gives the call up: CANCEL now, or with the first provisional response (RFC 3261 §9.1).
    async fn leave(&mut self, attempt: &mut Attempt) {
        self.leaving = true;
        self.give_up_at = Instant::now() + self.wire.patience() * 2;
        if attempt.provisional {
            self.cancel(attempt).await;
        }
    }

    async fn cancel(&mut self, attempt: &mut Attempt) {
        let mut draft = attempt.draft.cancel(&attempt.invite.via);
        draft.fields.push(("Reason", self.cause.reason().into()));
        match self.wire.send(draft, &attempt.flow).await {
            Ok(cancel) => {
                attempt.cancel = Some(cancel);
                // Without a final response by then the INVITE counts as cancelled (RFC 3261 §9.1).
                self.give_up_at = Instant::now() + self.wire.patience();
            }
            Err(error) => tracing::debug!(%error, "cancel not sent"),
        }
    }

    async fn talk(mut self, attempt: Attempt, reply: &Reply) {
        self.auth.accepted();
        self.facts.name(&self.local_tag, reply.to_tag().unwrap_or_default());
        self.facts.learn(reply.headers("Allow"), reply.headers("Supported"));
        self.facts.confirm();
        let early = self.branches.answered(reply).inspect(|session| session.dialog().confirm(reply));
        let session = early.unwrap_or_else(|| self.session(reply, &attempt));
        session.timing.settle(reply);
        session.heard_description(&reply.body);
        if !self.leaving {
            // An answer that came reliably before need not be said again (RFC 3262 §5).
            self.sink.tell(LegEvent::Answered { sdp: session.heard().unwrap_or_default() });
        }
        // A sink already closed makes the talk begin with its BYE.
        let opening = Opening::Placed(attempt.invite);
        let (sink, commands, mailbox, cause) = (self.sink, self.commands, self.mailbox, self.cause);
        let talk = Talk { session, sink, commands, mailbox, opening, cause };
        if self.leaving { talk.leave().await } else { talk.run().await }
    }
}

/// Resolves when the product hangs up, or has let go of the leg.
async fn wants_to_leave(commands: &mut mpsc::Receiver<Command>, sink: &EventSink) -> HangUpCause {
    loop {
        tokio::select! {
            () = sink.abandoned() => return HangUpCause::Normal,
            command = commands.recv() => match command {
                Some(Command::HangUp(cause)) => return cause,
                None | Some(Command::Reject(_)) => return HangUpCause::Normal,
                // Not before the answer: who asked is told so by the drop.
                Some(_) => {}
            }
        }
    }
}

async fn answered(cancel: &mut Option<ClientTransaction>) {
    match cancel {
        Some(cancel) => {
            cancel.outcome().await;
        }
        None => std::future::pending().await,
    }
}
