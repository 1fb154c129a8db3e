//! Who is told of what happens: the list `webhooks` of the document.

use super::field::Field;
use crate::{Faults, Secret};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::str::FromStr;
use url::Url;

/// More than anybody keeps in mind.
pub const MAX_WEBHOOKS: usize = 8;
const LONGEST_URL: usize = 2_048;

/// What a receiver may be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum HookEvent {
    #[serde(rename = "call.started")]
    CallStarted,
    #[serde(rename = "call.answered")]
    CallAnswered,
    #[serde(rename = "call.ended")]
    CallEnded,
    /// What a text model made of it.
    #[serde(rename = "call.summarised")]
    CallSummarised,
    #[serde(rename = "transcript.turn")]
    TranscriptTurn,
    #[serde(rename = "message.taken")]
    MessageTaken,
    #[serde(rename = "registration.changed")]
    RegistrationChanged,
    /// Asked for through the API; every receiver takes it.
    #[serde(rename = "webhook.test")]
    Test,
}

impl HookEvent {
    /// Those that can be chosen.
    pub const ALL: &[Self] = &[
        Self::CallStarted,
        Self::CallAnswered,
        Self::CallEnded,
        Self::CallSummarised,
        Self::TranscriptTurn,
        Self::MessageTaken,
        Self::RegistrationChanged,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::CallStarted => "call.started",
            Self::CallAnswered => "call.answered",
            Self::CallEnded => "call.ended",
            Self::CallSummarised => "call.summarised",
            Self::TranscriptTurn => "transcript.turn",
            Self::MessageTaken => "message.taken",
            Self::RegistrationChanged => "registration.changed",
            Self::Test => "webhook.test",
        }
    }
}

impl FromStr for HookEvent {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.iter().copied().find(|event| event.as_str() == text).ok_or(())
    }
}

/// A receiver. Its URL is its name: there is one of each in the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// `http` or `https`, in the form that URLs are compared in.
    pub url: String,
    /// Empty means all.
    pub events: Vec<HookEvent>,
    /// Signs what is sent.
    pub secret: Secret,
    pub active: bool,
}

impl Webhook {
    pub fn wants(&self, event: HookEvent) -> bool {
        self.active && (event == HookEvent::Test || self.events.is_empty() || self.events.contains(&event))
    }
}

/// A receiver as a client or a document names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookInput {
    pub url: String,
    pub events: Vec<HookEvent>,
    /// Without one that of the same URL stays.
    pub secret: Option<Secret>,
    pub active: bool,
}

/// The list after a change. What has no secret yet is a fault.
pub(super) fn apply(wanted: Vec<WebhookInput>, old: &[Webhook], faults: &mut Faults) -> Vec<Webhook> {
    let settle = |(index, WebhookInput { url, events, secret, active }): (usize, WebhookInput)| {
        let known = || old.iter().find(|known| known.url == url).map(|known| known.secret.clone());
        let Some(secret) = secret.or_else(known) else {
            faults.add(format!("webhooks[{index}].secret"), "is required for a new URL");
            return None;
        };
        Some(Webhook { url, events, secret, active })
    };
    wanted.into_iter().enumerate().filter_map(settle).collect()
}

/// Reads `webhooks`; `null` is the empty list.
pub(super) fn read(field: &Field<'_>, faults: &mut Faults) -> Option<Vec<WebhookInput>> {
    let list = match field.value {
        Value::Null => return Some(Vec::new()),
        Value::Array(list) if list.len() <= MAX_WEBHOOKS => list,
        _ => {
            faults.add(field.path, format!("must be a list of at most {MAX_WEBHOOKS} webhooks"));
            return None;
        }
    };
    let before = faults.0.len();
    let mut hooks: Vec<WebhookInput> = Vec::with_capacity(list.len());
    for (index, entry) in list.iter().enumerate() {
        let path = format!("{}[{index}]", field.path);
        let Some(hook) = read_one(&path, entry, faults) else { continue };
        if hooks.iter().any(|earlier| earlier.url == hook.url) {
            faults.add(format!("{path}.url"), "is that of another webhook already");
        }
        hooks.push(hook);
    }
    (faults.0.len() == before).then_some(hooks)
}

fn read_one(path: &str, entry: &Value, faults: &mut Faults) -> Option<WebhookInput> {
    let Some(map) = entry.as_object() else {
        faults.add(path, "must be an object with url and secret");
        return None;
    };
    let (mut url, mut events, mut secret, mut active) = (None, Some(Vec::new()), None, Some(true));
    for (key, value) in map {
        let path = format!("{path}.{key}");
        let field = Field { path: &path, value };
        match key.as_str() {
            "url" => url = field.web_address(faults),
            "events" => events = read_events(&field, faults),
            "secret" => secret = field.hook_secret(faults),
            "active" => active = field.boolean(faults),
            // Shown by the API.
            "has_secret" => {}
            _ => faults.add(path, "is not a known field"),
        }
    }
    if !map.contains_key("url") {
        faults.add(format!("{path}.url"), "is required");
    }
    Some(WebhookInput { url: url?, events: events?, secret, active: active? })
}

fn read_events(field: &Field<'_>, faults: &mut Faults) -> Option<Vec<HookEvent>> {
    let read = |item: &Value| item.as_str().and_then(|word| word.trim().parse::<HookEvent>().ok());
    let list = match field.value {
        Value::Null => Some(Vec::new()),
        Value::Array(items) => items.iter().map(read).collect::<Option<Vec<_>>>(),
        _ => None,
    };
    let Some(mut list) = list else {
        let known: Vec<_> = HookEvent::ALL.iter().map(|event| event.as_str()).collect();
        faults.add(field.path, format!("must be a list of some of {}; none of them means all", known.join(", ")));
        return None;
    };
    list.sort_unstable();
    list.dedup();
    Some(list)
}

/// The form in which URLs are compared; `None` when it is none that may be asked.
pub fn normal(text: &str) -> Option<String> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())?;
    (url.username().is_empty() && url.password().is_none() && url.fragment().is_none()).then(|| url.into())
}

impl Field<'_> {
    /// An address that may be asked. Whether it may be reached is found out when it is.
    pub(super) fn web_address(&self, faults: &mut Faults) -> Option<String> {
        let text = self.text(faults, 1, LONGEST_URL)?;
        let url = normal(&text);
        if url.is_none() {
            faults.add(self.path, "must be an address such as https://example.com/hook, without user, password and #");
        }
        url
    }

    /// An absent or empty one keeps the stored one.
    fn hook_secret(&self, faults: &mut Faults) -> Option<Secret> {
        if self.value.is_null() || self.value.as_str().is_some_and(|text| text.trim().is_empty()) {
            return None;
        }
        let secret = self.password(faults)?;
        if secret.expose().len() < 16 {
            faults.add(self.path, "must have at least 16 bytes: it proves to the receiver that you are the sender");
            return None;
        }
        Some(secret)
    }
}

#[cfg(test)]
mod tests {
    use super::super::input::UserInput;
    use super::super::user_of_tests;
    use super::*;
    use jiff::Timestamp;
    use serde_json::json;

    const SECRET: &str = "whsec_0123456789";

    fn put(old: &crate::User, webhooks: Value) -> Result<crate::User, Faults> {
        UserInput::from_json(&json!({ "webhooks": webhooks }))?.apply(old, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn a_webhook_is_read_with_its_defaults() {
        let list = json!([{"url": "HTTPS://Example.com", "secret": SECRET},
            {"url": "http://a/b?c=d", "secret": SECRET, "events": ["call.ended", "call.ended", "message.taken"], "active": false}]);
        let hooks = put(&user_of_tests(), list).expect("valid").webhooks;
        assert_eq!(hooks[0].url, "https://example.com/", "as URLs are compared");
        assert!(HookEvent::ALL.iter().all(|event| hooks[0].wants(*event)));
        assert_eq!(hooks[1].events, [HookEvent::CallEnded, HookEvent::MessageTaken]);
        assert!(!hooks[1].wants(HookEvent::CallEnded), "it is not active");
    }

    #[test]
    fn a_secret_stays_with_its_url() {
        let old = put(&user_of_tests(), json!([{"url": "https://a/", "secret": SECRET}])).expect("valid");
        let changed = put(&old, json!([{"url": "https://a", "active": false, "has_secret": true}])).expect("valid");
        assert_eq!(changed.webhooks[0].secret, Secret::new(SECRET));
        let moved = put(&old, json!([{"url": "https://a"}, {"url": "https://b"}])).expect_err("no secret for b");
        assert_eq!(moved.to_string(), "webhooks[1].secret: is required for a new URL");
        assert_eq!(put(&old, json!(null)).expect("valid").webhooks, []);
    }

    #[test]
    fn what_is_wrong_is_named_by_its_place() {
        for (list, want) in [
            (json!({}), "webhooks"),
            (json!(vec![json!({"url": "https://a", "secret": SECRET}); 9]), "webhooks"),
            (json!([5]), "webhooks[0]"),
            (json!([{"secret": SECRET}]), "webhooks[0].url"),
            (json!([{"url": "ftp://a", "secret": SECRET}]), "webhooks[0].url"),
            (json!([{"url": "https://a:b@c", "secret": SECRET}]), "webhooks[0].url"),
            (json!([{"url": "https://a/\r\nx", "secret": SECRET}]), "webhooks[0].url"),
            (json!([{"url": "https://a/#b", "secret": SECRET}]), "webhooks[0].url"),
            (json!([{"url": "https://a", "secret": "short"}]), "webhooks[0].secret"),
            (json!([{"url": "https://a", "secret": SECRET, "events": ["call.begun"]}]), "webhooks[0].events"),
            (json!([{"url": "https://a", "secret": SECRET, "colour": 1}]), "webhooks[0].colour"),
            (json!([{"url": "https://a", "secret": SECRET}, {"url": "https://A/", "secret": SECRET}]), "webhooks[1].url"),
        ] {
            let faults = put(&user_of_tests(), list.clone()).expect_err("faulty");
            assert_eq!(faults.0.iter().map(|fault| fault.field.as_str()).collect::<Vec<_>>(), [want], "{list}");
            assert!(!faults.to_string().contains("short"), "no fault quotes a secret");
        }
    }
}
