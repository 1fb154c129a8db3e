//! The fake's half of a conversation: which response runs, what the caller's voice and the client's events do to it. Pure: time
//! is an argument.

use super::event::{Events, Reply};
use super::items::{Items, message};
use super::record::Sent;
use super::response::{Desk, Outcome, Response, done};
use super::script::{Converse, Exchange, Hearing, Step};
use super::terms::{Refusal, Terms};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::time::Instant;

/// What an act has put in the place of the next response.
#[derive(Clone, Debug)]
pub(super) enum Instead {
    Empty,
    Fail { kind: String, code: String },
    Incomplete(String),
}

#[derive(Debug)]
pub(super) struct Conversation {
    script: Converse,
    pub items: Items,
    pub events: Events,
    response: Option<Response>,
    pub instead: Option<Instead>,
    /// What follows when the calls of the last response are answered.
    continues: VecDeque<Step>,
    /// The exchange that an empty or failed response has swallowed.
    owed: Option<Exchange>,
    greeted: bool,
    /// Exchanges that have begun.
    exchanges: usize,
    /// A new session was told of an utterance that nobody has answered.
    unanswered_utterance: bool,
    /// What the client has told since the last response.
    told: String,
    /// The caller speaks, in this item.
    utterance: Option<String>,
    /// Words that are written down later.
    late_words: Vec<(Instant, String, String)>,
    waiting: VecDeque<(Instant, Exchange)>,
    responses: u64,
    calls: u64,
}

impl Conversation {
    pub fn new(script: Converse) -> Self {
        Self {
            script,
            items: Items::default(),
            events: Events::default(),
            response: None,
            instead: None,
            continues: VecDeque::new(),
            owed: None,
            greeted: false,
            exchanges: 0,
            unanswered_utterance: false,
            told: String::new(),
            utterance: None,
            late_words: Vec::new(),
            waiting: VecDeque::new(),
            responses: 0,
            calls: 0,
        }
    }

    pub fn voice_began(&mut self, at_ms: u64, terms: &Terms, now: Instant, out: &mut Vec<Reply>) {
        let item = self.items.next_id();
        let fields = json!({"audio_start_ms": at_ms, "item_id": item});
        out.push(self.events.event("input_audio_buffer.speech_started", fields, Sent::SpeechStarted));
        self.utterance = Some(item);
        if terms.interrupts {
            self.cancel("turn_detected", now, out);
        }
    }

    /// The caller's turn is over. [`Self::answer`] follows.
    pub fn voice_ended(&mut self, at_ms: u64, terms: &Terms, now: Instant, out: &mut Vec<Reply>) -> Option<Exchange> {
        let item = self.utterance.take()?;
        out.push(self.events.plain("input_audio_buffer.speech_stopped", json!({"audio_end_ms": at_ms, "item_id": item})));
        let previous = self.items.last().map(str::to_owned);
        let fields = json!({"previous_item_id": previous, "item_id": item});
        out.push(self.events.event("input_audio_buffer.committed", fields, Sent::Committed));
        self.items.add_caller(&item);
        let shown = message(&item, "user", "completed", &json!([{"type": "input_audio", "transcript": null}]));
        for kind in ["conversation.item.added", "conversation.item.done"] {
            out.push(self.events.plain(kind, json!({"previous_item_id": previous, "item": shown})));
        }
        let exchange = self.next_exchange();
        if terms.transcribes {
            self.transcribe(&item, &exchange, now, out);
        }
        Some(exchange)
    }

    /// What the service does by itself when the caller has spoken.
    pub fn answer(&mut self, exchange: Exchange, terms: &Terms, now: Instant, out: &mut Vec<Reply>) {
        if terms.creates_response && self.response.is_none() {
            self.begin(exchange, terms, now, out);
        }
    }

    /// Begins this when nothing else is being said.
    pub fn speak(&mut self, exchange: Exchange, now: Instant) {
        self.waiting.push_back((now, exchange));
    }

    /// `conversation.item.create`.
    pub fn create(&mut self, event: &Value, out: &mut Vec<Reply>) -> Result<(), Refusal> {
        let item = &event["item"];
        let previous = self.items.last().map(str::to_owned);
        let id = self.items.create(item, event["previous_item_id"].as_str())?;
        let mut shown = item.clone();
        (shown["id"], shown["object"], shown["status"]) = (json!(id), json!("realtime.item"), json!("completed"));
        for kind in ["conversation.item.added", "conversation.item.done"] {
            out.push(self.events.plain(kind, json!({"previous_item_id": previous, "item": shown})));
        }
        let text = item["content"][0]["text"].as_str().unwrap_or_default();
        match item["role"].as_str() {
            Some("assistant") => {
                self.greeted = true;
                self.exchanges += usize::from(std::mem::take(&mut self.unanswered_utterance));
            }
            // What the telephone system says is in parentheses.
            Some(_) if text.starts_with('(') => self.told.push_str(text),
            Some("user") => {
                self.unanswered_utterance = true;
                // A client tells what it still knows, which may begin in the middle of a long call.
                let mut to_come = self.script.exchanges.iter().skip(self.exchanges);
                self.exchanges += to_come.position(|exchange| exchange.heard == text).unwrap_or(0);
            }
            _ => {}
        }
        Ok(())
    }

    /// `response.create`.
    pub fn respond(&mut self, event: &Value, terms: &Terms, now: Instant, out: &mut Vec<Reply>) -> Result<(), Refusal> {
        if let Some(response) = &self.response {
            let message = format!("Conversation already has an active response in progress: {}", response.id);
            return Err(Refusal::new("conversation_already_has_active_response", message));
        }
        self.told.push_str(event.pointer("/response/instructions").and_then(Value::as_str).unwrap_or_default());
        let exchange = self.wanted();
        self.begin(exchange, terms, now, out);
        Ok(())
    }

    /// What the client wants to be said.
    fn wanted(&mut self) -> Exchange {
        if !self.continues.is_empty() {
            return Exchange::of("", std::mem::take(&mut self.continues).into());
        }
        let told = std::mem::take(&mut self.told);
        if let Some((_, exchange)) = self.script.texts.iter().find(|(words, _)| told.contains(words.as_str())) {
            return exchange.clone();
        }
        if !std::mem::replace(&mut self.greeted, true) {
            return Exchange::of("", self.script.greeting.clone().map(Step::Say).into_iter().collect());
        }
        if let Some(owed) = self.owed.take() {
            return owed;
        }
        if std::mem::take(&mut self.unanswered_utterance) {
            return self.next_exchange();
        }
        self.beyond()
    }

    /// `response.cancel`.
    pub fn cancel_by_client(&mut self, now: Instant, out: &mut Vec<Reply>) -> Result<(), Refusal> {
        if self.response.is_none() {
            return Err(Refusal::new("response_cancel_not_active", "Cancellation failed: no active response found"));
        }
        self.cancel("client_cancelled", now, out);
        Ok(())
    }

    fn cancel(&mut self, reason: &'static str, now: Instant, out: &mut Vec<Reply>) {
        if let Some(response) = &mut self.response {
            response.cancel(reason, self.script.late_pieces);
            self.tick(now, out);
        }
    }

    fn next_exchange(&mut self) -> Exchange {
        self.unanswered_utterance = false;
        self.greeted = true;
        let exchange = self.script.exchanges.get(self.exchanges).cloned();
        self.exchanges += usize::from(exchange.is_some());
        exchange.unwrap_or_else(|| self.beyond())
    }

    fn beyond(&self) -> Exchange {
        Exchange::of("", self.script.beyond.clone().map(Step::Say).into_iter().collect())
    }

    fn begin(&mut self, exchange: Exchange, terms: &Terms, now: Instant, out: &mut Vec<Reply>) {
        self.told.clear();
        self.responses += 1;
        let id = format!("resp_{:04}", self.responses);
        let created = json!({"object": "realtime.response", "id": id, "status": "in_progress", "output": [], "usage": null});
        out.push(self.events.event("response.created", json!({"response": created}), Sent::ResponseCreated));
        let instead = self.instead.take();
        let remaining =
            if matches!(&instead, Some(Instead::Fail { code, .. }) if code == "rate_limit_exceeded") { 0 } else { 40_000 };
        let limits = json!({"rate_limits": [{"name": "tokens", "limit": 40_000, "remaining": remaining, "reset_seconds": 0.5}]});
        out.push(self.events.plain("rate_limits.updated", limits));
        let mut steps: VecDeque<Step> = exchange.steps.clone().into();
        match &instead {
            Some(Instead::Fail { kind, code }) => {
                let details = json!({"type": "failed", "error": {"type": kind, "code": code, "message": "The response failed."}});
                out.push(done(&mut self.events, &id, "failed", details, &[], Value::Null));
                self.owed = Some(exchange);
                return;
            }
            Some(Instead::Empty) => {
                self.owed = Some(exchange);
                steps.clear();
            }
            Some(Instead::Incomplete(_)) | None => {}
        }
        let mut response = Response::new(id, steps, self.script.pace, terms.output, now);
        if let Some(Instead::Incomplete(reason)) = instead {
            response.incomplete = Some(reason);
        }
        self.response = Some(response);
    }

    /// What is due now.
    pub fn tick(&mut self, now: Instant, out: &mut Vec<Reply>) {
        let (due, later) = std::mem::take(&mut self.late_words).into_iter().partition(|(at, ..)| *at <= now);
        self.late_words = later;
        for (_, item, words) in Vec::<(Instant, String, String)>::into_iter(due) {
            out.push(self.written_down(&item, &words));
        }
        // The whole conversation is the input of every response.
        let input_tokens = 300 + 50 * self.responses;
        let Self { response, events, items, calls, .. } = self;
        let Some(running) = response else { return };
        let mut desk = Desk { events, items, calls, input_tokens };
        if let Some(Outcome { spoke, cancelled, continues }) = running.advance(now, &mut desk, out) {
            *response = None;
            self.continues = continues;
            if spoke && !cancelled {
                self.owed = None;
            }
        }
    }

    /// An exchange that waits for silence begins.
    pub fn begin_waiting(&mut self, terms: &Terms, now: Instant, out: &mut Vec<Reply>) {
        if self.response.is_none()
            && let Some((_, exchange)) = self.waiting.pop_front()
        {
            self.begin(exchange, terms, now, out);
        }
    }

    /// When [`Self::tick`] has something to do again.
    pub fn wake(&self) -> Option<Instant> {
        let late = self.late_words.iter().map(|(at, ..)| *at);
        let running = self.response.as_ref().map(Response::due);
        let waiting = self.waiting.front().map(|(since, _)| *since).filter(|_| running.is_none());
        late.chain(running).chain(waiting).min()
    }

    fn transcribe(&mut self, item: &str, exchange: &Exchange, now: Instant, out: &mut Vec<Reply>) {
        match exchange.hearing {
            Hearing::Early => {
                let words: Vec<char> = exchange.heard.chars().collect();
                for piece in words.chunks(9) {
                    let piece: String = piece.iter().collect();
                    let fields = json!({"item_id": item, "content_index": 0, "delta": piece});
                    out.push(self.events.plain("conversation.item.input_audio_transcription.delta", fields));
                }
                let whole = self.written_down(item, &exchange.heard);
                out.push(whole);
            }
            Hearing::Late(after) => self.late_words.push((now + after, item.to_owned(), exchange.heard.clone())),
            Hearing::Failed => {
                let error = json!({"type": "transcription_error", "code": "audio_unintelligible", "message": "…", "param": null});
                let fields = json!({"item_id": item, "content_index": 0, "error": error});
                out.push(self.events.plain("conversation.item.input_audio_transcription.failed", fields));
            }
            Hearing::Never => {}
        }
    }

    fn written_down(&mut self, item: &str, words: &str) -> Reply {
        let usage = json!({"type": "tokens", "total_tokens": 20, "input_tokens": 15, "output_tokens": 5});
        let fields = json!({"item_id": item, "content_index": 0, "transcript": words, "usage": usage});
        self.events.event("conversation.item.input_audio_transcription.completed", fields, Sent::Heard(words.to_owned()))
    }
}
