//! The fake's half of a conversation: which turn runs, what it sends when, how it is interrupted. Pure: time is an argument.
//!
//! ```text
//!   utterance, text ─▶ waiting ─▶ turn: steps ─▶ generationComplete ─▶ (played in real time) ─▶ turnComplete
//!                                  └─ the caller speaks ─▶ interrupted ─▶ late pieces ─▶ turnComplete
//! ```

mod turn;

use super::memory::Resume;
use super::reply::Reply;
use super::script::{Converse, Exchange, Hearing, Script, Step, ToolCall, TurnEnd};
use super::setup::Terms;
use super::wire::Refusal;
use serde_json::Value;
use std::collections::VecDeque;
use std::time::Instant;
use turn::{Stage, Turn};

#[derive(Debug)]
pub(super) struct Conversation {
    script: Converse,
    terms: Terms,
    greeted: bool,
    /// Exchanges that have begun.
    exchanges: usize,
    /// What an act has put in the place of the next turn.
    pub instead: Option<TurnEnd>,
    /// The exchange that an empty turn has swallowed.
    owed: Option<Exchange>,
    /// The caller waits for an answer: the last turn brought no audio, or the session that was to give it is gone.
    starved: bool,
    waiting: VecDeque<Exchange>,
    turn: Option<Turn>,
    /// Words of the caller that are transcribed later.
    late_words: Vec<(Instant, String)>,
    calls: Vec<OpenCall>,
    cancelled: Vec<String>,
    ids: u64,
    /// The context grows with every turn, and is paid for again each time.
    prompt_tokens: u64,
}

#[derive(Debug)]
struct OpenCall {
    id: String,
    name: String,
    /// The running turn waits for it.
    awaited: bool,
}

impl Conversation {
    pub fn new(script: Converse, terms: Terms) -> Self {
        Self {
            script,
            terms,
            greeted: false,
            exchanges: 0,
            instead: None,
            owed: None,
            starved: false,
            waiting: VecDeque::new(),
            turn: None,
            late_words: Vec::new(),
            calls: Vec::new(),
            cancelled: Vec::new(),
            ids: 0,
            prompt_tokens: 300,
        }
    }

    /// Goes on where another session was when it gave its handle.
    pub fn resume(&mut self, resume: &Resume) {
        (self.greeted, self.exchanges, self.starved) = (resume.greeted, resume.exchanges, true);
    }

    pub fn resume_point(&self, model: &str, script: &Script) -> Resume {
        Resume { model: model.to_owned(), script: script.clone(), greeted: self.greeted, exchanges: self.exchanges }
    }

    /// `clientContent` that asks for nothing: what was said before. The caller's turns in it have had their exchanges, save
    /// the last if nobody has answered it.
    pub fn remember(&mut self, content: &Value) {
        self.greeted = true;
        let turns = content.get("turns").and_then(Value::as_array).into_iter().flatten();
        let by_caller = |turn: &&Value| {
            let text = turn.pointer("/parts/0/text").and_then(Value::as_str).unwrap_or_default();
            turn.get("role").and_then(Value::as_str) == Some("user") && !text.starts_with('(')
        };
        let last = turns.clone().last().is_some_and(|turn| by_caller(&turn));
        self.exchanges += turns.filter(by_caller).count() - usize::from(last);
        self.starved = true;
    }

    /// A text came in: the greeting trigger, or something that wants an answer.
    pub fn text(&mut self, text: &str, now: Instant, out: &mut Vec<Reply>) {
        let greeting = if self.greeted { None } else { self.script.greeting.clone() };
        self.greeted = true;
        let cue = self.script.texts.iter().find(|(words, _)| text.contains(words.as_str())).map(|(_, exchange)| exchange.clone());
        let next = greeting.map(|speech| Exchange::new("", speech)).or(cue).or_else(|| self.owed.take());
        let next = next.or_else(|| if self.starved { self.next_exchange() } else { self.beyond() });
        self.waiting.extend(next);
        self.tick(now, out);
    }

    /// Begins this after what runs and waits.
    pub fn speak(&mut self, exchange: Exchange, now: Instant, out: &mut Vec<Reply>) {
        self.waiting.push_back(exchange);
        self.tick(now, out);
    }

    pub fn voice_began(&mut self, now: Instant, out: &mut Vec<Reply>) {
        if self.terms.interrupts && !self.script.stubborn {
            self.interrupt(now, out);
        }
    }

    /// The caller's turn is over: it gets the next exchange.
    pub fn voice_ended(&mut self, now: Instant, out: &mut Vec<Reply>) {
        let exchange = self.next_exchange();
        self.waiting.extend(exchange);
        self.tick(now, out);
    }

    fn next_exchange(&mut self) -> Option<Exchange> {
        let exchange = self.script.exchanges.get(self.exchanges).cloned();
        self.exchanges += usize::from(exchange.is_some());
        exchange.or_else(|| self.beyond())
    }

    fn beyond(&self) -> Option<Exchange> {
        self.script.beyond.clone().map(|speech| Exchange::new("", speech))
    }

    /// Takes back what is being said, and the calls that are waited for.
    pub fn interrupt(&mut self, now: Instant, out: &mut Vec<Reply>) {
        let Some(turn) = self.turn.as_mut().filter(|turn| turn.can_be_interrupted()) else {
            return;
        };
        turn.interrupt(self.script.interruption, now);
        self.cancel(|call| call.awaited, out);
        out.push(Reply::interrupted());
        self.tick(now, out);
    }

    /// The client answers a call.
    pub fn answered(&mut self, response: &Value) -> Result<(), Refusal> {
        let field = |name| response.get(name).and_then(Value::as_str).unwrap_or_default();
        let (id, name) = (field("id"), field("name"));
        if self.cancelled.iter().any(|cancelled| cancelled == id) {
            return Ok(());
        }
        let Some(at) = self.calls.iter().position(|call| call.id == id && call.name == name) else {
            return Err(Refusal::invalid(format!("toolResponse.functionResponses: no open call \"{id}\" of \"{name}\"")));
        };
        if response.get("response").is_none() {
            return Err(Refusal::invalid(format!("toolResponse.functionResponses: the response to \"{id}\" is missing")));
        }
        if response.get("willContinue").and_then(Value::as_bool) != Some(true) {
            self.calls.remove(at);
        }
        Ok(())
    }

    /// What is due now.
    pub fn tick(&mut self, now: Instant, out: &mut Vec<Reply>) {
        self.transcribe_late(now, out);
        while self.begin(now, out) || self.advance(now, out) {}
    }

    /// When [`Self::tick`] has something to do again.
    pub fn wake(&self) -> Option<Instant> {
        let late = self.late_words.iter().map(|(at, _)| *at);
        late.chain(self.turn.as_ref().and_then(Turn::due)).min()
    }

    /// Begins the next exchange if no turn runs.
    fn begin(&mut self, now: Instant, out: &mut Vec<Reply>) -> bool {
        if self.turn.is_some() {
            return false;
        }
        let Some(mut exchange) = self.waiting.pop_front() else {
            return false;
        };
        if let Some(end) = self.instead.take() {
            let empty = Exchange { end, steps: Vec::new(), ..exchange.clone() };
            self.owed = Some(std::mem::replace(&mut exchange, empty));
        }
        self.transcribe(&exchange, now, out);
        self.prompt_tokens += 50;
        self.turn = Some(Turn::new(exchange, now));
        true
    }

    /// Does the next thing of the running turn; false if nothing is due.
    fn advance(&mut self, now: Instant, out: &mut Vec<Reply>) -> bool {
        let Some(turn) = &mut self.turn else {
            return false;
        };
        match &mut turn.stage {
            Stage::Next => {
                match turn.steps.pop_front() {
                    Some(step) => self.step(step, now, out),
                    None => turn.finish(out),
                }
                true
            }
            Stage::Pausing { until } if *until <= now => {
                turn.stage = Stage::Next;
                true
            }
            Stage::Calling if !self.calls.iter().any(|call| call.awaited) => {
                turn.stage = Stage::Next;
                true
            }
            Stage::Saying { .. } | Stage::Late { .. } => turn.say(self.terms.transcribes_output, now, out),
            Stage::Playing if turn.playing_until <= now => {
                turn.complete(self.prompt_tokens, out);
                true
            }
            Stage::Over => {
                self.starved = turn.is_empty();
                self.turn = None;
                true
            }
            Stage::Pausing { .. } | Stage::Calling | Stage::Playing => false,
        }
    }

    fn step(&mut self, step: Step, now: Instant, out: &mut Vec<Reply>) {
        let stage = match step {
            Step::Say(speech) => Stage::Saying { speech, next: 0, due: now },
            Step::Burst(speech) => {
                if let Some(turn) = &mut self.turn {
                    turn.burst(&speech, now, out);
                }
                Stage::Next
            }
            Step::Pause(length) => Stage::Pausing { until: now + length },
            Step::Call(calls) => {
                self.call(calls, true, out);
                Stage::Calling
            }
            Step::CallAside(calls) => {
                self.call(calls, false, out);
                Stage::Next
            }
            Step::Cancel => {
                self.cancel(|_| true, out);
                Stage::Next
            }
            Step::Raw(text) => {
                out.push(Reply::raw(&text));
                Stage::Next
            }
        };
        if let Some(turn) = &mut self.turn {
            turn.stage = stage;
        }
    }

    fn call(&mut self, calls: Vec<ToolCall>, awaited: bool, out: &mut Vec<Reply>) {
        let mut written = Vec::new();
        for ToolCall { name, args } in calls {
            self.ids += 1;
            let id = format!("function-call-{}", self.ids);
            // A call that does not block is not taken back when the caller speaks.
            let awaited = awaited && self.terms.is_blocking(&name);
            self.calls.push(OpenCall { id: id.clone(), name: name.clone(), awaited });
            written.push((id, name, args));
        }
        out.push(Reply::tool_call(&written));
    }

    fn cancel(&mut self, wanted: impl Fn(&OpenCall) -> bool, out: &mut Vec<Reply>) {
        let (taken, left) = std::mem::take(&mut self.calls).into_iter().partition(|call| wanted(call));
        self.calls = left;
        let ids: Vec<String> = Vec::into_iter(taken).map(|call: OpenCall| call.id).collect();
        if !ids.is_empty() {
            out.push(Reply::tool_cancellation(&ids));
            self.cancelled.extend(ids);
        }
    }

    fn transcribe(&mut self, exchange: &Exchange, now: Instant, out: &mut Vec<Reply>) {
        if exchange.heard.is_empty() || !self.terms.transcribes_input {
            return;
        }
        match exchange.hearing {
            Hearing::Early => out.extend(fragments(&exchange.heard).iter().map(|words| Reply::heard(words))),
            Hearing::Late(after) => self.late_words.push((now + after, exchange.heard.clone())),
        }
    }

    fn transcribe_late(&mut self, now: Instant, out: &mut Vec<Reply>) {
        let (due, later) = std::mem::take(&mut self.late_words).into_iter().partition(|(at, _)| *at <= now);
        self.late_words = later;
        for (_, words) in Vec::<(Instant, String)>::into_iter(due) {
            out.extend(fragments(&words).iter().map(|words| Reply::heard(words)));
        }
    }
}

/// Pieces of two words, a space before all but the first.
fn fragments(words: &str) -> Vec<String> {
    let words: Vec<&str> = words.split_whitespace().collect();
    let pieces = words.chunks(2).enumerate();
    pieces.map(|(index, pair)| if index == 0 { pair.join(" ") } else { format!(" {}", pair.join(" ")) }).collect()
}
