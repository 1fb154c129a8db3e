//! What sounds in 10 ms: nothing, one tone, a pair of tones that belong together, or something else.
//!
//! A tone is found where the bank has its peak; how far its wave has turned since the block before tells its frequency to a
//! hertz or two, and that frequency how much of the energy the peak should hold. A voice seldom has it all in one place. The tones
//! of a pair are too close to one another for 10 ms, so they are judged by 50 or 60 ms at once, in which they are orthogonal.

use crate::bank::{Bank, parts, power};
use std::{
    f32::consts::{PI, TAU},
    sync::LazyLock,
};

/// Samples in a block: 10 ms at 8 kHz.
pub(super) const BLOCK: usize = 80;
/// Blocks in a second.
const BLOCK_RATE: f32 = 100.0;
/// Frequencies of the grid in which single tones are looked for: 300, 400 … 2,600 Hz.
const GRID: usize = 24;
/// The grid, and four more for pairs.
const WAVES: usize = 2 * (GRID + 4);
/// Root of the mean square below which nothing counts: −47 dBm0.
const MIN_RMS: f32 = 100.0;
/// What the peak and its greater neighbour must hold of what a tone of that frequency gives them. Noise at 10 dB takes 0.1 of it.
const TONE_SHARE: f32 = 0.82;
/// What a pair must hold of all energy.
const PAIR_SHARE: f32 = 0.75;
/// One tone of a pair above the other by so much at most: 7 dB.
const MOST_TWIST: f32 = 5.0;
/// Blocks that are kept for pairs.
const PAIR_BLOCKS: usize = 6;

static BANK: LazyLock<Bank<BLOCK, WAVES>> = LazyLock::new(|| Bank::new(hertz));

fn hertz(tone: usize) -> f32 {
    match tone {
        0..GRID => 300.0 + 100.0 * tone as f32,
        _ => [440.0, 450.0, 480.0, 620.0][tone - GRID],
    }
}

/// Two tones that are one signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Pair {
    /// 400 and 450 Hz.
    F400F450,
    /// 440 and 480 Hz.
    F440F480,
    /// 480 and 620 Hz.
    F480F620,
}

impl Pair {
    pub const ALL: [Self; 3] = [Self::F400F450, Self::F440F480, Self::F480F620];

    pub fn hertz(self) -> [u16; 2] {
        match self {
            Self::F400F450 => [400, 450],
            Self::F440F480 => [440, 480],
            Self::F480F620 => [480, 620],
        }
    }

    /// Blocks by which it is judged: the distance of its tones is a whole number of turns in them.
    pub(super) fn blocks(self) -> usize {
        match self {
            Self::F400F450 => 6,
            Self::F440F480 | Self::F480F620 => 5,
        }
    }

    /// Where both are in [`PAIR_TONES`].
    fn places(self) -> [usize; 2] {
        match self {
            Self::F400F450 => [0, 2],
            Self::F440F480 => [1, 3],
            Self::F480F620 => [3, 4],
        }
    }
}

/// Of the bank: 400, 440, 450, 480 and 620 Hz. A tenth of their frequencies is how often they turn in a block, tenths of a
/// turn left over.
const PAIR_TONES: [(usize, usize); 5] = [(1, 40), (GRID, 44), (GRID + 1, 45), (GRID + 2, 48), (GRID + 3, 62)];

/// What sounds in a block.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Sound {
    Quiet,
    Tone { hertz: f32 },
    Pair(Pair),
    Other,
}

/// Judges block by block.
#[derive(Debug)]
pub(super) struct Spectrum {
    last: [f32; WAVES],
    /// Of the last blocks, the newest first: the sums of [`PAIR_TONES`] as if all blocks were one, and the energy.
    window: [([[f32; 2]; PAIR_TONES.len()], f32); PAIR_BLOCKS],
    /// Blocks so far.
    count: usize,
}

impl Default for Spectrum {
    fn default() -> Self {
        Self { last: [0.0; WAVES], window: Default::default(), count: 0 }
    }
}

impl Spectrum {
    /// What sounds in the next block, and its energy.
    pub fn hear(&mut self, block: &[f32; BLOCK]) -> (Sound, f32) {
        let energy: f32 = block.iter().map(|sample| sample * sample).sum();
        if energy < MIN_RMS * MIN_RMS * BLOCK as f32 {
            self.last = [0.0; WAVES];
            self.remember(None, energy);
            return (Sound::Quiet, energy);
        }
        let (sums, energy) = BANK.correlate::<1>(block);
        self.remember(Some(&sums), energy);
        let tone = self.tone(&sums, energy);
        self.last = sums;
        let sound = match (self.pair(), tone) {
            (Some(pair), _) => Sound::Pair(pair),
            (None, Some(hertz)) => Sound::Tone { hertz },
            (None, None) => Sound::Other,
        };
        (sound, energy)
    }

    /// The frequency of the one tone that is in both this block and the one before.
    fn tone(&self, sums: &[f32; WAVES], energy: f32) -> Option<f32> {
        let powers: [f32; GRID] = std::array::from_fn(|tone| power(parts(sums, tone)));
        let (peak, top) = powers.iter().copied().enumerate().max_by(|a, b| a.1.total_cmp(&b.1))?;
        let at = |tone: Option<usize>| tone.and_then(|tone| powers.get(tone)).copied().unwrap_or_default();
        let beside = at(peak.checked_sub(1)).max(at(Some(peak + 1)));
        let share = (top + beside) / (energy * BLOCK as f32 / 2.0);
        // The least that two neighbours hold of a tone is 0.81.
        if share < TONE_SHARE * 0.81 {
            return None;
        }
        let off = turn(parts(&self.last, peak), parts(sums, peak))?;
        // Half way between two places a turn forwards looks like one backwards; the neighbours know.
        let upwards = at(Some(peak + 1)) > at(peak.checked_sub(1));
        let off = match off {
            off if upwards && off < -0.25 => off + 1.0,
            off if !upwards && off > 0.25 => off - 1.0,
            off => off,
        };
        let expected = held(off) + held(1.0 - off.abs());
        (share >= TONE_SHARE * expected).then_some(hertz(peak) + off * BLOCK_RATE)
    }

    /// Keeps what pairs are judged by.
    fn remember(&mut self, sums: Option<&[f32; WAVES]>, energy: f32) {
        let turned = |(tone, tenths): (usize, usize)| {
            let Some([cosine, sine]) = sums.map(|sums| parts(sums, tone)) else { return [0.0; 2] };
            // The sums count from the block's own beginning; turned back, they go on from the first block's.
            let (s, c) = (TAU * ((tenths * self.count) % 10) as f32 / 10.0).sin_cos();
            [cosine * c - sine * s, sine * c + cosine * s]
        };
        let kept = (PAIR_TONES.map(turned), energy);
        self.window.rotate_right(1);
        self.window[0] = kept;
        self.count = (self.count + 1) % 10;
    }

    fn pair(&self) -> Option<Pair> {
        Pair::ALL.into_iter().find(|pair| {
            let window = &self.window[..pair.blocks()];
            let [low, high] = pair.places().map(|place| {
                let sum = window.iter().fold([0.0; 2], |sum, (parts, _)| [sum[0] + parts[place][0], sum[1] + parts[place][1]]);
                power(sum)
            });
            let energy: f32 = window.iter().map(|(_, energy)| energy).sum();
            let whole = energy * (BLOCK * window.len()) as f32 / 2.0;
            low + high >= PAIR_SHARE * whole && low <= high * MOST_TWIST && high <= low * MOST_TWIST
        })
    }
}

/// How far a wave is off its place in the grid, in hundreds of hertz: by its turn from one block to the next. `None` when the
/// block before had not enough of it.
fn turn(before: [f32; 2], now: [f32; 2]) -> Option<f32> {
    if power(before) < power(now) / 8.0 {
        return None;
    }
    // `cosine − i·sine` turns forward with time.
    let real = now[0] * before[0] + now[1] * before[1];
    let imaginary = now[0] * before[1] - now[1] * before[0];
    Some(imaginary.atan2(real) / TAU)
}

/// The share of a tone that a place of the grid holds, `off` places away.
fn held(off: f32) -> f32 {
    if off.abs() < 1e-3 {
        return 1.0;
    }
    let x = PI * off;
    (x.sin() / x).powi(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is heard in the last block of so many, of these tones.
    fn last(tones: &[(f32, f32)], blocks: usize) -> Sound {
        let mut spectrum = Spectrum::default();
        let mut sound = Sound::Quiet;
        for block in 0..blocks {
            let samples: [f32; BLOCK] = std::array::from_fn(|i| {
                let at = (block * BLOCK + i) as f32 / 8_000.0;
                tones.iter().map(|(hertz, level)| level * (TAU * hertz * at + 0.7).sin()).sum()
            });
            sound = spectrum.hear(&samples).0;
        }
        sound
    }

    #[test]
    fn a_tone_is_measured_to_a_few_hertz() {
        for hertz in
            [400.0, 425.0, 440.0, 449.0, 851.0, 913.8, 950.0, 985.2, 1_100.0, 1_370.6, 1_428.5, 1_776.7, 2_100.0, 2_499.0]
        {
            for blocks in [2, 3, 8] {
                let Sound::Tone { hertz: heard } = last(&[(hertz, 3_000.0)], blocks) else { panic!("{hertz} in {blocks}") };
                assert!((heard - hertz).abs() < 4.0, "{heard} for {hertz}");
            }
        }
    }

    #[test]
    fn a_pair_is_told_from_a_tone_between() {
        for pair in Pair::ALL {
            let [low, high] = pair.hertz().map(f32::from);
            for (a, b) in [(2_000.0, 2_000.0), (1_000.0, 2_000.0), (8_000.0, 4_500.0)] {
                for blocks in pair.blocks()..30 {
                    assert_eq!(last(&[(low, a), (high, b)], blocks), Sound::Pair(pair), "{blocks} blocks");
                }
            }
            assert!(matches!(last(&[((low + high) / 2.0, 4_000.0)], 20), Sound::Tone { .. }));
            assert_ne!(last(&[(low, 4_000.0), (high, 400.0)], 20), Sound::Pair(pair));
        }
    }

    #[test]
    fn other_sounds_are_neither() {
        assert_eq!(last(&[(1_000.0, 50.0)], 8), Sound::Quiet);
        assert_eq!(last(&[(697.0, 3_000.0), (1_209.0, 3_000.0)], 8), Sound::Other, "a key");
        assert_eq!(last(&[(220.0, 3_000.0), (440.0, 2_000.0), (660.0, 1_500.0), (880.0, 900.0)], 8), Sound::Other, "a voice");
    }
}
