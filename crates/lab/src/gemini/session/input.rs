//! What a client sends after the setup, read and checked.

use crate::gemini::setup::{Family, Terms};
use crate::gemini::wire::{self, Refusal};
use crate::realtime::UPLINK_RATE_HZ;
use crate::realtime::endpoint::Voice;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_PAD_INDIFFERENT, URL_SAFE_PAD_INDIFFERENT};
use callie_media::resample::Up8To16;
use serde::Deserialize;
use serde_json::Value;

#[derive(Debug)]
pub(super) enum Input {
    /// 16 kHz.
    Audio(Vec<i16>),
    Text(String),
    Activity(Voice),
    /// `clientContent`, and whether it asks for an answer.
    Content {
        content: Value,
        asks: bool,
    },
    ToolResponses(Vec<Value>),
    ContextUpdate(Value),
    /// Nothing that anybody acts upon.
    Nothing,
}

/// The form of nearly all messages; what does not match it takes the long way.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct AudioMessage<'a> {
    #[serde(borrow)]
    realtime_input: AudioInput<'a>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AudioInput<'a> {
    #[serde(borrow)]
    audio: Blob<'a>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Blob<'a> {
    mime_type: &'a str,
    data: &'a str,
}

#[derive(Debug)]
pub(super) struct Reader {
    family: Family,
    vertex: bool,
    detects_activity: bool,
    /// The history of a fresh session is still to come.
    awaits_history: bool,
    upsampler: Up8To16,
}

impl Reader {
    pub fn new(terms: &Terms) -> Self {
        Self {
            family: terms.family,
            vertex: terms.vertex,
            detects_activity: terms.detects_activity,
            awaits_history: terms.seeded,
            upsampler: Up8To16::new(),
        }
    }

    pub fn read(&mut self, message: &[u8]) -> Result<Input, Refusal> {
        if let Ok(AudioMessage { realtime_input: AudioInput { audio } }) = serde_json::from_slice(message) {
            self.no_history_awaited()?;
            return self.audio(audio.mime_type, audio.data);
        }
        let (name, value) = wire::read(message)?;
        match name.as_str() {
            "realtimeInput" => {
                self.no_history_awaited()?;
                self.realtime(&value)
            }
            "clientContent" => self.content(value),
            "toolResponse" => {
                let responses = value.get("functionResponses").and_then(Value::as_array).cloned().unwrap_or_default();
                Ok(Input::ToolResponses(responses))
            }
            "contextUpdate" if matches!(self.family, Family::Live38 | Family::Live38Thinking | Family::Other) => {
                Ok(Input::ContextUpdate(value))
            }
            "contextUpdate" => Err(Refusal::invalid("contextUpdate is not supported by this model")),
            _ => Err(Refusal::invalid("setup was sent a second time")),
        }
    }

    fn no_history_awaited(&self) -> Result<(), Refusal> {
        if self.awaits_history {
            return Err(Refusal::invalid("realtimeInput before the initial history in clientContent is complete"));
        }
        Ok(())
    }

    fn realtime(&mut self, value: &Value) -> Result<Input, Refusal> {
        let mut fields = value.as_object().into_iter().flatten();
        let (Some((name, field)), None) = (fields.next(), fields.next()) else {
            return Err(Refusal::invalid("realtimeInput must hold exactly one field"));
        };
        let text = |name| field.get(name).and_then(Value::as_str).unwrap_or_default();
        match name.as_str() {
            "audio" => self.audio(text("mimeType"), text("data")),
            "text" => Ok(Input::Text(field.as_str().unwrap_or_default().to_owned())),
            "activityStart" => self.activity(Voice::Began),
            "activityEnd" => self.activity(Voice::Ended),
            "audioStreamEnd" if self.vertex => Err(Refusal::invalid("audioStreamEnd is not supported.")),
            "audioStreamEnd" if !self.detects_activity => {
                Err(Refusal::invalid("audioStreamEnd is not supported when automatic activity detection is disabled."))
            }
            "mediaChunks" if self.family != Family::Native25 => {
                Err(Refusal::invalid("realtime_input.media_chunks is deprecated. Use audio, video, or text instead."))
            }
            "mediaChunks" => {
                let chunk = field.get(0).cloned().unwrap_or_default();
                let text = |name| chunk.get(name).and_then(Value::as_str).unwrap_or_default();
                self.audio(text("mimeType"), text("data"))
            }
            _ => Ok(Input::Nothing),
        }
    }

    fn activity(&self, voice: Voice) -> Result<Input, Refusal> {
        if self.detects_activity {
            let reason = "Explicit activity control is not supported when automatic activity detection is enabled.";
            return Err(Refusal::invalid(reason));
        }
        Ok(Input::Activity(voice))
    }

    /// The roles are `user` and `model`. History asks for nothing, and 3.x does not answer to content alone.
    fn content(&mut self, content: Value) -> Result<Input, Refusal> {
        let turns = content.get("turns").and_then(Value::as_array).into_iter().flatten();
        for turn in turns {
            let role = turn.get("role").and_then(Value::as_str).unwrap_or("user");
            if !["user", "model"].contains(&role) {
                return Err(Refusal::invalid(format!(
                    "clientContent.turns: the role \"{role}\" is not valid: use user or model"
                )));
            }
        }
        let complete = content.get("turnComplete").and_then(Value::as_bool).unwrap_or_default();
        let asks = complete && !self.awaits_history && self.family == Family::Native25;
        self.awaits_history &= !complete;
        Ok(Input::Content { content, asks })
    }

    fn audio(&mut self, mime_type: &str, data: &str) -> Result<Input, Refusal> {
        let rate = rate_of(mime_type).ok_or_else(|| {
            Refusal::invalid(format!("realtimeInput.audio.mimeType: \"{mime_type}\" is not supported: use audio/pcm;rate=16000"))
        })?;
        let invalid = || Refusal::invalid("Invalid value at 'realtimeInput.audio.data' (TYPE_BYTES), Base64 decoding failed");
        let engine = if data.contains(['-', '_']) { URL_SAFE_PAD_INDIFFERENT } else { STANDARD_PAD_INDIFFERENT };
        let bytes = engine.decode(data).map_err(|_| invalid())?;
        let (samples, []) = bytes.as_chunks::<2>() else {
            return Err(Refusal::invalid("realtimeInput.audio.data: half a sample of 16 bits"));
        };
        let samples: Vec<i16> = samples.iter().map(|sample| i16::from_le_bytes(*sample)).collect();
        Ok(Input::Audio(if rate == UPLINK_RATE_HZ { samples } else { self.upsample(&samples) }))
    }

    fn upsample(&mut self, samples: &[i16]) -> Vec<i16> {
        let narrow: Vec<f32> = samples.iter().copied().map(f32::from).collect();
        let mut wide = vec![0.0; narrow.len() * 2];
        self.upsampler.process(&narrow, &mut wide);
        wide.into_iter().map(|sample| sample as i16).collect()
    }
}

/// 16,000 or 8,000 hertz; the real service resamples others too.
fn rate_of(mime_type: &str) -> Option<usize> {
    let rest = mime_type.strip_prefix("audio/pcm")?.trim_start_matches([';', ' ']);
    if rest.is_empty() {
        return Some(UPLINK_RATE_HZ);
    }
    let rate = rest.strip_prefix("rate=")?.parse().ok()?;
    [8000, UPLINK_RATE_HZ].contains(&rate).then_some(rate)
}
