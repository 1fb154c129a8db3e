//! The agent's audio out of a delta: base64 of G.711 codes or of little-endian samples.

use crate::openai::dialect::Format;
use base64_simd::{AsOut, Base64, STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// A delta that is no base64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("audio that is not base64")]
pub struct NotBase64;

/// Decodes. Deltas may be of any length, and may end in the middle of a sample.
#[derive(Debug)]
pub struct Downlink {
    format: Format,
    bytes: Vec<u8>,
    /// The first half of a sample.
    half: Option<u8>,
}

impl Downlink {
    pub fn new(format: Format) -> Self {
        Self { format, bytes: Vec::new(), half: None }
    }

    /// Samples at the format's rate.
    pub fn decode(&mut self, delta: &str) -> Result<Vec<i16>, NotBase64> {
        let bytes = decode_base64(delta, &mut self.bytes)?;
        if let Some(law) = self.format.law() {
            let mut samples = vec![0; bytes.len()];
            law.decode_i16(bytes, &mut samples);
            return Ok(samples);
        }
        let mut samples = Vec::with_capacity(bytes.len() / 2 + 1);
        let rest = match (self.half.take(), bytes) {
            (Some(low), [high, rest @ ..]) => {
                samples.push(i16::from_le_bytes([low, *high]));
                rest
            }
            (half, bytes) => {
                self.half = half;
                bytes
            }
        };
        let (pairs, odd) = rest.as_chunks::<2>();
        samples.extend(pairs.iter().map(|&pair| i16::from_le_bytes(pair)));
        self.half = odd.first().copied().or(self.half);
        Ok(samples)
    }

    /// Forgets what came before: the next delta begins a new stretch of speech.
    pub fn reset(&mut self) {
        self.half = None;
    }
}

/// Either alphabet, padded or not: compatible services differ.
fn decode_base64<'a>(data: &str, scratch: &'a mut Vec<u8>) -> Result<&'a [u8], NotBase64> {
    let text = data.trim_end_matches('=').as_bytes();
    scratch.resize(text.len() / 4 * 3 + 3, 0);
    let mut decode = |alphabet: &Base64| alphabet.decode(text, scratch.as_out()).map(|bytes| bytes.len());
    let length = decode(&STANDARD_NO_PAD).or_else(|_| decode(&URL_SAFE_NO_PAD)).map_err(|_| NotBase64)?;
    Ok(&scratch[..length])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(format: Format, deltas: &[&str], expected: &[i16]) {
        let mut downlink = Downlink::new(format);
        let samples: Vec<i16> = deltas.iter().flat_map(|delta| downlink.decode(delta).expect(delta)).collect();
        assert_eq!(samples, expected, "{format:?} {deltas:?}");
    }

    #[test]
    fn samples_come_out_however_they_are_cut() {
        check(Format::Pcm24000, &["AQD//w=="], &[1, -1]);
        check(Format::Pcm24000, &["AQD__w=="], &[1, -1]);
        check(Format::Pcm16000, &["AQD/", "", "/w"], &[1, -1]);
        check(Format::Pcm24000, &["AQ", "AA", "", "_w", "/wI"], &[1, -1]);
        check(Format::Pcmu, &["/34A", "gA=="], &[0, -8, -32_124, 32_124]);
        check(Format::Pcma, &["1VU="], &[8, -8]);
    }

    #[test]
    fn what_is_no_audio_is_refused_and_harms_nothing() {
        let mut downlink = Downlink::new(Format::Pcm24000);
        assert_eq!(downlink.decode("AQ"), Ok(vec![]));
        assert_eq!(downlink.decode("not base64!"), Err(NotBase64));
        assert_eq!(downlink.decode("AA"), Ok(vec![1]));
        downlink.decode("AQ").expect("half a sample");
        downlink.reset();
        assert_eq!(downlink.decode("AQA"), Ok(vec![1]));
    }
}
