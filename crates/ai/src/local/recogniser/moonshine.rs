//! Moonshine: an encoder over the whole utterance, then one run of the decoder for each token, greedily.
//!
//! The merged decoder computes the keys and values of the encoder's side in its first run only; they are kept for the later
//! ones. Input and output names are those of the published files.

use super::{SAMPLE_RATE, Weights, WeightsError, vocabulary::Vocabulary};
use rten::{Model, NodeId, RunError, RunOptions, ThreadPool, Value, ValueOrView};
use rten_tensor::prelude::*;
use rten_tensor::{NdTensor, NdTensorView, Tensor};
use std::{path::Path, sync::Arc};

const START: i32 = 1;
const END: i32 = 2;
const LAYERS: usize = 6;
const HEADS: usize = 8;
const HEAD_SIZE: usize = 36;

/// Nobody speaks more: a longer answer is the decoder going in circles.
const TOKENS_PER_SECOND: f32 = 6.5;
/// Room for a short word that the rate alone would cut.
const SPARE_TOKENS: usize = 6;
/// The encoder wants at least this much, in samples: 100 ms.
const SHORTEST: usize = SAMPLE_RATE as usize / 10;

/// Quiet speech is raised to this peak, by no more than [`MOST_GAIN`].
const PEAK: f32 = 0.5;
const MOST_GAIN: f32 = 8.0;

/// One of the decoder's memories, and whether it is of the decoder's own side.
struct Memory {
    input: NodeId,
    output: NodeId,
    own_side: bool,
}

/// The loaded model; runs on the thread that calls it.
pub struct Moonshine {
    encoder: Model,
    encoder_input: NodeId,
    encoder_output: NodeId,
    decoder: Model,
    token_input: NodeId,
    states_input: NodeId,
    branch_input: NodeId,
    logits: NodeId,
    memories: Vec<Memory>,
    vocabulary: Vocabulary,
}

impl std::fmt::Debug for Moonshine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Moonshine(tiny, English, quantised)")
    }
}

impl Moonshine {
    /// Takes about a third of a second and 100 MB.
    pub fn load(weights: &Weights) -> Result<Self, WeightsError> {
        let (encoder_file, decoder_file) = (weights.encoder(), weights.decoder());
        let encoder = Model::load_file(&encoder_file).map_err(|e| unreadable(&encoder_file, &e))?;
        let decoder = Model::load_file(&decoder_file).map_err(|e| unreadable(&decoder_file, &e))?;
        let tokens = weights.tokens();
        let vocabulary = std::fs::read_to_string(&tokens).map_err(|e| unreadable(&tokens, &e))?;
        let in_encoder = |name: &str| encoder.node_id(name).map_err(|e| unreadable(&encoder_file, &e));
        let in_decoder = |name: &str| decoder.node_id(name).map_err(|e| unreadable(&decoder_file, &e));
        Ok(Self {
            encoder_input: in_encoder("input_values")?,
            encoder_output: in_encoder("last_hidden_state")?,
            token_input: in_decoder("input_ids")?,
            states_input: in_decoder("encoder_hidden_states")?,
            branch_input: in_decoder("use_cache_branch")?,
            logits: in_decoder("logits")?,
            memories: memories(in_decoder)?,
            encoder,
            decoder,
            vocabulary: Vocabulary::parse(&vocabulary),
        })
    }

    /// The words in `samples` (mono, 16 kHz). With `speech` the answer is never empty for want of confidence: the end may not
    /// be the first token. Stops between two tokens, with what there is, when `cancelled` says so.
    ///
    /// # Errors
    /// Of the runtime; there is none that other samples would avoid.
    pub fn transcribe(
        &self,
        samples: &[i16],
        speech: bool,
        threads: &Arc<ThreadPool>,
        cancelled: impl Fn() -> bool,
    ) -> Result<String, RunError> {
        let seconds = samples.len() as f32 / SAMPLE_RATE as f32;
        let limit = (seconds * TOKENS_PER_SECOND) as usize + SPARE_TOKENS;
        let options = || Some(RunOptions::default().with_thread_pool(Some(threads.clone())));
        let audio = NdTensor::from_data([1, samples.len().max(SHORTEST)], levelled(samples));
        let [states] = self.encoder.run_n(vec![(self.encoder_input, audio.view().into())], [self.encoder_output], options())?;

        let mut memory: Vec<Value> =
            self.memories.iter().map(|_| Tensor::<f32>::zeros(&[0, HEADS, 1, HEAD_SIZE]).into()).collect();
        let outputs: Vec<NodeId> = std::iter::once(self.logits).chain(self.memories.iter().map(|m| m.output)).collect();
        let mut tokens: Vec<u32> = Vec::with_capacity(limit);
        let mut last = START;
        while tokens.len() < limit && !cancelled() {
            let first = tokens.is_empty();
            let mut inputs: Vec<(NodeId, ValueOrView)> = vec![
                (self.token_input, NdTensor::from([[last]]).into()),
                (self.states_input, (&states).into()),
                (self.branch_input, NdTensor::from([i32::from(!first)]).into()),
            ];
            inputs.extend(self.memories.iter().zip(&memory).map(|(m, value)| (m.input, value.into())));
            let mut results = self.decoder.run(inputs, &outputs, options())?.into_iter();
            let Some(logits) = results.next() else { break };
            last = likeliest(&logits, first && speech);
            if last == END {
                break;
            }
            tokens.push(last.unsigned_abs());
            for ((slot, value), kept) in memory.iter_mut().zip(results).zip(&self.memories) {
                if first || kept.own_side {
                    *slot = value;
                }
            }
        }
        Ok(self.vocabulary.text(&tokens))
    }
}

fn unreadable(file: &Path, error: &dyn std::fmt::Display) -> WeightsError {
    WeightsError::Unreadable { file: file.to_owned(), detail: error.to_string() }
}

fn memories(node: impl Fn(&str) -> Result<NodeId, WeightsError>) -> Result<Vec<Memory>, WeightsError> {
    let mut found = Vec::with_capacity(LAYERS * 4);
    for layer in 0..LAYERS {
        for side in ["decoder", "encoder"] {
            for part in ["key", "value"] {
                found.push(Memory {
                    input: node(&format!("past_key_values.{layer}.{side}.{part}"))?,
                    output: node(&format!("present.{layer}.{side}.{part}"))?,
                    own_side: side == "decoder",
                });
            }
        }
    }
    Ok(found)
}

/// The samples in ±1, quiet ones raised, padded to [`SHORTEST`].
fn levelled(samples: &[i16]) -> Vec<f32> {
    let peak = samples.iter().map(|s| s.unsigned_abs()).max().unwrap_or(0).max(1);
    let gain = (PEAK * 32_768.0 / f32::from(peak)).clamp(1.0, MOST_GAIN) / 32_768.0;
    let mut levelled: Vec<f32> = samples.iter().map(|&s| f32::from(s) * gain).collect();
    levelled.resize(levelled.len().max(SHORTEST), 0.0);
    levelled
}

/// The token with the highest score at the last position.
fn likeliest(logits: &Value, ban_end: bool) -> i32 {
    let Ok(scores) = NdTensorView::<f32, 3>::try_from(logits) else { return END };
    let [_, positions, count] = scores.shape();
    let (mut best, mut best_score) = (END, f32::NEG_INFINITY);
    for token in 0..count {
        let score = scores[[0, positions - 1, token]];
        if score > best_score && !(ban_end && token == END as usize) {
            (best, best_score) = (token as i32, score);
        }
    }
    best
}
