//! The session's decisions: frames of the service and wishes of the line in, events for the call and messages for the
//! service out. No socket, no clock: the time is an argument, and [`Conversation::deadline`] says when it wants to be woken.
//!
//! | module | decides |
//! |---|---|
//! | [`turn`] | what belongs to the agent's current turn, and what comes too late to be played |
//! | [`greeting`] | when to ask for the first words, and whether again |
//! | [`farewell`] | when the last words have been said |
//! | [`vigil`] | when an answer is overdue |
//! | [`ledger`] | what was used |
//! | `tools` | what comes of the model's calls of tools |

pub mod farewell;
pub mod greeting;
pub mod ledger;
pub mod turn;
pub mod vigil;

mod incoming;
mod tools;

use super::{family::Family, instruction, wire};
use crate::{Brief, EngineCause, EngineError, EngineEvent, Prompt, tools::Bench};
use farewell::Farewell;
use greeting::{Ask, Greeting};
use ledger::Ledger;
use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};
use turn::Turn;
use vigil::{Alarm, Vigil};
use wire::downlink::Downlink;

/// One conversation with the service, from the answer on.
#[derive(Debug)]
pub struct Conversation {
    family: Family,
    greeting_words: String,
    tools: Bench,
    downlink: Downlink,
    turn: Turn,
    greeting: Greeting,
    farewell: Farewell,
    vigil: Vigil,
    ledger: Ledger,
    /// An empty turn was answered with a request to speak, and nothing has been spoken since.
    asked_again: bool,
    /// What was already told once.
    noted: Vec<Note>,
    resumption_handle: Option<String>,
    going_away: bool,
    over: bool,
    events: VecDeque<EngineEvent>,
    messages: VecDeque<String>,
}

/// Notices that are told once a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Note {
    Junk,
    Unreadable,
    AudioFault,
    SlowUplink,
}

impl Conversation {
    pub fn new(brief: &Brief, family: Family) -> Self {
        Self {
            family,
            greeting_words: brief.greeting.clone(),
            tools: Bench::new(brief.tools.clone()),
            downlink: Downlink::default(),
            turn: Turn::default(),
            greeting: Greeting::new(brief.outbound),
            farewell: Farewell::default(),
            vigil: Vigil::default(),
            ledger: Ledger::default(),
            asked_again: false,
            noted: Vec::new(),
            resumption_handle: None,
            going_away: false,
            over: false,
            events: VecDeque::new(),
            messages: VecDeque::new(),
        }
    }

    /// The line is open.
    pub fn start(&mut self, now: Instant) {
        let ask = self.greeting.start(now);
        self.ask_greeting(ask, now);
    }

    /// The caller is audible right now.
    pub fn caller_is_loud(&mut self, now: Instant) {
        self.vigil.caller_is_loud(now);
        self.greeting.other_side_is_loud(now);
    }

    pub fn dtmf(&mut self, digit: char) {
        if let Some(text) = instruction::pressed(digit) {
            self.tell(&text);
        }
    }

    pub fn prompt(&mut self, prompt: Prompt, now: Instant) {
        match prompt {
            Prompt::StillThere => {
                // The line has been silent for long: who gives no sign of life now is not nudged on top of it.
                self.vigil.asked_for_life(now);
                self.tell(instruction::STILL_THERE);
            }
            Prompt::SilenceGoodbye => {
                self.farewell.prompted(now);
                self.ask(instruction::SILENCE_GOODBYE, now);
            }
            Prompt::BriefHuman { target, message } => self.ask(&instruction::brief_human(&target, message.as_deref()), now),
            Prompt::TransferFailed { target, reason } => self.ask(&instruction::transfer_failed(&target, &reason), now),
        }
    }

    /// The socket does not take the caller's audio as fast as it is spoken.
    pub fn uplink_is_slow(&mut self) {
        self.note_once(Note::SlowUplink, "the service takes the caller's audio too slowly: the oldest of it was dropped");
    }

    /// The earliest time at which [`Self::on_deadline`] has something to do.
    pub fn deadline(&self) -> Option<Instant> {
        if self.over {
            return None;
        }
        [self.greeting.deadline(), self.farewell.deadline(), self.vigil.deadline(), self.tools.deadline()]
            .into_iter()
            .flatten()
            .min()
    }

    pub fn on_deadline(&mut self, now: Instant) {
        if self.over {
            return;
        }
        let ask = self.greeting.on_deadline(now);
        self.ask_greeting(ask, now);
        if self.farewell.is_overdue(now) {
            self.goodbye();
        }
        self.watch_tools(now);
        match self.vigil.on_deadline(now) {
            Some(Alarm::Nudge) => {
                self.notice("the service has been silent though an answer was due; asked again");
                self.tell(instruction::NUDGE);
            }
            Some(Alarm::Stalled) => {
                self.fail(EngineError::new(EngineCause::Stalled, "no sign of life though an answer was due and asked for twice"));
            }
            None => {}
        }
    }

    /// The session is over; nothing comes after this.
    pub fn fail(&mut self, error: EngineError) {
        if !std::mem::replace(&mut self.over, true) {
            self.events.push_back(EngineEvent::Failed(error));
        }
    }

    pub fn is_over(&self) -> bool {
        self.over
    }

    /// The service has announced that it will end the session.
    pub fn is_going_away(&self) -> bool {
        self.going_away
    }

    /// With it a new session can take up this one's context.
    pub fn resumption_handle(&self) -> Option<&str> {
        self.resumption_handle.as_deref()
    }

    pub fn next_event(&mut self) -> Option<EngineEvent> {
        self.events.pop_front()
    }

    /// The next message for the service, whole.
    pub fn next_message(&mut self) -> Option<String> {
        self.messages.pop_front()
    }

    fn ask_greeting(&mut self, ask: Option<Ask>, now: Instant) {
        match ask {
            Some(Ask::First { outbound }) => self.ask(&instruction::greet(&self.greeting_words, outbound), now),
            Some(Ask::Again) => {
                self.notice("the model did not greet; asked again");
                self.vigil.asked_for_life(now);
                self.tell(&instruction::greet_again(&self.greeting_words));
            }
            None => {}
        }
    }

    /// Tells the model something that it has to answer.
    fn ask(&mut self, text: &str, now: Instant) {
        self.vigil.answer_is_due(now);
        self.tell(text);
    }

    fn tell(&mut self, text: &str) {
        self.messages.push_back(wire::client::text(self.family, text));
    }

    fn goodbye(&mut self) {
        self.farewell.said();
        self.vigil.answered();
        self.events.push_back(EngineEvent::Goodbye);
    }

    fn notice(&mut self, text: impl Into<String>) {
        self.events.push_back(EngineEvent::Notice(text.into()));
    }

    fn note_once(&mut self, note: Note, text: &str) {
        if !self.noted.contains(&note) {
            self.noted.push(note);
            self.notice(text);
        }
    }
}

/// `since` plus `patience`, where there is a `since`.
fn after(since: Option<Instant>, patience: Duration) -> Option<Instant> {
    since.map(|since| since + patience)
}

#[cfg(test)]
mod tests;
