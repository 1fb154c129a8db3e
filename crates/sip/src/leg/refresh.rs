//! Keeps a session alive, and finds out when the peer is gone: carries out what [`SessionTimer`] decides.
//!
//! A refresh is an UPDATE where the peer takes one, else a re-INVITE with the description that it knows already (RFC 4028 §7.4).

use super::offer::{self, heard};
use super::session::{Ask, Session};
use super::session_timer::{Asked, Input, Output, SessionTimer, Terms};
use super::sink::Teller;
use super::turn::Side;
use super::{LegEvent, LegFailure, RequestFailure, extension};
use crate::stack::{Answer, Field, Heard, Incoming, Method, Reply};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use tokio::time::Instant;

/// How often one refresh is sent when the peer wants another interval.
const TRIES: usize = 3;

/// The session timer of a leg, with the clock.
#[derive(Debug)]
pub(super) struct Timing {
    timer: Mutex<SessionTimer>,
    changed: Notify,
    epoch: Instant,
}

impl Timing {
    pub fn new(timer: SessionTimer) -> Self {
        Self { timer: Mutex::new(timer), changed: Notify::new(), epoch: Instant::now() }
    }

    pub fn timer(&self) -> MutexGuard<'_, SessionTimer> {
        self.timer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn tell(&self, input: Input) -> Option<Output> {
        let output = self.timer().handle(input, self.epoch.elapsed());
        self.changed.notify_one();
        output
    }

    /// A 2xx of the peer to a request that could refresh the session.
    pub fn settle(&self, reply: &Reply) {
        self.tell(Input::Agreed(SessionTimer::settled(reply.header("Session-Expires"))));
    }

    /// What is to be done next. May be dropped and called again.
    pub async fn due(&self) -> Output {
        loop {
            let deadline = self.timer().deadline();
            let wait = async {
                match deadline {
                    Some(at) => tokio::time::sleep_until(self.epoch + at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = wait => {
                    if let Some(output) = self.tell(Input::Due) {
                        return output;
                    }
                }
                () = self.changed.notified() => {}
            }
        }
    }
}

/// What a request of the peer says about session timers.
pub(super) fn asked(request: &Incoming) -> Asked<'_> {
    Asked {
        session_expires: request.header("Session-Expires"),
        min_se: request.header("Min-SE"),
        supports_timer: extension::has(request.headers("Supported"), "timer")
            || extension::has(request.headers("Require"), "timer"),
    }
}

/// Terms, and the fields of the 2xx that says them.
pub(super) type Agreement = (Option<Terms>, Vec<Field>);

/// The answer to a request whose session would be too short (RFC 4028 §5).
pub(super) fn too_short(answer: impl Fn(u16) -> Answer, least_s: u32) -> Answer {
    answer(422).with("Min-SE", least_s.to_string())
}

/// Carries out what the session timer has decided.
pub(super) fn carry_out(session: &Arc<Session>, output: Output, events: Teller) {
    let beside = session.clone();
    match output {
        Output::Refresh => session.clone().beside(async move { refresh(&beside, &events).await }),
        Output::Ping => session.clone().beside(async move { ping(&beside).await }),
        Output::Expired { interval_s, refresher } => {
            let whose = if refresher == Side::Ours { "our refreshes did not succeed" } else { "the peer did not refresh it" };
            session.fail(LegFailure::SessionExpired(format!("{whose} within its session interval of {interval_s} s")));
        }
        Output::Vanished => vanished(session),
    }
}

async fn refresh(session: &Arc<Session>, events: &Teller) {
    let by_update = session.facts.peer().allows("UPDATE") == Some(true);
    let done = match by_update {
        true => update(session).await,
        false => Err(None),
    };
    let failure = match done {
        Ok(()) => return,
        // Not by UPDATE.
        Err(None) => match session.description() {
            Some(sdp) => {
                let before = session.heard();
                match offer::offer(session, &sdp).await {
                    Ok(body) => {
                        if !body.is_empty() && before.as_ref() != Some(&body) {
                            events.tell(LegEvent::Reanswered { sdp: body });
                        }
                        return;
                    }
                    Err(failure) => failure,
                }
            }
            None => RequestFailure::NotUp,
        },
        Err(Some(failure)) => failure,
    };
    tracing::warn!(%failure, call_id = session.facts.call_id(), "session refresh failed");
    session.timing.tell(Input::RefreshFailed);
}

/// `Err(None)` when the peer takes no UPDATE after all.
async fn update(session: &Session) -> Result<(), Option<RequestFailure>> {
    for _ in 0..TRIES {
        let fields = session.timing.timer().request_fields();
        let ask = Ask::new(Method::Update).with("Supported", extension::SUPPORTED).with_fields(fields);
        match heard(session, session.ask(&ask).await) {
            Ok(Ok(reply)) => {
                session.dialog().retarget_by(&reply);
                session.timing.settle(&reply);
                return Ok(());
            }
            Ok(Err(reply)) if reply.code == 422 && session.timing.timer().raise(reply.header("Min-SE")) => {}
            Ok(Err(reply)) if matches!(reply.code, 405 | 501) => return Err(None),
            Ok(Err(reply)) => return Err(Some(offer::refused(&reply))),
            Err(failure) => return Err(Some(failure)),
        }
    }
    Err(Some(RequestFailure::Busy))
}

/// Any answer but 408 and 481 says that somebody is there.
async fn ping(session: &Session) {
    let ask = Ask::new(Method::Options).with("Accept", "application/sdp");
    let answered = match session.ask(&ask).await {
        Ok(Heard::Reply(reply)) if matches!(reply.code, 408 | 481) => {
            let why = format!("asked by OPTIONS, it said {} {}", reply.code, reply.phrase);
            return session.fail(LegFailure::PeerVanished(why));
        }
        Ok(Heard::Reply(_)) => true,
        _ => false,
    };
    if session.timing.tell(Input::Pinged { answered }) == Some(Output::Vanished) {
        vanished(session);
    }
}

fn vanished(session: &Session) {
    session.fail(LegFailure::PeerVanished("asked twice by OPTIONS, it did not answer".into()));
}
