//! One-way audio, seen from here: the call is up and nothing comes.
//!
//! Sooner than [`super::SessionEvent::RtpLost`], which ends calls: this is for the one who looks for the cause. A call that was
//! answered is expected to send; one that rings, or is held, is not.

use std::time::Duration;

/// After so long without a packet it is told.
pub const NO_RTP_AFTER: Duration = Duration::from_secs(2);

/// See the module.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Expectation {
    since: Option<Duration>,
    held: bool,
    told: bool,
}

impl Expectation {
    /// The call is up.
    pub fn begin(&mut self, now: Duration) {
        self.since.get_or_insert(now);
    }

    /// Nothing is due while held; then it counts anew.
    pub fn hold(&mut self, held: bool, now: Duration) {
        self.held = held;
        self.since = self.since.map(|_| now);
    }

    /// A packet came.
    pub fn fulfil(&mut self) {
        self.told = true;
    }

    /// How long nothing has come, once and not before it is worth telling.
    pub fn check(&mut self, now: Duration) -> Option<Duration> {
        let waited = now.saturating_sub(self.since.filter(|_| !self.held && !self.told)?);
        self.told = waited >= NO_RTP_AFTER;
        self.told.then_some(waited)
    }
}
