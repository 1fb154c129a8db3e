//! The session's decisions: frames of the service and wishes of the line in, events for the call and messages for the
//! service out. No socket, no clock: the time is an argument, and [`Conversation::deadline`] says when it wants to be woken.
//!
//! | module | decides |
//! |---|---|
//! | [`responses`] | when the service is asked to speak: one response at a time |
//! | [`items`] | what has been said, in the order of speaking |
//! | [`captions`] | which words of the agent were heard |
//! | [`playback`] | how much of its speech was |
//! | [`keys`] | which keys are told together |
//! | [`vigil`] | when an answer is overdue, and what is done then |
//! | [`renewal`] | when another session is opened, and when the conversation moves there |
//! | [`cue`] | what the model is told when it does |
//! | `incoming` | what each event of the service means |
//! | `tools` | what comes of the calls of a response |
//! | `faults` | what failures and refusals lead to |
//! | [`link`] | what changes with the session |

pub mod captions;
pub mod cue;
pub mod items;
pub mod keys;
pub mod playback;
pub mod renewal;
pub mod responses;
pub mod vigil;

pub(super) mod link;

mod faults;
mod incoming;
mod tools;

use super::{
    dialect::Dialect,
    refusal::Refusals,
    wire::{
        client::{Item, Writer},
        downlink::Downlink,
    },
};
use crate::{
    Brief, EngineCause, EngineError, EngineEvent, Prompt, Usage,
    realtime::{
        farewell::Farewell,
        greeting::{Ask, Greeting},
        instruction,
    },
    tools::Bench,
};
use faults::Setbacks;
use items::Items;
use keys::Keys;
use playback::Playback;
use renewal::Renewal;
use responses::{Responses, Wish};
use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};
use vigil::{Alarm, Vigil};

/// What a conversation is begun with.
#[derive(Debug)]
pub struct Terms<'a> {
    pub dialect: &'a Dialect,
    pub brief: &'a Brief,
    /// Of the session.
    pub instructions: String,
    pub refusals: Arc<Refusals>,
    pub reconnect_budget: Duration,
    /// How long the first session may live.
    pub life: Option<Duration>,
}

/// One conversation with the service, in as many sessions as it takes.
#[derive(Debug)]
pub struct Conversation {
    instructions: String,
    takes_items: bool,
    takes_instructions: bool,
    truncates: bool,
    hertz: u32,
    outbound: bool,
    greeting_words: String,
    /// Another engine has talked before us.
    takes_over: bool,
    tools: Bench,
    refusals: Arc<Refusals>,
    writer: Writer,
    downlink: Downlink,
    items: Items,
    responses: Responses,
    playback: Playback,
    keys: Keys,
    greeting: Greeting,
    farewell: Farewell,
    vigil: Vigil,
    renewal: Renewal,
    setbacks: Setbacks,
    usage: Usage,
    started: bool,
    /// The agent has been heard in this call.
    has_spoken: bool,
    /// There is a session to talk to.
    linked: bool,
    /// The session has to be left.
    leaves: bool,
    /// What the model was asked last and has not answered, should it have to be asked again.
    cue: Option<String>,
    /// The session broke in the middle of the agent's words.
    was_cut_short: bool,
    /// The service has heard the caller begin to speak, and not cease.
    in_speech: bool,
    /// An empty response was answered with a request to speak, and nothing has been spoken since.
    asked_again: bool,
    /// A transfer waits for the end of the agent's words, and there may be none.
    announces: bool,
    /// What was already told once.
    noted: Vec<String>,
    over: bool,
    events: VecDeque<EngineEvent>,
    messages: VecDeque<String>,
}

impl Conversation {
    pub fn new(terms: Terms<'_>, now: Instant) -> Self {
        let Terms { dialect, brief, instructions, refusals, reconnect_budget, life } = terms;
        let mut conversation = Self {
            instructions,
            takes_items: dialect.takes_items,
            takes_instructions: dialect.takes_instructions,
            truncates: dialect.truncates,
            hertz: dialect.output.hertz(),
            outbound: brief.outbound,
            greeting_words: brief.greeting.clone(),
            takes_over: !brief.history.is_empty(),
            tools: Bench::new(brief.tools.clone()),
            refusals,
            writer: Writer::new(dialect),
            downlink: Downlink::new(dialect.output),
            items: Items::after(&brief.history),
            responses: Responses::default(),
            playback: Playback::new(dialect.output.hertz()),
            keys: Keys::default(),
            greeting: Greeting::new(brief.outbound),
            farewell: Farewell::default(),
            vigil: Vigil::default(),
            renewal: Renewal::new(reconnect_budget, life, now),
            setbacks: Setbacks::default(),
            usage: Usage::default(),
            started: false,
            has_spoken: false,
            linked: true,
            leaves: false,
            cue: None,
            was_cut_short: false,
            in_speech: false,
            asked_again: false,
            announces: false,
            noted: Vec::new(),
            over: false,
            events: VecDeque::new(),
            messages: VecDeque::new(),
        };
        conversation.tell_so_far();
        conversation
    }

    /// The line is open.
    pub fn start(&mut self, now: Instant) {
        self.started = true;
        if self.linked {
            self.begin_greeting(now);
        }
        self.settle(now);
    }

    /// The caller is audible, for so long.
    pub fn caller_is_loud(&mut self, length: Duration, now: Instant) {
        self.vigil.caller_is_loud(length, now);
        self.greeting.other_side_is_loud(now);
    }

    pub fn dtmf(&mut self, digit: char, now: Instant) {
        self.keys.press(digit, now);
        self.settle(now);
    }

    pub fn prompt(&mut self, prompt: Prompt, now: Instant) {
        match prompt {
            Prompt::StillThere => self.ask(instruction::STILL_THERE, now),
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
            Prompt::Hint { text } => self.inform(&instruction::hint(&text)),
        }
        self.settle(now);
    }

    /// The caller has spoken and hears nothing. Between two sessions something is being done about it already.
    pub fn line_is_silent(&mut self, wanted: Alarm, now: Instant) {
        if self.linked && !self.over && !self.farewell.is_said() {
            let alarm = self.vigil.line_is_silent(wanted, now);
            self.take_alarm(alarm, now);
            self.settle(now);
        }
    }

    /// The socket does not take the caller's audio as fast as it is spoken.
    pub fn uplink_is_slow(&mut self) {
        self.note_once("the service takes the caller's audio too slowly: the oldest of it was dropped");
    }

    /// All that was handed out has been played, or flushed.
    pub fn playout_drained(&mut self) {
        for heard in self.playback.drained() {
            if let Some((speech, _)) = self.items.stretch(heard.stretch) {
                speech.played += heard.samples;
            }
        }
    }

    /// The caller speaks over the agent, and of what was handed out so much was heard.
    pub fn cut_off(&mut self, played: Duration, now: Instant) {
        if self.responses.cut().is_some() {
            // The line has noticed, the service has not.
            let cancel = self.writer.cancel();
            self.send(cancel);
            self.vigil.answered();
        }
        for heard in self.playback.cut_off(played) {
            let Some((speech, _)) = self.items.stretch(heard.stretch) else { continue };
            speech.played += heard.samples;
            if heard.cut {
                self.truncate(heard.stretch);
            }
        }
        self.settle(now);
    }

    /// The earliest time at which [`Self::on_deadline`] has something to do.
    pub fn deadline(&self) -> Option<Instant> {
        if self.over {
            return None;
        }
        let talking = [self.greeting.deadline(), self.vigil.deadline(), self.responses.deadline(), self.keys.deadline()];
        let talking = talking.into_iter().flatten().filter(|_| self.linked);
        let always = [self.farewell.deadline(), self.renewal.deadline(), self.items.deadline(), self.tools.deadline()];
        talking.chain(always.into_iter().flatten()).min()
    }

    pub fn on_deadline(&mut self, now: Instant) {
        if self.over {
            return;
        }
        if self.farewell.is_overdue(now) {
            self.goodbye();
        }
        self.watch_tools(now);
        if self.linked {
            let ask = self.greeting.on_deadline(now);
            self.ask_greeting(ask, now);
            let alarm = self.vigil.on_deadline(now);
            self.take_alarm(alarm, now);
        }
        self.settle(now);
    }

    /// The conversation is over; nothing comes after this.
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

    /// What has become possible by whatever happened.
    fn settle(&mut self, now: Instant) {
        while let Some(words) = self.items.next_words(now) {
            self.events.push_back(EngineEvent::Heard(words));
        }
        if !self.linked || self.over {
            return;
        }
        if let Some(pressed) = self.keys.due(now) {
            self.items.told(Item::Cue(pressed.clone()));
            self.ask(&pressed, now);
        }
        if let Some(wish) = self.responses.due(now) {
            let message = match wish {
                Wish::Answer => self.writer.respond(None),
                Wish::Instructed(instructions) => self.writer.respond(Some(&instructions)),
            };
            self.send(message);
        }
    }

    fn begin_greeting(&mut self, now: Instant) {
        if self.takes_over {
            // The caller has been here for long: nobody says hello now.
            self.greeting = Greeting::new(false);
        }
        let ask = self.greeting.start(now);
        self.ask_greeting(ask, now);
    }

    fn ask_greeting(&mut self, ask: Option<Ask>, now: Instant) {
        match ask {
            Some(Ask::First { outbound }) => {
                let text = match self.takes_over {
                    true => instruction::renewal::take_over(&self.greeting_words),
                    false => instruction::greet(&self.greeting_words, outbound),
                };
                self.vigil.answer_is_due(now);
                self.instruct(&text);
            }
            Some(Ask::Again) if self.responses.active().is_none() => {
                self.notice("the model did not greet; asked again");
                self.vigil.asked_for_life(now);
                self.instruct(&instruction::greet_again(&self.greeting_words));
            }
            // It is at it.
            Some(Ask::Again) | None => {}
        }
    }

    fn take_alarm(&mut self, alarm: Option<Alarm>, now: Instant) {
        match alarm {
            Some(Alarm::Nudge) => self.nudge(now),
            Some(Alarm::AnotherSession) => {
                self.leave(EngineError::new(EngineCause::Stalled, "no answer though one was due and asked for twice"), now);
            }
            Some(Alarm::GiveUp) => {
                let detail = "no answer though one was due, not even in another session";
                self.fail(EngineError::new(EngineCause::Stalled, detail));
            }
            None => {}
        }
    }

    /// Nothing has come for long, though an answer is due.
    fn nudge(&mut self, now: Instant) {
        self.notice("the service has been silent though an answer was due; asked again");
        if self.responses.cut().is_some() {
            let cancel = self.writer.cancel();
            self.send(cancel);
        }
        self.responses.session_changed();
        let asked = self.cue.clone();
        self.tell(asked.as_deref().unwrap_or(instruction::NUDGE));
        self.cue = asked;
        self.vigil.asked_for_life(now);
    }

    /// Tells the model something that it has to answer.
    fn ask(&mut self, text: &str, now: Instant) {
        self.vigil.answer_is_due(now);
        self.tell(text);
    }

    fn tell(&mut self, text: &str) {
        self.cue = Some(text.to_owned());
        if self.takes_items {
            let message = self.writer.item(&Item::Cue(text.to_owned()));
            self.send(message);
            self.responses.wish(Wish::Answer);
        } else {
            self.instruct(text);
        }
    }

    /// Tells the model something that it is not to answer.
    fn inform(&mut self, text: &str) {
        let message = match self.takes_items {
            true => self.writer.item(&Item::Cue(text.to_owned())),
            false => {
                self.instructions = format!("{}\n\n{text}", self.instructions);
                self.writer.instruct(&self.instructions)
            }
        };
        self.send(message);
    }

    /// Tells it for one response only. The session's own instructions stay in front: they are replaced for that response, and a
    /// beginning that stays the same is not paid for again.
    fn instruct(&mut self, text: &str) {
        if self.takes_instructions {
            self.responses.wish(Wish::Instructed(format!("{}\n\n{text}", self.instructions)));
        } else {
            let message = self.writer.item(&Item::Cue(text.to_owned()));
            self.send(message);
            self.responses.wish(Wish::Answer);
        }
    }

    /// Of that stretch no more was heard than has been played.
    fn truncate(&mut self, stretch: items::Stretch) {
        let hertz = u64::from(self.hertz);
        let Some((speech, id)) = self.items.stretch(stretch) else { return };
        let heard_ms = speech.played * 1_000 / hertz;
        speech.captions.cut(heard_ms);
        if self.truncates && !id.is_empty() {
            let message = self.writer.truncate(id, heard_ms);
            self.send(message);
        }
    }

    /// Where there is a session. What matters beyond it is in [`Self::items`], from where the next one is told.
    fn send(&mut self, message: String) {
        if self.linked {
            self.messages.push_back(message);
        }
    }

    fn goodbye(&mut self) {
        if !self.farewell.is_said() {
            self.farewell.said();
            self.vigil.answered();
            self.responses = Responses::default();
            self.events.push_back(EngineEvent::Goodbye);
        }
    }

    fn notice(&mut self, text: impl Into<String>) {
        self.events.push_back(EngineEvent::Notice(text.into()));
    }

    fn note_once(&mut self, text: &str) {
        if self.noted.len() < 32 && !self.noted.iter().any(|noted| noted == text) {
            self.noted.push(text.to_owned());
            self.notice(text);
        }
    }
}

#[cfg(test)]
mod tests;
