//! Who talked: each engine's way into the call, its sessions, and the turns and tools within them.

use super::{Record, Tree, earlier, later, tools, word};
use crate::telemetry::SpanId;
use crate::telemetry::span::{Kind, Span};
use callie_domain::record::{CallEvent, CallFact, Speaker, TokenCounts, Turn, TurnLatency};
use jiff::Timestamp;
use std::collections::BTreeMap;

pub fn grow(tree: &mut Tree, root: SpanId, record: &Record<'_>) {
    let talks = |fact: &CallFact| matches!(fact, CallFact::AgentReady { .. } | CallFact::EngineFailed { .. });
    if !record.events.iter().any(|event| talks(&event.fact)) {
        return;
    }
    let mut sessions = Sessions::new(tree, root, record);
    record.events.iter().for_each(|event| sessions.take(event));
    sessions.close();
}

/// The engines of a call, one after the other.
struct Sessions<'a> {
    tree: &'a mut Tree,
    record: &'a Record<'a>,
    all: Span,
    /// Since when an engine is on its way.
    connecting: Timestamp,
    engine: String,
    open: Option<Span>,
    /// When each began, for what belongs to it.
    begun: Vec<(Timestamp, SpanId)>,
    turns: BTreeMap<u32, &'a Turn>,
    tokens: Option<TokenCounts>,
}

impl<'a> Sessions<'a> {
    fn new(tree: &'a mut Tree, root: SpanId, record: &'a Record<'a>) -> Self {
        let start = record.cdr.started_at;
        let all = tree.span("engine", "engine", start).below(root).until(record.end());
        let (engine, begun, turns) = (String::new(), Vec::new(), BTreeMap::new());
        Self { tree, record, all, connecting: start, engine, open: None, begun, turns, tokens: None }
    }

    fn take(&mut self, event: &'a CallEvent) {
        let at = event.at;
        match &event.fact {
            CallFact::MediaOpened { .. } | CallFact::Dialled { .. } if self.engine.is_empty() => self.connecting = at,
            CallFact::AgentReady { engine, model } => {
                self.end_session(at, None);
                let span = self.connect(engine, at).with_some("gen_ai.request.model", model.clone());
                self.tree.push(span);
                self.engine.clone_from(engine);
                self.begin_session(at, model.as_deref());
            }
            CallFact::SessionChanged { reason: _, resumed, .. } => {
                self.end_session(at, None);
                self.begin_session(at, None);
                if let Some(span) = &mut self.open {
                    span.attributes.push(("callie.session.resumed", (*resumed).into()));
                }
            }
            CallFact::EngineFailed { engine, cause, .. } => {
                if self.open.is_some() {
                    self.end_session(at, Some(cause));
                } else {
                    let span = self.connect(engine, at).failed(cause.clone());
                    self.tree.push(span);
                }
                self.all.mark(
                    "engine_failed",
                    at,
                    vec![("callie.engine", engine.as_str().into()), ("error.type", cause.as_str().into())],
                );
                self.engine.clone_from(engine);
                self.connecting = at;
            }
            CallFact::EngineUsage { tokens } => self.tokens = Some(*tokens),
            CallFact::Turn { turn } => drop(self.turns.insert(turn.index, turn)),
            CallFact::ToolUsed { .. } => {
                let parent = self.open.as_ref().map_or(self.all.id, |span| span.id);
                tools::grow(self.tree, parent, event);
            }
            fact => self.mark(fact, at),
        }
    }

    /// Of the conversation, in the session that has it.
    fn mark(&mut self, fact: &CallFact, at: Timestamp) {
        let span = self.open.as_mut().unwrap_or(&mut self.all);
        match fact {
            CallFact::DeadAir { step, silent_ms } => {
                let attributes =
                    vec![("callie.dead_air.step", word(step).into()), ("callie.dead_air.silent_ms", (*silent_ms).into())];
                span.mark("dead_air", at, attributes);
            }
            CallFact::DeadAirEnded { silent_ms } => {
                span.mark("dead_air_ended", at, vec![("callie.dead_air.silent_ms", (*silent_ms).into())]);
            }
            CallFact::BargeIn { at_ms, outcome } => {
                span.mark("barge_in", self.record.at(*at_ms), vec![("callie.barge_in.outcome", word(outcome).into())]);
            }
            _ => {}
        }
    }

    fn connect(&mut self, engine: &str, at: Timestamp) -> Span {
        let start = self.connecting.min(at);
        let span = self.tree.span("connect", format!("connect {engine}"), start).below(self.all.id).until(at);
        of_engine(span.of_kind(Kind::Client), engine)
    }

    fn begin_session(&mut self, at: Timestamp, model: Option<&str>) {
        let span = self.tree.span("session", format!("session {}", self.engine), at).below(self.all.id);
        let span = of_engine(span, &self.engine).with_some("gen_ai.request.model", model);
        self.begun.push((at, span.id));
        self.open = Some(span);
    }

    fn end_session(&mut self, at: Timestamp, cause: Option<&str>) {
        let Some(span) = self.open.take() else { return };
        let span = span.until(at);
        self.tree.push(match cause {
            Some(cause) => span.failed(cause),
            None => span,
        });
    }

    fn close(mut self) {
        self.end_session(self.record.end(), None);
        let tokens = self.tokens;
        let all = self
            .all
            .with_some("gen_ai.usage.input_tokens", tokens.map(|tokens| tokens.input_tokens))
            .with_some("gen_ai.usage.output_tokens", tokens.map(|tokens| tokens.output_tokens));
        let id = all.id;
        self.tree.push(all);
        for turn in self.turns.values() {
            let start = self.record.at(turn.started_ms);
            let session = self.begun.iter().rev().find(|(begun, _)| *begun <= start).map_or(id, |(_, session)| *session);
            grow_turn(self.tree, session, turn, self.record);
        }
    }
}

fn of_engine(span: Span, engine: &str) -> Span {
    // The names of the semantic conventions, where they have one.
    let provider = match engine {
        "gemini" => "gcp.gemini",
        "openai" => "openai",
        other => other,
    };
    span.with("callie.engine", engine).with("gen_ai.provider.name", provider)
}

/// A turn from its first to its last packet; that of an agent which answers begins when the caller has ended.
fn grow_turn(tree: &mut Tree, session: SpanId, turn: &Turn, record: &Record<'_>) {
    let (spoken, end) = (record.at(turn.started_ms), record.at(turn.ended_ms));
    let start = turn.latency.map_or(spoken, |latency| earlier(spoken, latency.total_ms.into()));
    let speaker = if turn.speaker == Speaker::Agent { "agent" } else { "caller" };
    let mut span = tree
        .span("turn", format!("turn {speaker}"), start)
        .below(session)
        .until(end)
        .with("callie.turn.index", turn.index)
        .with("callie.turn.speaker", speaker)
        .with("callie.turn.interrupted", turn.interrupted)
        .with_some("callie.turn.latency_ms", turn.latency.map(|latency| latency.total_ms));
    if turn.latency.is_some() {
        span.mark("audible", spoken, Vec::new());
    }
    let id = span.id;
    tree.push(span);
    if let Some(TurnLatency { ear_ms, uplink_ms, engine_ms, playout_ms, .. }) = turn.latency {
        let mut at = start;
        for (part, ms) in [("ear", ear_ms), ("uplink", uplink_ms), ("engine", engine_ms), ("playout", playout_ms)] {
            let until = later(at, ms.into());
            let span = tree.span("part", part, at).below(id).until(until);
            tree.push(span);
            at = until;
        }
    }
}
