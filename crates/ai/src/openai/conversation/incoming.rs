//! What each event of the service means for the call.

use super::{Conversation, responses::Active};
use crate::{
    EngineEvent, Usage,
    openai::wire::server::{self, Item, Response, ServerEvent, TokenDetails},
    realtime::instruction,
};
use serde::Deserialize;
use std::time::Instant;

/// What an item is called where the service does not call it anything.
const NAMELESS: &str = "speech";

impl Conversation {
    /// A frame of the session that talks came, text or binary.
    pub fn on_frame(&mut self, frame: &[u8], now: Instant) {
        if self.over || !self.linked {
            return;
        }
        if let Ok(event) = server::parse(frame) {
            self.on_event(event, now);
        } else {
            let salvaged = server::salvage(frame);
            match salvaged.as_ref().map(ServerEvent::deserialize) {
                Some(Ok(event)) => {
                    self.note_once("the service sends fields in a form we do not know; they are passed over");
                    self.on_event(event, now);
                }
                _ => self.note_once("the service sends frames that are no messages; they are passed over"),
            }
        }
        self.settle(now);
    }

    fn on_event(&mut self, event: ServerEvent<'_>, now: Instant) {
        if event.kind.starts_with("response.") {
            self.vigil.sign_of_life(now);
        }
        match event.kind.as_ref() {
            // The hot one first; the second name is that of the former interface, which compatible services speak.
            "response.output_audio.delta" | "response.audio.delta" => self.on_audio(&event, now),
            "response.output_audio_transcript.delta" | "response.audio_transcript.delta" => self.on_words(&event),
            "response.output_audio_transcript.done" | "response.audio_transcript.done" => self.on_all_words(&event),
            "response.output_audio.done" | "response.audio.done" => self.on_all_audio(&event),
            "response.created" => self.responses.begun(&event.response.unwrap_or_default().id),
            "response.output_item.added" => self.on_output_item(&event),
            "response.output_item.done" => self.on_output_item_done(event),
            "response.function_call_arguments.done" => self.on_call(event),
            "response.done" | "response.cancelled" => self.on_response_done(event.response.unwrap_or_default(), now),
            "input_audio_buffer.speech_started" => self.on_speech_started(now),
            "input_audio_buffer.speech_stopped" => self.on_speech_stopped(now),
            "input_audio_buffer.committed" => {
                self.items.caller_spoke(&event.item_id, &event.previous_item_id, now);
                self.on_speech_stopped(now);
            }
            "conversation.item.added" | "conversation.item.created" => self.on_item(&event),
            "conversation.item.input_audio_transcription.delta" => {
                self.items.caller_words(&event.item_id, &event.delta, now);
            }
            "conversation.item.input_audio_transcription.completed" => {
                self.items.caller_words_are_whole(&event.item_id, &event.transcript, now);
            }
            "conversation.item.input_audio_transcription.failed" => {
                self.note_once("the service could not write down what the caller said");
                self.items.caller_words_are_whole(&event.item_id, "", now);
            }
            "rate_limits.updated" => self.setbacks.on_rate_limits(&event.rate_limits),
            "error" => self.on_error(event.error.unwrap_or_default(), now),
            other => tracing::trace!(event = other, "passed over"),
        }
    }

    fn on_audio(&mut self, event: &ServerEvent<'_>, now: Instant) {
        let item = item_of(event).to_owned();
        if self.farewell.is_said() {
            return;
        }
        let Some(active) = self.responses.part_of(&event.response_id) else { return self.on_late_audio(&item) };
        let samples = match self.downlink.decode(&event.delta) {
            Ok(samples) if samples.is_empty() => return,
            Ok(samples) => samples,
            Err(fault) => return self.note_once(&fault.to_string()),
        };
        active.spoke = true;
        if active.item != item {
            active.item.clone_from(&item);
        }
        self.items.agent_speaks(&item, "");
        let Some(speech) = self.items.speech(&item) else { return };
        speech.handed_out += samples.len() as u64;
        speech.captions.audio(speech.handed_out * 1_000 / u64::from(self.hertz));
        let words = speech.captions.next_words();
        self.playback.handed_out(speech.stretch, samples.len());
        self.on_speech(now);
        self.events.push_back(EngineEvent::Audio(samples));
        self.events.extend(words.map(EngineEvent::Said));
    }

    /// The agent can be heard.
    fn on_speech(&mut self, now: Instant) {
        self.has_spoken = true;
        self.asked_again = false;
        self.cue = None;
        self.setbacks.are_over();
        self.greeting.agent_speaks();
        self.farewell.agent_speaks(now);
        self.tools.agent_spoke(now);
        self.vigil.answered();
    }

    /// Of a response that the caller has cut short: there was more of it than was played, even if all that we had was.
    fn on_late_audio(&mut self, item: &str) {
        self.items.agent_speaks(item, "");
        let stretch = self.items.speech(item).filter(|speech| !speech.captions.is_cut()).map(|speech| speech.stretch);
        if let Some(stretch) = stretch {
            self.truncate(stretch);
        }
    }

    fn on_words(&mut self, event: &ServerEvent<'_>) {
        if self.responses.part_of(&event.response_id).is_none() {
            return;
        }
        let item = item_of(event);
        self.items.agent_speaks(item, "");
        if let Some(speech) = self.items.speech(item) {
            speech.captions.words(&event.delta);
            let words = speech.captions.next_words();
            self.events.extend(words.map(EngineEvent::Said));
        }
    }

    fn on_all_words(&mut self, event: &ServerEvent<'_>) {
        if let Some(speech) = self.items.speech(item_of(event)) {
            speech.captions.whole(&event.transcript);
            let words = speech.captions.next_words();
            self.events.extend(words.map(EngineEvent::Said));
        }
    }

    fn on_all_audio(&mut self, event: &ServerEvent<'_>) {
        self.complete_speech(item_of(event));
    }

    fn complete_speech(&mut self, item: &str) {
        self.downlink.reset();
        if let Some(speech) = self.items.speech(item) {
            speech.captions.complete();
            let words = speech.captions.next_words();
            self.events.extend(words.map(EngineEvent::Said));
        }
    }

    /// Where the agent's items stand among the others. The caller's are told of when they are committed.
    fn on_item(&mut self, event: &ServerEvent<'_>) {
        if let Some(item) = &event.item
            && is_speech(item)
        {
            self.items.agent_speaks(&item.id, &event.previous_item_id);
        }
    }

    fn on_output_item(&mut self, event: &ServerEvent<'_>) {
        if let Some(item) = &event.item
            && self.responses.part_of(&event.response_id).is_some()
            && is_speech(item)
        {
            self.items.agent_speaks(&item.id, "");
        }
    }

    fn on_output_item_done(&mut self, event: ServerEvent<'_>) {
        let Some(item) = event.item.filter(|item| item.kind == "function_call") else { return };
        if let Some(active) = self.responses.part_of(&event.response_id) {
            add_call(active, item);
        }
    }

    fn on_call(&mut self, event: ServerEvent<'_>) {
        let call = Item {
            kind: "function_call".into(),
            call_id: event.call_id.into_owned(),
            name: event.name.into_owned(),
            arguments: event.arguments.into_owned(),
            ..Item::default()
        };
        if let Some(active) = self.responses.part_of(&event.response_id) {
            add_call(active, call);
        }
    }

    fn on_speech_started(&mut self, now: Instant) {
        self.responses.caller_begins();
        if self.farewell.is_final() {
            // Goodbyes are not cut short; the caller's "bye" over ours is no objection either.
            return;
        }
        self.vigil.caller_begins(now);
        self.in_speech = true;
        self.farewell.caller_speaks();
        self.greeting.other_side_is_loud(now);
        // The service cancels its response by itself.
        let was_speaking = self.responses.cut().is_some_and(|active| active.spoke);
        self.cue = None;
        self.downlink.reset();
        if was_speaking || !self.playback.is_over() {
            self.events.push_back(EngineEvent::Interrupted);
        }
    }

    /// The service will answer by itself.
    fn on_speech_stopped(&mut self, now: Instant) {
        self.in_speech = false;
        if self.responses.caller_speaks() {
            self.responses.caller_ends(now);
            if !self.farewell.is_final() {
                self.vigil.answer_is_due(now);
            }
        }
    }

    fn on_response_done(&mut self, response: Response, now: Instant) {
        self.count(&response);
        let Some(mut active) = self.responses.done(&response.id) else { return };
        if !active.cut {
            self.complete_speech(&active.item);
        }
        let calls = response.output.into_iter().filter(|item| item.kind == "function_call");
        calls.for_each(|call| add_call(&mut active, call));
        match response.status.as_str() {
            _ if active.cut => self.on_cancelled(active),
            "cancelled" => self.on_cancelled(active),
            "failed" => self.on_failed(response.status_details.unwrap_or_default().error.unwrap_or_default(), now),
            "incomplete" => {
                let reason = response.status_details.unwrap_or_default().reason;
                self.note_once(&format!("the model's answer was cut off by the service ({})", word(&reason)));
                self.on_completed(Active { calls: Vec::new(), ..active }, &reason, now);
            }
            _ => self.on_completed(active, "", now),
        }
    }

    fn on_completed(&mut self, active: Active, reason: &str, now: Instant) {
        let announced = std::mem::take(&mut self.announces);
        let no_calls = active.calls.is_empty();
        let ends = if no_calls {
            self.farewell.is_said_with(true, active.spoke)
        } else {
            self.use_tools(active.calls, active.spoke, now)
        };
        if active.spoke || announced {
            self.events.push_back(EngineEvent::TurnComplete);
        } else if !ends && no_calls && self.vigil.is_due() {
            self.on_empty_response(reason, now);
        }
        if ends {
            self.goodbye();
        }
    }

    fn on_cancelled(&mut self, active: Active) {
        self.decline_tools(active.calls);
        if self.farewell.is_final() {
            // The service has cut our goodbye short; what there is of it is played.
            self.goodbye();
        }
    }

    /// The model was to answer and did not: asked once more, then left to the caller's next words.
    fn on_empty_response(&mut self, reason: &str, now: Instant) {
        let reason = word(reason);
        if std::mem::replace(&mut self.asked_again, true) {
            self.vigil.answered();
            return self.notice(format!("the model's answer was empty again ({reason})"));
        }
        self.notice(format!("the model's answer was empty ({reason}); asked again"));
        match self.cue.clone() {
            Some(cue) => self.ask(&cue, now),
            None if !self.has_spoken && self.started => {
                self.vigil.asked_for_life(now);
                self.instruct(&instruction::greet_again(&self.greeting_words.clone()));
            }
            None => {
                self.ask(instruction::ANSWER, now);
            }
        }
    }

    /// Every response is billed with the whole conversation as its input.
    fn count(&mut self, response: &Response) {
        let Some(usage) = response.usage else { return };
        let TokenDetails { cached_tokens, text_tokens, audio_tokens } = usage.input_token_details.unwrap_or_default();
        let output = usage.output_token_details.unwrap_or_default();
        let (input_tokens, output_tokens) = (usage.input_tokens.0, usage.output_tokens.0);
        self.usage = self.usage.plus(Usage {
            input_tokens,
            output_tokens,
            total_tokens: usage.total_tokens.0.max(input_tokens.saturating_add(output_tokens)),
            audio_input_tokens: audio_tokens.0,
            audio_output_tokens: output.audio_tokens.0,
            text_input_tokens: text_tokens.0,
            text_output_tokens: output.text_tokens.0,
            cached_input_tokens: cached_tokens.0,
        });
        self.events.push_back(EngineEvent::Usage(self.usage));
    }
}

/// A message of the agent's, as far as the item tells.
fn is_speech(item: &Item) -> bool {
    item.kind == "message" && item.role == "assistant" && !item.id.is_empty()
}

fn item_of<'a>(event: &'a ServerEvent<'_>) -> &'a str {
    if event.item_id.is_empty() { NAMELESS } else { &event.item_id }
}

/// Events tell of a call up to three times, some without its name.
fn add_call(active: &mut Active, call: Item) {
    match active.calls.iter_mut().find(|known| known.call_id == call.call_id) {
        Some(known) => {
            if known.name.is_empty() {
                known.name = call.name;
            }
            if known.arguments.is_empty() {
                known.arguments = call.arguments;
            }
            if !call.status.is_empty() {
                known.status = call.status;
            }
        }
        None => active.calls.push(call),
    }
}

/// A word of the service's for the record.
fn word(text: &str) -> String {
    let word: String = text.chars().filter(|c| c.is_ascii_alphanumeric() || " _-.".contains(*c)).take(64).collect();
    if word.is_empty() { "no reason given".to_owned() } else { word }
}
