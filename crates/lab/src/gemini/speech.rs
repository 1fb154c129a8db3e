//! Speech as the fake sends it: JSON messages of 100 ms, made once and shared by every session.
//!
//! The messages differ in form as the real ones do: compact or indented, one part or several, transcription beside the
//! audio, fields that nobody has documented.

use crate::samples::Line;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use callie_media::wav::Wav;
use serde_json::{Value, json};
use std::f64::consts::TAU;
use std::sync::Arc;
use std::time::Duration;

pub const SPEECH_RATE_HZ: usize = 24_000;
/// 100 ms.
pub(super) const PIECE_SAMPLES: usize = SPEECH_RATE_HZ / 10;

/// Words and their sound. Cheap to clone.
#[derive(Clone)]
pub struct Speech(Arc<Sound>);

struct Sound {
    words: String,
    samples: Vec<i16>,
    /// For sessions that asked for `outputAudioTranscription`, and for those that did not.
    written: Vec<Piece>,
    plain: Vec<Piece>,
}

/// A message with audio in it.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    pub body: Bytes,
    /// At 24 kHz.
    pub samples: usize,
}

impl Speech {
    /// `samples` are 24 kHz mono.
    pub fn new(words: &str, samples: &[i16]) -> Self {
        let shares = shares(words, samples.len().div_ceil(PIECE_SAMPLES));
        let pieces = |written: bool| {
            let parts = samples.chunks(PIECE_SAMPLES).enumerate().zip(&shares);
            parts.map(|((index, part), share)| piece(index, part, if written { share } else { "" })).collect()
        };
        Self(Arc::new(Sound { words: words.to_owned(), samples: samples.to_vec(), written: pieces(true), plain: pieces(false) }))
    }

    /// A line of the callers, in the agent's mouth.
    pub fn line(line: Line) -> Self {
        let wav = Wav::parse(line.wav()).expect("the samples in the binary are wav files");
        Self::new(line.words(), &wav.channel(0).collect::<Vec<_>>())
    }

    /// A tone, for tests that recognise it by its pitch.
    pub fn tone(words: &str, hz: f64, length: Duration) -> Self {
        let count = (length.as_secs_f64() * SPEECH_RATE_HZ as f64) as usize;
        Self::new(words, &tone(hz, count))
    }

    /// Words that cannot be heard: the sound is all but silence.
    pub fn inaudible(words: &str, length: Duration) -> Self {
        Self::new(words, &vec![1; (length.as_secs_f64() * SPEECH_RATE_HZ as f64) as usize])
    }

    pub fn words(&self) -> &str {
        &self.0.words
    }

    pub fn duration(&self) -> Duration {
        samples_last(self.0.samples.len())
    }

    /// At 24 kHz.
    pub(crate) fn samples(&self) -> &[i16] {
        &self.0.samples
    }

    /// One message, of parts as long as its pieces, with all its words.
    pub(super) fn whole(&self) -> Piece {
        let Sound { words, samples, .. } = &*self.0;
        let parts: Vec<Value> = samples.chunks(PIECE_SAMPLES).map(audio_part).collect();
        let content = json!({"modelTurn": {"role": "model", "parts": parts}, "outputTranscription": {"text": words}});
        Piece { body: json!({"serverContent": content}).to_string().into(), samples: samples.len() }
    }

    pub(super) fn pieces(&self, written: bool) -> &[Piece] {
        if written { &self.0.written } else { &self.0.plain }
    }
}

impl std::fmt::Debug for Speech {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Speech({:?}, {:?})", self.0.words, self.duration())
    }
}

/// How long so many samples at 24 kHz last.
pub(super) fn samples_last(samples: usize) -> Duration {
    Duration::from_micros(samples as u64 * 1_000_000 / SPEECH_RATE_HZ as u64)
}

/// At 24 kHz, −12 dBFS.
pub(super) fn tone(hz: f64, count: usize) -> Vec<i16> {
    (0..count).map(|index| ((TAU * hz * index as f64 / SPEECH_RATE_HZ as f64).sin() * 8000.0) as i16).collect()
}

/// One message of audio without words, in the plainest form.
pub(super) fn bare_piece(samples: &[i16]) -> Piece {
    piece(0, samples, "")
}

/// The message number `index` of a turn; its form depends on the number alone.
fn piece(index: usize, samples: &[i16], words: &str) -> Piece {
    let halves = if index % 4 == 2 { samples.len().div_ceil(2).max(1) } else { samples.len().max(1) };
    let mut parts: Vec<Value> = samples.chunks(halves).map(audio_part).collect();
    if index % 4 == 3 {
        parts.insert(0, json!({"thought": true, "text": "A thought is not to be spoken."}));
    }
    let mut content = json!({"modelTurn": {"role": "model", "parts": parts}});
    if !words.is_empty() {
        content["outputTranscription"] = json!({"text": words});
    }
    let mut message = json!({"serverContent": content});
    if index % 4 == 3 {
        // An update that brings nothing: the last handle stays valid.
        message["sessionResumptionUpdate"] = json!({});
        message["fieldOfNextYear"] = json!({"nested": [1, null, "two"]});
    }
    let body = if index % 4 == 1 { format!("{message:#}") } else { message.to_string() };
    Piece { body: body.into(), samples: samples.len() }
}

fn audio_part(samples: &[i16]) -> Value {
    let bytes: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    json!({"inlineData": {"mimeType": "audio/pcm;rate=24000", "data": STANDARD.encode(bytes)}})
}

/// The words dealt out to `count` pieces, as the real service writes them: a space before every word but the first.
fn shares(words: &str, count: usize) -> Vec<String> {
    let words: Vec<&str> = words.split_whitespace().collect();
    let share = |index: usize| {
        let (from, to) = (index * words.len() / count, (index + 1) * words.len() / count);
        let text = words.get(from..to).unwrap_or_default().join(" ");
        if from == 0 || text.is_empty() { text } else { format!(" {text}") }
    };
    (0..count).map(share).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis;

    fn texts(pieces: &[Piece]) -> String {
        let text = |piece: &Piece| {
            let message: Value = serde_json::from_slice(&piece.body).expect("JSON");
            message.pointer("/serverContent/outputTranscription/text").and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        pieces.iter().map(text).collect()
    }

    #[test]
    fn a_line_is_dealt_into_pieces_with_all_its_words_and_samples() {
        let speech = Speech::line(Line::Maria2);
        assert_eq!(texts(speech.pieces(true)), Line::Maria2.words());
        assert_eq!(texts(speech.pieces(false)), "");
        let samples: usize = speech.pieces(true).iter().map(|piece| piece.samples).sum();
        assert_eq!(samples_last(samples), speech.duration());
        assert!(speech.pieces(true).iter().any(|piece| piece.body.starts_with(b"{\n")));
        assert_eq!(analysis::SAMPLE_RATE_HZ * 3, SPEECH_RATE_HZ);
    }
}
