//! The conversation's decisions: frames of the service and wishes of the line in, events for the call and messages for the
//! service out. No socket, no clock: the time is an argument, and [`Conversation::deadline`] says when it wants to be woken.
//! Which session of the service carries it is another matter ([`super::continuity`]); it outlives them.
//!
//! | module | decides |
//! |---|---|
//! | [`turn`] | what belongs to the agent's current turn, and what comes too late to be played |
//! | [`vigil`] | when an answer is overdue |
//! | [`ladder`] | what is done about it |
//! | [`renewal`] | what another session has to be told |
//! | [`history`] | what was said so far |
//! | [`ledger`] | what was used |
//! | `tools` | what comes of the model's calls of tools |
//! | [`oddities`] | what came that nobody can read |
//!
//! **How long a caller hears nothing** when an answer is due and the service stays silent, sends empty turns or inaudible audio,
//! after the caller has fallen silent: 4 s until it is asked again (8 s for models that think; 8 s more on a line that is never
//! quiet), as long again until the next session is opened and asked, as long again until the engine has [`Failed`] and another
//! takes over: 12 s, and what the connecting takes. A greeting is asked for again after 3 s. A session that breaks is replaced at
//! once ([`super::continuity`]).
//!
//! [`Failed`]: EngineEvent::Failed

pub mod history;
pub mod ladder;
pub mod ledger;
pub mod oddities;
pub mod renewal;
pub mod turn;
pub mod vigil;

mod incoming;
mod tools;

pub use incoming::News;

use super::{family::Family, wire};
use crate::{
    Brief, EngineError, EngineEvent, Prompt, Utterance,
    realtime::{
        farewell::Farewell,
        greeting::{Ask, Greeting},
        instruction,
    },
    tools::Bench,
};
use history::History;
use ladder::Rung;
use ledger::Ledger;
use oddities::Oddities;
use renewal::Owed;
use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};
use turn::Turn;
use vigil::Vigil;
use wire::downlink::Downlink;

/// One conversation with the service, from the answer on.
#[derive(Debug)]
pub struct Conversation {
    family: Family,
    greeting_words: String,
    /// Another engine held this call before: its caller is not greeted again.
    takes_over: bool,
    tools: Bench,
    /// Tools at work that a session has asked for which is gone.
    former_tools: Vec<Bench>,
    downlink: Downlink,
    turn: Turn,
    greeting: Greeting,
    farewell: Farewell,
    vigil: Vigil,
    rung: Rung,
    ledger: Ledger,
    history: History,
    /// What the model has been given to answer and has not answered.
    owed: Option<Owed>,
    oddities: Oddities,
    /// The present session is at its end: another one is to be opened, and why.
    wants_renewal: Option<&'static str>,
    over: bool,
    events: VecDeque<EngineEvent>,
    messages: VecDeque<String>,
}

impl Conversation {
    pub fn new(brief: &Brief, family: Family) -> Self {
        let takes_over = !brief.history.is_empty();
        Self {
            family,
            greeting_words: brief.greeting.clone(),
            takes_over,
            tools: Bench::new(brief.tools.clone()),
            former_tools: Vec::new(),
            downlink: Downlink::default(),
            turn: Turn::default(),
            greeting: Greeting::new(brief.outbound && !takes_over),
            farewell: Farewell::default(),
            vigil: Vigil::new(family.is_slow()),
            rung: Rung::default(),
            ledger: Ledger::default(),
            history: History::after(&brief.history),
            owed: None,
            oddities: Oddities::default(),
            wants_renewal: None,
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

    /// The caller is audible for `length`; `over_agent` while the agent's words are played, and may be an echo of them.
    pub fn caller_is_loud(&mut self, length: Duration, over_agent: bool, now: Instant) {
        if !over_agent {
            self.vigil.caller_is_loud(length, now);
        }
        self.greeting.other_side_is_loud(now);
    }

    /// `connected`: there is a session to tell it.
    pub fn dtmf(&mut self, digit: char, connected: bool) {
        let Some(text) = instruction::pressed(digit) else { return };
        self.history.heard(&format!(" {text}"));
        match connected {
            true => self.tell(&text),
            false => self.owe_text(&text),
        }
    }

    pub fn prompt(&mut self, prompt: Prompt, now: Instant) {
        match prompt {
            Prompt::StillThere => {
                // The line has been silent for long: who gives no sign of life now is not nudged on top of it.
                self.rung = self.rung.max(Rung::Nudged);
                self.ask(instruction::STILL_THERE, now);
            }
            Prompt::SilenceGoodbye => {
                self.farewell.prompted(now);
                self.ask(instruction::SILENCE_GOODBYE, now);
            }
            Prompt::LeaveMessage { message } => {
                self.farewell.prompted(now);
                self.ask(&instruction::leave_message(&message), now);
            }
            Prompt::BriefHuman { target, message } => self.ask(&instruction::brief_human(&target, message.as_deref()), now),
            Prompt::TransferFailed { target, reason } => self.ask(&instruction::transfer_failed(&target, &reason), now),
            Prompt::Hint { text } => self.tell(&instruction::hint(&text)),
        }
    }

    /// The socket does not take the caller's audio as fast as it is spoken.
    pub fn uplink_is_slow(&mut self) {
        let notice = self.oddities.slow_uplink();
        self.events.extend(notice);
    }

    /// The earliest time at which [`Self::on_deadline`] has something to do, while there is a session to ask. `connected`: there
    /// is; without one only the end of the conversation is waited for.
    pub fn deadline(&self, connected: bool) -> Option<Instant> {
        if self.over {
            return None;
        }
        let asking = [self.greeting.deadline(), self.vigil.deadline()].into_iter().flatten().filter(|_| connected);
        asking.chain(self.farewell.deadline()).chain(self.tools_deadline()).min()
    }

    pub fn on_deadline(&mut self, connected: bool, now: Instant) {
        if self.over {
            return;
        }
        if self.farewell.is_overdue(now) {
            self.goodbye();
        }
        self.watch_tools(connected, now);
        if !connected {
            return;
        }
        let ask = self.greeting.on_deadline(now);
        self.ask_greeting(ask, now);
        if self.vigil.is_overdue(now) {
            self.climb("the service has been silent though an answer was due", now);
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

    pub fn next_event(&mut self) -> Option<EngineEvent> {
        self.events.pop_front()
    }

    /// The next message for the service, whole.
    pub fn next_message(&mut self) -> Option<String> {
        self.messages.pop_front()
    }

    /// What was said so far, oldest first.
    pub fn said_so_far(&self) -> Vec<Utterance> {
        self.history.utterances()
    }

    fn ask_greeting(&mut self, ask: Option<Ask>, now: Instant) {
        match ask {
            Some(Ask::First { outbound }) => {
                let text = self.greeting_request(outbound);
                self.owed = Some(Owed::Greeting { outbound });
                self.vigil.answer_is_due(now);
                self.tell(&text);
            }
            Some(Ask::Again) => self.climb("the model did not greet", now),
            None => {}
        }
    }

    fn greeting_request(&self, outbound: bool) -> String {
        match self.takes_over {
            true => instruction::renewal::take_over(&self.greeting_words),
            false => instruction::greet(&self.greeting_words, outbound),
        }
    }

    /// Tells the model something that it has to answer.
    fn ask(&mut self, text: &str, now: Instant) {
        self.vigil.answer_is_due(now);
        self.owe_text(text);
        self.tell(text);
    }

    fn tell(&mut self, text: &str) {
        self.messages.push_back(wire::client::text(self.family, text));
    }

    fn goodbye(&mut self) {
        self.farewell.said();
        self.answered();
        self.events.push_back(EngineEvent::Goodbye);
    }

    /// Nothing is waited for any more.
    fn answered(&mut self) {
        self.vigil.answered();
        self.owed = None;
    }

    fn notice(&mut self, text: impl Into<String>) {
        self.events.push_back(EngineEvent::Notice(text.into()));
    }
}

#[cfg(test)]
pub(super) mod tests;
