//! One call leg: our side of one dialog with one peer, as the rest of the product sees it.
//!
//! A leg is a task with a mailbox. Others hold a [`Leg`]: events come out, commands go in. The descriptions of media
//! (SDP) pass through untouched.
//!
//! ```text
//!  inbound:  INVITE ─▶ callee ── ring, answer ─▶ talk ─▶ BYE
//!  outbound: dial ──▶ caller ── Ringing, Answered ─▶ talk ─▶ BYE
//! ```
//!
//! Each leg ends with exactly one of [`LegEvent::Refused`], [`LegEvent::Cancelled`], [`LegEvent::HungUp`] and
//! [`LegEvent::Failed`], or, when we ended it ourselves, with the end of its events. Dropping the events or the last
//! control hangs up.

pub(crate) mod callee;
pub(crate) mod caller;
pub(crate) mod dialog;
mod dtmf;
pub(crate) mod registry;
mod reoffer;
mod session;
mod sink;
mod talk;

pub(crate) use sink::EventSink;

use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// Commands wait here while the leg is busy; nobody sends more than a few.
const COMMANDS: usize = 16;

/// One leg of a call.
pub struct Leg {
    pub events: mpsc::Receiver<LegEvent>,
    pub control: LegControl,
}

/// What happened on a leg.
#[derive(Debug)]
pub enum LegEvent {
    /// Outbound: a provisional response above 100.
    Ringing {
        code: u16,
    },
    /// Outbound: the peer has answered, with its SDP answer (empty when it sent none). Acknowledged already.
    Answered {
        sdp: Vec<u8>,
    },
    /// Outbound: a final response of 300 or above.
    Refused {
        code: u16,
        phrase: String,
    },
    /// Inbound, and after a re-INVITE: the ACK has come, with the peer's SDP where our answer was an offer.
    Acknowledged {
        sdp: Option<Vec<u8>>,
    },
    /// Inbound: the caller gave up before the answer.
    Cancelled,
    /// The peer said BYE. `reason` is its Reason header (RFC 3326).
    HungUp {
        reason: Option<String>,
    },
    /// A re-INVITE, or an UPDATE with a description. Reply with our SDP or with a status code; without a reply in time
    /// the peer gets 500. `sdp` is `None` when the peer wants our offer.
    Reoffer {
        sdp: Option<Vec<u8>>,
        reply: oneshot::Sender<Result<String, u16>>,
    },
    /// A key pressed, signalled by INFO.
    Dtmf(char),
    Failed(LegFailure),
}

/// Why a leg failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LegFailure {
    #[error("no response in time")]
    Timeout,
    #[error("{0}")]
    Transport(String),
    #[error("the answer was never acknowledged")]
    AckMissing,
    #[error("authentication failed: {0}")]
    AuthenticationFailed(String),
}

/// Commands to a leg. Each returns when the leg has taken the command, and does nothing once the leg is over.
#[derive(Debug, Clone)]
pub struct LegControl {
    commands: mpsc::Sender<Command>,
    sip_call_id: Arc<str>,
}

/// See [`LegControl`].
#[derive(Debug)]
pub(crate) enum Command {
    Ring,
    Answer(String),
    Reject(u16),
    HangUp,
}

impl LegControl {
    /// Inbound: 180 Ringing.
    pub async fn ring(&self) {
        self.send(Command::Ring).await;
    }

    /// Inbound: 200 with this SDP (the answer, or our offer when the INVITE had none).
    pub async fn answer(&self, sdp: String) {
        self.send(Command::Answer(sdp)).await;
    }

    /// Inbound: a refusal, 300 to 699.
    pub async fn reject(&self, code: u16) {
        self.send(Command::Reject(code)).await;
    }

    /// BYE; CANCEL while an outbound call is unanswered; 480 while an inbound one is.
    pub async fn hang_up(&self) {
        self.send(Command::HangUp).await;
    }

    pub fn sip_call_id(&self) -> &str {
        &self.sip_call_id
    }

    async fn send(&self, command: Command) {
        self.commands.send(command).await.ok();
    }
}

/// The two ends of a new leg.
pub(crate) fn pair(sip_call_id: &str) -> (Leg, EventSink, mpsc::Receiver<Command>) {
    let (commands, taken) = mpsc::channel(COMMANDS);
    let (sink, events) = EventSink::new();
    (Leg { events, control: LegControl { commands, sip_call_id: sip_call_id.into() } }, sink, taken)
}

/// See [`crate::StackStats::lost_events`].
pub(crate) fn lost_events() -> u64 {
    sink::LOST.load(std::sync::atomic::Ordering::Relaxed)
}
