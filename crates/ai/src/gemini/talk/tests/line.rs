//! The driver of a talk in simulated time: what [`crate::gemini::session`] does with sockets, done with the lab's still lines.

use super::*;
use crate::gemini::{
    plan::Plan,
    refusal::{Ending, Refusals},
};
use callie_lab::gemini::{StillGemini, StillLine, Word};
use jiff::Zoned;
use serde_json::Value;
use std::task::{Context, Waker};

pub struct Line {
    pub gemini: StillGemini,
    pub talk: Talk,
    options: GeminiOptions,
    current: Option<StillLine>,
    next: Option<Next>,
    refusals: Refusals,
    /// When the last caller audio went to a session, and the longest time without.
    last_audio: Option<Instant>,
    pub longest_gap: Duration,
}

struct Next {
    line: StillLine,
    dialled: Instant,
    ready: bool,
}

impl Line {
    /// The first session, which must come about. The time passes meanwhile.
    pub fn open(service: FakeGeminiOptions, options: GeminiOptions, brief: &Brief, now: &mut Instant) -> Self {
        let gemini = StillGemini::new(service);
        let plan = Plan::new(brief, &options, &Zoned::now());
        let dial = Dial { handle: None, plain: !plan.family.takes_history() };
        let mut current = gemini.dial(plan.setup(&dial, &brief.history).as_bytes(), *now).expect("upgraded");
        let first = loop {
            if let Some(word) = current.next_word(*now) {
                break word;
            }
            *now = current.wake().expect("an answer").max(*now);
        };
        assert!(is_setup_complete(&first), "{first:?}");
        let talk = Talk::new(brief, plan, &dial, &options, *now);
        Self {
            gemini,
            talk,
            options,
            current: Some(current),
            next: None,
            refusals: Refusals::new(Secret::new("lab-key")),
            last_audio: None,
            longest_gap: Duration::ZERO,
        }
    }

    /// Everything that is to happen by now, until nothing more does.
    pub fn settle(&mut self, now: Instant, events: &mut Vec<EngineEvent>) {
        loop {
            self.carry_out_orders(now);
            self.send(now);
            let mut busy = false;
            while let Some(event) = self.talk.next_event() {
                events.push(event);
                busy = true;
            }
            busy |= self.receive(now) || self.await_next(now);
            busy |= self.talk.poll_tools(now, &mut Context::from_waker(Waker::noop()));
            if self.talk.deadline(now).is_some_and(|deadline| deadline <= now) {
                self.talk.on_deadline(now);
                busy = true;
            }
            if !busy {
                return;
            }
        }
    }

    /// Nothing is open any more.
    pub fn is_hung_up(&self) -> bool {
        self.current.is_none() && self.next.is_none()
    }

    fn carry_out_orders(&mut self, now: Instant) {
        while let Some(order) = self.talk.next_order() {
            match order {
                Order::Dial { setup } => match self.gemini.dial(setup.as_bytes(), now) {
                    Ok(line) => self.next = Some(Next { line, dialled: now, ready: false }),
                    Err(0) => {
                        let error = EngineError::new(EngineCause::Unreachable, "the lab: connection refused");
                        self.talk.on_next_lost(error.into(), now);
                    }
                    Err(status) => self.talk.on_next_lost(self.refusals.of_status(status, ""), now),
                },
                Order::DropNext => {
                    if let Some(next) = self.next.take() {
                        next.line.hang_up(now);
                    }
                }
                Order::HangUp => self.hang_up(now),
                Order::Switch => {
                    self.hang_up(now);
                    self.current = self.next.take().map(|next| next.line);
                }
            }
        }
        if self.talk.is_over() {
            self.hang_up(now);
        }
    }

    fn hang_up(&mut self, now: Instant) {
        if let Some(line) = self.current.take() {
            line.hang_up(now);
        }
    }

    fn send(&mut self, now: Instant) {
        let Some(line) = &mut self.current else { return };
        while let Some(message) = self.talk.outbox().pop(now) {
            let message = message.into_data();
            if message.starts_with(br#"{"realtimeInput":{"audio""#) {
                let gap = self.last_audio.replace(now).map_or(Duration::ZERO, |last| now - last);
                self.longest_gap = self.longest_gap.max(gap);
            }
            line.send(&message, now);
        }
    }

    fn receive(&mut self, now: Instant) -> bool {
        let Some(word) = self.current.as_mut().and_then(|line| line.next_word(now)) else { return false };
        match word {
            Word::Message(message) => self.talk.on_frame(&message, now),
            Word::Closed { code, reason } => {
                self.current = None;
                let ending = self.ending(code, &reason, self.talk.phase());
                self.talk.on_lost(ending, now);
            }
        }
        true
    }

    fn await_next(&mut self, now: Instant) -> bool {
        let Some(next) = &mut self.next else { return false };
        let late = !next.ready && now - next.dialled >= self.options.setup_timeout;
        match next.line.next_word(now) {
            Some(Word::Closed { code, reason }) => {
                self.next = None;
                let ending = self.ending(code, &reason, Phase::Setup);
                self.talk.on_next_lost(ending, now);
            }
            Some(word) if !next.ready => {
                assert!(is_setup_complete(&word), "{word:?}");
                next.ready = true;
                self.talk.on_next_ready(now);
            }
            Some(Word::Message(message)) => self.talk.on_next_frame(&message, now),
            None if late => {
                self.next = None;
                self.talk.on_next_lost(EngineError::new(EngineCause::Stalled, "no answer to the setup").into(), now);
            }
            None => return false,
        }
        true
    }

    fn ending(&self, code: Option<u16>, reason: &str, phase: Phase) -> Ending {
        self.refusals.of_close(code.unwrap_or(1006), reason, phase)
    }
}

fn is_setup_complete(word: &Word) -> bool {
    let Word::Message(message) = word else { return false };
    serde_json::from_slice::<Value>(message).is_ok_and(|message| message.get("setupComplete").is_some())
}
