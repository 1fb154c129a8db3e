//! Kokoro: symbols and a style in, a waveform at 24 kHz out, in one run for a whole sentence. Input names are those of the
//! published file.

use super::super::{recogniser::WeightsError, synthesiser::SAMPLE_RATE};
use super::{
    KokoroWeights, Speed,
    phonemes::{self, MOST_SYMBOLS, front_end},
};
use callie_media::resample::Down24To8;
use flite_rs::Engine as Flite;
use rten::{Model, NodeId, RunError, RunOptions, ThreadPool};
use rten_tensor::prelude::*;
use rten_tensor::{NdTensor, NdTensorView};
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeMap,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

/// Hertz of the model.
const MODEL_RATE: f32 = 24_000.0;
/// Numbers in a style.
const STYLE: usize = 256;
/// Kept of the silence before and after a sentence: 30 ms and 80 ms.
const LEAD: usize = SAMPLE_RATE as usize * 30 / 1_000;
const TAIL: usize = SAMPLE_RATE as usize * 80 / 1_000;
/// Below this it is silence, of 32,768.
const SILENCE: u16 = 160;
/// Its delay in samples at 24 kHz, and to spare.
const FILTER_TAIL: usize = 96;

/// The loaded model; runs on the thread that calls it.
pub struct Kokoro {
    model: Model,
    symbols_input: NodeId,
    style_input: NodeId,
    speed_input: NodeId,
    waveform: NodeId,
    front_end: Flite,
    /// By name: a style for each count of symbols.
    voices: BTreeMap<String, Vec<f32>>,
    /// SHA-256 of the model's file.
    fingerprint: [u8; 32],
}

impl std::fmt::Debug for Kokoro {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Kokoro(82M, English)")
    }
}

impl Kokoro {
    /// Takes about half a second and 360 MB.
    ///
    /// # Errors
    /// When a file is not what it should be.
    pub fn load(weights: &KokoroWeights) -> Result<Self, WeightsError> {
        let file = weights.model();
        let bytes = std::fs::read(&file).map_err(|e| unreadable(&file, &e))?;
        let fingerprint = Sha256::digest(&bytes).into();
        let model = Model::load(bytes).map_err(|e| unreadable(&file, &e))?;
        let mut voices = BTreeMap::new();
        for name in weights.voices() {
            let file = weights.voice(name);
            voices.insert(name.clone(), styles(&std::fs::read(&file).map_err(|e| unreadable(&file, &e))?));
        }
        let node = |name: &str| model.node_id(name).map_err(|e| unreadable(&file, &e));
        Ok(Self {
            symbols_input: node("input_ids")?,
            style_input: node("style")?,
            speed_input: node("speed")?,
            waveform: node("waveform")?,
            front_end: front_end().map_err(|e| unreadable(&file, &e))?,
            model,
            voices,
            fingerprint,
        })
    }

    /// Tells this text in this voice from any other, also after the model or our reading of texts has changed.
    pub fn key(&self, text: &str, voice: &str) -> [u8; 32] {
        let symbols = phonemes::phonemes(&self.front_end, text);
        let mut hash = Sha256::new();
        hash.update(self.fingerprint);
        for part in [voice, text, &symbols] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        hash.finalize().into()
    }

    /// The text spoken (mono, 8 kHz); nothing when there is nothing in it to be spoken. A voice that is not there is the
    /// first one. Stops between two pieces of an endless text, with what there is, when `cancelled` says so.
    ///
    /// # Errors
    /// Of the runtime.
    pub fn speak(
        &self,
        text: &str,
        voice: &str,
        threads: &Arc<ThreadPool>,
        cancelled: impl Fn() -> bool,
    ) -> Result<Vec<i16>, RunError> {
        let symbols = phonemes::phonemes(&self.front_end, text);
        let mut spoken = Vec::new();
        for piece in phonemes::pieces(&symbols) {
            if cancelled() {
                break;
            }
            spoken.extend(trimmed(&narrow(&self.run(piece, voice, threads)?)));
        }
        Ok(spoken)
    }

    /// How long it takes for this text. What it speaks is counted as it comes, with the silence around it.
    ///
    /// # Errors
    /// Of the runtime.
    pub fn measure(&self, text: &str, voice: &str, threads: &Arc<ThreadPool>) -> Result<Speed, RunError> {
        let began = Instant::now();
        let mut samples = 0;
        for piece in phonemes::pieces(&phonemes::phonemes(&self.front_end, text)) {
            samples += self.run(piece, voice, threads)?.len();
        }
        Ok(Speed { computed: began.elapsed(), spoken: Duration::from_secs_f32(samples as f32 / MODEL_RATE) })
    }

    /// Samples in ±1 at 24 kHz.
    fn run(&self, symbols: Vec<i32>, voice: &str, threads: &Arc<ThreadPool>) -> Result<Vec<f32>, RunError> {
        let Some(styles) = self.voices.get(voice).or_else(|| self.voices.values().next()) else { return Ok(Vec::new()) };
        let count = symbols.len().saturating_sub(2).min(MOST_SYMBOLS - 1);
        let style = styles.get(count * STYLE..(count + 1) * STYLE).unwrap_or_default().to_vec();
        let symbols = NdTensor::from_data([1, symbols.len()], symbols);
        let style = NdTensor::from_data([1, style.len()], style);
        let speed = NdTensor::from([1.0_f32]);
        let inputs = vec![
            (self.symbols_input, symbols.view().into()),
            (self.style_input, style.view().into()),
            (self.speed_input, speed.view().into()),
        ];
        let options = RunOptions::default().with_thread_pool(Some(threads.clone()));
        let [waveform] = self.model.run_n(inputs, [self.waveform], Some(options))?;
        Ok(NdTensorView::<f32, 2>::try_from(&waveform).map(|samples| samples.iter().copied().collect()).unwrap_or_default())
    }
}

fn unreadable(file: &Path, error: &dyn std::fmt::Display) -> WeightsError {
    WeightsError::Unreadable { file: file.to_owned(), detail: error.to_string() }
}

fn styles(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks::<4>().0.iter().map(|&number| f32::from_le_bytes(number)).collect()
}

/// 24 kHz in ±1 to 8 kHz of 16 bits.
fn narrow(wide: &[f32]) -> Vec<i16> {
    let mut wide: Vec<f32> = wide.iter().map(|sample| sample * 32_767.0).collect();
    wide.resize((wide.len() + FILTER_TAIL).next_multiple_of(3), 0.0);
    let mut narrow = vec![0.0; wide.len() / 3];
    Down24To8::new().process(&wide, &mut narrow);
    // The conversion saturates, and makes 0 of what is no number.
    narrow.into_iter().map(|sample| sample as i16).collect()
}

/// Without most of the silence before and after it.
fn trimmed(samples: &[i16]) -> &[i16] {
    let loud = |sample: &i16| sample.unsigned_abs() > SILENCE;
    let Some((first, last)) = samples.iter().position(loud).zip(samples.iter().rposition(loud)) else { return &[] };
    &samples[first.saturating_sub(LEAD)..(last + TAIL).min(samples.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_becomes_narrow_and_keeps_its_level() {
        let wide: Vec<f32> = (0..24_000).map(|n| (n as f32 * std::f32::consts::TAU * 500.0 / 24_000.0).sin() * 0.5).collect();
        let narrow = narrow(&wide);
        assert_eq!(narrow.len(), 8_032);
        let peak = narrow[1_000..7_000].iter().map(|s| s.unsigned_abs()).max();
        assert!(peak.is_some_and(|peak| (16_100..16_600).contains(&peak)), "{peak:?}");
    }

    #[test]
    fn silence_around_speech_is_cut_and_within_it_kept() {
        let mut samples = vec![0_i16; 8_000];
        samples.extend([1_000; 400]);
        samples.extend([0; 4_000]);
        samples.extend([-1_000; 400]);
        samples.extend([0; 8_000]);
        assert_eq!(trimmed(&samples).len(), LEAD + 4_800 + TAIL - 1);
        assert!(trimmed(&[0; 100]).is_empty() && trimmed(&[]).is_empty());
    }
}
