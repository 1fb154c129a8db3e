//! Spans as the OpenTelemetry protocol has them. The messages are OpenTelemetry's own; nothing else names them.

use super::span::{Attributes, Kind, Span, Value};
use jiff::Timestamp;
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, SpanKind};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span as ProtoSpan, Status};
use prost::Message;

/// The span's trace is sampled (`flags` of `opentelemetry/proto/trace/v1`).
const SAMPLED: u32 = 1;

/// The body of a request to `/v1/traces`. `resource`: who we are.
pub fn body(resource: &[(String, String)], spans: Vec<Span>) -> Vec<u8> {
    let text = |(key, value): &(String, String)| pair(key, Value::Text(value.clone()));
    let scope = InstrumentationScope {
        name: "callie".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..InstrumentationScope::default()
    };
    let of_scope = ScopeSpans { scope: Some(scope), spans: spans.into_iter().map(span).collect(), schema_url: String::new() };
    let resource = Resource { attributes: resource.iter().map(text).collect(), ..Resource::default() };
    let of_us = ResourceSpans { resource: Some(resource), scope_spans: vec![of_scope], schema_url: String::new() };
    ExportTraceServiceRequest { resource_spans: vec![of_us] }.encode_to_vec()
}

/// How many spans a collector that has said yes did not take all the same.
pub fn rejected(answer: &[u8]) -> u64 {
    let answer = ExportTraceServiceResponse::decode(answer).unwrap_or_default();
    answer.partial_success.map_or(0, |partial| u64::try_from(partial.rejected_spans).unwrap_or(0))
}

fn span(span: Span) -> ProtoSpan {
    let kind = match span.kind {
        Kind::Internal => SpanKind::Internal,
        Kind::Server => SpanKind::Server,
        Kind::Client => SpanKind::Client,
    };
    let status = span.error.map(|message| Status { message, code: StatusCode::Error.into() });
    let events = span.moments.into_iter().map(|moment| Event {
        time_unix_nano: nanos(moment.at),
        name: moment.name.into_owned(),
        attributes: pairs(moment.attributes),
        dropped_attributes_count: 0,
    });
    ProtoSpan {
        trace_id: span.trace.bytes().to_vec(),
        span_id: span.id.bytes().to_vec(),
        parent_span_id: span.parent.map(|id| id.bytes().to_vec()).unwrap_or_default(),
        flags: SAMPLED,
        name: span.name.into_owned(),
        kind: kind.into(),
        start_time_unix_nano: nanos(span.start),
        end_time_unix_nano: nanos(span.end),
        attributes: pairs(span.attributes),
        events: events.collect(),
        status,
        ..ProtoSpan::default()
    }
}

fn pairs(attributes: Attributes) -> Vec<KeyValue> {
    attributes.into_iter().map(|(key, value)| pair(key, value)).collect()
}

fn pair(key: &str, value: Value) -> KeyValue {
    let value = match value {
        Value::Text(text) => any_value::Value::StringValue(text),
        Value::Whole(number) => any_value::Value::IntValue(number),
        Value::Real(number) => any_value::Value::DoubleValue(number),
        Value::Truth(truth) => any_value::Value::BoolValue(truth),
    };
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

fn nanos(at: Timestamp) -> u64 {
    u64::try_from(at.as_nanosecond()).unwrap_or(0)
}
