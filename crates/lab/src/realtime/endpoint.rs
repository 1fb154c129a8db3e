//! Finds where the caller begins and ends to speak, by energy. Time is counted in received samples, not by a clock: who stops
//! sending is never found to be silent.

use crate::analysis::rms;
use std::time::Duration;

/// 20 ms at 16 kHz.
const FRAME: usize = 320;
/// −41 dBFS: above line noise and comfort noise, below quiet speech.
const VOICED_RMS: f64 = 300.0;
/// 60 ms: a click is no voice.
const FRAMES_TO_BEGIN: u32 = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Voice {
    Began,
    Ended,
}

#[derive(Debug)]
pub(crate) struct Endpoint {
    frames_to_end: u32,
    /// Frames in a row that speak against the present state.
    run: u32,
    speaking: bool,
    rest: Vec<i16>,
}

impl Endpoint {
    pub fn new(silence: Duration) -> Self {
        let frames_to_end = (silence.as_millis() / 20).try_into().unwrap_or(u32::MAX).max(1);
        Self { frames_to_end, run: 0, speaking: false, rest: Vec::with_capacity(FRAME) }
    }

    pub fn hear(&mut self, samples: &[i16]) -> Vec<Voice> {
        self.rest.extend_from_slice(samples);
        let whole = self.rest.len() / FRAME * FRAME;
        let heard: Vec<i16> = self.rest.drain(..whole).collect();
        heard.chunks_exact(FRAME).filter_map(|frame| self.frame(rms(frame) > VOICED_RMS)).collect()
    }

    fn frame(&mut self, voiced: bool) -> Option<Voice> {
        self.run = if voiced == self.speaking { 0 } else { self.run + 1 };
        let enough = if self.speaking { self.frames_to_end } else { FRAMES_TO_BEGIN };
        if self.run < enough {
            return None;
        }
        self.run = 0;
        self.speaking = !self.speaking;
        Some(if self.speaking { Voice::Began } else { Voice::Ended })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::realtime::callers::caller;
    use crate::samples::Line;

    fn check(milliseconds: &[(bool, usize)], wanted: &[Voice]) {
        let mut endpoint = Endpoint::new(Duration::from_millis(500));
        let sound = |(loud, length): &(bool, usize)| vec![if *loud { 4000 } else { 10 }; length * 16];
        let samples: Vec<i16> = milliseconds.iter().flat_map(sound).collect();
        let found: Vec<Voice> = samples.chunks(333).flat_map(|part| endpoint.hear(part)).collect();
        assert_eq!(found, wanted, "{milliseconds:?}");
    }

    #[test]
    fn utterances_are_cut_at_long_pauses_only() {
        use Voice::{Began, Ended};
        check(&[(false, 2000)], &[]);
        check(&[(false, 200), (true, 40), (false, 900)], &[]);
        check(&[(true, 300), (false, 400), (true, 300)], &[Began]);
        check(&[(true, 300), (false, 600), (true, 300), (false, 520)], &[Began, Ended, Began, Ended]);
    }

    #[test]
    fn with_long_patience_every_line_is_one_utterance() {
        for line in Line::ALL {
            let found = |milliseconds| Endpoint::new(Duration::from_millis(milliseconds)).hear(&caller(line)).len() / 2;
            assert_eq!(found(800), 1, "{line:?}");
            // Two of them hold their breath for more than half a second.
            assert_eq!(found(500) > 1, matches!(line, Line::Tom1 | Line::Long), "{line:?}");
        }
    }
}
