//! What the service sends, turned into events. Within one message: interruption first, so that late speech beside it is
//! dropped; then speech before its words; tools before the end of the turn; the end of the turn last.

use super::{Conversation, turn::Ending};
use crate::{
    EngineEvent,
    gemini::wire::server::{self, GoAway, ServerContent, ServerMessage, Transcription},
};
use serde::Deserialize;
use std::time::{Duration, Instant};

/// Peak below which audio is taken for silence: −44 dBFS. Whole answers of it have been seen.
const AUDIBLE: u16 = 200;

/// What a frame says about the session itself.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct News {
    /// With it a new session can take up this one's context.
    pub handle: Option<String>,
    /// The service will end the session after this.
    pub time_left: Option<Duration>,
    /// The model's context has grown: handles from before do not know of it.
    pub has_content: bool,
    /// The model answers the caller, with words or a tool.
    pub is_answer: bool,
    /// A turn is over that could be heard.
    pub is_sound: bool,
}

impl Conversation {
    /// A frame came, text or binary.
    pub fn on_frame(&mut self, frame: &[u8], now: Instant) -> News {
        if self.over {
            return News::default();
        }
        if let Ok(message) = server::parse(frame) {
            return self.on_message(message, now);
        }
        let salvaged = server::salvage(frame);
        match salvaged.as_ref().map(ServerMessage::deserialize) {
            Some(Ok(message)) => {
                let notice = self.oddities.unreadable();
                self.events.extend(notice);
                self.on_message(message, now)
            }
            _ => {
                let notice = self.oddities.junk();
                self.events.extend(notice);
                News::default()
            }
        }
    }

    fn on_message(&mut self, message: ServerMessage<'_>, now: Instant) -> News {
        if message.is_unknown() {
            self.oddities.unknown();
        }
        let speaks = message.server_content.as_ref().is_some_and(|content| content.model_turn.is_some());
        let interrupts = message.server_content.as_ref().is_some_and(|content| content.interrupted);
        let is_answer = speaks || message.tool_call.is_some();
        let mut news = News { has_content: is_answer || interrupts, is_answer, ..News::default() };
        if let Some(metadata) = &message.usage_metadata {
            if message.server_content.as_ref().is_some_and(has_speech) {
                self.ledger.on_content();
            }
            let usage = self.ledger.count(metadata);
            self.events.push_back(EngineEvent::Usage(usage));
        }
        news.handle = message.session_resumption_update.and_then(server::SessionResumptionUpdate::handle);
        news.time_left = message.go_away.as_ref().map(GoAway::remaining);
        if message.tool_call.is_some() {
            self.vigil.on_frame(now);
        }
        let cancelled = message.tool_call_cancellation.unwrap_or_default();
        let calls = message.tool_call.unwrap_or_default().function_calls;
        let ending = self.on_content(message.server_content, now, |conversation| conversation.use_tools(calls, &cancelled, now));
        news.is_sound = ending == Some(Ending::Spoken);
        if let Some(left) = news.time_left {
            self.notice(format!("the service will end this session in {} s", left.as_secs()));
        }
        news
    }

    /// How the turn ended, if it did.
    fn on_content(
        &mut self,
        content: Option<ServerContent<'_>>,
        now: Instant,
        use_tools: impl FnOnce(&mut Self),
    ) -> Option<Ending> {
        let Some(content) = content else {
            use_tools(self);
            return None;
        };
        if content.interrupted {
            self.on_interrupted(now);
        }
        let (mut pieces, mut audible) = (0, 0);
        for part in content.model_turn.map(|turn| turn.parts).unwrap_or_default() {
            if let Some(audio) = part.inline_data {
                pieces += 1;
                audible += usize::from(self.on_audio(&audio.mime_type, &audio.data, now));
            }
        }
        // Silence is no sign of life.
        if pieces == 0 || audible > 0 {
            self.vigil.on_frame(now);
        }
        if let Some(words) = content.output_transcription
            && !words.text.is_empty()
            && !self.turn.is_late(now)
        {
            self.history.said(&words.text);
            self.events.push_back(EngineEvent::Said(words.text.into_owned()));
        }
        if let Some(words) = content.input_transcription {
            self.on_caller_words(words, now);
        }
        use_tools(self);
        if content.generation_complete {
            self.on_speech_complete(false);
        }
        let complete = content.turn_complete;
        complete.then(|| self.on_turn_complete(&content.turn_complete_reason, &content.interaction_status, now))
    }

    fn on_interrupted(&mut self, now: Instant) {
        self.farewell.caller_speaks();
        if self.farewell.is_final() {
            // Goodbyes are not cut short; the caller's "bye" over ours is no objection either.
            return self.on_speech_complete(true);
        }
        self.turn.cut(now);
        self.downlink.reset();
        self.history.close(true);
        self.answered();
        self.events.push_back(EngineEvent::Interrupted);
    }

    /// True when something can be heard. Silence is not played as long as nothing has been heard of the turn.
    fn on_audio(&mut self, mime_type: &str, data: &str, now: Instant) -> bool {
        if self.turn.is_late(now) || self.farewell.is_said() {
            return false;
        }
        let samples = match self.downlink.decode(mime_type, data) {
            Ok(samples) => samples,
            Err(fault) => {
                let notice = self.oddities.audio_fault(&fault);
                self.events.extend(notice);
                return false;
            }
        };
        let audible = samples.iter().any(|sample| sample.unsigned_abs() >= AUDIBLE);
        if audible {
            self.is_heard();
            self.greeting.agent_speaks();
            self.tools.agent_spoke(now);
            self.vigil.answered();
        }
        if samples.is_empty() || (!audible && !self.turn.has_spoken()) {
            return audible;
        }
        self.ledger.on_content();
        self.turn.spoke();
        self.farewell.agent_speaks(now);
        self.events.push_back(EngineEvent::Audio(samples));
        audible
    }

    fn on_caller_words(&mut self, words: Transcription<'_>, now: Instant) {
        let text = words.text.replace("<noise>", "");
        if text.is_empty() {
            return;
        }
        self.history.heard(&text);
        if !text.trim().is_empty() {
            self.farewell.caller_speaks();
            if !self.turn.has_spoken() && !self.farewell.is_final() {
                self.vigil.words_were_heard(now);
                self.owe_words(&text);
            }
        }
        self.events.push_back(EngineEvent::Heard(text));
    }

    /// All speech of the turn is here; it may be seconds until it has been spoken and the turn is over.
    fn on_speech_complete(&mut self, turn_is_over: bool) {
        if self.turn.close_speech() {
            self.owed = None;
            self.events.push_back(EngineEvent::TurnComplete);
        }
        if self.farewell.is_said_with(turn_is_over, self.turn.has_spoken()) {
            self.goodbye();
        }
    }

    fn on_turn_complete(&mut self, reason: &str, interaction_status: &str, now: Instant) -> Ending {
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
        } else if ending != Ending::Empty {
            self.history.close(false);
        }
        ending
    }

    /// The model was to answer and did not.
    fn on_empty_turn(&mut self, reason: &str, now: Instant) {
        let reason: String = reason.chars().filter(|c| c.is_ascii_alphanumeric() || " _".contains(*c)).take(64).collect();
        tracing::debug!(reason, "a turn without anything to hear in it");
        if let Some(ask) = self.greeting.came_to_nothing() {
            return self.ask_greeting(Some(ask), now);
        }
        self.vigil.answer_is_due(now);
        self.climb(if reason.is_empty() { EMPTY } else { REJECTED }, now);
    }
}

const EMPTY: &str = "the model's turn was empty";
const REJECTED: &str = "the model's turn was rejected or cut short by the service";

fn has_speech(content: &ServerContent<'_>) -> bool {
    content.model_turn.as_ref().is_some_and(|turn| turn.parts.iter().any(|part| part.inline_data.is_some()))
}
