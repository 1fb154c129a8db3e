//! Our own voice, come back from the far end's loudspeaker or from the line: how late, how much of it in each band, and whether it
//! explains what is heard.
//!
//! ```text
//!            what is heard runs like what was sent                      another delay is found
//!   unknown ───────────────────────────────────────▶ being learnt ◀──────────────────────────── known
//!                                                         └────────────── 300 ms ─────────────────▶
//! ```
//!
//! While it is learnt, all is taken for an echo. Then only what is not clearly louder than the echo that is due.

use super::{
    bands::{BANDS, BLOCKS, Block, Levels, SILENCE_DB},
    comparison::{Comparison, Likeness},
};
use crate::FRAME_SAMPLES;

/// Blocks of 10 ms that are kept of what was sent: 730 ms.
const KEPT: usize = 73;
/// Half milliseconds in a block.
const LAGS_PER_BLOCK: usize = 20;
/// A room lets a sound die away by this much in a block.
const DECAY_DB: f32 = 1.5;
/// What is so much louder than the echo that is due, and than the noise, is not it alone …
const MARGIN_DB: f32 = 5.0;
const ABOVE_NOISE_DB: f32 = 6.0;
/// … when it is so in this many bands of a frame's two blocks.
const EXCEEDING: usize = 4;
/// Beats until an echo is known well enough: 300 ms.
const LEARNING: u32 = 15;
/// What comes back at first, before it is known.
const GAIN_DB: f32 = -12.0;
/// How fast the gain follows what is heard, upwards; while it is being learnt and later. Downwards it is slower: gaps prove little.
const RISE: [f32; 2] = [0.3, 0.05];
const FALL: f32 = 0.2;
/// Softer than this above silence what was sent proves nothing.
const PROVES_DB: f32 = 25.0;
/// A noise in a band: it is followed down at once, up by 1.5 dB a second.
const NOISE_DOWN: f32 = 0.3;
const NOISE_UP_DB: f32 = 0.015;

/// Judged from so many frames on. (Those long ago count less: 540 ms of speech are 19, 900 ms are 25.)
const ENOUGH: f32 = 11.0;
/// After 540 ms two people who speak at once run so much alike in one of a hundred tries; an echo does in ninety-nine, even where it
/// comes more from the walls than straight. With each further frame this much less is by chance.
const ALIKE: f32 = 0.31;
const ALIKE_AFTER: f32 = 19.0;
const EASIER: f32 = 0.008;
/// Certainly an echo: at once, or when it stays alike for so many frames.
const CERTAIN: f32 = 0.45;
const CERTAIN_AFTER: f32 = 25.0;
/// An echo that nobody would take for speech is looked for in each of so many frames.
const LOOKED_FOR_EACH: u32 = 4;

/// See the module.
#[derive(Debug)]
pub(super) struct EchoGuard {
    comparison: Comparison,
    /// Levels of what was sent, as slow to fall as in a room; the newest at `newest`.
    sent: Box<[Levels; KEPT]>,
    newest: usize,
    noise: Levels,
    path: Option<Path>,
    compared: u32,
}

/// The way back.
#[derive(Debug, Clone, Copy)]
struct Path {
    /// In blocks.
    delay: usize,
    /// What comes back, against what was sent, in decibels.
    gain: Levels,
    beats: u32,
}

/// What was heard lately, when that can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Judgement {
    Open,
    Echo,
    Somebody,
}

impl EchoGuard {
    pub fn new() -> Self {
        let silence = [SILENCE_DB; BANDS];
        Self {
            comparison: Comparison::new(),
            sent: Box::new([silence; KEPT]),
            newest: 0,
            noise: silence,
            path: None,
            compared: 0,
        }
    }

    /// Nothing has been sent for a second or more.
    pub fn forget_sent(&mut self) {
        self.comparison.forget_sent();
        self.sent.fill([SILENCE_DB; BANDS]);
    }

    /// What is heard from now on is to be judged.
    pub fn restart(&mut self) {
        self.comparison.restart();
    }

    /// Takes what was sent in this beat.
    pub fn send(&mut self, frame: &[f32; FRAME_SAMPLES], blocks: &[Block; BLOCKS]) {
        self.comparison.send(frame);
        for block in blocks {
            let before = self.sent[self.newest];
            self.newest = (self.newest + 1) % KEPT;
            self.sent[self.newest] = std::array::from_fn(|band| block.sent[band].max(before[band] - DECAY_DB));
        }
    }

    pub fn is_known(&self) -> bool {
        self.path.is_some()
    }

    /// Whether more is heard than noise and an echo that is known.
    pub fn is_own(&mut self, blocks: &[Block; BLOCKS]) -> bool {
        for block in blocks {
            for (noise, heard) in self.noise.iter_mut().zip(block.heard) {
                *noise += if heard < *noise { NOISE_DOWN * (heard - *noise) } else { (heard - *noise).min(NOISE_UP_DB) };
            }
        }
        let Some(mut path) = self.path else { return true };
        path.beats = path.beats.saturating_add(1);
        let learning = path.beats < LEARNING;
        let due = [1, 0].map(|blocks_ago| self.due(path.delay + blocks_ago));
        let own = !learning && self.exceeding(blocks, &due, &path.gain) >= EXCEEDING;
        if !own {
            path.learn(blocks, &due, if learning { RISE[0] } else { RISE[1] });
        }
        self.path = Some(path);
        own
    }

    /// Takes the frame that was heard in this beat; `counts` when it is to be judged.
    pub fn compare(&mut self, frame: &[f32; FRAME_SAMPLES], counts: bool) {
        self.comparison.hear(frame, counts);
    }

    /// What the frames were that counted since the last restart. An echo is remembered.
    pub fn judge(&mut self) -> Judgement {
        let frames = self.comparison.frames();
        if frames < ENOUGH {
            return Judgement::Open;
        }
        let likeness = self.comparison.best();
        if likeness.degree < ALIKE - EASIER * (frames - ALIKE_AFTER) {
            return Judgement::Somebody;
        }
        if likeness.degree < CERTAIN && frames < CERTAIN_AFTER {
            return Judgement::Open;
        }
        self.remember(likeness);
        Judgement::Echo
    }

    /// Whether what was compared lately is certainly an echo, be it speech or not. It is remembered.
    pub fn finds(&mut self) -> bool {
        self.compared = (self.compared + 1) % LOOKED_FOR_EACH;
        if self.compared != 0 || self.comparison.frames() < ALIKE_AFTER {
            return false;
        }
        let likeness = self.comparison.best();
        let found = likeness.degree >= CERTAIN;
        if found {
            self.remember(likeness);
        }
        found
    }

    fn remember(&mut self, likeness: Likeness) {
        let gain = self.path.map_or([GAIN_DB; BANDS], |former| former.gain);
        self.path = Some(Path { delay: (likeness.lag + LAGS_PER_BLOCK / 2) / LAGS_PER_BLOCK, gain, beats: 0 });
        self.restart();
    }

    /// The loudest that was sent about so long ago.
    fn due(&self, blocks_ago: usize) -> Levels {
        let sent = |ago: usize| self.sent[(self.newest + KEPT - ago.min(KEPT - 1)) % KEPT];
        let [before, at, after] = [blocks_ago + 1, blocks_ago, blocks_ago.saturating_sub(1)].map(sent);
        std::array::from_fn(|band| before[band].max(at[band]).max(after[band]))
    }

    fn exceeding(&self, blocks: &[Block; BLOCKS], due: &[Levels; BLOCKS], gain: &Levels) -> usize {
        let exceeds =
            |heard: f32, due: f32, band: usize| heard > (due + gain[band] + MARGIN_DB).max(self.noise[band] + ABOVE_NOISE_DB);
        let count =
            |(block, due): (&Block, &Levels)| (0..BANDS).filter(|band| exceeds(block.heard[*band], due[*band], *band)).count();
        blocks.iter().zip(due).map(count).sum()
    }
}

impl Path {
    fn learn(&mut self, blocks: &[Block; BLOCKS], due: &[Levels; BLOCKS], rise: f32) {
        for (block, due) in blocks.iter().zip(due) {
            for ((gain, heard), due) in self.gain.iter_mut().zip(block.heard).zip(due) {
                if *due > SILENCE_DB + PROVES_DB {
                    let gap = heard - due - *gain;
                    *gain += if gap > 0.0 { rise * gap } else { FALL * rise * gap };
                }
            }
        }
    }
}
