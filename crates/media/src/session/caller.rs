//! The caller's half of a session: packets in, one decoded, concealed and resampled frame per beat out.

use super::Beat;
use crate::{
    FRAME_SAMPLES,
    codec::G711,
    jitter::{JitterBuffer, JitterStats, Pop},
    playout::SpeechRate,
    plc::Concealer,
    resample::{Up8To16, Up8To24},
};
use std::time::Duration;

#[derive(Debug)]
pub(super) struct Caller {
    codec: G711,
    ssrc: Option<u32>,
    jitter: JitterBuffer,
    concealer: Concealer,
    ear: Ear,
}

#[derive(Debug)]
enum Ear {
    Hz8000,
    Hz16000(Up8To16),
    Hz24000(Up8To24),
}

impl Caller {
    pub(super) fn new(codec: G711, ear_rate: SpeechRate) -> Self {
        let ear = match ear_rate {
            SpeechRate::Hz8000 => Ear::Hz8000,
            SpeechRate::Hz16000 => Ear::Hz16000(Up8To16::new()),
            SpeechRate::Hz24000 => Ear::Hz24000(Up8To24::new()),
        };
        Self { codec, ssrc: None, jitter: JitterBuffer::new(codec), concealer: Concealer::new(), ear }
    }

    /// A new SSRC is a new stream with its own sequence numbers and timestamps (RFC 3550 §8).
    pub(super) fn follow(&mut self, ssrc: u32) {
        if self.ssrc.replace(ssrc).is_some_and(|former| former != ssrc) {
            self.jitter.restart();
        }
    }

    pub(super) fn push(&mut self, sequence: u16, timestamp: u32, payload: &[u8], now: Duration) {
        self.jitter.push(sequence, timestamp, payload, now);
    }

    pub(super) fn observe(&mut self, sequence: u16) {
        self.jitter.observe(sequence);
    }

    /// The frame to be heard at `now`, into the ear and the left channel of `beat`.
    pub(super) fn hear(&mut self, now: Duration, beat: &mut Beat) {
        let mut frame = [0.0; FRAME_SAMPLES];
        match self.jitter.pop(now) {
            Pop::Frame(codes) => {
                self.codec.decode(codes, &mut frame);
                self.concealer.good(&mut frame);
            }
            Pop::Conceal => self.concealer.conceal(&mut frame),
            Pop::Empty => self.concealer.good(&mut frame),
        }
        beat.put_left(&frame);
        self.ear.hear(&frame, beat);
    }

    pub(super) fn stats(&self) -> JitterStats {
        self.jitter.stats()
    }
}

impl Ear {
    fn hear(&mut self, frame: &[f32; FRAME_SAMPLES], beat: &mut Beat) {
        let mut samples = [0.0; 3 * FRAME_SAMPLES];
        let count = match self {
            Self::Hz8000 => return beat.put_ear(frame),
            Self::Hz16000(up) => up.process(frame, &mut samples[..2 * FRAME_SAMPLES]),
            Self::Hz24000(up) => up.process(frame, &mut samples),
        };
        beat.put_ear(samples.get(..count).unwrap_or_default());
    }
}
