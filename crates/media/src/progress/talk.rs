//! When there is talk: a voice well above the noise and within 15 dB of the loudest that was heard, so that a bar or a street behind
//! somebody who has said hello is no talk; tones apart.

use crate::activity::MIN_RMS;

/// Loud frames of 20 ms among the last [`RECENT`] that begin talk: 100 ms, for a pair of tones is known by then.
const ONSET: u32 = 5;
/// The frames in which they are counted.
const RECENT: u32 = 7;
/// Frames without voice that end it: 240 ms.
const PAUSE: u32 = 12;
/// Above the noise: 10 dB.
const ABOVE_FLOOR: f32 = 3.16;
/// Below the loudest: 15 dB.
const BELOW_PEAK: f32 = 0.178;
/// The loudest falls by 0.2 dB a second.
const PEAK_FALL: f32 = 0.999_54;
/// The noise is the quietest frame of 0.8 to 1.2 s, for every voice has its pauses: of so many stretches of so many frames.
const STRETCHES: usize = 3;
const STRETCH: u32 = 20;
/// It is never taken for more than this: −24 dBFS.
const HIGHEST_FLOOR: f32 = 2_000.0;

/// Talk began or ended, so many frames ago.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    pub on: bool,
    pub frames_ago: u32,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Talk {
    /// The quietest frame of each stretch, the newest first.
    quietest: [f32; STRETCHES],
    /// Frames of the newest stretch.
    frames: u32,
    peak: f32,
    /// A bit for each of the last frames, the newest lowest: voice.
    loud: u32,
    talking: bool,
    /// Frames since the last voice.
    silent: u32,
}

impl Default for Talk {
    fn default() -> Self {
        Self { quietest: [MIN_RMS; STRETCHES], frames: 0, peak: 0.0, loud: 0, talking: false, silent: 0 }
    }
}

impl Talk {
    /// Takes the level of the next frame. `tone`: what sounds in it is none of a voice.
    pub fn hear(&mut self, rms: f32, tone: bool) -> Option<Mark> {
        let voice = !tone && rms > MIN_RMS.max(self.floor() * ABOVE_FLOOR).max(self.peak * BELOW_PEAK);
        if !tone {
            self.measure(rms);
        }
        self.loud = if tone { 0 } else { self.loud << 1 | u32::from(voice) };
        self.silent = if voice { 0 } else { self.silent.saturating_add(1) };
        self.peak *= PEAK_FALL;
        let recent = self.loud & ((1 << RECENT) - 1);
        if voice && recent.count_ones() >= ONSET {
            // A crack is no measure of a voice.
            self.peak = self.peak.max(rms);
            if !self.talking {
                self.talking = true;
                return Some(Mark { on: true, frames_ago: u32::BITS - recent.leading_zeros() });
            }
        }
        if self.talking && self.silent >= PAUSE {
            self.talking = false;
            return Some(Mark { on: false, frames_ago: self.silent });
        }
        None
    }

    fn floor(&self) -> f32 {
        self.quietest.iter().copied().fold(HIGHEST_FLOOR, f32::min)
    }

    fn measure(&mut self, rms: f32) {
        if self.frames == STRETCH {
            self.quietest.rotate_right(1);
            (self.quietest[0], self.frames) = (f32::MAX, 0);
        }
        self.frames += 1;
        self.quietest[0] = self.quietest[0].min(rms);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where talk begins and ends in frames, of stretches of levels.
    fn marks(stretches: &[(u32, f32)]) -> Vec<(bool, u32)> {
        let mut talk = Talk::default();
        let levels = stretches.iter().flat_map(|(frames, level)| std::iter::repeat_n(*level, *frames as usize));
        let marks = levels.enumerate().filter_map(|(at, level)| Some((at as u32 + 1, talk.hear(level, false)?)));
        marks.map(|(at, mark)| (mark.on, at - mark.frames_ago)).collect()
    }

    #[test]
    fn talk_is_told_from_noise_and_clicks() {
        assert_eq!(marks(&[(50, 20.0), (20, 3_000.0), (50, 20.0)]), [(true, 50), (false, 70)]);
        assert_eq!(marks(&[(50, 20.0), (4, 8_000.0), (50, 20.0)]), [], "a click");
        assert_eq!(marks(&[(50, 20.0), (20, 3_000.0), (11, 20.0), (20, 3_000.0), (50, 20.0)]), [(true, 50), (false, 101)]);
        assert_eq!(marks(&[(50, 20.0), (20, 4_000.0), (400, 600.0)]), [(true, 50), (false, 70)], "a street behind a voice");
        assert_eq!(marks(&[(400, 300.0), (20, 3_000.0), (60, 300.0)]), [(true, 400), (false, 420)], "a noisy line");
        let loud = marks(&[(100, 1_000.0), (20, 8_000.0), (60, 1_000.0)]);
        assert_eq!(loud[1..], [(false, 61), (true, 100), (false, 120)], "a loud one, known after 1.2 s");
    }

    #[test]
    fn a_tone_is_no_talk() {
        let mut talk = Talk::default();
        assert!((0..200).all(|_| talk.hear(3_000.0, true).is_none()));
    }
}
