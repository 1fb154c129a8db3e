//! Whether a frame is voiced, and what its pitch does: the best match of the last 32 ms with themselves, shifted by a period.
//!
//! A voice glides: from one frame to the next its pitch moves by a percent or three. A tune's stands still and jumps.

use super::dot;
use crate::FRAME_SAMPLES;

/// At 4 kHz, half the line's rate.
const HALF_FRAME: usize = FRAME_SAMPLES / 2;
/// Samples of the shortest period, 400 Hz …
const SHORTEST: usize = 10;
/// … and of the longest, 70 Hz.
const LONGEST: usize = 57;
/// Compared: 32 ms.
const WINDOW: usize = 128;
const HISTORY: usize = WINDOW + LONGEST + 1;
/// Of the low-pass filter, whose taps are 1, 4, 6, 4, 1.
const TAPS: usize = 5;

/// From so much likeness on (1 repeats itself exactly) a frame is voiced.
const VOICED: f32 = 0.62;
/// Of peaks the first that is nearly as high as the highest counts: whole multiples of a period match as well.
const NEARLY: f32 = 0.9;
/// Steps of the pitch, as logarithms: below the first it stands still, above the second it glides, above the third it jumps.
const STANDS: f32 = 0.004;
const GLIDES: f32 = 0.006;
const JUMPS: f32 = 0.12;

/// What a frame sounds like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sound {
    Unvoiced,
    /// The first voiced frame, or one whose pitch has jumped, or moved very little.
    Voiced,
    /// The pitch moves as a voice's does.
    Gliding,
    /// The pitch stands still.
    Steady,
}

#[derive(Debug)]
pub(super) struct Pitch {
    /// At 4 kHz, the newest last.
    past: [f32; HISTORY],
    /// The last samples at 8 kHz.
    before: [f32; TAPS - 1],
    /// Period of the frame before, if that was voiced.
    period: Option<f32>,
}

impl Pitch {
    pub fn new() -> Self {
        Self { past: [0.0; HISTORY], before: [0.0; TAPS - 1], period: None }
    }

    /// A frame that is too soft to be of interest.
    pub fn pass(&mut self, frame: &[f32; FRAME_SAMPLES]) -> Sound {
        self.take(frame);
        self.period = None;
        Sound::Unvoiced
    }

    pub fn hear(&mut self, frame: &[f32; FRAME_SAMPLES]) -> Sound {
        self.take(frame);
        let before = self.period;
        self.period = self.measure();
        let Some(period) = self.period else { return Sound::Unvoiced };
        let Some(before) = before else { return Sound::Voiced };
        match (period / before).ln().abs() {
            ..STANDS => Sound::Steady,
            GLIDES..JUMPS => Sound::Gliding,
            _ => Sound::Voiced,
        }
    }

    fn take(&mut self, frame: &[f32; FRAME_SAMPLES]) {
        self.past.copy_within(HALF_FRAME.., 0);
        let mut padded = [0.0; FRAME_SAMPLES + TAPS - 1];
        padded[..TAPS - 1].copy_from_slice(&self.before);
        padded[TAPS - 1..].copy_from_slice(frame);
        self.before.copy_from_slice(&frame[FRAME_SAMPLES - TAPS + 1..]);
        for (out, x) in self.past[HISTORY - HALF_FRAME..].iter_mut().zip(padded.windows(TAPS).step_by(2)) {
            *out = 0.0625 * (x[0] + x[4]) + 0.25 * (x[1] + x[3]) + 0.375 * x[2];
        }
    }

    /// The period in samples at 4 kHz, if the frame is voiced.
    fn measure(&self) -> Option<f32> {
        let now = &self.past[HISTORY - WINDOW..];
        let energy = dot(now, now);
        let mut likeness = [0.0; LONGEST + 2];
        let mut then_energy = 0.0;
        for (lag, likeness) in likeness.iter_mut().enumerate().skip(SHORTEST - 1) {
            let from = HISTORY - WINDOW - lag;
            let then = &self.past[from..from + WINDOW];
            // The energy of what is compared moves along by a sample at each end.
            then_energy = if lag < SHORTEST {
                dot(then, then)
            } else {
                then_energy + then[0] * then[0] - self.past[from + WINDOW] * self.past[from + WINDOW]
            };
            *likeness = dot(now, then) / (energy * then_energy.max(0.0)).sqrt().max(1.0);
        }
        let peaks = |lag: &usize| likeness[*lag] >= likeness[lag - 1] && likeness[*lag] > likeness[lag + 1];
        let highest = (SHORTEST..=LONGEST).filter(peaks).map(|lag| likeness[lag]).fold(0.0, f32::max);
        let lag = (SHORTEST..=LONGEST).filter(peaks).find(|lag| likeness[*lag] >= NEARLY * highest)?;
        (likeness[lag] > VOICED).then(|| lag as f32 + vertex([likeness[lag - 1], likeness[lag], likeness[lag + 1]]))
    }
}

/// Where between the neighbours of a peak the parabola through all three has its top.
fn vertex([before, at, after]: [f32; 3]) -> f32 {
    let bend = before - 2.0 * at + after;
    if bend < 0.0 { 0.5 * (before - after) / bend } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f32::consts::TAU;

    /// A second of a pulse-like sound at the pitch that `hz` says for each sample.
    fn sounds(hz: impl Fn(usize) -> f32) -> Vec<Sound> {
        let (mut pitch, mut phase) = (Pitch::new(), 0.0_f32);
        let frame = |frame: usize| {
            std::array::from_fn(|i| {
                phase += hz(FRAME_SAMPLES * frame + i) / 8_000.0;
                (1..8).map(|harmonic| 1_000.0 * (TAU * phase * harmonic as f32).cos()).sum()
            })
        };
        (0..50).map(frame).map(|frame| pitch.hear(&frame)).skip(4).collect()
    }

    fn share(sounds: &[Sound], of: Sound) -> f32 {
        sounds.iter().filter(|sound| **sound == of).count() as f32 / sounds.len() as f32
    }

    #[test]
    fn a_voice_glides_and_a_tune_stands_still() {
        for hz in [110.0, 180.0, 250.0, 320.0] {
            let still = sounds(|_| hz);
            assert!(share(&still, Sound::Steady) > 0.95, "{hz}: {still:?}");
            let gliding = sounds(|i| hz * (1.0 + 0.2 * (TAU * 1.2 * i as f32 / 8_000.0).sin()));
            assert!(share(&gliding, Sound::Gliding) > 0.6, "{hz}: {gliding:?}");
        }
        let tune = sounds(|i| [200.0, 252.0, 300.0, 224.0][i / 1_600 % 4]);
        assert!(share(&tune, Sound::Gliding) < 0.15 && share(&tune, Sound::Steady) > 0.6, "{tune:?}");
    }

    #[test]
    fn a_hiss_and_silence_are_unvoiced() {
        let mut seed = 1_u32;
        let mut noise = || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 16) as f32 - 32_768.0
        };
        let mut pitch = Pitch::new();
        let hiss: Vec<Sound> = (0..50).map(|_| pitch.hear(&std::array::from_fn(|_| noise()))).collect();
        assert!(share(&hiss, Sound::Unvoiced) > 0.95, "{hiss:?}");
        assert!((0..10).all(|_| pitch.hear(&[0.0; FRAME_SAMPLES]) == Sound::Unvoiced));
    }
}
