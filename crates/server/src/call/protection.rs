//! A greeting that the caller cannot interrupt. As with a prompt of a telephone system that takes no input (VoiceXML 2.0, 4.1.5),
//! what is said over it is not heard: the engine gets silence. Whoever begins to speak at its very end is heard from the beginning.

use std::{collections::VecDeque, time::Duration};

/// Frames of 20 ms of the caller that the engine hears when the greeting is over: the last second.
const KEPT: usize = 50;
/// No greeting is longer: an engine that never says that it is over does not stay deaf.
const LONGEST: Duration = Duration::from_secs(60);

/// Owned by the bridge.
#[derive(Debug, Default)]
pub struct Protection {
    /// Until when at the latest.
    until: Option<Duration>,
    /// All of the greeting is there.
    said: bool,
    last: VecDeque<Vec<i16>>,
}

impl Protection {
    /// The greeting begins at `now`.
    pub fn begins(&mut self, now: Duration) {
        self.until = Some(now + LONGEST);
    }

    pub fn is_on(&self) -> bool {
        self.until.is_some()
    }

    /// The engine has given all of its turn.
    pub fn turn_complete(&mut self) {
        self.said = self.is_on();
    }

    /// What the caller says meanwhile.
    pub fn hear(&mut self, frame: &[i16]) {
        let mut kept = if self.last.len() < KEPT { Vec::new() } else { self.last.pop_front().unwrap_or_default() };
        kept.clear();
        kept.extend_from_slice(frame);
        self.last.push_back(kept);
    }

    /// Everything that was there has been played, or it is `now`: what the engine is to hear first, when the greeting is over.
    pub fn ends(&mut self, drained: bool, now: Duration) -> Option<VecDeque<Vec<i16>>> {
        let over = self.said && drained || self.until.is_some_and(|until| now >= until);
        over.then(|| std::mem::take(self).last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engine_hears_the_last_second_once_the_greeting_is_heard() {
        let now = Duration::from_secs(100);
        let mut protection = Protection::default();
        assert!(!protection.is_on());
        protection.begins(now);
        (0..120_i16).for_each(|frame| protection.hear(&[frame; 3]));
        assert_eq!(protection.ends(true, now), None, "it ran dry before the end");
        protection.turn_complete();
        assert_eq!(protection.ends(false, now), None, "not all has been played");
        let last = protection.ends(true, now).expect("over");
        assert_eq!((last.len(), &last[0][..], &last[49][..]), (50, &[70; 3][..], &[119; 3][..]));
        assert!(!protection.is_on() && protection.ends(true, now).is_none());
    }

    #[test]
    fn a_greeting_that_never_ends_does_not_make_deaf() {
        let mut protection = Protection::default();
        protection.begins(Duration::ZERO);
        assert_eq!(protection.ends(true, Duration::from_secs(59)), None);
        assert!(protection.ends(false, Duration::from_secs(60)).is_some());
    }
}
