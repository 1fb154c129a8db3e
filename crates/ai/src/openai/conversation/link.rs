//! What changes with the session: what the next one is told, and what it is asked for.

use super::{
    Conversation, cue,
    renewal::Step,
    responses::{Responses, Wish},
};
use crate::{EngineError, EngineEvent, openai::wire::client::Item, realtime::greeting::Greeting};
use std::time::{Duration, Instant};

/// Nobody has been heard for so long: the moment is quiet.
const QUIET: Duration = Duration::from_millis(500);

/// So much of the caller's speech, less the pause that ends it, is in the audio that the next session hears.
const REPLAYED: Duration = Duration::from_millis(1_500);

/// What the driver has to do about its sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkStep {
    /// Close the session that talks; there is another to come.
    Leave,
    /// Open another session; [`Conversation::link_is_ready`] or [`Conversation::link_failed`] follows.
    Connect,
    /// The other session takes the place of the present one; [`Conversation::switched`] follows.
    Switch,
}

impl Conversation {
    /// What is to be done about the sockets, one step after the other.
    pub fn next_step(&mut self, now: Instant) -> Option<LinkStep> {
        if self.over {
            return None;
        }
        if std::mem::take(&mut self.leaves) {
            return Some(LinkStep::Leave);
        }
        let quiet = self.is_quiet(now);
        match self.renewal.step(quiet, now)? {
            Step::Connect => Some(LinkStep::Connect),
            Step::Switch { reason } => {
                self.change_session(reason, now);
                Some(LinkStep::Switch)
            }
            Step::GiveUp(error) => {
                self.fail(error);
                None
            }
        }
    }

    /// The session that talked is gone.
    pub fn link_is_lost(&mut self, error: EngineError, now: Instant) {
        self.lose_link(error, now);
        self.leaves = false;
        self.settle(now);
    }

    /// The other session is set up.
    pub fn link_is_ready(&mut self) {
        self.renewal.ready();
    }

    /// The other session could not be had, and whether it may be had later.
    pub fn link_failed(&mut self, error: EngineError, retry: bool, now: Instant) {
        if retry {
            return self.renewal.failed(now);
        }
        if self.renewal.is_lost() {
            return self.fail(error);
        }
        // There is still the old one; it is used for as long as it lasts.
        self.note_once(&format!("no other session can be opened: {error}"));
        self.renewal.failed(now);
    }

    /// How long the session that talks now may live.
    pub fn switched(&mut self, life: Option<Duration>, now: Instant) {
        self.renewal.switched(life, now);
        self.settle(now);
    }

    /// The session is of no use any more, though it is there.
    pub(super) fn leave(&mut self, error: EngineError, now: Instant) {
        self.leaves = true;
        self.lose_link(error, now);
    }

    fn lose_link(&mut self, error: EngineError, now: Instant) {
        if !std::mem::replace(&mut self.linked, false) {
            return;
        }
        if let Some(active) = self.responses.active().filter(|active| active.spoke && !active.cut) {
            self.was_cut_short = !self.farewell.is_final();
            let item = active.item.clone();
            if let Some(speech) = self.items.speech(&item) {
                speech.captions.cut(speech.handed_out * 1_000 / u64::from(self.hertz));
            }
            // What is there is played; nothing follows it soon.
            self.events.push_back(EngineEvent::TurnComplete);
        }
        self.responses = Responses::default();
        self.messages.clear();
        self.renewal.lost(error, now);
    }

    /// The other session begins where this one ends.
    fn change_session(&mut self, reason: String, now: Instant) {
        let is_due = self.vigil.is_due();
        self.linked = true;
        self.leaves = false;
        self.messages.clear();
        self.responses = Responses::default();
        self.downlink.reset();
        self.tell_so_far();
        self.vigil.session_changed(now);
        self.events.push_back(EngineEvent::SessionChanged { reason, resumed: false });
        self.ask_for_what_is_owed(is_due, now);
        self.items.session_changed();
    }

    fn ask_for_what_is_owed(&mut self, is_due: bool, now: Instant) {
        let was_cut_short = std::mem::take(&mut self.was_cut_short);
        // Who still speaks, or has just ceased to, is heard by the new session.
        let was_in_speech = std::mem::take(&mut self.in_speech) && self.vigil.is_quiet_since(REPLAYED, now);
        let is_due = is_due || was_in_speech;
        if self.started && !self.has_spoken {
            self.greeting = Greeting::new(self.outbound);
            return self.begin_greeting(now);
        }
        if was_cut_short {
            return self.ask(cue::GO_ON, now);
        }
        if !is_due || self.farewell.is_said() {
            return;
        }
        match self.cue.clone() {
            Some(asked) => self.ask(&asked, now),
            None if was_in_speech || self.items.last_words_are_lost() => self.ask(cue::LOST_WORDS, now),
            None => self.responses.wish(Wish::Answer),
        }
    }

    /// A session that knows nothing is told what was said.
    pub(super) fn tell_so_far(&mut self) {
        let hertz = u64::from(self.hertz);
        let so_far = self.items.so_far(|samples| samples * 1_000 / hertz);
        if so_far.is_empty() {
            return;
        }
        if self.takes_items {
            for item in so_far {
                let message = self.writer.item(&item);
                self.send(message);
            }
        } else {
            let message = self.writer.instruct(&format!("{}\n\n{}", self.instructions, retold(&so_far)));
            self.send(message);
        }
    }

    fn is_quiet(&self, now: Instant) -> bool {
        self.responses.is_idle()
            && self.playback.is_over()
            && !self.vigil.is_due()
            && self.vigil.is_quiet_since(QUIET, now)
            && self.farewell.deadline().is_none()
            && self.keys.deadline().is_none()
    }
}

/// For services whose conversations nobody can add to.
fn retold(items: &[Item]) -> String {
    let mut text = String::from("The call is under way. What was said so far:");
    for item in items {
        text.push_str(&match item {
            Item::Caller(words) => format!("\nThe other side: {words}"),
            Item::Agent(words) => format!("\nYou: {words}"),
            Item::Cue(cue) => format!("\n{cue}"),
            Item::Call { name, arguments, .. } => format!("\n(You used {name} with {arguments}.)"),
            Item::Output { output, .. } => format!("\n(It gave {output}.)"),
        });
    }
    text
}
