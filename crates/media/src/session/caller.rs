//! The caller's half of a session: packets in, one decoded, concealed and resampled frame per beat out.

use super::{
    Beat,
    marks::{CallerMarks, Mark},
};
use crate::{
    FRAME_SAMPLES,
    codec::G711,
    jitter::{JitterBuffer, JitterStats, Pop},
    playout::SpeechRate,
    plc::Concealer,
    resample::{Up8To16, Up8To24},
    rtp::{RtpHeader, RtpPacket},
};
use std::time::Duration;

#[derive(Debug)]
pub(super) struct Caller {
    codec: G711,
    ssrc: Option<u32>,
    jitter: JitterBuffer,
    concealer: Concealer,
    marks: CallerMarks,
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
        let (jitter, concealer) = (JitterBuffer::new(codec), Concealer::new());
        Self { codec, ssrc: None, jitter, concealer, marks: CallerMarks::default(), ear }
    }

    /// A packet of speech that arrived at `now`. A new SSRC is a new stream with its own sequence numbers and timestamps
    /// (RFC 3550 §8).
    pub(super) fn push(&mut self, packet: &RtpPacket<'_>, now: Duration) {
        let RtpHeader { ssrc, sequence, timestamp, .. } = packet.header;
        if self.ssrc.replace(ssrc).is_some_and(|former| former != ssrc) {
            self.jitter.restart();
        }
        self.jitter.push(sequence, timestamp, packet.payload, now);
    }

    /// A packet without speech. Gateways that send keys under an SSRC of their own number them on their own.
    pub(super) fn observe(&mut self, header: &RtpHeader) {
        if *self.ssrc.get_or_insert(header.ssrc) == header.ssrc {
            self.jitter.observe(header.sequence);
        }
    }

    /// The frame to be heard at `now`, into the ear and the left channel of `beat`.
    pub(super) fn hear(&mut self, now: Duration, beat: &mut Beat) -> Option<Mark> {
        let mut frame = [0.0; FRAME_SAMPLES];
        beat.ear_at = now;
        let mark = match self.jitter.pop(now) {
            Pop::Frame { codes, arrived } => {
                self.codec.decode(codes, &mut frame);
                self.concealer.good(&mut frame);
                beat.ear_at = arrived;
                self.marks.hear(&frame, arrived, now)
            }
            Pop::Conceal => {
                self.concealer.conceal(&mut frame);
                self.marks.pass(now)
            }
            Pop::Empty => {
                self.concealer.good(&mut frame);
                self.marks.pass(now)
            }
        };
        beat.put_left(&frame);
        self.ear.hear(&frame, beat);
        mark
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
