//! What went on between us and the other side's telephone: each SIP transaction as it was on the wire, and what they were for.

use super::{Record, Tree, word};
use crate::telemetry::SpanId;
use crate::telemetry::span::{Kind, Span};
use callie_domain::record::{CallEvent, CallFact, SipMessage, Way};
use std::collections::HashMap;

/// Others come from the network, and are one.
const METHODS: [&str; 10] = ["INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "INFO", "UPDATE", "PRACK", "REFER", "NOTIFY"];

/// Which transaction a message belongs to, whoever sent its request.
type Key = (Way, String, String);

pub fn grow(tree: &mut Tree, root: SpanId, record: &Record<'_>) {
    let begin = record.messages.first().map_or(record.cdr.started_at, |message| message.at.min(record.cdr.started_at));
    let last = record.messages.last().map_or(record.end(), |message| message.at.max(record.end()));
    let span = tree.span("signalling", "signalling", begin).below(root).until(last);
    let id = span.id;
    tree.push(span);
    transactions(tree, id, record.messages);
    holds(tree, id, record);
    transfers(tree, id, record);
}

fn transactions(tree: &mut Tree, parent: SpanId, messages: &[SipMessage]) {
    let mut open: HashMap<Key, usize> = HashMap::new();
    let mut spans: Vec<(Span, bool)> = Vec::new();
    for message in messages {
        let (Some(cseq), Some(call)) = (message.field("CSeq"), message.field("Call-ID")) else { continue };
        let line = message.start_line();
        let status = line.strip_prefix("SIP/2.0 ").and_then(|rest| rest.get(..3)?.parse::<u16>().ok());
        let asked = match (message.way, status) {
            (way, None) => way,
            (Way::Sent, Some(_)) => Way::Received,
            (Way::Received, Some(_)) => Way::Sent,
        };
        let key = (asked, call.to_owned(), cseq.to_owned());
        match (status, open.get(&key).and_then(|at| spans.get_mut(*at))) {
            (Some(status), Some((span, is_over))) => answered(span, is_over, status, message),
            (None, None) => {
                if let Some(span) = begun(tree, parent, message, line) {
                    open.insert(key, spans.len());
                    spans.push((span, false));
                }
            }
            // The same once more, or the answer to what was not kept.
            (None, Some((span, _))) => span.mark("retransmission", message.at, Vec::new()),
            (Some(_), None) => {}
        }
    }
    for (mut span, is_over) in spans {
        if !is_over {
            span = span.failed("no_answer");
        }
        tree.push(span);
    }
}

/// `None` for an ACK, which nobody answers.
fn begun(tree: &mut Tree, parent: SpanId, message: &SipMessage, line: &str) -> Option<Span> {
    let method = line.split(' ').next().unwrap_or_default();
    let method = METHODS.into_iter().find(|known| *known == method).unwrap_or("OTHER");
    let is_again = method == "INVITE" && message.field("To").is_some_and(|to| to.contains(";tag="));
    let name = if is_again { "re-INVITE" } else { method };
    let kind = if message.way == Way::Sent { Kind::Client } else { Kind::Server };
    if method == "ACK" {
        return None;
    }
    let span = tree.span("transaction", name, message.at).below(parent).of_kind(kind);
    let (transport, peer) = (message.transport.as_str(), message.remote);
    Some(
        span.with("sip.method", method)
            .with("network.transport", transport)
            .with("network.peer.address", peer.ip().to_string())
            .with("network.peer.port", peer.port()),
    )
}

fn answered(span: &mut Span, is_over: &mut bool, status: u16, message: &SipMessage) {
    if status < 200 {
        return span.mark(format!("{status}"), message.at, Vec::new());
    }
    if std::mem::replace(is_over, true) {
        return;
    }
    span.end = message.at.max(span.start);
    span.attributes.push(("sip.response.status_code", status.into()));
    // To be asked who we are is no failure, nor is a caller who gives up.
    if status >= 400 && !matches!(status, 401 | 407 | 487) {
        *span = span.clone().failed(status.to_string());
    }
}

fn holds(tree: &mut Tree, parent: SpanId, record: &Record<'_>) {
    let mut since = None;
    for event in record.events {
        match (&event.fact, since) {
            (CallFact::Hold { on: true }, None) => since = Some(event.at),
            (CallFact::Hold { on: false }, Some(at)) => {
                let span = tree.span("hold", "hold", at).below(parent).until(event.at);
                tree.push(span);
                since = None;
            }
            _ => {}
        }
    }
    if let Some(at) = since {
        let span = tree.span("hold", "hold", at).below(parent).until(record.end());
        tree.push(span);
    }
}

/// To whom, and why not, is told in words, which stay in the record.
fn transfers(tree: &mut Tree, parent: SpanId, record: &Record<'_>) {
    let mut under_way: Option<Span> = None;
    for CallEvent { at, fact, .. } in record.events {
        if let CallFact::TransferStarted { mode, .. } = fact {
            if let Some(span) = under_way.take() {
                tree.push(span.until(*at));
            }
            let span = tree.span("transfer", "transfer", *at).below(parent);
            under_way = Some(span.with("callie.transfer.mode", mode.as_str()));
        }
        let Some(span) = &mut under_way else { continue };
        match fact {
            CallFact::TransferProgress { code, .. } => span.mark(code.to_string(), *at, Vec::new()),
            CallFact::TransferFellBack { .. } => span.mark("fell_back", *at, Vec::new()),
            CallFact::TransferCompleted { how } => {
                let how = word(how);
                tree.push(span.clone().until(*at).with("callie.transfer.how", how));
                under_way = None;
            }
            CallFact::TransferFailed { .. } => {
                tree.push(span.clone().until(*at).failed("transfer_failed"));
                under_way = None;
            }
            _ => {}
        }
    }
    if let Some(span) = under_way {
        tree.push(span.until(record.end()));
    }
}
