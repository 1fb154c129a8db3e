//! When the last words have been said. The service tells when a turn is over, but not always; then a deadline does.

use std::time::{Duration, Instant};

/// How long the model may take to say goodbye when the line asked it to.
const PROMPTED: Duration = Duration::from_secs(10);
/// How long after its last sound, or after it asked to hang up, a turn counts as over.
const SILENT: Duration = Duration::from_secs(3);

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum Farewell {
    #[default]
    None,
    /// The line asked for a goodbye; the caller may still speak and stay.
    Prompted { until: Instant },
    /// The agent has asked to hang up.
    Ending { until: Instant, spoke_since: bool },
    /// Goodbye was reported; what the model says now is not for the caller.
    Said,
}

impl Farewell {
    pub fn prompted(&mut self, now: Instant) {
        if *self == Self::None {
            *self = Self::Prompted { until: now + PROMPTED };
        }
    }

    pub fn agent_hangs_up(&mut self, now: Instant) {
        if *self != Self::Said {
            *self = Self::Ending { until: now + SILENT, spoke_since: false };
        }
    }

    pub fn agent_speaks(&mut self, now: Instant) {
        match self {
            Self::Ending { until, spoke_since } => (*until, *spoke_since) = (now + SILENT, true),
            Self::Prompted { until } => *until = (*until).max(now + SILENT),
            Self::None | Self::Said => {}
        }
    }

    /// The caller speaks: who was only silent is back; who was said goodbye to is not listened to any more.
    pub fn caller_speaks(&mut self) {
        if matches!(self, Self::Prompted { .. }) {
            *self = Self::None;
        }
    }

    /// All speech of a turn is here.
    pub fn is_said_with(&self, turn_is_over: bool, spoken: bool) -> bool {
        match self {
            Self::Prompted { .. } => spoken,
            Self::Ending { spoke_since, .. } => turn_is_over || *spoke_since,
            Self::None | Self::Said => false,
        }
    }

    /// Nothing the caller does can cut it short.
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Ending { .. } | Self::Said)
    }

    pub fn said(&mut self) {
        *self = Self::Said;
    }

    pub fn is_said(&self) -> bool {
        *self == Self::Said
    }

    pub fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Prompted { until } | Self::Ending { until, .. } => Some(*until),
            Self::None | Self::Said => None,
        }
    }

    pub fn is_overdue(&self, now: Instant) -> bool {
        self.deadline().is_some_and(|deadline| now >= deadline)
    }
}
