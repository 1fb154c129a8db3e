//! What the server tells about itself to those who run it: logs, and traces of calls (OTLP).
//!
//! ```text
//!  record, events, SIP messages ─ call ─▶ spans ─▶ queue (bounded) ─ exporter ─▶ protobuf over HTTP ─▶ collector
//!            hooks::dispatch ─────────────▶ │        full: dropped, and counted
//! ```
//!
//! | module | holds |
//! |---|---|
//! | [`logs`] | the subscriber of the process |
//! | [`trace`] | ids, what is sampled, what others are told (`traceparent`) |
//! | [`span`] | a span as we make it |
//! | [`call`] | a call's record as spans (pure) |
//! | [`exporter`] | the queue, and the task that empties it |
//! | `otlp` | spans as the protocol has them |

pub mod call;
pub mod exporter;
pub mod logs;
mod otlp;
pub mod span;
pub mod trace;

pub use exporter::{Exported, Exporter, Tracer};
pub use logs::start;
pub use span::{Kind, Span, Value};
pub use trace::{SpanId, TraceId, TraceParent};
