//! One subscriber for the whole process, to stderr, as text or JSON.
//!
//! What is logged is decided where it is logged; the rule there: at info and above never a secret, a digest, a full telephone
//! number (see `callie_domain::dial::masked`) or speech.

use crate::config::{Log, LogFormat};
use std::io::IsTerminal;
use tracing::Subscriber;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{EnvFilter, Layer, fmt, layer::SubscriberExt, util::SubscriberInitExt};

/// Starts logging. A second call does nothing: tests may start several servers in one process.
pub fn start(log: &Log) {
    let filter = EnvFilter::new(&log.filter);
    let registry = tracing_subscriber::registry().with(filter);
    let started = match log.format {
        LogFormat::Text => {
            // Colours are for people at a terminal; in a file they are noise.
            let layer = fmt::layer().with_ansi(std::io::stderr().is_terminal()).with_writer(std::io::stderr);
            registry.with(layer).try_init()
        }
        LogFormat::Json => registry.with(json(std::io::stderr)).try_init(),
    };
    if started.is_err() {
        tracing::debug!("logging was started before");
    }
}

/// One object a line: the event's own fields, and the span that it happened in, which in a call has `call.id` and `trace_id`.
fn json<S, W>(writer: W) -> impl Layer<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> fmt::MakeWriter<'a> + Send + Sync + 'static,
{
    fmt::layer().json().flatten_event(true).with_writer(writer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::TraceId;
    use callie_domain::CallId;
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().expect("not poisoned").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// As the registry of calls opens its span.
    #[test]
    fn a_line_of_a_call_names_the_call_and_its_trace() {
        let kept = Kept::default();
        let writer = kept.clone();
        let subscriber = tracing_subscriber::registry().with(json(move || writer.clone()));
        let id: CallId = "01JD3V6Q0X3N2Z7Y5W4T8R9P1M".parse().expect("a call");
        tracing::subscriber::with_default(subscriber, || {
            let span = tracing::info_span!("call", call.id = %id, trace_id = %TraceId::of(id));
            span.in_scope(|| tracing::info!(answer = 42, "answered"));
        });
        let line: serde_json::Value = serde_json::from_slice(&kept.0.lock().expect("not poisoned")).expect("JSON");
        assert_eq!((&line["message"], &line["answer"]), (&"answered".into(), &42.into()), "{line}");
        assert_eq!(line["span"]["call.id"], "01JD3V6Q0X3N2Z7Y5W4T8R9P1M");
        assert_eq!(line["span"]["trace_id"], "019347b35c1d1d45f3f8bc269184d834");
    }
}
