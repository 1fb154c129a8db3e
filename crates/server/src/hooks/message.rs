//! What a receiver is told: one envelope for everything, with the data of its kind.
//!
//! ```json
//! {"id": "01JD…", "type": "call.answered", "created_at": "…", "user_id": "alice", "data": {"call_id": "01JC…", …}}
//! ```

use callie_domain::record::{CallEvent, CallFact, Cdr};
use callie_domain::user::{HookEvent, User};
use callie_domain::{DeliveryId, UserId};
use callie_store::NewDelivery;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

#[derive(Serialize)]
struct Envelope<'a> {
    id: DeliveryId,
    #[serde(rename = "type")]
    event: HookEvent,
    created_at: Timestamp,
    user_id: &'a UserId,
    data: &'a Value,
}

/// Something to tell, to whoever wants to hear it.
#[derive(Debug, Clone, PartialEq)]
pub struct News {
    pub event: HookEvent,
    pub data: Value,
    /// Of one lane, one is told after the other.
    pub lane: String,
}

impl News {
    /// One delivery for each receiver that wants it. `entropy` must be fresh random bits each time.
    pub fn to_all(&self, user: &User, now: Timestamp, entropy: impl FnMut() -> u128) -> Vec<NewDelivery> {
        self.to(user.webhooks.iter().filter(|hook| hook.wants(self.event)).map(|hook| hook.url.as_str()), &user.id, now, entropy)
    }

    pub fn to<'a>(
        &self,
        urls: impl Iterator<Item = &'a str>,
        user: &UserId,
        now: Timestamp,
        mut entropy: impl FnMut() -> u128,
    ) -> Vec<NewDelivery> {
        let to_one = |url: &str| {
            let id = DeliveryId::new(now, entropy());
            let envelope = Envelope { id, event: self.event, created_at: now, user_id: user, data: &self.data };
            NewDelivery {
                id,
                user_id: user.clone(),
                url: url.to_owned(),
                event: self.event,
                lane: self.lane.clone(),
                // Texts and numbers: it cannot fail.
                body: serde_json::to_string(&envelope).unwrap_or_default(),
                created_at: now,
            }
        };
        urls.map(to_one).collect()
    }

    fn of_call(event: HookEvent, cdr: &Cdr, more: Value) -> Self {
        let mut data = json!({"call_id": cdr.id, "direction": cdr.direction, "from": cdr.from, "to": cdr.to});
        if let (Some(data), Value::Object(more)) = (data.as_object_mut(), more) {
            data.extend(more);
        }
        Self { event, data, lane: cdr.id.to_string() }
    }

    pub fn started(cdr: &Cdr) -> Self {
        Self::of_call(HookEvent::CallStarted, cdr, json!({"started_at": cdr.started_at}))
    }

    /// `record` is the call's record as the API shows it.
    pub fn ended(cdr: &Cdr, record: Value) -> Self {
        Self { event: HookEvent::CallEnded, data: json!({"call": record}), lane: cdr.id.to_string() }
    }

    /// What a text model made of it.
    pub fn summarised(cdr: &Cdr) -> Self {
        let report = cdr.after_call.as_ref();
        let (summary, fields) = (report.and_then(|r| r.summary.as_ref()), report.and_then(|r| r.fields.as_ref()));
        let model = report.and_then(|r| r.model.as_ref());
        Self::of_call(HookEvent::CallSummarised, cdr, json!({"summary": summary, "fields": fields, "model": model}))
    }

    /// `None` when it is nothing that anybody is told.
    pub fn happened(cdr: &Cdr, event: &CallEvent) -> Option<Self> {
        Some(match &event.fact {
            CallFact::Answered => Self::of_call(HookEvent::CallAnswered, cdr, json!({"answered_at": event.at})),
            CallFact::Turn { turn } => Self::of_call(HookEvent::TranscriptTurn, cdr, json!({"turn": turn})),
            CallFact::MessageTaken { message } => {
                Self::of_call(HookEvent::MessageTaken, cdr, json!({"at": event.at, "message": message}))
            }
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use callie_domain::CallId;
    use callie_domain::record::{Direction, Message, Speaker, Turn};

    fn cdr() -> Cdr {
        let (at, alice) = (Timestamp::UNIX_EPOCH, "alice".parse().expect("valid"));
        Cdr { from: "+431".to_owned(), to: "alice".to_owned(), ..Cdr::begun(CallId::new(at, 7), alice, Direction::Inbound, at) }
    }

    fn told(fact: CallFact) -> Option<News> {
        News::happened(&cdr(), &CallEvent { at: Timestamp::UNIX_EPOCH, offset_ms: 0, fact })
    }

    #[test]
    fn what_happens_becomes_news_of_its_call() {
        let turn = Turn {
            index: 3,
            speaker: Speaker::Caller,
            started_ms: 1,
            ended_ms: 2,
            text: "hello".to_owned(),
            interrupted: false,
            latency: None,
        };
        let message = Message { name: Some("Tom".to_owned()), text: "The boiler leaks.".to_owned(), ..Message::default() };
        let of_call = json!({"call_id": cdr().id, "direction": "inbound", "from": "+431", "to": "alice"});
        for (fact, event, field, value) in [
            (CallFact::Answered, HookEvent::CallAnswered, "answered_at", json!("1970-01-01T00:00:00Z")),
            (CallFact::Turn { turn: turn.clone() }, HookEvent::TranscriptTurn, "turn", json!(turn)),
            (
                CallFact::MessageTaken { message },
                HookEvent::MessageTaken,
                "message",
                json!({"name": "Tom", "text": "The boiler leaks."}),
            ),
        ] {
            let news = told(fact.clone()).unwrap_or_else(|| panic!("{fact:?}"));
            assert_eq!((news.event, &news.data[field], &news.lane), (event, &value, &cdr().id.to_string()), "{fact:?}");
            assert!(of_call.as_object().expect("a map").iter().all(|(key, value)| news.data[key] == *value), "{fact:?}");
        }
        assert_eq!(told(CallFact::Dtmf { digit: '1' }), None);
    }
}
