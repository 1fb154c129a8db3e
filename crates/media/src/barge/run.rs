//! Somebody may be speaking: what has been heard since it began, and whether that is speech which goes on.
//!
//! ```text
//!  begins with a voice        200 ms             > 500 ms                   last voice + 400 ms
//!        ┼───────────────────────┼──────────────────┼──────────────────────────────┼──▶
//!        │  cough, door, key     │ "mhm", "ja",     │ speech, unless its pitch     │ over
//!        │  (no voice for long)  │ "okay", "right"  │ stands still like a tune's   │
//!        └─▶ forgotten           └─▶ suspected      └─▶ barge-in
//! ```

use super::pitch::Sound;

/// Looked at: the last 540 ms. A word of half a second has fallen silent when it has lasted so long.
const SPAN: u32 = 27;
const RECENT: u32 = (1 << SPAN) - 1;
/// Frames of them that must be loud, that must be voiced, and whose pitch must move.
const LOUD: u32 = 14;
const VOICED: u32 = 13;
const GLIDING: u32 = 8;
/// The pitch must move in this share of the voiced frames, and may stand still in that.
const MOVES: f32 = 0.5;
const STANDS: f32 = 0.3;
/// The last loud frame and the last voiced one may be so long ago when it is decided.
const SINCE_LOUD: u32 = 1;
const SINCE_VOICED: u32 = 6;

/// Something is suspected after 200 ms …
const SUSPECTED: u32 = 10;
/// … of which the pitch moves in three frames.
const SUSPECTED_GLIDING: u32 = 3;

/// Without a voice for so long (220 ms) it was a short noise.
const HOLE: u32 = 11;
/// Without a voice for so long (400 ms) the caller has finished.
const END: u32 = 20;
/// Loud frames just before the first voice belong to it: "s", "f", "h".
pub(super) const LEAD: u32 = 4;

/// See the module. One bit for each of the last frames, the newest lowest.
#[derive(Debug, Default)]
pub(super) struct Run {
    age: u32,
    loud: u32,
    voiced: u32,
    gliding: u32,
    steady: u32,
    since_loud: u32,
    since_voiced: u32,
    pub suspected: bool,
    pub barged_in: bool,
}

impl Run {
    /// Begins with the next frame; so many before it were loud.
    pub fn after(lead: u32) -> Self {
        let lead = lead.min(LEAD);
        Self { age: lead, loud: (1 << lead) - 1, ..Self::default() }
    }

    /// `loud`: clearly louder than the background and than an echo. What is not is not voiced either.
    pub fn hear(&mut self, loud: bool, sound: Sound) {
        let voiced = sound != Sound::Unvoiced;
        self.age += 1;
        push(&mut self.loud, loud);
        push(&mut self.voiced, voiced);
        push(&mut self.gliding, sound == Sound::Gliding);
        push(&mut self.steady, sound == Sound::Steady);
        self.since_loud = if loud { 0 } else { self.since_loud + 1 };
        self.since_voiced = if voiced { 0 } else { self.since_voiced + 1 };
    }

    pub fn is_over(&self) -> bool {
        self.since_voiced >= if self.barged_in { END } else { HOLE + 1 }
    }

    /// Frames since the last with a voice.
    pub fn since_voiced(&self) -> u32 {
        self.since_voiced
    }

    /// Frames since it began.
    pub fn age(&self) -> u32 {
        self.age
    }

    pub fn may_be_speech(&self) -> bool {
        self.age >= SUSPECTED && count(self.gliding) >= SUSPECTED_GLIDING
    }

    /// It is speech, and has not ended.
    pub fn is_speech(&self) -> bool {
        let goes_on = self.age >= SPAN && self.since_loud <= SINCE_LOUD && self.since_voiced <= SINCE_VOICED;
        let voiced = count(self.voiced);
        goes_on
            && count(self.loud) >= LOUD
            && voiced >= VOICED
            && count(self.gliding) >= GLIDING
            && count(self.gliding) as f32 >= MOVES * voiced as f32
            && count(self.steady) as f32 <= STANDS * voiced as f32
    }
}

fn push(history: &mut u32, bit: bool) {
    *history = *history << 1 | u32::from(bit);
}

fn count(history: u32) -> u32 {
    (history & RECENT).count_ones()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frames: `g`liding, `s`teady, `v`oiced otherwise, `n`oise, `.` nothing. Tells at which frame it is suspected, taken for
    /// speech, and over.
    fn run(line: &str) -> [Option<usize>; 3] {
        let mut run = Run::default();
        let mut told = [None; 3];
        for (frame, kind) in line.chars().enumerate() {
            let sound = match kind {
                'g' => Sound::Gliding,
                's' => Sound::Steady,
                'v' => Sound::Voiced,
                _ => Sound::Unvoiced,
            };
            run.hear(kind != '.', sound);
            for (told, now) in told.iter_mut().zip([run.may_be_speech(), run.is_speech(), run.is_over()]) {
                if now {
                    told.get_or_insert(frame);
                }
            }
            if run.is_over() {
                break;
            }
        }
        told
    }

    #[test]
    fn what_goes_on_is_told_from_what_does_not() {
        let repeat = |part: &str, times| part.repeat(times);
        for (name, line, want) in [
            ("speech", repeat("vgg", 12), [Some(9), Some(26), None]),
            ("speech that hisses", repeat("ggggnn", 6), [Some(9), Some(26), None]),
            ("two words", repeat("ggggggggggggg.....gggggggggggg", 1), [Some(9), Some(26), None]),
            ("a word of 500 ms", repeat("vgg", 8) + "g" + &repeat(".", 20), [Some(9), None, Some(36)]),
            ("a cough with a voice in it", repeat("nnnnnnvggn", 1) + &repeat(".", 20), [None, None, Some(20)]),
            ("three coughs", repeat("nnnnnnvvgn.....", 3), [None, None, Some(20)]),
            ("a hiss", repeat("n", 60), [None, None, Some(11)]),
            ("a tune", repeat("vsssssss", 6), [None, None, None]),
            ("a tune that slides", repeat("gsssgsssg", 6), [Some(9), None, None]),
            ("a stutter", repeat("gg............", 4), [None, None, Some(13)]),
        ] {
            assert_eq!(run(&line), want, "{name}: {line}");
        }
    }
}
