//! The caller speaks over the agent: the detector of it, and what it notices as facts of the session. What it knows to be our own
//! echo the agent does not hear: it would answer itself.

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

    /// What came in the last beat was our own echo, and nothing else.
    pub fn is_echo(&self) -> bool {
        self.detector.as_ref().is_some_and(|detector| detector.is_echo())
    }

    /// After both halves of a beat. `came`: the caller's frame is of a packet.
    pub fn beat(&mut self, came: bool, beat: &mut Beat, now: Duration) -> Option<SessionEvent> {
        let detector = self.detector.as_mut()?;
        let [heard, sent] = beat.sides();
        let ear_at = beat.ear_at;
        let before = |beats: u32| ear_at.saturating_sub(FRAME * beats);
        let sign = detector.hear(&heard, came, &sent);
        if detector.is_echo() {
            beat.silence_ear();
        }
        match sign? {
            Sign::Suspected => {
                self.suspected += 1;
                None
            }
            Sign::BargeIn { beats } => Some(SessionEvent::BargeIn { at: now, began: before(beats.saturating_sub(1)) }),
            Sign::Over { beats } => Some(SessionEvent::BargeInOver { at: before(beats) }),
        }
    }
}
