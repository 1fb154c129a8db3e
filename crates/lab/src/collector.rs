//! A collector of traces (OTLP over HTTP, protobuf): takes what comes, reads it by OpenTelemetry's own messages, and has the manners
//! that collectors have: it is away, hangs, is slow, says 503, takes a part.

use crate::receiver::{Manner, Received, Receiver};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::{Span, span::SpanKind, status::StatusCode};
use prost::Message;
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

/// A span that came, ids in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub trace: String,
    pub id: String,
    /// Empty of a root.
    pub parent: String,
    pub name: String,
    /// `Internal`, `Server`, `Client`.
    pub kind: String,
    pub start_ns: u64,
    pub end_ns: u64,
    /// Values as texts.
    pub attributes: BTreeMap<String, String>,
    pub events: Vec<String>,
    pub is_error: bool,
    /// Of who sent it.
    pub resource: BTreeMap<String, String>,
}

impl Seen {
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).map(String::as_str)
    }
}

/// A running one. Dropping it closes its port.
#[derive(Debug)]
pub struct Collector(Receiver);

impl Collector {
    pub async fn start() -> io::Result<Self> {
        Ok(Self(Receiver::start().await?))
    }

    /// There, where one may have died before.
    pub async fn start_at(address: SocketAddr) -> io::Result<Self> {
        Ok(Self(Receiver::start_at(address).await?))
    }

    pub fn address(&self) -> SocketAddr {
        self.0.address()
    }

    /// As `OTEL_EXPORTER_OTLP_ENDPOINT` has it.
    pub fn endpoint(&self) -> String {
        self.0.url("")
    }

    /// From now on.
    pub fn behave(&self, manner: Manner) {
        self.0.behave(manner);
    }

    /// The next requests one after the other; those behind them as before.
    pub fn behave_next(&self, next: impl IntoIterator<Item = Manner>) {
        self.0.behave_next(next);
    }

    pub fn requests(&self) -> Vec<Received> {
        self.0.received()
    }

    /// All that came, whether it was taken or not.
    pub fn spans(&self) -> Vec<Seen> {
        spans(&self.0.received())
    }

    /// Waits until they are as wanted; gives what there is when the time is over.
    pub async fn wait_until(&self, mut wanted: impl FnMut(&[Seen]) -> bool, patience: Duration) -> Vec<Seen> {
        self.0.wait_until(|received| wanted(&spans(received)), patience).await;
        self.spans()
    }
}

fn spans(received: &[Received]) -> Vec<Seen> {
    let requests = received.iter().filter_map(|received| ExportTraceServiceRequest::decode(received.body.as_slice()).ok());
    let of_us = requests.flat_map(|request| request.resource_spans);
    of_us
        .flat_map(|of_us| {
            let resource = texts(of_us.resource.map(|resource| resource.attributes).unwrap_or_default());
            let spans: Vec<_> = of_us.scope_spans.into_iter().flat_map(|scope| scope.spans).collect();
            spans.into_iter().map(move |span| seen(span, resource.clone()))
        })
        .collect()
}

fn seen(span: Span, resource: BTreeMap<String, String>) -> Seen {
    let kind = SpanKind::try_from(span.kind).map(|kind| format!("{kind:?}")).unwrap_or_default();
    Seen {
        trace: hex(&span.trace_id),
        id: hex(&span.span_id),
        parent: hex(&span.parent_span_id),
        name: span.name,
        kind,
        start_ns: span.start_time_unix_nano,
        end_ns: span.end_time_unix_nano,
        attributes: texts(span.attributes),
        events: span.events.into_iter().map(|event| event.name).collect(),
        is_error: span.status.is_some_and(|status| status.code == i32::from(StatusCode::Error)),
        resource,
    }
}

fn texts(pairs: Vec<KeyValue>) -> BTreeMap<String, String> {
    pairs.into_iter().map(|pair| (pair.key, text(pair.value))).collect()
}

fn text(value: Option<AnyValue>) -> String {
    match value.and_then(|value| value.value) {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::DoubleValue(number)) => number.to_string(),
        Some(Value::BoolValue(truth)) => truth.to_string(),
        _ => String::new(),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Names as a tree, those that began first before the others; a failed one has its `error.type` behind it.
pub fn drawn(spans: &[Seen]) -> String {
    let mut lines = String::new();
    draw(spans, "", 0, &mut lines);
    lines
}

fn draw(spans: &[Seen], parent: &str, depth: usize, lines: &mut String) {
    let mut below: Vec<_> = spans.iter().filter(|span| span.parent == parent).collect();
    below.sort_by_key(|span| (span.start_ns, span.end_ns));
    for span in below {
        let error = span.attribute("error.type").filter(|_| span.is_error).map(|error| format!(" ! {error}")).unwrap_or_default();
        lines.push_str(&format!("{}{}{error}\n", "  ".repeat(depth), span.name));
        draw(spans, &span.id, depth + 1, lines);
    }
}
