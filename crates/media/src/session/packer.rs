//! Frames of 20 ms into packets of as many milliseconds as the far end asks for.

use super::Beat;
use crate::{
    codec::{
        Codec, G711,
        g722::G722Encoder,
        opus::{MAX_ENCODED_SAMPLES, OpusEncoder, OpusParams},
    },
    rtp::RtpHeader,
};

/// A packet that waits for its rest, and the frame that may complete it.
const ROOM: usize = MAX_ENCODED_SAMPLES + 320;

#[derive(Debug)]
enum Encoder {
    G711(G711),
    G722(Box<G722Encoder>),
    Opus(Box<OpusEncoder>),
}

/// See the module.
#[derive(Debug)]
pub(super) struct Packer {
    encoder: Encoder,
    /// Samples in a packet.
    packet_samples: usize,
    /// Samples for which the timestamp grows by `ticks`.
    per: u32,
    ticks: u32,
    /// For packets that are not of 20 ms, as the frames are.
    waiting: Option<Box<Waiting>>,
}

#[derive(Debug)]
struct Waiting {
    samples: [f32; ROOM],
    len: usize,
}

impl Packer {
    pub fn new(codec: Codec, ptime_ms: u16, opus: OpusParams) -> Self {
        let ptime_ms = packet_ms(codec, ptime_ms);
        // Samples, and the ticks of the RTP clock that they last.
        let (encoder, per, ticks) = match codec {
            Codec::Pcmu => (Encoder::G711(G711::Pcmu), 1, 1),
            Codec::Pcma => (Encoder::G711(G711::Pcma), 1, 1),
            Codec::G722 => (Encoder::G722(Box::default()), 2, 1),
            Codec::Opus => (Encoder::Opus(Box::new(OpusEncoder::new(opus))), 1, 3),
        };
        let samples_per_ms = codec.rate().frame_samples() / 20;
        let waiting = (ptime_ms != 20).then(|| Box::new(Waiting { samples: [0.0; ROOM], len: 0 }));
        Self { encoder, packet_samples: usize::from(ptime_ms) * samples_per_ms, per, ticks, waiting }
    }

    /// Nothing waits for its rest.
    pub fn is_empty(&self) -> bool {
        self.waiting.as_ref().is_none_or(|waiting| waiting.len == 0)
    }

    /// Forgets what waits for its rest.
    pub fn clear(&mut self) {
        if let Some(waiting) = &mut self.waiting {
            waiting.len = 0;
        }
    }

    pub fn set_loss(&mut self, percent: u8) {
        if let Encoder::Opus(encoder) = &mut self.encoder {
            encoder.set_loss(percent);
        }
    }

    /// Ticks of the RTP clock in so many samples.
    pub fn ticks(&self, samples: usize) -> u32 {
        samples as u32 / self.per * self.ticks
    }

    /// Adds the packets that this frame completes. `next` has the timestamp of the frame; its sequence number moves on.
    pub fn pack(&mut self, frame: &[f32], next: &mut RtpHeader, beat: &mut Beat) {
        let Some(waiting) = &mut self.waiting else {
            let encoder = &mut self.encoder;
            return add(beat, next, next.timestamp, |payload| encoder.encode(frame, payload));
        };
        let before = waiting.len;
        let Some(room) = waiting.samples.get_mut(before..before + frame.len()) else { return waiting.len = 0 };
        room.copy_from_slice(frame);
        waiting.len += frame.len();
        let mut done = 0;
        while waiting.len - done >= self.packet_samples {
            let samples = &waiting.samples[done..done + self.packet_samples];
            let ticks = |samples: usize| samples as u32 / self.per * self.ticks;
            let timestamp = next.timestamp.wrapping_sub(ticks(before)).wrapping_add(ticks(done));
            let encoder = &mut self.encoder;
            add(beat, next, timestamp, |payload| encoder.encode(samples, payload));
            done += self.packet_samples;
        }
        waiting.samples.copy_within(done..waiting.len, 0);
        waiting.len -= done;
    }
}

fn add(beat: &mut Beat, next: &mut RtpHeader, timestamp: u32, write: impl FnOnce(&mut [u8]) -> usize) {
    if beat.add_packet(&RtpHeader { timestamp, ..*next }, write) {
        next.sequence = next.sequence.wrapping_add(1);
        next.marker = false;
    }
}

impl Encoder {
    fn encode(&mut self, samples: &[f32], payload: &mut [u8]) -> usize {
        match self {
            Self::G711(law) => {
                law.encode(samples, payload);
                samples.len()
            }
            Self::G722(encoder) => {
                encoder.encode(samples, payload);
                samples.len() / 2
            }
            Self::Opus(encoder) => encoder.encode(samples, payload),
        }
    }
}

/// What we send of what was asked for: whole tens up to 60 ms; Opus has no frames of 30 and 50 ms.
fn packet_ms(codec: Codec, asked_ms: u16) -> u16 {
    let tens = asked_ms.clamp(10, 60) / 10 * 10;
    match (codec, tens) {
        (Codec::Opus, 30) => 20,
        (Codec::Opus, 50) => 40,
        _ => tens,
    }
}
