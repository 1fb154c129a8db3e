//! The caller's speech that the service may not have heard: since they began to speak and nobody answered, and what they said
//! while there was no session. Two seconds of it are heard again, the oldest go first: more would make the model answer the
//! past. Pauses are shortened to less than what ends a turn, and the silence that ends it is put back at the end.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// Milliseconds of speech kept; with [`ENDING`] after it they are two seconds.
const KEPT_MS: usize = 1_700;
/// So much of a pause belongs to speech.
const PAUSE: Duration = Duration::from_millis(400);
/// What is put after it when the caller has been silent since: with [`PAUSE`] more than what ends a turn.
const ENDING: Duration = Duration::from_millis(300);
/// Speech that nobody has answered for so long will not be answered any more.
const FORGOTTEN: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub struct Replay {
    samples: VecDeque<i16>,
    bound: usize,
    /// Samples in a millisecond.
    per_ms: usize,
    /// Samples at the end of it that no session was there for.
    gap: Option<usize>,
    last_loud: Option<Instant>,
    /// How long the caller has been silent.
    silent_for: Duration,
    /// More was said than is kept.
    overflowed: bool,
}

impl Replay {
    /// `rate`: samples a second.
    pub fn new(rate: u32) -> Self {
        let per_ms = rate as usize / 1_000;
        Self {
            samples: VecDeque::new(),
            bound: per_ms * KEPT_MS,
            per_ms,
            gap: None,
            last_loud: None,
            silent_for: Duration::ZERO,
            overflowed: false,
        }
    }

    pub fn hear(&mut self, samples: &[i16], loud: bool, now: Instant) {
        if loud {
            self.last_loud = Some(now);
        }
        let Some(last_loud) = self.last_loud else { return };
        self.silent_for = now.saturating_duration_since(last_loud);
        if self.silent_for < PAUSE {
            self.keep(samples);
        } else if self.silent_for >= FORGOTTEN && self.gap.is_none() {
            self.forget();
        }
    }

    fn keep(&mut self, samples: &[i16]) {
        self.samples.extend(samples);
        let excess = self.samples.len().saturating_sub(self.bound);
        self.overflowed |= excess > 0;
        self.samples.drain(..excess);
        if let Some(gap) = &mut self.gap {
            *gap = (*gap + samples.len()).min(self.bound);
        }
    }

    /// What the caller said so far has been answered.
    pub fn answered(&mut self) {
        if self.gap.is_none() {
            self.forget();
        }
    }

    /// There is no session from now on.
    pub fn gap_begins(&mut self) {
        self.gap.get_or_insert(0);
    }

    /// More was said than is kept of it.
    pub fn has_overflowed(&self) -> bool {
        self.overflowed
    }

    /// There is a session again: what it is to hear first. `understood`: what was said before the gap is known as text.
    pub fn take(&mut self, understood: bool) -> Vec<i16> {
        let from = if understood { self.samples.len().saturating_sub(self.gap.unwrap_or(0)) } else { 0 };
        let mut samples: Vec<i16> = self.samples.iter().skip(from).copied().collect();
        if !samples.is_empty() {
            let ending = self.silent_for.saturating_sub(PAUSE).min(ENDING);
            samples.resize(samples.len() + ending.as_millis() as usize * self.per_ms, 0);
        }
        self.gap = None;
        self.forget();
        samples
    }

    /// The buffer is let go of too: most of the time nobody needs it.
    fn forget(&mut self) {
        self.samples = VecDeque::new();
        (self.overflowed, self.last_loud) = (false, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOUD: bool = true;
    const QUIET: bool = false;

    /// Hears frames of 20 ms at 1 kHz, numbered from 1, and takes what is left of them: the first, the length without and with
    /// the silence that was put back, and whether there was more.
    fn taken(frames: &[(bool, u64)], gap_at: Option<usize>, understood: bool) -> (i16, usize, usize, bool) {
        let (mut replay, mut now) = (Replay::new(1_000), Instant::now());
        let mut number = 1;
        for (index, &(loud, milliseconds)) in frames.iter().enumerate() {
            if gap_at == Some(index) {
                replay.gap_begins();
            }
            for _ in 0..milliseconds / 20 {
                replay.hear(&[number; 20], loud, now);
                number += 1;
                now += Duration::from_millis(20);
            }
        }
        let overflowed = replay.has_overflowed();
        let samples = replay.take(understood);
        let heard: Vec<i16> = samples.iter().copied().filter(|sample| *sample > 0).collect();
        assert!(heard.is_sorted() && replay.samples.capacity() == 0);
        (samples.first().copied().unwrap_or_default(), heard.len(), samples.len(), overflowed)
    }

    #[test]
    fn what_is_kept() {
        // Silence is not; speech is, with what ends a turn of the silence after it, …
        assert_eq!(taken(&[(QUIET, 5_000)], None, false), (0, 0, 0, false));
        assert_eq!(taken(&[(QUIET, 1_000), (LOUD, 500), (QUIET, 300)], None, false), (51, 800, 800, false));
        assert_eq!(taken(&[(LOUD, 500), (QUIET, 600)], None, false), (1, 880, 1_080, false));
        assert_eq!(taken(&[(LOUD, 500), (QUIET, 9_000)], None, false), (1, 880, 1_180, false));
        // … until nobody will answer it any more.
        assert_eq!(taken(&[(LOUD, 500), (QUIET, 11_000)], None, false), (0, 0, 0, false));
        // No pause in it ends a turn.
        assert_eq!(taken(&[(LOUD, 500), (QUIET, 3_000), (LOUD, 200)], None, false), (1, 1_080, 1_080, false));
        assert_eq!(taken(&[(LOUD, 5_000)], None, false), (166, 1_700, 1_700, true));
        assert_eq!(taken(&[(LOUD, 5_000), (QUIET, 5_000)], None, false).2, 2_000, "two seconds in all");
    }

    #[test]
    fn what_was_said_without_a_session_is_told_from_the_rest() {
        assert_eq!(taken(&[(QUIET, 1_000), (LOUD, 600)], Some(1), false), (51, 600, 600, false));
        assert_eq!(taken(&[(LOUD, 500), (QUIET, 20_000)], Some(1), false), (1, 880, 1_180, false), "for how long it may last");
        assert_eq!(taken(&[(LOUD, 500), (QUIET, 300)], Some(1), true), (26, 300, 300, false), "the rest is known as text");
        assert_eq!(taken(&[(LOUD, 500)], None, true), (0, 0, 0, false));
    }

    #[test]
    fn what_is_answered_is_forgotten_save_in_a_gap() {
        let now = Instant::now();
        let mut replay = Replay::new(1_000);
        replay.hear(&[1; 20], LOUD, now);
        replay.answered();
        assert_eq!(replay.take(false), [0_i16; 0]);
        replay.gap_begins();
        replay.hear(&[1; 20], LOUD, now);
        replay.answered();
        assert_eq!(replay.take(true).len(), 20);
    }
}
