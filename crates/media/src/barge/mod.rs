//! Whether the caller really speaks over the agent. Pure: frames of 20 ms in, signs out; nothing is allocated after construction.
//!
//! ```text
//!   heard ─▶ background: louder than the noise, and near the caller's level? ─┐
//!       ├──▶ pitch: voiced, and does it glide as a voice's does? ─────────────┼─▶ run ─▶ Suspected, BargeIn, Over
//!   sent ─┴▶ echo: more than what comes back of what we say? ─────────────────┘
//! ```
//!
//! It looks only while the agent is audible, and after a barge-in until the caller has finished. Not speech are, as far as
//! an ear without understanding can tell: words of up to half a second ("mhm", "ja", "okay", "right"), coughs, knocks, keys, noise,
//! the babble of a room, tunes, and our own echo. A decision comes about 540 ms after the first loud frame; earlier a word that
//! merely encourages could not be told from one that interrupts.

mod background;
mod bands;
mod comparison;
mod echo;
mod pitch;
mod run;
#[cfg(test)]
pub(crate) mod tests;

use crate::FRAME_SAMPLES;
use background::Background;
use bands::{Bands, decibels};
use echo::{EchoGuard, Judgement};
use pitch::{Pitch, Sound};
use run::{LEAD, Run};

/// What is sent and louder than this is audible: −48 dBFS.
const AUDIBLE_DB: f32 = 42.0;
/// What is heard and so much louder than the noise may be an echo, above −54 dBFS.
const SOFT_ABOVE_DB: f32 = 8.0;
const SOFTEST_DB: f32 = 36.0;
/// Two frames in a row that hold more than an echo are somebody, who is heard for so many beats from then on: 160 ms.
const HEARD_FOR: u32 = 8;
/// Beats after the last audible frame in which the agent still counts as speaking: a pause for breath, and the longest echo.
const AUDIBLE_FOR: u32 = 50;

/// What was noticed in a beat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// Something like speech; it may turn out to be a word in passing.
    Suspected,
    /// The caller speaks over the agent, and has for so many beats.
    BargeIn { beats: u32 },
    /// After [`Self::BargeIn`]: the caller has finished; the last of the voice was so many beats ago.
    Over { beats: u32 },
}

/// See the module.
#[derive(Debug)]
pub struct BargeInDetector {
    background: Background,
    bands: Bands,
    pitch: Pitch,
    echo: EchoGuard,
    /// Beats since the agent was audible last.
    agent_silent: u32,
    /// Beats for which somebody is heard beside an echo.
    somebody_for: u32,
    echo_alone: bool,
    /// Loud frames in a row before the first voice.
    lead: u32,
    run: Option<Run>,
}

impl Default for BargeInDetector {
    fn default() -> Self {
        Self {
            background: Background::new(),
            bands: Bands::new(),
            pitch: Pitch::new(),
            echo: EchoGuard::new(),
            agent_silent: AUDIBLE_FOR,
            somebody_for: 0,
            echo_alone: false,
            lead: 0,
            run: None,
        }
    }
}

impl BargeInDetector {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A beat: what was heard at 8 kHz, whether it came from a packet, and what was sent.
    pub fn hear(&mut self, heard: &[f32; FRAME_SAMPLES], of_packet: bool, sent: &[f32; FRAME_SAMPLES]) -> Option<Sign> {
        let level = level(heard);
        if of_packet {
            self.background.hear(level);
        }
        if !self.is_on(sent) {
            (self.somebody_for, self.echo_alone) = (0, false);
            if of_packet {
                self.background.learn_caller(level);
            }
            self.run = None;
            return None;
        }
        let blocks = self.bands.split(heard, sent);
        self.echo.send(sent, &blocks);
        let loud = self.echo.is_own(&blocks) && of_packet && level > self.background.threshold();
        // Until an echo is known all that is heard is compared; then what is judged.
        let soft = !self.echo.is_known() && of_packet && level > (self.background.noise() + SOFT_ABOVE_DB).max(SOFTEST_DB);
        if self.run.is_none() && self.lead == 0 && self.echo.is_known() {
            self.echo.restart();
        }
        self.echo.compare(heard, loud || soft);
        if soft && self.echo.finds() {
            self.run = None;
        }
        let sound = if loud { self.pitch.hear(heard) } else { self.pitch.pass(heard) };
        let lead = self.lead;
        self.somebody_for = if loud && lead > 0 { HEARD_FOR } else { self.somebody_for.saturating_sub(1) };
        self.echo_alone = self.somebody_for == 0 && self.echo.is_known();
        self.lead = if loud { (lead + 1).min(LEAD) } else { 0 };
        if sound != Sound::Unvoiced && self.run.is_none() {
            self.run = Some(Run::after(lead));
        }
        self.run.as_mut()?.hear(loud, sound);
        self.judge()
    }

    /// Whether the frame of the last beat holds nothing but our own echo, and noise. That there is an echo, and which, is known once
    /// one was heard for half a second.
    #[must_use]
    pub fn is_echo(&self) -> bool {
        self.echo_alone
    }

    /// Whether there is anything to look for. After a pause of the agent nothing that was sent matters any more.
    fn is_on(&mut self, sent: &[f32; FRAME_SAMPLES]) -> bool {
        let was_silent = self.agent_silent >= AUDIBLE_FOR;
        self.agent_silent = if level(sent) > AUDIBLE_DB { 0 } else { self.agent_silent.saturating_add(1) };
        if was_silent && self.agent_silent == 0 {
            self.echo.forget_sent();
        }
        self.agent_silent < AUDIBLE_FOR || self.run.as_ref().is_some_and(|run| run.barged_in)
    }

    fn judge(&mut self) -> Option<Sign> {
        let run = self.run.as_mut()?;
        if run.is_over() {
            let sign = run.barged_in.then_some(Sign::Over { beats: run.since_voiced() });
            self.run = None;
            return sign;
        }
        if run.barged_in {
            return None;
        }
        if run.is_speech() {
            match self.echo.judge() {
                Judgement::Open => return None,
                Judgement::Echo => self.run = None,
                Judgement::Somebody => {
                    run.barged_in = true;
                    return Some(Sign::BargeIn { beats: run.age() });
                }
            }
        } else if run.may_be_speech() && !std::mem::replace(&mut run.suspected, true) {
            return Some(Sign::Suspected);
        }
        None
    }
}

fn level(frame: &[f32; FRAME_SAMPLES]) -> f32 {
    decibels(dot(frame, frame) / FRAME_SAMPLES as f32)
}

/// Eight sums side by side, for the compiler to vectorise; both of the same length, a multiple of eight.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0; 8];
    for (a, b) in a.as_chunks::<8>().0.iter().zip(b.as_chunks::<8>().0) {
        for lane in 0..8 {
            sums[lane] += a[lane] * b[lane];
        }
    }
    sums.iter().sum()
}
