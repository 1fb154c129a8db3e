//! Turn-taking as the ears hear it: where the caller's speech begins, pauses, and ends. A pure machine on frames of 20 ms.
//!
//! A cheap energy gate keeps the voice classifier asleep in silence; the classifier tells speech from knocks and hiss. Speech
//! counts as begun when enough of the last quarter of a second was voice, and as *sustained* (fit to interrupt the agent) when
//! there is clearly more of it than in a cough or a "hmm". What was heard just before the beginning belongs to the utterance.
//!
//! ```text
//!            Began          Sustained         Paused           Ended
//!   ──────────┼────────────────┼────────────────┼────────────────┼──▶
//!    silence     speech …          … speech        450 ms           700 ms of silence, or what Ears::be_patient says
//!                                                   └─ Resumed, when the caller goes on
//! ```

use callie_media::activity::ActivityDetector;
use earshot::Detector;
use std::collections::VecDeque;

/// Hertz of the frames.
pub const SAMPLE_RATE: u32 = 16_000;
/// Samples in a frame of 20 ms.
const FRAME: usize = 320;
/// Samples the classifier takes at a time: 16 ms.
const BLOCK: usize = 256;
/// Its score from which a block is voice.
const VOICE: f32 = 0.5;

/// The gate stays open this long after the last loud frame: 500 ms.
const GATE_HOLD: u32 = 25;
/// Kept from before the beginning: 300 ms.
const PRE_ROLL: usize = 15;
/// How far back the classifier looks when the gate opens: 160 ms.
const LOOK_BACK: usize = 8;

/// Speech begins with 120 ms of voice…
const BEGIN: u32 = 6;
/// … within 240 ms.
const BEGIN_WINDOW: u32 = 12;
/// Voice in an utterance from which it is sustained: 440 ms…
const SUSTAINED: u32 = 22;
/// … without a hole of more than 200 ms, which would be two short noises.
const SUSTAINED_HOLE: u32 = 10;

/// Silence after which the words so far are worth recognising: 450 ms.
const PAUSE: u32 = 23;
/// Silence that ends an utterance: 700 ms.
const END: u32 = 35;
/// An utterance is taken in pieces of at most 20 s, cut at the next hole…
const PIECE: usize = 20 * SAMPLE_RATE as usize;
/// … or at 26 s: the recogniser does not do more than 30.
const LONGEST_PIECE: usize = 26 * SAMPLE_RATE as usize;
/// A hole to cut at: 200 ms.
const HOLE: u32 = 10;

/// What the ears noticed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// Somebody speaks.
    Began,
    /// It is no cough and no "hmm".
    Sustained,
    /// The caller fell silent, perhaps for good.
    Paused,
    /// The caller went on after a pause.
    Resumed,
    /// A long utterance was cut in a hole; this is the part before it.
    Piece(Vec<i16>),
    /// The caller's turn is over.
    Ended,
}

/// An utterance that is being heard.
#[derive(Debug, Default)]
struct Utterance {
    samples: Vec<i16>,
    /// Frames with voice, and without since the last.
    voiced: u32,
    silent: u32,
    /// Frames with voice since the last hole.
    run: u32,
    sustained: bool,
    paused: bool,
    patience: u32,
}

/// One caller's ears.
pub struct Ears {
    gate: ActivityDetector,
    gate_open: u32,
    classifier: Box<Detector>,
    /// Samples that do not fill a block yet.
    rest: Vec<i16>,
    voice: bool,
    /// The last frames, oldest first.
    recent: VecDeque<[i16; FRAME]>,
    /// One bit for each of the last frames, the newest lowest: voice or not.
    history: u32,
    utterance: Option<Utterance>,
}

impl Default for Ears {
    fn default() -> Self {
        Self {
            gate: ActivityDetector::default(),
            gate_open: 0,
            classifier: Detector::default_boxed(),
            rest: Vec::with_capacity(BLOCK * 2),
            voice: false,
            recent: VecDeque::with_capacity(PRE_ROLL + 1),
            history: 0,
            utterance: None,
        }
    }
}

impl Ears {
    /// Takes 20 ms (mono, 16 kHz). A frame of another length is cut or padded.
    pub fn hear(&mut self, samples: &[i16]) -> Vec<Notice> {
        let mut frame = [0; FRAME];
        for (slot, sample) in frame.iter_mut().zip(samples) {
            *slot = *sample;
        }
        let voice = self.classify(&frame);
        self.history = self.history << 1 | u32::from(voice);
        let notices = match self.utterance.take() {
            Some(utterance) => self.follow(utterance, &frame, voice),
            None => self.await_beginning(&frame),
        };
        self.recent.push_back(frame);
        if self.recent.len() > PRE_ROLL {
            self.recent.pop_front();
        }
        notices
    }

    /// The utterance so far (or its last piece), while one is being heard.
    pub fn utterance(&self) -> Option<&[i16]> {
        self.utterance.as_ref().map(|u| u.samples.as_slice())
    }

    /// Milliseconds of voice in the utterance that is being heard; 0 when none is.
    pub fn voiced_ms(&self) -> u32 {
        self.utterance.as_ref().map_or(0, |u| u.voiced * 20)
    }

    /// There was voice in the last frame.
    pub fn is_voice(&self) -> bool {
        self.history & 1 == 1
    }

    /// The present utterance ends after this much silence instead of 700 ms; at the next frame when it was that long already.
    pub fn be_patient(&mut self, silence_ms: u32) {
        if let Some(utterance) = &mut self.utterance {
            utterance.patience = silence_ms / 20;
        }
    }

    /// Forgets the utterance that is being heard; what follows without a gap begins a new one.
    pub fn forget(&mut self) {
        self.utterance = None;
        self.history = 0;
    }

    fn classify(&mut self, frame: &[i16; FRAME]) -> bool {
        let was_open = self.gate_open > 0 || self.utterance.is_some();
        self.gate_open = if self.gate.is_speech(frame) { GATE_HOLD } else { self.gate_open.saturating_sub(1) };
        if self.gate_open == 0 && self.utterance.is_none() {
            return false;
        }
        if !was_open {
            self.wake();
        }
        self.rest.extend_from_slice(frame);
        let mut blocks = self.rest.chunks_exact(BLOCK);
        // A frame may complete two blocks; voice in either is voice in the frame.
        let mut heard = None;
        for block in blocks.by_ref() {
            let voice = self.classifier.predict_i16(block) >= VOICE;
            heard = Some(heard.unwrap_or(false) || voice);
        }
        let left = blocks.remainder().len();
        self.rest.drain(..self.rest.len() - left);
        self.voice = heard.unwrap_or(self.voice);
        self.voice
    }

    /// The classifier has slept: what it would have heard last is played to it again.
    fn wake(&mut self) {
        self.classifier.reset();
        self.rest.clear();
        self.voice = false;
        let past: Vec<i16> = self.recent.iter().rev().take(LOOK_BACK).rev().flatten().copied().collect();
        for block in past.chunks_exact(BLOCK) {
            self.classifier.predict_i16(block);
        }
    }

    fn await_beginning(&mut self, frame: &[i16; FRAME]) -> Vec<Notice> {
        let voiced = (self.history & ((1 << BEGIN_WINDOW) - 1)).count_ones();
        if voiced < BEGIN {
            return Vec::new();
        }
        let mut samples: Vec<i16> = self.recent.iter().flatten().copied().collect();
        samples.extend_from_slice(frame);
        self.utterance = Some(Utterance { samples, voiced, run: voiced, patience: END, ..Utterance::default() });
        vec![Notice::Began]
    }

    fn follow(&mut self, mut heard: Utterance, frame: &[i16; FRAME], voice: bool) -> Vec<Notice> {
        let mut notices = Vec::new();
        heard.samples.extend_from_slice(frame);
        if voice {
            if std::mem::take(&mut heard.paused) {
                notices.push(Notice::Resumed);
                heard.patience = END;
            }
            heard.silent = 0;
            heard.voiced += 1;
            heard.run += 1;
        } else {
            heard.silent += 1;
            if heard.silent > SUSTAINED_HOLE {
                heard.run = 0;
            }
        }
        if heard.run >= SUSTAINED && !std::mem::replace(&mut heard.sustained, true) {
            notices.push(Notice::Sustained);
        }
        let length = heard.samples.len();
        if (length >= PIECE && heard.silent >= HOLE && !heard.paused) || length >= LONGEST_PIECE {
            notices.push(Notice::Piece(std::mem::take(&mut heard.samples)));
        }
        if heard.silent >= PAUSE && !std::mem::replace(&mut heard.paused, true) {
            notices.push(Notice::Paused);
        }
        if heard.silent >= heard.patience.max(PAUSE) {
            notices.push(Notice::Ended);
            // What follows at once is a new utterance, and this one's voice is no part of its beginning.
            self.history = 0;
        } else {
            self.utterance = Some(heard);
        }
        notices
    }
}

#[cfg(test)]
mod tests;
