//! What the service sends, turned into events. Within one message: interruption first, so that late speech beside it is
//! dropped; then speech before its words; tools before the end of the turn; the end of the turn last.

use super::{Conversation, Note, turn::Ending};
use crate::{
    EngineEvent,
    gemini::{
        instruction,
        wire::server::{self, ServerContent, ServerMessage, Transcription},
    },
};
use serde::Deserialize;
use std::time::Instant;

impl Conversation {
    /// A frame came, text or binary.
    pub fn on_frame(&mut self, frame: &[u8], now: Instant) {
        if self.over {
            return;
        }
        if let Ok(message) = server::parse(frame) {
            return self.on_message(message, now);
        }
        let salvaged = server::salvage(frame);
        match salvaged.as_ref().map(ServerMessage::deserialize) {
            Some(Ok(message)) => {
                self.note_once(Note::Unreadable, "the service sends fields in a form we do not know; they are passed over");
                self.on_message(message, now);
            }
            _ => self.note_once(Note::Junk, "the service sends frames that are no messages; they are passed over"),
        }
    }

    fn on_message(&mut self, message: ServerMessage<'_>, now: Instant) {
        if message.server_content.is_some() || message.tool_call.is_some() {
            self.vigil.on_frame(now);
        }
        if let Some(update) = message.session_resumption_update
            && update.resumable
            && !update.new_handle.is_empty()
        {
            self.resumption_handle = Some(update.new_handle);
        }
        if let Some(metadata) = &message.usage_metadata {
            if message.server_content.as_ref().is_some_and(has_speech) {
                self.ledger.on_content();
            }
            let usage = self.ledger.count(metadata);
            self.events.push_back(EngineEvent::Usage(usage));
        }
        let cancelled = message.tool_call_cancellation.unwrap_or_default();
        let calls = message.tool_call.unwrap_or_default().function_calls;
        self.on_content(message.server_content.unwrap_or_default(), now, |conversation| {
            conversation.use_tools(calls, &cancelled, now);
        });
        if let Some(go_away) = message.go_away {
            self.going_away = true;
            let left: String = go_away.time_left.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '.').take(16).collect();
            self.notice(format!("the service will end this session in {left}"));
        }
    }

    fn on_content(&mut self, content: ServerContent<'_>, now: Instant, use_tools: impl FnOnce(&mut Self)) {
        if content.interrupted {
            self.on_interrupted(now);
        }
        for part in content.model_turn.map(|turn| turn.parts).unwrap_or_default() {
            if let Some(audio) = part.inline_data {
                self.on_audio(&audio.mime_type, &audio.data, now);
            }
        }
        if let Some(words) = content.output_transcription
            && !words.text.is_empty()
            && !self.turn.is_late(now)
        {
            self.events.push_back(EngineEvent::Said(words.text.into_owned()));
        }
        if let Some(words) = content.input_transcription {
            self.on_caller_words(words, now);
        }
        use_tools(self);
        if content.generation_complete {
            self.on_speech_complete(false);
        }
        if content.turn_complete {
            self.on_turn_complete(&content.turn_complete_reason, &content.interaction_status, now);
        }
    }

    fn on_interrupted(&mut self, now: Instant) {
        self.farewell.caller_speaks();
        if self.farewell.is_final() {
            // Goodbyes are not cut short; the caller's "bye" over ours is no objection either.
            return self.on_speech_complete(true);
        }
        self.turn.cut(now);
        self.downlink.reset();
        self.vigil.answered();
        self.events.push_back(EngineEvent::Interrupted);
    }

    fn on_audio(&mut self, mime_type: &str, data: &str, now: Instant) {
        if self.turn.is_late(now) || self.farewell.is_said() {
            return;
        }
        match self.downlink.decode(mime_type, data) {
            Ok(samples) if samples.is_empty() => {}
            Ok(samples) => {
                self.ledger.on_content();
                self.turn.spoke();
                self.greeting.agent_speaks();
                self.farewell.agent_speaks(now);
                self.tools.agent_spoke(now);
                self.vigil.answered();
                self.asked_again = false;
                self.events.push_back(EngineEvent::Audio(samples));
            }
            Err(fault) => self.note_once(Note::AudioFault, &fault.to_string()),
        }
    }

    fn on_caller_words(&mut self, words: Transcription<'_>, now: Instant) {
        let text = words.text.replace("<noise>", "");
        if text.is_empty() {
            return;
        }
        if !text.trim().is_empty() {
            self.farewell.caller_speaks();
            if !self.turn.has_spoken() && !self.farewell.is_final() {
                self.vigil.answer_is_due(now);
            }
        }
        self.events.push_back(EngineEvent::Heard(text));
    }

    /// All speech of the turn is here; it may be seconds until it has been spoken and the turn is over.
    fn on_speech_complete(&mut self, turn_is_over: bool) {
        if self.turn.close_speech() {
            self.events.push_back(EngineEvent::TurnComplete);
        }
        if self.farewell.is_said_with(turn_is_over, self.turn.has_spoken()) {
            self.goodbye();
        }
    }

    fn on_turn_complete(&mut self, reason: &str, interaction_status: &str, now: Instant) {
        let more_comes = !matches!(interaction_status, "" | "IDLE" | "INTERACTION_STATUS_UNSPECIFIED");
        self.on_speech_complete(!more_comes);
        self.ledger.on_turn_complete();
        self.downlink.reset();
        let ending = self.turn.complete();
        if !matches!(reason, "" | "TURN_COMPLETE_REASON_UNSPECIFIED") {
            tracing::debug!(reason, ?ending, "turn complete");
        }
        let rejected = reason == "RESPONSE_REJECTED";
        let unanswered = ending == Ending::Empty && self.vigil.is_due() && reason != "NEED_MORE_INPUT";
        if !more_comes && !self.farewell.is_final() && (rejected || unanswered) {
            self.on_empty_turn(reason, now);
        }
    }

    /// The model was to answer and did not: asked once more, then left to the caller's next words.
    fn on_empty_turn(&mut self, reason: &str, now: Instant) {
        let reason = if reason.is_empty() { "no reason given" } else { reason };
        let reason: String = reason.chars().filter(|c| c.is_ascii_alphanumeric() || " _".contains(*c)).take(64).collect();
        if std::mem::replace(&mut self.asked_again, true) {
            self.vigil.answered();
            return self.notice(format!("the model's turn was empty again ({reason})"));
        }
        if let Some(ask) = self.greeting.came_to_nothing() {
            return self.ask_greeting(Some(ask), now);
        }
        self.notice(format!("the model's turn was empty ({reason}); asked again"));
        self.ask(instruction::ANSWER, now);
    }
}

fn has_speech(content: &ServerContent<'_>) -> bool {
    content.model_turn.as_ref().is_some_and(|turn| turn.parts.iter().any(|part| part.inline_data.is_some()))
}
