//! Keys heard in the speech, within the limits of ITU-T Q.24: tones from 40 ms on, parted by 40 ms, 1.5 % off at most.
//!
//! Sound is judged in blocks of 10 ms, each by the eight frequencies at once. A key is three blocks in a row with one row and
//! one column well above the others, alike in level, holding nearly all of the energy, and turning from block to block by what
//! their frequencies ask for; so 23 ms are never a key, and a voice that happens to have both frequencies glides away.
//!
//! ```text
//! frame ─▶ 2 blocks ─▶ 8 correlations ─▶ which key? ─▶ ≥ 3 alike ─▶ the key, once
//!                                          none, 2 in a row ─────▶ ready for the next
//! ```
//!
//! Speech is to cost little: while no key is about, only the second block of a frame is looked at, and first by half of its
//! samples. Of three blocks of a key in a row one at least is a second one, and by then the one before it is still there.

use super::{COLUMNS, KEYS, ROWS};
use crate::{
    FRAME_SAMPLES,
    activity::MIN_RMS,
    bank::{Bank, parts, power},
};
use std::{f64::consts::TAU, sync::LazyLock};

/// Samples in a block: 10 ms at 8 kHz.
const BLOCK: usize = 80;
/// Blocks in a row that make a key.
const ENOUGH: u8 = 3;
/// Blocks without it that end a key.
const GONE: u8 = 2;
/// What both tones together must hold of all energy. Tones 1.5 % off hold 0.88, noise at 15 dB takes 0.03 of it; in a voice
/// there is more beside any two harmonics.
const LEAST_SHARE: f32 = 0.70;
/// The same by half of the samples, where what lies above 2 kHz is folded into it: enough to look closer.
const HALF_SHARE: f32 = 0.5;
/// The stronger of both groups by so much at most: 8 dB either way.
const MOST_TWIST: f32 = 6.3;
/// The tone above each other of its group: 3 dB. A neighbour hears one that is off at −6 dB, for blocks are short.
const ABOVE_OTHERS: f32 = 2.0;
/// Between what must be taken (1.5 %) and what must not (3.5 %).
const MOST_OFF: f64 = 0.025;

static WAVES: LazyLock<Bank<BLOCK, 16>> = LazyLock::new(|| Bank::new(frequency));

/// How far a tone of each frequency turns in a block, as cosine and sine, and the cosine of the most that it may be off.
static TURNS: LazyLock<[[f32; 3]; 8]> = LazyLock::new(|| {
    std::array::from_fn(|tone| {
        let turn = TAU * f64::from(frequency(tone)) * BLOCK as f64 / 8_000.0;
        [turn.cos() as f32, turn.sin() as f32, (turn * MOST_OFF).min(TAU / 2.0).cos() as f32]
    })
});

fn frequency(tone: usize) -> f32 {
    if tone < 4 { ROWS[tone] } else { COLUMNS[tone & 3] }
}

/// What a block holds: a row, a column, and where their tones stand as cosine and sine.
#[derive(Debug, Clone, Copy)]
struct Pair {
    row: usize,
    column: usize,
    standing: [[f32; 2]; 2],
}

/// See the module.
#[derive(Debug, Clone, Default)]
pub struct ToneDetector {
    /// Of the block before.
    last: Option<Pair>,
    /// Blocks in a row with the same pair.
    alike: u8,
    /// The key that sounds, told already.
    told: Option<(usize, usize)>,
    /// Blocks in a row without it.
    without: u8,
}

impl ToneDetector {
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next 20 ms at 8 kHz, of this level; gives the key that has just been made out. At most one: a key needs 30 ms.
    pub fn hear(&mut self, frame: &[f32; FRAME_SAMPLES], rms: f32) -> Option<char> {
        let [first, second] = frame.as_chunks::<BLOCK>().0 else { return None };
        let quiet = rms < MIN_RMS;
        let looked = if quiet { None } else { Pair::find(second) };
        if looked.is_none() && self.is_idle() {
            return None;
        }
        let told = self.judge(if quiet { None } else { Pair::find(first) });
        self.judge(looked).or(told)
    }

    /// No key is about.
    fn is_idle(&self) -> bool {
        self.last.is_none() && self.told.is_none()
    }

    fn judge(&mut self, pair: Option<Pair>) -> Option<char> {
        let goes_on = pair.as_ref().zip(self.last.as_ref()).is_some_and(|(pair, last)| pair.follows(last));
        self.alike = match pair {
            None => 0,
            Some(_) if goes_on => self.alike.saturating_add(1),
            Some(_) => 1,
        };
        self.last = pair;
        let key = pair.filter(|_| self.alike >= ENOUGH).map(|pair| (pair.row, pair.column));
        if self.told.is_some() && pair.map(|pair| (pair.row, pair.column)) != self.told {
            self.without += 1;
            if self.without >= GONE {
                self.told = None;
            }
        } else {
            self.without = 0;
        }
        let key = key.filter(|key| self.told != Some(*key))?;
        self.told = Some(key);
        self.without = 0;
        Some(KEYS[key.0][key.1])
    }
}

impl Pair {
    fn find(block: &[f32; BLOCK]) -> Option<Self> {
        if !may_be_a_key(block) {
            return None;
        }
        let (sums, energy) = WAVES.correlate::<1>(block);
        let power = powers(&sums);
        let (rows, columns) = power.split_at(4);
        let (row, column) = (strongest(rows)?, strongest(columns)?);
        let (low, high) = (rows[row], columns[column]);
        // A tone alone has `BLOCK / 2` times its energy.
        let share = (low + high) / (energy * BLOCK as f32 / 2.0);
        let alike = low <= high * MOST_TWIST && high <= low * MOST_TWIST;
        (share >= LEAST_SHARE && alike).then(|| Self { row, column, standing: [row, column + 4].map(|tone| parts(&sums, tone)) })
    }

    /// Whether the same tones go on from the block before: each turned by what its frequency asks for.
    fn follows(&self, last: &Self) -> bool {
        let tones = [self.row, self.column + 4];
        (self.row, self.column) == (last.row, last.column)
            && tones.iter().zip(self.standing).zip(last.standing).all(|((tone, now), before)| turned(*tone, before, now))
    }
}

/// Whether a tone went from one standing to the other within a block. `[c, s]` are the sums of a wave with cosine and sine:
/// a wave of phase φ gives `c ~ sin φ`, `s ~ cos φ`, so the angle of `c` over `s` grows with time.
fn turned(tone: usize, before: [f32; 2], now: [f32; 2]) -> bool {
    let [cosine, sine, least] = TURNS[tone];
    let [c, s] = before;
    let expected = [c * cosine + s * sine, s * cosine - c * sine];
    let together = expected[0] * now[0] + expected[1] * now[1];
    let lengths = (c * c + s * s) * (now[0] * now[0] + now[1] * now[1]);
    together >= least * lengths.sqrt()
}

/// The index of the one that stands out, if one does.
fn strongest(group: &[f32]) -> Option<usize> {
    let (at, best) = group.iter().copied().enumerate().max_by(|a, b| a.1.total_cmp(&b.1))?;
    let stands_out = group.iter().enumerate().all(|(other, power)| other == at || power * ABOVE_OTHERS < best);
    stands_out.then_some(at)
}

/// By half of the samples.
fn may_be_a_key(block: &[f32; BLOCK]) -> bool {
    let (sums, energy) = WAVES.correlate::<2>(block);
    let power = powers(&sums);
    let (rows, columns) = power.split_at(4);
    let best = |group: &[f32]| group.iter().copied().fold(0.0, f32::max);
    best(rows) + best(columns) >= HALF_SHARE * energy * BLOCK as f32 / 4.0
}

fn powers(sums: &[f32; 16]) -> [f32; 8] {
    std::array::from_fn(|tone| power(parts(sums, tone)))
}

#[cfg(test)]
mod tests;
