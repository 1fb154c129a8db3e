//! A request that a tool sends, on its way into the call's record.

use crate::telemetry::SpanId;
use callie_domain::record::ToolRequest;
use tokio::time::Instant;
use url::Url;

/// Sent, and not answered yet.
pub struct Asked {
    /// What the other side is told as its parent.
    pub span: SpanId,
    method: String,
    host: String,
    port: u16,
    begun: Instant,
    sent: Instant,
}

impl Asked {
    /// `begun`: when the use of the tool did.
    pub fn begin(method: &str, url: &Url, begun: Instant) -> Self {
        Self {
            span: SpanId::from(rand::random::<u64>()),
            method: method.to_owned(),
            host: url.host_str().unwrap_or_default().to_owned(),
            port: url.port_or_known_default().unwrap_or(0),
            begun,
            sent: Instant::now(),
        }
    }

    /// `status`: of HTTP, where that is what was spoken.
    pub fn answered(self, status: Option<u16>) -> ToolRequest {
        self.over(status, None)
    }

    /// `why`: in one word.
    pub fn failed(self, why: &str) -> ToolRequest {
        self.over(None, Some(why.to_owned()))
    }

    fn over(self, status: Option<u16>, error: Option<String>) -> ToolRequest {
        let millis = |time: std::time::Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        ToolRequest {
            span: self.span.to_string(),
            method: self.method,
            host: self.host,
            port: self.port,
            after_ms: millis(self.sent.saturating_duration_since(self.begun)),
            took_ms: millis(self.sent.elapsed()),
            status,
            error,
        }
    }
}
