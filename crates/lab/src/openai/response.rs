//! One response of the fake: what it says, in which pieces, and how it ends.

use super::event::{Events, Reply};
use super::items::{Items, message};
use super::record::Sent;
use super::script::{Pace, Step, ToolCall};
use super::terms::Format;
use crate::gemini::Speech;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use callie_media::codec::G711;
use callie_media::resample::Down24To8;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::time::Instant;

/// Lengths of the pieces in turn, milliseconds: the service's are of any length.
const PIECES_MS: [usize; 3] = [100, 70, 130];
/// Characters of a piece of the transcript: words are torn, and run ahead of the audio.
const LETTERS: usize = 7;

#[derive(Debug)]
pub(super) struct Response {
    pub id: String,
    steps: VecDeque<Step>,
    pace: Pace,
    format: Format,
    output_index: u32,
    /// The item that is being spoken.
    speaking: Option<Speaking>,
    due: Instant,
    /// Ends after its first piece, with this reason.
    pub incomplete: Option<String>,
    /// Cancelled for this reason; so many pieces still come.
    cancelled: Option<(&'static str, usize)>,
    output: Vec<Value>,
    audio_ms: u64,
    text_tokens: u64,
    over: bool,
}

#[derive(Debug)]
struct Speaking {
    item: String,
    words: String,
    letters: VecDeque<String>,
    /// With the milliseconds that they last.
    pieces: VecDeque<(String, u64)>,
}

/// How a response ended.
#[derive(Debug)]
pub(super) struct Outcome {
    pub spoke: bool,
    pub cancelled: bool,
    /// Steps for the next response, once the calls are answered.
    pub continues: VecDeque<Step>,
}

/// What a response works with.
pub(super) struct Desk<'a> {
    pub events: &'a mut Events,
    pub items: &'a mut Items,
    pub calls: &'a mut u64,
    pub input_tokens: u64,
}

impl Response {
    pub fn new(id: String, steps: VecDeque<Step>, pace: Pace, format: Format, now: Instant) -> Self {
        Self {
            id,
            steps,
            pace,
            format,
            output_index: 0,
            speaking: None,
            due: now,
            incomplete: None,
            cancelled: None,
            output: Vec::new(),
            audio_ms: 0,
            text_tokens: 0,
            over: false,
        }
    }

    pub fn due(&self) -> Instant {
        self.due
    }

    pub fn has_spoken(&self) -> bool {
        self.audio_ms > 0
    }

    /// The rest is not said, but for some late pieces.
    pub fn cancel(&mut self, reason: &'static str, late_pieces: usize) {
        if self.cancelled.is_none() {
            self.cancelled = Some((reason, late_pieces));
            self.steps.clear();
        }
    }

    /// Does what is due; the outcome when it is over.
    pub fn advance(&mut self, now: Instant, desk: &mut Desk<'_>, out: &mut Vec<Reply>) -> Option<Outcome> {
        while self.due <= now && !self.over {
            match &mut self.cancelled {
                Some((_, 0)) => {
                    self.end(desk, out);
                    continue;
                }
                Some((_, late)) => *late -= 1,
                None => {}
            }
            if self.speaking.is_some() {
                self.speak(desk, out);
                continue;
            }
            match self.steps.pop_front() {
                Some(Step::Say(speech)) => self.begin_speech(&speech, desk, out),
                Some(Step::Pause(length)) => self.due += length,
                Some(Step::Raw(text)) => out.push(Reply::raw(text)),
                Some(Step::Call(calls)) => {
                    self.call(calls, desk, out);
                    self.end(desk, out);
                }
                None => self.end(desk, out),
            }
        }
        self.over.then(|| Outcome {
            spoke: self.has_spoken(),
            cancelled: self.cancelled.is_some(),
            continues: std::mem::take(&mut self.steps),
        })
    }

    fn begin_speech(&mut self, speech: &Speech, desk: &mut Desk<'_>, out: &mut Vec<Reply>) {
        let item = desk.items.next_id();
        let previous = desk.items.last().map(str::to_owned);
        let shown = message(&item, "assistant", "in_progress", &json!([]));
        let (id, index) = (self.id.clone(), self.output_index);
        out.push(
            desk.events.plain("response.output_item.added", json!({"response_id": id, "output_index": index, "item": shown})),
        );
        out.push(desk.events.plain("conversation.item.added", json!({"previous_item_id": previous, "item": shown})));
        let part = json!({"response_id": id, "item_id": item, "output_index": index, "content_index": 0,
                          "part": {"type": "audio", "transcript": ""}});
        out.push(desk.events.plain("response.content_part.added", part));
        desk.items.add_agent(&item);
        let letters: Vec<char> = speech.words().chars().collect();
        self.speaking = Some(Speaking {
            item,
            words: speech.words().to_owned(),
            letters: letters.chunks(LETTERS).map(|letters| letters.iter().collect()).collect(),
            pieces: pieces(speech, self.format),
        });
    }

    fn speak(&mut self, desk: &mut Desk<'_>, out: &mut Vec<Reply>) {
        let cut = self.incomplete.is_some() && self.has_spoken();
        let Some(speaking) = self.speaking.as_mut().filter(|speaking| !cut && !speaking.pieces.is_empty()) else {
            return self.finish_speech(desk, out);
        };
        let place =
            json!({"response_id": self.id, "item_id": speaking.item, "output_index": self.output_index, "content_index": 0});
        let with = |field: &str, value: &str| {
            let mut fields = place.clone();
            fields[field] = json!(value);
            fields
        };
        // Three pieces of the transcript for each of the audio, until it is through.
        for letters in speaking.letters.drain(..speaking.letters.len().min(3)) {
            self.text_tokens += 1;
            out.push(desk.events.plain("response.output_audio_transcript.delta", with("delta", &letters)));
        }
        if let Some((audio, ms)) = speaking.pieces.pop_front() {
            self.audio_ms += ms;
            desk.items.spoke(&speaking.item, ms);
            out.push(desk.events.event("response.output_audio.delta", with("delta", &audio), Sent::Audio { ms }));
        }
        self.due += self.pace.between();
    }

    fn finish_speech(&mut self, desk: &mut Desk<'_>, out: &mut Vec<Reply>) {
        let Some(Speaking { item, words, .. }) = self.speaking.take() else { return };
        let place = json!({"response_id": self.id, "item_id": item, "output_index": self.output_index, "content_index": 0});
        out.push(desk.events.plain("response.output_audio.done", place.clone()));
        let mut with_words = place.clone();
        with_words["transcript"] = json!(words);
        out.push(desk.events.plain("response.output_audio_transcript.done", with_words));
        out.push(desk.events.plain("response.content_part.done", place));
        let status = if self.cancelled.is_some() || self.incomplete.is_some() { "incomplete" } else { "completed" };
        let done = message(&item, "assistant", status, &json!([{"type": "output_audio", "transcript": words}]));
        out.push(desk.events.plain("conversation.item.done", json!({"previous_item_id": null, "item": done})));
        let output = json!({"response_id": self.id, "output_index": self.output_index, "item": done});
        out.push(desk.events.plain("response.output_item.done", output));
        self.output.push(done);
        self.output_index += 1;
        if self.incomplete.is_some() {
            self.end(desk, out);
        }
    }

    fn call(&mut self, calls: Vec<ToolCall>, desk: &mut Desk<'_>, out: &mut Vec<Reply>) {
        for ToolCall { name, arguments } in calls {
            *desk.calls += 1;
            let (item, call_id) = (desk.items.next_id(), format!("call_{:04}", desk.calls));
            desk.items.add_call(&item, &call_id);
            let shown = |status: &str, arguments: &str| {
                json!({"id": item, "object": "realtime.item", "type": "function_call", "status": status,
                       "name": name, "call_id": call_id, "arguments": arguments})
            };
            let place = json!({"response_id": self.id, "output_index": self.output_index, "item": shown("in_progress", "")});
            out.push(desk.events.plain("response.output_item.added", place));
            let fields = json!({"response_id": self.id, "item_id": item, "output_index": self.output_index,
                                "call_id": call_id, "name": name, "arguments": arguments});
            out.push(desk.events.plain("response.function_call_arguments.done", fields));
            let done = shown("completed", &arguments);
            let place = json!({"response_id": self.id, "output_index": self.output_index, "item": done});
            out.push(desk.events.plain("response.output_item.done", place));
            self.output.push(done);
            self.output_index += 1;
        }
    }

    fn end(&mut self, desk: &mut Desk<'_>, out: &mut Vec<Reply>) {
        if self.speaking.is_some() {
            self.finish_speech(desk, out);
            if self.over {
                return;
            }
        }
        self.over = true;
        let (status, details) = match (&self.cancelled, &self.incomplete) {
            (Some((reason, _)), _) => ("cancelled", json!({"type": "cancelled", "reason": reason})),
            (None, Some(reason)) => ("incomplete", json!({"type": "incomplete", "reason": reason})),
            (None, None) => ("completed", Value::Null),
        };
        let audio_tokens = self.audio_ms * 20 / 1_000;
        let (input, output) = (desk.input_tokens, audio_tokens + self.text_tokens);
        let usage = json!({
            "total_tokens": input + output, "input_tokens": input, "output_tokens": output,
            "input_token_details": {"text_tokens": 250, "audio_tokens": input - 250, "image_tokens": 0, "cached_tokens": 128,
                                    "cached_tokens_details": {"text_tokens": 128, "audio_tokens": 0}},
            "output_token_details": {"text_tokens": self.text_tokens, "audio_tokens": audio_tokens}
        });
        out.push(done(desk.events, &self.id, status, details, &self.output, usage));
    }
}

/// `response.done`.
pub(super) fn done(events: &mut Events, id: &str, status: &str, details: Value, output: &[Value], usage: Value) -> Reply {
    let response = json!({"object": "realtime.response", "id": id, "status": status, "status_details": details,
                          "output": output, "usage": usage, "conversation_id": "conv_1", "metadata": null});
    events.event("response.done", json!({"response": response}), Sent::ResponseDone(status.to_owned()))
}

/// In base64, with their lengths in milliseconds. What is shorter than a millisecond is not said.
fn pieces(speech: &Speech, format: Format) -> VecDeque<(String, u64)> {
    let (bytes, bytes_per_ms) = match format {
        Format::Pcm24 => (speech.samples().iter().flat_map(|sample| sample.to_le_bytes()).collect(), 48),
        Format::Pcmu => (codes(speech, G711::Pcmu), 8),
        Format::Pcma => (codes(speech, G711::Pcma), 8),
    };
    let mut rest: &[u8] = &bytes;
    let mut pieces = VecDeque::new();
    for ms in PIECES_MS.iter().cycle() {
        let (piece, later) = rest.split_at(rest.len().min(ms * bytes_per_ms));
        let whole = piece.len() / bytes_per_ms;
        if whole == 0 {
            break;
        }
        pieces.push_back((STANDARD.encode(piece.get(..whole * bytes_per_ms).unwrap_or_default()), whole as u64));
        rest = later;
    }
    pieces
}

fn codes(speech: &Speech, law: G711) -> Vec<u8> {
    let wide: Vec<f32> = speech.samples().iter().copied().map(f32::from).collect();
    let mut narrow = vec![0.0; wide.len() / 3];
    Down24To8::new().process(&wide, &mut narrow);
    let mut codes = vec![0; narrow.len()];
    law.encode(&narrow, &mut codes);
    codes
}
