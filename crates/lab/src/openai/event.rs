//! The events of the service, as it writes them.

use super::record::Sent;
use super::terms::Refusal;
use serde_json::{Value, json};

/// Something to be sent, and what the record says of it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Reply {
    pub body: String,
    pub sent: Sent,
}

impl Reply {
    pub fn raw(body: String) -> Self {
        Self { body, sent: Sent::Other }
    }
}

/// Numbers the events of a session.
#[derive(Debug, Default)]
pub(super) struct Events {
    count: u64,
}

impl Events {
    pub fn event(&mut self, kind: &str, fields: Value, sent: Sent) -> Reply {
        self.count += 1;
        let mut event = json!({"type": kind, "event_id": format!("event_{:06}", self.count)});
        if let (Value::Object(event), Value::Object(fields)) = (&mut event, fields) {
            event.extend(fields);
        }
        Reply { body: event.to_string(), sent }
    }

    pub fn plain(&mut self, kind: &str, fields: Value) -> Reply {
        self.event(kind, fields, Sent::Other)
    }

    pub fn error(&mut self, kind: &str, refusal: &Refusal, event_id: Option<&str>) -> Reply {
        let Refusal { code, message, param } = refusal;
        let error = json!({"type": kind, "code": code, "message": message, "param": param, "event_id": event_id});
        self.event("error", json!({"error": error}), Sent::Error(code.clone()))
    }
}
