//! A call as a trace: made of its record when it is over, so that the call's task knows nothing of it.
//!
//! ```text
//! call
//! ├─ signalling ─ INVITE, re-INVITE, BYE … as they were on the wire; hold; transfer
//! ├─ media, leg …
//! ├─ engine ─ connect …, session … ─ turn ─ ear, uplink, engine, playout
//! │                              └─ execute_tool … ─ GET, tools/call
//! ├─ webhook …                   (by `hooks::dispatch`)
//! └─ after_call                  (once the summary is written)
//! ```
//!
//! Numbers are masked as in the logs; what was said, pressed, asked or answered is in no span.
//!
//! | module | holds |
//! |---|---|
//! | [`signalling`] | transactions from the SIP messages, and what they were for |
//! | [`engine`] | connects, sessions, turns |
//! | [`tools`] | uses of tools, and their requests |

mod engine;
mod signalling;
#[cfg(test)]
mod tests;
mod tools;

use super::span::{Kind, Span};
use super::{SpanId, TraceId};
use callie_domain::dial::masked;
use callie_domain::record::{AfterCallState, CallEvent, CallFact, CallResult, Cdr, Direction, MediaSummary, SipMessage};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use std::collections::HashMap;

/// Of one call; a longer one loses the rest, and says how many.
const MOST_SPANS: usize = 4_000;

/// What is kept of a call that is over.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    pub cdr: &'a Cdr,
    pub events: &'a [CallEvent],
    pub messages: &'a [SipMessage],
}

impl Record<'_> {
    fn end(&self) -> Timestamp {
        self.cdr.ended_at.unwrap_or(self.cdr.started_at)
    }

    /// So long into the call.
    fn at(&self, ms: u64) -> Timestamp {
        later(self.cdr.started_at, ms)
    }
}

fn later(at: Timestamp, ms: u64) -> Timestamp {
    at.saturating_add(SignedDuration::from_millis(i64::try_from(ms).unwrap_or(i64::MAX))).unwrap_or(Timestamp::MAX)
}

fn earlier(at: Timestamp, ms: u64) -> Timestamp {
    at.saturating_sub(SignedDuration::from_millis(i64::try_from(ms).unwrap_or(i64::MAX))).unwrap_or(Timestamp::MIN)
}

/// A word of a closed list, as it stands in JSON.
fn word(value: &impl Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

/// The spans of one trace as they grow.
struct Tree {
    trace: TraceId,
    spans: Vec<Span>,
    left_out: usize,
    numbers: HashMap<&'static str, usize>,
}

impl Tree {
    /// The next of its kind. `kind` is part of its name for ever, and stands in no span.
    fn span(&mut self, kind: &'static str, name: impl Into<std::borrow::Cow<'static, str>>, start: Timestamp) -> Span {
        let number = self.numbers.entry(kind).or_default();
        let id = SpanId::nth(self.trace, kind, *number);
        *number += 1;
        Span::new(self.trace, id, name, start)
    }

    fn push(&mut self, span: Span) {
        if self.spans.len() < MOST_SPANS {
            self.spans.push(span);
        } else {
            self.left_out += 1;
        }
    }
}

/// All spans of a call, its own first.
pub fn spans(record: Record<'_>) -> Vec<Span> {
    let trace = TraceId::of(record.cdr.id);
    let mut tree = Tree { trace, spans: Vec::new(), left_out: 0, numbers: HashMap::new() };
    let root = root(trace, &record);
    let id = root.id;
    tree.push(root);
    signalling::grow(&mut tree, id, &record);
    media(&mut tree, id, &record);
    engine::grow(&mut tree, id, &record);
    let left_out = u64::try_from(tree.left_out).unwrap_or(u64::MAX);
    if let Some(root) = tree.spans.first_mut().filter(|_| left_out > 0) {
        root.attributes.push(("callie.spans_left_out", left_out.into()));
    }
    tree.spans
}

fn root(trace: TraceId, record: &Record<'_>) -> Span {
    let cdr = record.cdr;
    let kind = match cdr.direction {
        Direction::Inbound => Kind::Server,
        Direction::Outbound => Kind::Client,
    };
    let mut root = Span::new(trace, SpanId::root(trace), "call", cdr.started_at)
        .until(record.end())
        .of_kind(kind)
        .with("callie.call.id", cdr.id.to_string())
        .with("callie.user.id", cdr.user_id.to_string())
        .with("callie.call.direction", word(&cdr.direction))
        .with("callie.call.from", masked(&cdr.from))
        .with("callie.call.to", masked(&cdr.to))
        .with("callie.config.revision", cdr.config_revision)
        .with_some("sip.call_id", cdr.sip_call_id.clone())
        .with_some("callie.call.answered_by", cdr.answered_by.map(|by| by.as_str()))
        .with_some("callie.call.cost", cdr.cost.as_ref().map(|cost| cost.total_micros as f64 / 1e6))
        .with_some("callie.call.currency", cdr.cost.as_ref().map(|cost| cost.currency.clone()));
    if let Some(at) = cdr.answered_at {
        root.mark("answered", at, Vec::new());
    }
    let Some(end) = &cdr.termination else { return root };
    let root = root.with("callie.call.result", word(&end.result)).with("callie.call.reason", word(&end.reason));
    match end.result {
        CallResult::Failed | CallResult::Lost => root.failed(word(&end.reason)),
        _ => root,
    }
}

fn media(tree: &mut Tree, root: SpanId, record: &Record<'_>) {
    let opened = record.events.iter().find_map(|event| match &event.fact {
        CallFact::MediaOpened { codec, .. } => Some((event.at, codec.clone())),
        _ => None,
    });
    if let Some((at, codec)) = opened {
        let mut span = tree.span("media", "media", at).below(root).until(record.end()).with("callie.media.codec", codec);
        for event in record.events {
            match &event.fact {
                CallFact::RtpLatched { .. } => span.mark("rtp_latched", event.at, Vec::new()),
                CallFact::MediaOpened { .. } if event.at > at => span.mark("media_changed", event.at, Vec::new()),
                _ => {}
            }
        }
        let span = record.cdr.media.iter().fold(span, figures);
        tree.push(span);
    }
    for leg in &record.cdr.legs {
        let Some(at) = leg.answered_at else { continue };
        let span = tree.span("leg", "leg", at).below(root).until(record.end()).with("callie.leg.to", masked(&leg.to));
        let span = leg.media.iter().fold(span.with("sip.call_id", leg.sip_call_id.clone()), figures);
        tree.push(span);
    }
}

fn figures(span: Span, media: &MediaSummary) -> Span {
    span.with("callie.media.packets_received", media.packets_received)
        .with("callie.media.packets_sent", media.packets_sent)
        .with("callie.media.packets_lost", media.packets_lost)
        .with("callie.media.packets_late", media.packets_late)
        .with("callie.media.frames_concealed", media.frames_concealed)
        .with("callie.media.jitter_ms", media.jitter_ms)
        .with("callie.media.encrypted", media.srtp.is_some())
        .with_some("callie.media.rtt_ms", media.rtt_ms)
        .with_some("callie.media.mos", media.mos)
        .with_some("callie.media.mos_min", media.mos_min)
        .with_some("callie.media.remote_loss_percent", media.remote_loss_percent)
        .with_some("callie.media.remote_mos", media.remote_mos)
}

/// What a text model made of a call that is over; `None` while it has not.
pub fn after_call(cdr: &Cdr) -> Option<Span> {
    let (trace, report) = (TraceId::of(cdr.id), cdr.after_call.as_ref()?);
    let span = Span::new(trace, SpanId::nth(trace, "after_call", 0), "after_call", cdr.ended_at?)
        .below(SpanId::root(trace))
        .until(report.at?)
        .with("callie.after_call.state", word(&report.state))
        .with("callie.after_call.attempts", report.attempts)
        .with_some("gen_ai.request.model", report.model.clone());
    Some(if report.state == AfterCallState::Failed { span.failed("given_up") } else { span })
}
