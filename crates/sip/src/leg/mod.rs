//! One call leg: our side of one dialog with one peer, as the rest of the product sees it.
//!
//! A leg is a task with a mailbox. Others hold a [`Leg`]: events come out, commands go in. The descriptions of media
//! (SDP) pass through untouched.
//!
//! ```text
//!  inbound:  INVITE ─▶ callee ── ring, answer ─▶ talk ─▶ BYE
//!  outbound: dial ──▶ caller ── Ringing, Answered ─▶ talk ─▶ BYE
//!  beside a talk: offer (ours), reoffer (theirs), refer, INFO
//! ```
//!
//! Each leg ends with exactly one of [`LegEvent::Refused`], [`LegEvent::Cancelled`], [`LegEvent::HungUp`] and
//! [`LegEvent::Failed`], or, when we ended it ourselves, with the end of its events. Dropping the events or the last
//! control hangs up.

pub(crate) mod callee;
pub(crate) mod caller;
mod control;
pub(crate) mod dialog;
mod dtmf;
mod early;
mod event;
pub(crate) mod extension;
mod facts;
mod local;
mod offer;
mod redirect;
mod refer;
mod refresh;
pub(crate) mod registry;
mod reliable;
mod reoffer;
mod session;
mod session_timer;
mod sink;
mod talk;
mod turn;

pub(crate) use control::Command;
pub use control::LegControl;
pub use event::{HangUpCause, LegEvent, LegFailure, RequestFailure};
pub(crate) use facts::Facts;
pub use facts::{DialogId, PeerAbilities};
pub use local::{LocalOrder, LocalPeer};
pub use refer::ReferTo;
pub(crate) use sink::EventSink;

use crate::trace::CallTrace;
use std::sync::Arc;
use tokio::sync::mpsc;

/// Commands wait here while the leg is busy; nobody sends more than a few.
const COMMANDS: usize = 16;

/// One leg of a call.
pub struct Leg {
    pub events: mpsc::Receiver<LegEvent>,
    pub control: LegControl,
    /// Its SIP messages as they were on the wire.
    pub trace: CallTrace,
}

/// The two ends of a new leg.
pub(crate) fn pair(facts: Arc<Facts>, trace: CallTrace) -> (Leg, EventSink, mpsc::Receiver<Command>) {
    let (commands, taken) = mpsc::channel(COMMANDS);
    let (sink, events) = EventSink::new();
    (Leg { events, control: LegControl::new(commands, facts), trace }, sink, taken)
}

/// See [`crate::StackStats::lost_events`].
pub(crate) fn lost_events() -> u64 {
    sink::LOST.load(std::sync::atomic::Ordering::Relaxed)
}
