//! The caller speaks over the agent: the detector of it, and what it notices as facts of the session.

use super::{Beat, SessionEvent};
use crate::{
    FRAME,
    barge::{BargeInDetector, Sign},
};
use std::time::Duration;

#[derive(Debug)]
pub(super) struct Overlap {
    // Boxed, so that the session stays small: most of it is needed while both speak only.
    detector: Box<BargeInDetector>,
    /// It is an agent who speaks.
    watched: bool,
    /// Times that something like speech was heard over the agent.
    pub suspected: u64,
}

impl Overlap {
    pub fn new() -> Self {
        Self { detector: Box::default(), watched: true, suspected: 0 }
    }

    pub fn watch(&mut self, on: bool) {
        if self.watched != on {
            *self = Self { watched: on, suspected: self.suspected, ..Self::new() };
        }
    }

    /// After both halves of a beat. `came`: the caller's frame is of a packet.
    pub fn beat(&mut self, came: bool, beat: &Beat, now: Duration) -> Option<SessionEvent> {
        if !self.watched {
            return None;
        }
        let [heard, sent] = beat.sides();
        let before = |beats: u32| beat.ear_at().saturating_sub(FRAME * beats);
        match self.detector.hear(&heard, came, &sent)? {
            Sign::Suspected => {
                self.suspected += 1;
                None
            }
            Sign::BargeIn { beats } => Some(SessionEvent::BargeIn { at: now, began: before(beats.saturating_sub(1)) }),
            Sign::Over { beats } => Some(SessionEvent::BargeInOver { at: before(beats) }),
        }
    }
}
