//! Caller audio on its way up: frames are encoded as the session has agreed, gathered to a message's worth and written into a
//! template, base64 and all, in a buffer that is used again once the socket has let go of it.

use crate::openai::dialect::Format;
use base64_simd::{AsOut, STANDARD};
use bytes::{Bytes, BytesMut};

const HEAD: &[u8] = br#"{"type":"input_audio_buffer.append","audio":""#;
const TAIL: &[u8] = br#""}"#;

/// Gathers and encodes.
#[derive(Debug)]
pub struct Uplink {
    format: Format,
    /// Codes or little-endian samples waiting for a full message.
    audio: Vec<u8>,
    message_bytes: usize,
    buffer: BytesMut,
}

impl Uplink {
    /// `message_ms`: milliseconds of audio in one message.
    pub fn new(format: Format, message_ms: u32) -> Self {
        let message_bytes = (message_ms.max(1) * format.hertz() / 1_000) as usize * format.bytes_per_sample();
        Self { format, audio: Vec::with_capacity(message_bytes), message_bytes, buffer: BytesMut::new() }
    }

    /// Takes mono samples at the format's rate, any number of them; hands out a message whenever one is full.
    pub fn push(&mut self, mut samples: &[i16], mut full: impl FnMut(Bytes)) {
        while !samples.is_empty() {
            let room = (self.message_bytes - self.audio.len()) / self.format.bytes_per_sample();
            let (now, later) = samples.split_at(room.min(samples.len()));
            self.gather(now);
            samples = later;
            if self.audio.len() == self.message_bytes {
                full(self.encode());
            }
        }
    }

    /// Nothing waits for its message to be full.
    pub fn is_empty(&self) -> bool {
        self.audio.is_empty()
    }

    fn gather(&mut self, samples: &[i16]) {
        let start = self.audio.len();
        self.audio.resize(start + samples.len() * self.format.bytes_per_sample(), 0);
        match self.format.law() {
            // Decoded G.711 comes back to the very codes that the caller's telephone has sent.
            Some(law) => law.encode_i16(samples, &mut self.audio[start..]),
            None => {
                for (bytes, sample) in self.audio[start..].as_chunks_mut::<2>().0.iter_mut().zip(samples) {
                    *bytes = sample.to_le_bytes();
                }
            }
        }
    }

    fn encode(&mut self) -> Bytes {
        let text = STANDARD.encoded_length(self.audio.len());
        self.buffer.reserve(HEAD.len() + text + TAIL.len());
        self.buffer.extend_from_slice(HEAD);
        self.buffer.resize(HEAD.len() + text, 0);
        let _ = STANDARD.encode(&self.audio, self.buffer[HEAD.len()..].as_out());
        self.buffer.extend_from_slice(TAIL);
        self.audio.clear();
        self.buffer.split().freeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use callie_media::codec::G711;
    use serde_json::Value;

    fn messages(format: Format, message_ms: u32, pushes: &[&[i16]]) -> Vec<Vec<u8>> {
        let mut uplink = Uplink::new(format, message_ms);
        let mut out = Vec::new();
        for samples in pushes {
            uplink.push(samples, |message| {
                let value: Value = serde_json::from_slice(&message).expect("JSON");
                assert_eq!(value["type"], "input_audio_buffer.append");
                out.push(STANDARD.decode_to_vec(value["audio"].as_str().expect("text")).expect("base64"));
            });
        }
        out
    }

    #[test]
    fn frames_become_messages_of_the_asked_for_length() {
        let frame = |hertz: usize| vec![1_000; hertz / 50];
        let cases = [
            (Format::Pcmu, 20, vec![160, 160, 160]),
            (Format::Pcmu, 40, vec![320]),
            (Format::Pcma, 20, vec![160, 160, 160]),
            (Format::Pcm16000, 20, vec![640, 640, 640]),
            (Format::Pcm24000, 60, vec![2_880]),
        ];
        for (format, message_ms, sizes) in cases {
            let frame = frame(format.hertz() as usize);
            let sent = messages(format, message_ms, &[&frame, &frame[..7], &frame[7..], &frame]);
            assert_eq!(sent.iter().map(Vec::len).collect::<Vec<_>>(), sizes, "{format:?} {message_ms} ms");
        }
        assert_eq!(messages(Format::Pcm16000, 20, &[&[-2; 320]]), [[0xfe, 0xff].repeat(320)]);
    }

    /// The bridge decodes a PCMU call's packets; what goes up is what came in.
    #[test]
    fn codes_of_the_telephone_go_up_bit_for_bit() {
        for (format, law) in [(Format::Pcmu, G711::Pcmu), (Format::Pcma, G711::Pcma)] {
            // μ-law's negative zero decodes to the same sample as its positive one.
            let codes: Vec<u8> =
                (0..=255).filter(|code| (format, *code) != (Format::Pcmu, 0x7f)).chain([1; 65]).take(320).collect();
            let mut samples = [0; 320];
            law.decode_i16(&codes, &mut samples);
            assert_eq!(messages(format, 40, &[&samples]), [codes], "{format:?}");
        }
    }

    #[test]
    fn the_buffer_is_used_again() {
        let mut uplink = Uplink::new(Format::Pcmu, 20);
        let mut addresses = Vec::new();
        for _ in 0..50 {
            uplink.push(&[1; 160], |message| addresses.push(message.as_ptr()));
        }
        addresses.sort_unstable();
        addresses.dedup();
        assert!(addresses.len() < 5, "{}", addresses.len());
    }
}
