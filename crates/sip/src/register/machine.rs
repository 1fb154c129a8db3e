//! The transitions.

use super::{Input, Output, RegisterPolicy};
use std::time::Duration;

/// One account's registration.
#[derive(Debug)]
pub struct Registration {}

impl Registration {
    pub fn new(_policy: RegisterPolicy) -> Self {
        Self {}
    }

    /// `now` is time since any fixed moment; `entropy` is fresh random bits for the jitter.
    pub fn handle(&mut self, _input: Input, _now: Duration, _entropy: u64) -> Vec<Output> {
        Vec::new()
    }

    /// When [`Input::TimerFired`] is due; ask again after each `handle`.
    pub fn deadline(&self) -> Option<Duration> {
        None
    }
}
