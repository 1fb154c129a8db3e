//! When a message may be left on an answering machine: after its beep, or after a silence where none comes. Times count from the
//! answer.

use std::time::Duration;

/// Silence after a greeting in which a beep would have come.
pub const NO_BEEP: Duration = Duration::from_millis(3_500);
/// However long it talks, by then the message is spoken.
pub const LONGEST_GREETING: Duration = Duration::from_secs(60);

/// Waits for the moment. Tells it once.
#[derive(Debug)]
pub struct MessageDrop {
    since: Duration,
    /// From when it is silent; `None` while it talks.
    silent_since: Option<Duration>,
    spoken: bool,
}

impl MessageDrop {
    /// The machine was recognised at `now`; `talks` on, or has just beeped.
    pub fn new(now: Duration, talks: bool) -> Self {
        Self { since: now, silent_since: (!talks).then_some(now), spoken: false }
    }

    /// It beeps: true when that is the moment.
    pub fn beep(&mut self) -> bool {
        !std::mem::replace(&mut self.spoken, true)
    }

    pub fn talk(&mut self, on: bool, at: Duration) {
        self.silent_since = (!on).then_some(at);
    }

    pub fn deadline(&self) -> Option<Duration> {
        let longest = self.since + LONGEST_GREETING;
        (!self.spoken).then(|| self.silent_since.map_or(longest, |since| longest.min(since + NO_BEEP)))
    }

    /// True when time makes it the moment.
    pub fn pass(&mut self, now: Duration) -> bool {
        self.deadline().is_some_and(|deadline| now >= deadline) && self.beep()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    #[test]
    fn the_message_waits_for_the_beep() {
        let mut drop = MessageDrop::new(7 * S, true);
        assert!(!drop.pass(20 * S));
        drop.talk(false, 20 * S);
        assert_eq!(drop.deadline(), Some(20 * S + NO_BEEP));
        drop.talk(true, 21 * S);
        assert!(!drop.pass(30 * S));
        assert!(drop.beep());
        assert!(!drop.beep() && !drop.pass(200 * S), "once");
    }

    #[test]
    fn it_does_not_wait_for_ever() {
        let mut silent = MessageDrop::new(7 * S, false);
        assert!(!silent.pass(10 * S) && silent.pass(7 * S + NO_BEEP));
        let mut endless = MessageDrop::new(7 * S, true);
        assert!(!endless.pass(66 * S) && endless.pass(67 * S));
    }
}
