//! Caller audio on its way up: 20 ms frames are gathered to a message's worth and written into a template, base64 and all,
//! in a buffer that is used again once the socket has let go of it.

use base64_simd::{AsOut, STANDARD};
use bytes::{Bytes, BytesMut};

/// Sample rate of what goes up, hertz: the models' native one.
pub const RATE: u32 = 16_000;
const BYTES_PER_MS: usize = RATE as usize / 1_000 * 2;

const HEAD: &[u8] = br#"{"realtimeInput":{"audio":{"mimeType":"audio/pcm;rate=16000","data":""#;
const TAIL: &[u8] = br#""}}}"#;

/// Gathers and encodes.
#[derive(Debug)]
pub struct Uplink {
    /// Little-endian samples waiting for a full message.
    pcm: Vec<u8>,
    message_bytes: usize,
    buffer: BytesMut,
}

impl Uplink {
    /// `message_ms`: milliseconds of audio in one message.
    pub fn new(message_ms: u32) -> Self {
        let message_bytes = message_ms.max(1) as usize * BYTES_PER_MS;
        Self { pcm: Vec::with_capacity(message_bytes), message_bytes, buffer: BytesMut::new() }
    }

    /// Takes mono samples at [`RATE`], any number of them; hands out a message whenever one is full.
    pub fn push(&mut self, mut samples: &[i16], mut full: impl FnMut(Bytes)) {
        while !samples.is_empty() {
            let room = (self.message_bytes - self.pcm.len()) / 2;
            let (now, later) = samples.split_at(room.min(samples.len()));
            self.gather(now);
            samples = later;
            if self.pcm.len() == self.message_bytes {
                full(self.encode());
            }
        }
    }

    /// Forgets what does not fill a message yet.
    pub fn clear(&mut self) {
        self.pcm.clear();
    }

    /// Nothing waits for its message to be full.
    pub fn is_empty(&self) -> bool {
        self.pcm.is_empty()
    }

    fn gather(&mut self, samples: &[i16]) {
        let start = self.pcm.len();
        self.pcm.resize(start + samples.len() * 2, 0);
        for (bytes, sample) in self.pcm[start..].as_chunks_mut::<2>().0.iter_mut().zip(samples) {
            *bytes = sample.to_le_bytes();
        }
    }

    fn encode(&mut self) -> Bytes {
        let text = STANDARD.encoded_length(self.pcm.len());
        self.buffer.reserve(HEAD.len() + text + TAIL.len());
        self.buffer.extend_from_slice(HEAD);
        self.buffer.resize(HEAD.len() + text, 0);
        let _ = STANDARD.encode(&self.pcm, self.buffer[HEAD.len()..].as_out());
        self.buffer.extend_from_slice(TAIL);
        self.pcm.clear();
        self.buffer.split().freeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn messages(message_ms: u32, pushes: &[usize]) -> Vec<Vec<i16>> {
        let mut uplink = Uplink::new(message_ms);
        let mut out = Vec::new();
        let mut counter = (0..=i16::MAX).cycle();
        for &count in pushes {
            let samples: Vec<i16> = counter.by_ref().take(count).collect();
            uplink.push(&samples, |message| out.push(decoded(&message)));
        }
        out
    }

    fn decoded(message: &[u8]) -> Vec<i16> {
        let value: Value = serde_json::from_slice(message).expect("JSON");
        let audio = &value["realtimeInput"]["audio"];
        assert_eq!(audio["mimeType"], "audio/pcm;rate=16000");
        let bytes = STANDARD.decode_to_vec(audio["data"].as_str().expect("text")).expect("base64");
        bytes.chunks_exact(2).map(|b| i16::from_le_bytes([b[0], b[1]])).collect()
    }

    #[test]
    fn frames_become_messages_and_no_sample_is_lost() {
        let cases: [(u32, &[usize], &[usize]); 4] = [
            (20, &[320, 320], &[320, 320]),
            (40, &[320, 320, 320], &[640]),
            (100, &[320; 11], &[1600, 1600]),
            (40, &[7, 5_000, 113], &[640; 8]),
        ];
        for (message_ms, pushes, sizes) in cases {
            let messages = messages(message_ms, pushes);
            assert_eq!(messages.iter().map(Vec::len).collect::<Vec<_>>(), sizes, "{message_ms} ms");
            let all = messages.concat();
            assert!(all.iter().enumerate().all(|(i, &sample)| sample == i as i16), "{message_ms} ms: in order");
        }
    }

    #[test]
    fn the_buffer_is_used_again() {
        let mut uplink = Uplink::new(20);
        let mut addresses = Vec::new();
        for _ in 0..50 {
            uplink.push(&[1; 320], |message| addresses.push(message.as_ptr()));
        }
        addresses.sort_unstable();
        addresses.dedup();
        assert!(addresses.len() < 5, "{}", addresses.len());
    }
}
