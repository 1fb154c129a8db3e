//! What the agent used, and what was asked of other systems for it.

use super::{Tree, earlier, later};
use crate::telemetry::SpanId;
use crate::telemetry::span::Kind;
use callie_domain::record::{CallEvent, CallFact, ToolEnd, ToolRequest};
use jiff::Timestamp;

/// Of a name that a model has given.
const LONGEST_NAME: usize = 64;

pub fn grow(tree: &mut Tree, parent: SpanId, event: &CallEvent) {
    let CallFact::ToolUsed { name, outcome, took_ms, requests, .. } = &event.fact else { return };
    let start = earlier(event.at, took_ms.unwrap_or(0));
    let name = shown(name);
    let span = tree.span("tool", format!("execute_tool {name}"), start).below(parent).until(event.at);
    let span = span.with("gen_ai.operation.name", "execute_tool").with("gen_ai.tool.name", name);
    let id = span.id;
    let end = super::word(&outcome.unwrap_or(ToolEnd::Result));
    let span = span.with("callie.tool.outcome", end.as_str());
    tree.push(if matches!(outcome, None | Some(ToolEnd::Result)) { span } else { span.failed(end) });
    requests.iter().for_each(|request| grow_request(tree, id, start, request));
}

/// What a model calls a tool may be anything.
fn shown(name: &str) -> String {
    let fits = name.len() <= LONGEST_NAME && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'));
    if fits { name.to_owned() } else { "unknown".to_owned() }
}

/// By its own name, under which the other side knows it.
fn grow_request(tree: &mut Tree, tool: SpanId, start: Timestamp, request: &ToolRequest) {
    let begun = later(start, request.after_ms);
    let mut span = tree
        .span("request", request.method.clone(), begun)
        .below(tool)
        .until(later(begun, request.took_ms))
        .of_kind(Kind::Client);
    if let Some(id) = SpanId::parse(&request.span) {
        span.id = id;
    }
    let method = if request.method.contains('/') { "mcp.method.name" } else { "http.request.method" };
    let span = span
        .with(method, request.method.clone())
        .with("server.address", request.host.clone())
        .with("server.port", request.port)
        .with_some("http.response.status_code", request.status);
    let error = request.error.clone().or_else(|| request.status.filter(|status| *status >= 400).map(|status| status.to_string()));
    tree.push(match error {
        Some(error) => span.failed(error),
        None => span,
    });
}
