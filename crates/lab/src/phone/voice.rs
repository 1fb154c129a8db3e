//! The telephone's mouth: 20 ms of samples in, RTP packets out; key presses by RFC 4733.

use callie_media::codec::G711;
use callie_media::rtp::header::{HEADER_LEN, RtpHeader};
use callie_media::{FRAME_SAMPLES, NARROWBAND_HZ};

/// Frames that a key is held: 100 ms.
const KEY_FRAMES: u16 = 5;
const KEYS: &str = "0123456789*#ABCD";

#[derive(Debug)]
pub(super) struct Mouth {
    codec: G711,
    event_type: Option<u8>,
    sequence: u16,
    timestamp: u32,
    ssrc: u32,
    started: bool,
    key: Option<Key>,
}

#[derive(Debug)]
struct Key {
    event: u8,
    began_at: u32,
    frames: u16,
}

impl Mouth {
    pub fn new(codec: G711, event_type: Option<u8>) -> Self {
        let (sequence, timestamp, ssrc) = rand::random();
        Self { codec, event_type, sequence, timestamp, ssrc, started: false, key: None }
    }

    /// What the other side wants after a new offer.
    pub fn set_codec(&mut self, codec: G711, event_type: Option<u8>) {
        (self.codec, self.event_type) = (codec, event_type);
    }

    /// Presses a key for the next 100 ms; an unknown one is nothing.
    pub fn press(&mut self, key: char) {
        let event = KEYS.chars().position(|known| known == key.to_ascii_uppercase()).and_then(|at| u8::try_from(at).ok());
        self.key = event.map(|event| Key { event, began_at: self.timestamp, frames: 0 });
    }

    /// The packets of this 20 ms: one of speech, or those of the key that is held.
    pub fn speak(&mut self, samples: &[i16; FRAME_SAMPLES]) -> Vec<Vec<u8>> {
        let packets = match (self.key.take(), self.event_type) {
            (Some(key), Some(event_type)) => self.key_packets(key, event_type),
            _ => vec![self.speech_packet(samples)],
        };
        self.timestamp = self.timestamp.wrapping_add(NARROWBAND_HZ / 50);
        self.started = true;
        packets
    }

    fn speech_packet(&mut self, samples: &[i16; FRAME_SAMPLES]) -> Vec<u8> {
        let mut payload = [0; FRAME_SAMPLES];
        self.codec.encode_i16(samples, &mut payload);
        self.packet(self.codec.payload_type(), self.timestamp, !self.started, &payload)
    }

    /// The event so far; its last frame is marked as the end and sent three times (RFC 4733 §2.5.1.4).
    fn key_packets(&mut self, mut key: Key, event_type: u8) -> Vec<Vec<u8>> {
        key.frames += 1;
        let ends = key.frames == KEY_FRAMES;
        let [high, low] = (key.frames * 160).to_be_bytes();
        let payload = [key.event, if ends { 0x8a } else { 0x0a }, high, low];
        let copies = if ends { 3 } else { 1 };
        let packets = (0..copies).map(|_| self.packet(event_type, key.began_at, key.frames == 1, &payload)).collect();
        self.key = (!ends).then_some(key);
        packets
    }

    fn packet(&mut self, payload_type: u8, timestamp: u32, marker: bool, payload: &[u8]) -> Vec<u8> {
        let header = RtpHeader { marker, payload_type, sequence: self.sequence, timestamp, ssrc: self.ssrc };
        self.sequence = self.sequence.wrapping_add(1);
        let mut head = [0; HEADER_LEN];
        header.write(&mut head);
        [head.as_slice(), payload].concat()
    }
}

/// The key of an event code.
pub(super) fn key_of(event: u8) -> Option<char> {
    KEYS.chars().nth(event.into())
}
