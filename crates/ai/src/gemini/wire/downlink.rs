//! The agent's audio out of a message: base64 of little-endian 16-bit samples, at the rate its MIME type names.

use base64_simd::{AsOut, Base64, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use callie_media::resample::{Down16To8, Up8To24};

/// Sample rate of what the engine hands out, hertz: the models' native one.
pub const RATE: u32 = 24_000;

/// Why a piece of audio cannot be played.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AudioFault {
    #[error("audio of an unknown kind: {0:?}")]
    Kind(String),
    #[error("audio that is not base64")]
    Base64,
}

/// Decodes and, where it must, converts to [`RATE`]. Keeps the converter's past between the pieces of one answer.
#[derive(Default)]
pub struct Downlink {
    bytes: Vec<u8>,
    /// Only for models that do not speak at [`RATE`]; none does today.
    converter: Option<Box<Converter>>,
}

impl std::fmt::Debug for Downlink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Downlink").field("converts", &self.converter.is_some()).finish()
    }
}

impl Downlink {
    /// Samples at [`RATE`]. A trailing half sample is dropped.
    pub fn decode(&mut self, mime_type: &str, data: &str) -> Result<Vec<i16>, AudioFault> {
        let rate = rate_of(mime_type).ok_or_else(|| AudioFault::Kind(mime_type.chars().take(40).collect()))?;
        let bytes = decode_base64(data, &mut self.bytes)?;
        let samples = bytes.as_chunks::<2>().0.iter().map(|&pair| i16::from_le_bytes(pair));
        if rate == RATE {
            return Ok(samples.collect());
        }
        let input: Vec<f32> = samples.map(f32::from).collect();
        Ok(self.converter.get_or_insert_default().convert(rate, input))
    }

    /// Forgets what came before: the next piece begins a new stretch of speech.
    pub fn reset(&mut self) {
        self.converter = None;
    }
}

#[derive(Default)]
struct Converter {
    down: Down16To8,
    up: Up8To24,
}

impl Converter {
    /// The line carries 8 kHz in the end, so nothing audible is lost on the way through it.
    fn convert(&mut self, rate: u32, mut input: Vec<f32>) -> Vec<i16> {
        if rate == 16_000 {
            let mut narrow = vec![0.0; input.len() / 2 + 1];
            let count = self.down.process(&input, &mut narrow);
            narrow.truncate(count);
            input = narrow;
        }
        let mut wide = vec![0.0; input.len() * 3];
        let count = self.up.process(&input, &mut wide);
        wide[..count].iter().map(|&sample| sample as i16).collect()
    }
}

/// `audio/pcm;rate=24000`; without a rate it is the native one. `None` is nothing we can play.
fn rate_of(mime_type: &str) -> Option<u32> {
    let mut parts = mime_type.split(';').map(str::trim);
    if !parts.next()?.eq_ignore_ascii_case("audio/pcm") {
        return None;
    }
    let rate = parts.find_map(|part| part.strip_prefix("rate="));
    match rate.map_or(Ok(RATE), str::parse).ok()? {
        rate @ (8_000 | 16_000 | RATE) => Some(rate),
        _ => None,
    }
}

/// The protocol allows both alphabets; padding is optional here.
fn decode_base64<'a>(data: &str, scratch: &'a mut Vec<u8>) -> Result<&'a [u8], AudioFault> {
    let text = data.trim_end_matches('=').as_bytes();
    scratch.resize(text.len() / 4 * 3 + 3, 0);
    let mut decode = |alphabet: &Base64| alphabet.decode(text, scratch.as_out()).map(|bytes| bytes.len());
    let length = decode(&STANDARD_NO_PAD).or_else(|_| decode(&URL_SAFE_NO_PAD)).map_err(|_| AudioFault::Base64)?;
    Ok(&scratch[..length])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(mime_type: &str, data: &str, expected: Result<&[i16], AudioFault>) {
        assert_eq!(Downlink::default().decode(mime_type, data).as_deref(), expected.as_deref(), "{mime_type} {data}");
    }

    #[test]
    fn samples_come_out_in_either_alphabet_padded_or_not() {
        check("audio/pcm;rate=24000", "AQD//w==", Ok(&[1, -1]));
        check("audio/pcm;rate=24000", "AQD__w==", Ok(&[1, -1]));
        check("audio/pcm; rate=24000", "AQD//w", Ok(&[1, -1]));
        check("audio/pcm", "AQA=", Ok(&[1]));
        check("AUDIO/PCM", "", Ok(&[]));
        check("audio/pcm", "AQD/", Ok(&[1]));
    }

    #[test]
    fn what_is_no_audio_is_refused() {
        check("audio/pcm", "not base64!", Err(AudioFault::Base64));
        check("audio/pcm", "A", Err(AudioFault::Base64));
        for kind in ["audio/pcm;rate=44100", "audio/pcm;rate=", "audio/opus", "text/plain", ""] {
            check(kind, "AQA=", Err(AudioFault::Kind(kind.into())));
        }
    }

    #[test]
    fn other_rates_are_converted_across_pieces() {
        for (rate, factor) in [(8_000, 3.0), (16_000, 1.5)] {
            let tone: Vec<u8> = (0..rate / 10)
                .flat_map(|i| (((i as f32 * 440.0 * std::f32::consts::TAU / rate as f32).sin() * 8_000.0) as i16).to_le_bytes())
                .collect();
            let mut downlink = Downlink::default();
            let pieces = tone.chunks(321 * 2).flat_map(|piece| {
                let data = base64_simd::STANDARD.encode_to_string(piece);
                downlink.decode(&format!("audio/pcm;rate={rate}"), &data).expect("audio")
            });
            let samples: Vec<i16> = pieces.collect();
            let expected = f64::from(rate) / 10.0 * factor;
            assert!((samples.len() as f64 - expected).abs() < 10.0, "{rate}: {}", samples.len());
            let peak = samples.iter().map(|s| s.unsigned_abs()).max().unwrap_or(0);
            assert!((7_000..9_000).contains(&peak), "{rate}: {peak}");
            // A seam between pieces would be a jump: 440 Hz at this level moves less than 1,000 from sample to sample.
            assert!(samples.windows(2).all(|w| (i32::from(w[0]) - i32::from(w[1])).abs() < 1_500), "{rate}");
        }
    }
}
