//! One attempt to tell a receiver of a call, as a span of the call's trace.

use crate::outside::{Answer, OutsideError};
use crate::telemetry::{Kind, Span, SpanId, TraceParent, Tracer};
use callie_domain::CallId;
use callie_store::Delivery;
use jiff::Timestamp;
use url::Url;

/// Under way.
pub struct Told {
    parent: TraceParent,
    span: Span,
}

impl Told {
    /// `None` of what is told of no call, and where nothing is exported.
    pub fn begin(tracer: &Tracer, delivery: &Delivery) -> Option<Self> {
        // The lane of a call has its name.
        let parent = tracer.parent(delivery.lane.parse::<CallId>().ok()?)?;
        let id = SpanId::nth(parent.trace, &delivery.id.to_string(), usize::try_from(delivery.attempts).unwrap_or(0));
        let url = Url::parse(&delivery.url).ok();
        let span = Span::new(parent.trace, id, format!("webhook {}", delivery.event), Timestamp::now())
            .below(SpanId::root(parent.trace))
            .of_kind(Kind::Client)
            .with("http.request.method", "POST")
            .with("http.request.resend_count", delivery.attempts)
            .with("callie.delivery.id", delivery.id.to_string())
            .with_some("server.address", url.as_ref().and_then(Url::host_str))
            .with_some("server.port", url.as_ref().and_then(Url::port_or_known_default));
        Some(Self { parent, span })
    }

    /// What the receiver is told.
    pub fn parent(&self) -> String {
        self.parent.of(self.span.id)
    }

    /// `None` where the trace is not sampled.
    pub fn end(self, outcome: &Result<Answer, OutsideError>) -> Option<Span> {
        if !self.parent.sampled {
            return None;
        }
        let span = self.span.until(Timestamp::now());
        Some(match outcome {
            Ok(answer) => {
                let span = span.with("http.response.status_code", answer.status);
                if answer.status >= 400 { span.failed(answer.status.to_string()) } else { span }
            }
            Err(error) => span.failed(error.word()),
        })
    }
}
