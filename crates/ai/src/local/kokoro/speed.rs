//! Is this machine fast enough to speak with Kokoro as it goes? Decided on a measurement, which is taken elsewhere.

use std::time::Duration;

/// The longest time of computing, of one thread for a second of speech, with which it is used as it goes. A caller waits for
/// the whole first sentence, and the recogniser, the calls and their audio want the machine as well.
pub const FAST_ENOUGH: f32 = 0.5;
/// Of a thread's time, what calls that speak may take together. The silence around a sentence is counted as spoken but is
/// not played, which leaves less time than the measurement says.
const LOAD: f32 = 0.7;
/// More calls at once would be a promise that no measurement of one sentence can give.
const MOST_PLACES: usize = 256;

/// Which voice the process wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Choice {
    /// The built-in voice; no weights are looked for.
    #[default]
    Flite,
    /// Kokoro where the machine is fast enough; where it is not, for greetings, rendered once and kept.
    Kokoro,
    /// Kokoro where its weights are and the machine is fast enough.
    Auto,
}

/// What speaking one sentence took, on one thread.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Speed {
    pub computed: Duration,
    pub spoken: Duration,
}

impl Speed {
    /// Seconds of computing for a second of speech; endless when nothing was spoken.
    pub fn factor(self) -> f32 {
        let spoken = self.spoken.as_secs_f32();
        if spoken > 0.0 { self.computed.as_secs_f32() / spoken } else { f32::INFINITY }
    }

    pub fn is_enough(self) -> bool {
        self.factor() <= FAST_ENOUGH
    }

    /// Calls that may speak at a time on so many threads; none on a machine that is too slow.
    pub fn places(self, threads: usize) -> usize {
        if !self.is_enough() {
            return 0;
        }
        let each = (LOAD / self.factor().max(0.001)).floor().max(1.0) as usize;
        (each * threads).min(MOST_PLACES)
    }
}

impl std::fmt::Display for Speed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.2} s of computing for a second of speech", self.factor())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn speed(computed_ms: u64) -> Speed {
        Speed { computed: Duration::from_millis(computed_ms), spoken: Duration::from_secs(2) }
    }

    #[test]
    fn a_slow_machine_has_no_places_and_a_fast_one_has_more() {
        for (computed_ms, threads, want) in [
            (2_500, 4, 0),
            (1_001, 1, 0),
            (1_000, 1, 1),
            (860, 1, 1),
            (860, 4, 4),
            (600, 1, 2),
            (100, 2, 28),
            (0, 64, MOST_PLACES),
        ] {
            assert_eq!(speed(computed_ms).places(threads), want, "{computed_ms}");
        }
    }

    #[test]
    fn silence_is_not_fast() {
        let silent = Speed { computed: Duration::from_millis(1), spoken: Duration::ZERO };
        assert!(!silent.is_enough() && silent.places(4) == 0);
    }
}
