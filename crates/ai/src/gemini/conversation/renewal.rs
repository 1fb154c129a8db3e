//! What another session has to be told: what the model was to answer, and had not. The greeting is only asked for again while
//! nothing of it has been heard.

use super::{Conversation, Turn};
use crate::{EngineEvent, Utterance, gemini::wire::client, realtime::instruction};
use std::time::Instant;

/// Longest words of the caller that are repeated to the model, bytes.
const WORDS: usize = 2_000;

/// Longest results of tools that are told together, bytes; one alone may be longer.
const TOOL_RESULTS: usize = 8_000;

/// What the model was given to answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Owed {
    Greeting {
        outbound: bool,
    },
    /// A text of the line.
    Text(String),
    /// The caller's words.
    Words(String),
    /// What tools gave, as it is told to a session that has not asked for it.
    ToolResults(String),
}

/// What is known of the caller's speech when another session begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replay {
    /// All of what is unanswered is repeated as audio.
    Whole,
    /// Only the end of it is.
    Part,
    /// Nothing of it is left.
    Nothing,
}

impl Conversation {
    /// Why the present session is to be given up, once.
    pub fn take_renewal(&mut self) -> Option<&'static str> {
        self.wants_renewal.take()
    }

    /// Nobody speaks or is to speak, and nothing is at work, as far as the service and the line have said.
    pub fn is_at_rest(&self) -> bool {
        !self.tools_are_busy()
            && !self.turn.is_open()
            && !self.vigil.is_due()
            && self.owed.is_none()
            && !self.greeting.is_under_way()
            && !self.is_ending()
    }

    /// Goodbyes have begun.
    fn is_ending(&self) -> bool {
        self.farewell.deadline().is_some() || self.farewell.is_said()
    }

    /// The service is not needed any more: the agent has asked to hang up, and what of its goodbye is here will do.
    pub fn ends_without_service(&mut self) -> bool {
        if self.farewell.is_final() && !self.farewell.is_said() {
            self.goodbye();
        }
        self.farewell.is_said()
    }

    /// The last words have been said: the call ends as soon as they have been played.
    pub fn has_said_goodbye(&self) -> bool {
        self.farewell.is_said()
    }

    /// The caller's words that nobody has answered are known as text: their audio need not be repeated.
    pub fn knows_the_words(&self) -> bool {
        self.owed.is_some()
    }

    /// The service has given a handle, which knows of everything so far.
    pub fn is_remembered(&mut self) {
        self.history.is_remembered();
    }

    /// The conversation goes on in another session. `replay`: what it hears of speech that was not understood yet.
    pub fn session_changed(&mut self, reason: &str, resumed: bool, replay: Replay, now: Instant) {
        self.events.push_back(EngineEvent::SessionChanged { reason: reason.to_owned(), resumed });
        // What was meant for the old session is owed, or nothing to the new one.
        self.messages.clear();
        let cut_off = self.turn.is_open() && self.turn.has_spoken();
        if self.turn.close_speech() {
            self.events.push_back(EngineEvent::TurnComplete);
        }
        self.turn = Turn::default();
        self.downlink.reset();
        self.ledger.session_changed();
        self.keep_tools();
        self.greeting.lost();
        let request = match (cut_off, self.history.being_said().is_empty()) {
            (true, _) => Some(self.rest_of_answer()),
            (false, true) => self.owed_request(),
            (false, false) => {
                // All of it is here; only the end of the turn is not.
                self.history.close(false);
                self.owed_request()
            }
        };
        if resumed {
            self.tell_forgotten();
        }
        let spoke = self.vigil.caller_spoke();
        match (request, replay) {
            (Some(request), _) => self.tell(&request),
            (None, _) if !spoke => return self.vigil.answered(),
            (None, Replay::Whole) => {}
            // The audio asks for the answer; a text that asks too would get one of its own.
            (None, Replay::Part) if self.family.takes_context() => self.tell_of_part(),
            (None, Replay::Part) => {}
            (None, Replay::Nothing) => self.tell(instruction::renewal::MISSED),
        }
        self.vigil.answer_is_due(now);
    }

    fn tell_of_part(&mut self) {
        let missed = Utterance { by_agent: false, text: instruction::renewal::MISSED.to_owned() };
        self.messages.push_back(client::context(&[missed]));
    }

    /// What the handle of the session that was taken up does not know of.
    fn tell_forgotten(&mut self) {
        let forgotten = self.history.forgotten();
        if !forgotten.is_empty() && self.family.takes_context() {
            self.messages.push_back(client::context(forgotten));
        }
    }

    fn rest_of_answer(&mut self) -> String {
        let request = instruction::renewal::go_on(self.history.being_said());
        self.history.close(false);
        self.owed = Some(Owed::Text(request.clone()));
        request
    }

    fn owed_request(&mut self) -> Option<String> {
        if matches!(self.owed, Some(Owed::ToolResults(_))) || self.tools_are_busy() {
            // What the tool is for.
            self.history.close(false);
        }
        Some(match self.owed.as_ref()? {
            Owed::Greeting { outbound } => self.greeting_request(*outbound),
            Owed::Text(text) | Owed::ToolResults(text) => text.clone(),
            Owed::Words(words) => instruction::renewal::answer(words),
        })
    }

    /// What the line asks for goes before what the caller said; several texts are told together.
    pub(super) fn owe_text(&mut self, text: &str) {
        match &mut self.owed {
            Some(Owed::Text(owed)) if owed.len() < WORDS => {
                owed.push(' ');
                owed.push_str(text);
            }
            _ => self.owed = Some(Owed::Text(text.to_owned())),
        }
    }

    pub(super) fn owe_words(&mut self, words: &str) {
        match &mut self.owed {
            Some(Owed::Words(owed)) if owed.len() < WORDS => owed.push_str(words),
            Some(Owed::Words(_) | Owed::Greeting { .. } | Owed::Text(_)) => {}
            Some(Owed::ToolResults(_)) | None => self.owed = Some(Owed::Words(words.trim_start().to_owned())),
        }
    }

    pub(super) fn owe_tool_result(&mut self, name: &str, result: &str) {
        let text = instruction::renewal::tool_used(name, result);
        match &mut self.owed {
            Some(Owed::ToolResults(owed)) if owed.len() < TOOL_RESULTS => {
                owed.push(' ');
                owed.push_str(&text);
            }
            _ => self.owed = Some(Owed::ToolResults(text)),
        }
    }
}
