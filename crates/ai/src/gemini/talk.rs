//! One call's talk, over however many sessions of the service it takes: the conversation, which session carries it, and what
//! waits to be sent. No socket, no clock. The driver ([`super::session`]) brings frames and endings, carries out the
//! [`Order`]s, and sends what is in the outbox.

use super::{
    continuity::{Continuity, Dial, Step, leaving::Memory},
    conversation::{Conversation, News, ladder::Rung, renewal},
    options::GeminiOptions,
    plan::Plan,
    refusal::{Ending, Phase},
    replay::Replay,
    wire::{client, server, uplink, uplink::Uplink},
};
use crate::{
    Brief, EngineCause, EngineError, EngineEvent, Prompt, Utterance,
    realtime::{alarm::is_loud, outbox::Outbox},
};
use serde::Deserialize;
use std::{
    collections::VecDeque,
    task::Context,
    time::{Duration, Instant},
};

/// How much of the caller's audio may wait for the socket, milliseconds.
const UPLINK_PATIENCE_MS: u32 = 2_000;
/// The caller has been silent for so long when a session is changed between two turns.
const QUIET: Duration = Duration::from_millis(700);

/// What the driver does about sessions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// Open another session with this setup.
    Dial {
        setup: String,
    },
    DropNext,
    HangUp,
    /// Hang up the current session; the next one is the current one.
    Switch,
}

/// One call.
#[derive(Debug)]
pub struct Talk {
    conversation: Conversation,
    continuity: Continuity,
    plan: Plan,
    uplink: Uplink,
    /// Since when speech waits for its message to be full.
    gathering: Option<Instant>,
    outbox: Outbox,
    replay: Replay,
    /// Agent audio was handed out and is not known to be played.
    playing: bool,
    last_loud: Option<Instant>,
    born: Instant,
    /// Of the next session, which is not talked to yet.
    next_handle: Option<String>,
    orders: VecDeque<Order>,
}

impl Talk {
    /// The first session is set up, with `plan` and this `dial`.
    pub fn new(brief: &Brief, plan: Plan, dial: &Dial, options: &GeminiOptions, now: Instant) -> Self {
        let family = plan.family;
        let memory = Memory { takes_history: !dial.plain, takes_context: family.takes_context() };
        let mut talk = Self {
            conversation: Conversation::new(brief, family),
            continuity: Continuity::new(options.reconnect_budget, memory, now),
            plan,
            uplink: Uplink::new(options.uplink_ms),
            gathering: None,
            outbox: Outbox::new((UPLINK_PATIENCE_MS / options.uplink_ms.max(1)) as usize),
            replay: Replay::new(uplink::RATE),
            playing: false,
            last_loud: None,
            born: now,
            next_handle: None,
            orders: VecDeque::new(),
        };
        talk.tell_history(dial);
        talk
    }

    /// The line is open.
    pub fn start(&mut self, now: Instant) {
        self.conversation.start(now);
        self.settle(now);
    }

    /// Caller audio at [`uplink::RATE`]. True when there is a new message in the outbox.
    pub fn hear(&mut self, samples: &[i16], now: Instant) -> bool {
        let loud = is_loud(samples);
        if loud {
            self.last_loud = Some(now);
            let length = Duration::from_micros(samples.len() as u64 * 1_000_000 / u64::from(uplink::RATE));
            self.conversation.caller_is_loud(length, self.playing, now);
        }
        self.replay.hear(samples, loud, now);
        if !self.continuity.is_connected() {
            return false;
        }
        let (full, dropped) = self.send_up(samples, now);
        if dropped {
            self.conversation.uplink_is_slow();
        }
        full
    }

    pub fn dtmf(&mut self, digit: char, now: Instant) {
        self.conversation.dtmf(digit, self.continuity.is_connected());
        self.settle(now);
    }

    pub fn prompt(&mut self, prompt: Prompt, now: Instant) {
        self.conversation.prompt(prompt, now);
        self.settle(now);
    }

    /// The caller has spoken and hears nothing. Between two sessions something is being done about it already.
    pub fn line_is_silent(&mut self, rung: Rung, now: Instant) {
        if self.continuity.is_connected() {
            self.conversation.line_is_silent(rung, now);
            self.settle(now);
        }
    }

    pub fn playout_drained(&mut self, now: Instant) {
        self.playing = false;
        self.settle(now);
    }

    /// A frame of the current session.
    pub fn on_frame(&mut self, frame: &[u8], now: Instant) {
        let News { handle, time_left, has_content, is_answer, is_sound } = self.conversation.on_frame(frame, now);
        if has_content {
            self.continuity.on_content();
        }
        if is_answer {
            self.replay.answered();
        }
        if let Some(handle) = handle {
            self.conversation.is_remembered();
            self.continuity.on_handle(handle);
        }
        if is_sound {
            self.continuity.on_sound_turn();
        }
        if let Some(time_left) = time_left.filter(|_| !self.conversation.has_said_goodbye()) {
            self.continuity.on_go_away(time_left, now);
        }
        self.settle(now);
    }

    /// The current session has ended.
    pub fn on_lost(&mut self, ending: Ending, now: Instant) {
        if self.conversation.ends_without_service() {
            self.continuity.retire();
        }
        self.continuity.on_lost(ending, now);
        self.settle(now);
    }

    /// The next session is set up.
    pub fn on_next_ready(&mut self, now: Instant) {
        self.continuity.on_next_ready(now);
        self.settle(now);
    }

    /// The next session could not be opened, or has ended already.
    pub fn on_next_lost(&mut self, ending: Ending, now: Instant) {
        self.continuity.on_next_lost(ending, now);
        self.settle(now);
    }

    /// A frame of the next session. It has nothing to say yet, but may give its handle, or be at its own end.
    pub fn on_next_frame(&mut self, frame: &[u8], now: Instant) {
        let salvaged = server::salvage(frame);
        let Some(Ok(message)) = salvaged.as_ref().map(server::ServerMessage::deserialize) else { return };
        if let Some(handle) = message.session_resumption_update.and_then(server::SessionResumptionUpdate::handle) {
            self.next_handle = Some(handle);
        }
        if message.go_away.is_some() {
            self.orders.push_back(Order::DropNext);
            let error = EngineError::new(EngineCause::SessionExpired, "the next session was to end before it was needed");
            self.on_next_lost(error.into(), now);
        }
    }

    /// The earliest time at which [`Self::on_deadline`] has something to do.
    pub fn deadline(&self, now: Instant) -> Option<Instant> {
        let talking = self.conversation.deadline(self.continuity.is_connected());
        talking.into_iter().chain(self.continuity.deadline(self.quiet_at(), now)).min()
    }

    pub fn on_deadline(&mut self, now: Instant) {
        self.conversation.on_deadline(self.continuity.is_connected(), now);
        self.settle(now);
    }

    /// Takes what tools have done; `true` when there was something. Wakes the task when there may be more.
    pub fn poll_tools(&mut self, now: Instant, context: &mut Context<'_>) -> bool {
        let done = self.conversation.poll_tools(self.continuity.is_connected(), now, context);
        if done {
            self.settle(now);
        }
        done
    }

    pub fn is_over(&self) -> bool {
        self.conversation.is_over()
    }

    /// In which a session's end is to be understood.
    pub fn phase(&self) -> Phase {
        if self.continuity.is_leaving() { Phase::GoingAway } else { Phase::Talking }
    }

    pub fn next_event(&mut self) -> Option<EngineEvent> {
        let event = self.conversation.next_event();
        self.playing |= matches!(event, Some(EngineEvent::Audio(_)));
        event
    }

    pub fn next_order(&mut self) -> Option<Order> {
        self.orders.pop_front()
    }

    /// For the current session.
    pub fn uplink_delay(&self) -> Duration {
        self.outbox.delay()
    }

    pub fn outbox(&mut self) -> &mut Outbox {
        &mut self.outbox
    }

    /// From when on nobody speaks, as it looks now.
    fn quiet_at(&self) -> Option<Instant> {
        let rests = !self.playing && self.conversation.is_at_rest();
        rests.then(|| self.last_loud.map_or(self.born, |loud| loud + QUIET))
    }

    /// Carries on what follows from what just happened.
    fn settle(&mut self, now: Instant) {
        if let Some(trouble) = self.conversation.take_renewal() {
            self.continuity.renew(EngineError::new(EngineCause::Stalled, trouble), now);
        }
        if !self.conversation.is_over() {
            self.continuity.tick(self.quiet_at(), now);
        }
        while let Some(step) = self.continuity.next_step() {
            match step {
                Step::Dial(dial) => {
                    self.next_handle = None;
                    let setup = self.plan.setup(&dial, &self.conversation.said_so_far());
                    self.orders.push_back(Order::Dial { setup });
                }
                Step::DropNext => self.orders.push_back(Order::DropNext),
                Step::HangUp => self.orders.push_back(Order::HangUp),
                Step::Switch { reason, dial } => self.switch(&reason, &dial, now),
                Step::Fail(error) => self.conversation.fail(error),
            }
        }
        if self.continuity.is_connected() {
            self.send_texts();
        } else {
            self.replay.gap_begins();
        }
    }

    fn switch(&mut self, reason: &str, dial: &Dial, now: Instant) {
        self.orders.push_back(Order::Switch);
        if let Some(handle) = self.next_handle.take() {
            self.continuity.on_handle(handle);
        }
        // What waited was for the old session.
        self.outbox.clear();
        let overflowed = self.replay.has_overflowed();
        let missed = self.replay.take(self.conversation.knows_the_words());
        if !missed.is_empty() {
            // It is in there as well.
            self.uplink.clear();
            self.gathering = None;
        }
        let replay = match (missed.is_empty(), overflowed) {
            (true, _) => renewal::Replay::Nothing,
            (false, true) => renewal::Replay::Part,
            (false, false) => renewal::Replay::Whole,
        };
        self.tell_history(dial);
        self.conversation.session_changed(reason, dial.handle.is_some(), replay, now);
        // What it is told first: context that came behind the audio would interrupt the answer to it.
        self.send_texts();
        self.send_up(&missed, now);
    }

    /// What a session without context must know before anything else.
    fn tell_history(&mut self, dial: &Dial) {
        let said: Vec<Utterance> = self.conversation.said_so_far();
        if dial.handle.is_none() && !dial.plain && !said.is_empty() {
            self.continuity.on_content();
            self.outbox.push_text(client::history(&said));
        }
    }

    fn send_texts(&mut self) {
        while let Some(message) = self.conversation.next_message() {
            self.continuity.on_content();
            if !self.outbox.push_text(message) {
                tracing::warn!("the service takes no messages; one was dropped");
            }
        }
    }

    /// Whether a message is full, and whether the oldest had to go for it.
    fn send_up(&mut self, samples: &[i16], now: Instant) -> (bool, bool) {
        let (mut full, mut dropped) = (false, false);
        let Self { uplink, outbox, gathering, .. } = self;
        uplink.push(samples, |message| {
            full = true;
            dropped |= !outbox.push_audio(message, gathering.take().unwrap_or(now));
        });
        if !uplink.is_empty() {
            gathering.get_or_insert(now);
        }
        (full, dropped)
    }
}

#[cfg(test)]
mod tests;
