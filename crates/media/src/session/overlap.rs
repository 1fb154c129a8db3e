//! The caller speaks over the agent: the detector of it, and what it notices as facts of the session.

use super::{Beat, SessionEvent};
use crate::{
    FRAME,
    barge::{BargeInDetector, Sign},
};
use std::time::Duration;

/// Only while somebody asks for it: it costs as much as the rest of a call of G.711.
#[derive(Debug, Default)]
pub(super) struct Overlap {
    detector: Option<Box<BargeInDetector>>,
    /// Times that something like speech was heard over the agent.
    pub suspected: u64,
}

impl Overlap {
    pub fn watch(&mut self, detector: Option<Box<BargeInDetector>>) {
        self.detector = detector;
    }

    /// After both halves of a beat. `came`: the caller's frame is of a packet.
    pub fn beat(&mut self, came: bool, beat: &Beat, now: Duration) -> Option<SessionEvent> {
        let detector = self.detector.as_mut()?;
        let [heard, sent] = beat.sides();
        let before = |beats: u32| beat.ear_at().saturating_sub(FRAME * beats);
        match detector.hear(&heard, came, &sent)? {
            Sign::Suspected => {
                self.suspected += 1;
                None
            }
            Sign::BargeIn { beats } => Some(SessionEvent::BargeIn { at: now, began: before(beats.saturating_sub(1)) }),
            Sign::Over { beats } => Some(SessionEvent::BargeInOver { at: before(beats) }),
        }
    }
}
