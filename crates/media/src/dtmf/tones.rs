//! Keys as tones in our speech, for a far end that takes them no other way.

use super::frequencies;
use std::{collections::VecDeque, f32::consts::TAU};

/// More keys than any menu or card number asks for.
const MAX_WAITING: usize = 64;
/// A key sounds for 100 ms and is followed by 80 ms of silence: twice what receivers need (ITU-T Q.24).
const TONE_FRAMES: u8 = 5;
const GAP_FRAMES: u8 = 4;
/// −9 dBm0 in the low group, −7 dBm0 in the high: what telephones send. A full sine of 16 bits is 3.14 dBm0.
const LOW_LEVEL: f32 = 8_100.0;
const HIGH_LEVEL: f32 = 10_200.0;
/// Edges of 2.5 ms, so that nothing clicks.
const EDGE_PARTS: usize = 8;

/// Plays queued keys, frame by frame.
#[derive(Debug, Default)]
pub struct ToneSender {
    waiting: VecDeque<char>,
    playing: Option<Playing>,
}

#[derive(Debug)]
struct Playing {
    /// Radians per sample at 8 kHz.
    steps: [f32; 2],
    phases: [f32; 2],
    frame: u8,
}

impl ToneSender {
    pub fn new() -> Self {
        Self::default()
    }

    /// Queues a key; `false` when it is none of `0–9 * # A–D` or too many wait already.
    pub fn push(&mut self, key: char) -> bool {
        let takes = frequencies(key).is_some() && self.waiting.len() < MAX_WAITING;
        if takes {
            self.waiting.push_back(key);
        }
        takes
    }

    /// Nothing sounds or waits.
    pub fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.playing.is_none()
    }

    /// Fills a frame of 20 ms, at 8 or 16 kHz by its length, with the tone or the gap of now. `false`: leaves it to the speech.
    pub fn fill(&mut self, frame: &mut [f32]) -> bool {
        let playing = match &mut self.playing {
            Some(playing) => playing,
            None => {
                let Some([low, high]) = self.waiting.pop_front().and_then(frequencies) else { return false };
                let steps = [low, high].map(|hertz| TAU * hertz / 8_000.0);
                self.playing.insert(Playing { steps, phases: [0.0; 2], frame: 0 })
            }
        };
        playing.fill(frame);
        playing.frame += 1;
        if playing.frame == TONE_FRAMES + GAP_FRAMES {
            self.playing = None;
        }
        true
    }
}

impl Playing {
    fn fill(&mut self, frame: &mut [f32]) {
        if self.frame >= TONE_FRAMES {
            return frame.fill(0.0);
        }
        let parts = frame.len() as f32 / 160.0;
        for sample in frame.iter_mut() {
            *sample = LOW_LEVEL * self.phases[0].sin() + HIGH_LEVEL * self.phases[1].sin();
            for (phase, step) in self.phases.iter_mut().zip(self.steps) {
                *phase = (*phase + step / parts) % TAU;
            }
        }
        let edge = frame.len() / EDGE_PARTS;
        let ramp = |(i, sample): (usize, &mut f32)| *sample *= i as f32 / edge as f32;
        if self.frame == 0 {
            frame.iter_mut().take(edge).enumerate().for_each(ramp);
        }
        if self.frame + 1 == TONE_FRAMES {
            frame.iter_mut().rev().take(edge).enumerate().for_each(ramp);
        }
    }
}
