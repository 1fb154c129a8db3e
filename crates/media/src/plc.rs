//! Packet-loss concealment in the spirit of G.711 Appendix I: while frames are missing, the last pitch period goes on,
//! after 20 ms the last three in turn (one alone begins to buzz), fading out from 10 to 60 ms.
//!
//! Unlike the Appendix it delays nothing: the seam to the last frame that came is smoothed from its far side. Lengths are for
//! 8 kHz; at 16 kHz all are twice as many samples.

use crate::FRAME_SAMPLES;

/// Pitch from 200 Hz down to 66 Hz.
const SHORTEST_PERIOD: usize = 40;
const LONGEST_PERIOD: usize = 120;
/// Periods in turn when a loss lasts.
const PERIODS: usize = 3;
/// Samples that are compared to find the pitch: 20 ms.
const COMPARED: usize = 160;
/// The longest cycle and the quarter period before it that its seam is blended with.
const HISTORY: usize = PERIODS * LONGEST_PERIOD + LONGEST_PERIOD / 4 + 10;
/// Concealed at full level: 10 ms.
const FULL: usize = 80;
/// Concealed until silence: 60 ms.
const SILENT: usize = 480;
/// The longest blend back into what arrives: 10 ms.
const LONGEST_BLEND: usize = 80;
/// Sums that are kept side by side, so that the compiler can vectorise them.
const LANES: usize = 8;

/// At 8 kHz.
pub type NarrowConcealer = Concealer<1, HISTORY>;
/// At 16 kHz.
pub type WideConcealer = Concealer<2, { 2 * HISTORY }>;

/// Hides lost frames; every frame of a stream passes through it in order. `R` times 8 kHz, with a memory of `H` samples.
#[derive(Debug, Clone)]
pub struct Concealer<const R: usize, const H: usize> {
    /// What was played last, concealed frames included.
    history: [f32; H],
    loss: Option<Loss<R, H>>,
}

/// A loss that is going on.
#[derive(Debug, Clone)]
struct Loss<const R: usize, const H: usize> {
    /// The history as it was when the loss began.
    before: [f32; H],
    period: usize,
    /// What is repeated: one period, or [`PERIODS`].
    cycle: usize,
    /// Place in the cycle.
    at: usize,
    /// Samples made up so far.
    made: usize,
    /// From where the repetition begins to where the speech stopped.
    step: f32,
}

impl<const R: usize, const H: usize> Default for Concealer<R, H> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const R: usize, const H: usize> Concealer<R, H> {
    pub fn new() -> Self {
        Self { history: [0.0; H], loss: None }
    }

    /// A frame of 20 ms that arrived: remembered, and its beginning smoothed when it follows a loss.
    pub fn good(&mut self, frame: &mut [f32]) {
        if let Some(mut loss) = self.loss.take() {
            let blend = loss.blend();
            for (i, sample) in frame.iter_mut().take(blend).enumerate() {
                let weight = (i + 1) as f32 / (blend + 1) as f32;
                *sample = weight * *sample + (1.0 - weight) * loss.next();
            }
        }
        self.remember(frame);
    }

    /// A frame that is missing: overwritten with what may have been in it.
    pub fn conceal(&mut self, frame: &mut [f32]) {
        let loss = self.loss.get_or_insert_with(|| Loss::after(&self.history));
        loss.vary();
        for sample in frame.iter_mut() {
            *sample = loss.next();
        }
        self.remember(frame);
    }

    fn remember(&mut self, frame: &[f32]) {
        let frame = &frame[..frame.len().min(R * FRAME_SAMPLES)];
        self.history.copy_within(frame.len().., 0);
        self.history[H - frame.len()..].copy_from_slice(frame);
    }

    /// Forgets the past.
    pub fn reset(&mut self) {
        *self = Self::new();
    }
}

impl<const R: usize, const H: usize> Loss<R, H> {
    fn after(history: &[f32; H]) -> Self {
        let period = pitch_period::<R, H>(history);
        let step = history[H - 1] - history[H - 1 - period];
        Self { before: *history, period, cycle: period, at: 0, made: 0, step }
    }

    /// From the second frame on, more periods take turns.
    fn vary(&mut self) {
        if self.made > 0 && self.cycle == self.period {
            self.at += (PERIODS - 1) * self.period;
            self.cycle = PERIODS * self.period;
        }
    }

    fn quarter(&self) -> usize {
        self.period / 4
    }

    /// How long to blend with what arrives: the longer the loss, the more the two differ.
    fn blend(&self) -> usize {
        (self.quarter() + self.made / 5).min(R * LONGEST_BLEND)
    }

    fn next(&mut self) -> f32 {
        if self.made >= R * SILENT {
            return 0.0;
        }
        let gain = ((R * SILENT - self.made) as f32 / (R * (SILENT - FULL)) as f32).min(1.0);
        let mut sample = self.repeated();
        if self.made < self.quarter() {
            sample += self.step * (self.quarter() - self.made) as f32 / (self.quarter() + 1) as f32;
        }
        self.at = (self.at + 1) % self.cycle;
        self.made += 1;
        sample * gain
    }

    /// The sample at this place of the cycle; its last quarter period leads over to what came before its first sample.
    fn repeated(&self) -> f32 {
        let start = H - self.cycle;
        let left = self.cycle - self.at;
        let sample = self.before[start + self.at];
        if left > self.quarter() {
            return sample;
        }
        let weight = left as f32 / (self.quarter() + 1) as f32;
        weight * sample + (1.0 - weight) * self.before[start - left]
    }
}

/// The lag at which the last 20 ms resemble what came before most.
fn pitch_period<const R: usize, const H: usize>(history: &[f32; H]) -> usize {
    let recent = &history[H - R * COMPARED..];
    let likeness = |lag: usize| {
        let earlier = &history[H - R * COMPARED - lag..H - lag];
        let energy = product(earlier, earlier);
        product(recent, earlier).max(0.0) / (energy + 1.0).sqrt()
    };
    let mut best = (R * SHORTEST_PERIOD, f32::MIN);
    for lag in R * SHORTEST_PERIOD..=R * LONGEST_PERIOD {
        let likeness = likeness(lag);
        if likeness > best.1 {
            best = (lag, likeness);
        }
    }
    best.0
}

fn product(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0; LANES];
    for (a, b) in a.as_chunks::<LANES>().0.iter().zip(b.as_chunks::<LANES>().0) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += a * b;
        }
    }
    sums.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::f32::consts::TAU;

    /// A vowel: ten harmonics of `pitch` that fall by 6 dB per octave.
    fn vowel(pitch: f32, n: usize) -> Vec<f32> {
        (0..n)
            .map(|i| (1..=10).map(|k| 3000.0 / k as f32 * (TAU * pitch * k as f32 * i as f32 / 8000.0 + k as f32).sin()).sum())
            .collect()
    }

    /// Sends `speech` through, with the frames in `lost` missing.
    fn played(speech: &[f32], lost: &[usize]) -> Vec<f32> {
        let mut concealer = NarrowConcealer::new();
        let mut out = vec![];
        for (i, frame) in speech.as_chunks::<FRAME_SAMPLES>().0.iter().enumerate() {
            let mut frame = *frame;
            if lost.contains(&i) {
                frame.fill(f32::NAN);
                concealer.conceal(&mut frame);
            } else {
                concealer.good(&mut frame);
            }
            out.extend(frame);
        }
        out
    }

    fn frame(n: usize) -> std::ops::Range<usize> {
        n * FRAME_SAMPLES..(n + 1) * FRAME_SAMPLES
    }

    fn power(samples: impl IntoIterator<Item = f32>) -> f32 {
        samples.into_iter().map(|s| s * s).sum()
    }

    #[test]
    fn a_vowel_goes_on() {
        for pitch in [70.0, 100.0, 123.0, 160.0, 195.0] {
            let speech = vowel(pitch, 20 * FRAME_SAMPLES);
            let out = played(&speech, &[10]);
            let half = frame(10).start..frame(10).start + 80;
            let error = power(half.clone().map(|i| out[i] - speech[i])) / power(half.map(|i| speech[i]));
            assert!(error < 0.1, "{pitch} Hz: {:.1} dB", 10.0 * error.log10());
        }
    }

    #[test]
    fn a_vowel_goes_on_at_16_khz_as_well() {
        // The same samples at twice the rate are a vowel of twice the pitch.
        for pitch in [50.0, 61.5, 80.0] {
            let speech = vowel(pitch, 20 * 2 * FRAME_SAMPLES);
            let mut concealer = WideConcealer::new();
            let mut last = vec![];
            for (i, frame) in speech.chunks(2 * FRAME_SAMPLES).enumerate().take(11) {
                last = frame.to_vec();
                if i == 10 { concealer.conceal(&mut last) } else { concealer.good(&mut last) }
            }
            let want = &speech[20 * FRAME_SAMPLES..];
            let error = power((0..160).map(|i| last[i] - want[i])) / power((0..160).map(|i| want[i]));
            assert!(error < 0.1, "{pitch} Hz: {:.1} dB", 10.0 * error.log10());
        }
    }

    #[test]
    fn frames_that_arrive_are_not_touched() {
        let speech = vowel(120.0, 20 * FRAME_SAMPLES);
        assert!(played(&speech, &[]) == speech);
        let out = played(&speech, &[10, 11]);
        assert!(out[..frame(10).start] == speech[..frame(10).start]);
        assert!(out[frame(12).start + LONGEST_BLEND..] == speech[frame(12).start + LONGEST_BLEND..]);
    }

    #[test]
    fn no_seam_is_heard() {
        for pitch in [70.0, 111.0, 150.0, 230.0] {
            let speech = vowel(pitch, 30 * FRAME_SAMPLES);
            let steps = |s: &[f32]| s.windows(2).map(|w| (w[1] - w[0]).abs()).fold(0.0, f32::max);
            for lost in [&[10][..], &[10, 11], &[10, 11, 12, 13, 14], &[10, 12, 14]] {
                let (heard, natural) = (steps(&played(&speech, lost)), steps(&speech));
                assert!(heard < 1.3 * natural, "{pitch} Hz, {lost:?}: a step of {heard}, of {natural} in the speech");
            }
        }
    }

    #[test]
    fn a_long_loss_fades_to_silence() {
        let out = played(&vowel(120.0, 20 * FRAME_SAMPLES), &[10, 11, 12, 13, 14]);
        let powers: Vec<f32> = (9..14).map(|n| power(out[frame(n)].iter().copied())).collect();
        assert!(powers.windows(2).all(|w| w[1] <= w[0] * 1.01), "{powers:?}");
        assert!(out[frame(13)].iter().all(|s| *s == 0.0));
    }

    #[test]
    fn silence_stays_silent_also_at_the_start() {
        assert!(played(&[0.0; 10 * FRAME_SAMPLES], &[0, 1, 5]).iter().all(|s| *s == 0.0));
    }

    proptest! {
        #[test]
        fn nothing_grows(samples in proptest::collection::vec(-32768f32..32767.0, 10 * FRAME_SAMPLES),
                         lost in proptest::collection::vec(0usize..10, 0..8)) {
            let out = played(&samples, &lost);
            prop_assert!(out.iter().all(|s| s.abs() <= 3.0 * 32768.0));
        }
    }
}
