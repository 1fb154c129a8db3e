//! The list `webhooks`: an entry is known by its URL, and keeps what we do not know of it.

use super::write::{set, write_secret};
use super::{WEBHOOK_SECRET, read::open};
use crate::DocFault;
use crate::seal::{AtRest, Keyring, SealError, classify};
use callie_domain::user::Webhook;
use callie_domain::user::webhooks::WebhookInput;
use callie_domain::{User, UserId};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

const FIELDS: [&str; 4] = ["url", "events", "secret", "active"];

/// The entries with those fields that are settings and say something. What is no list of objects is left for the parser.
pub(super) fn known(list: &Value) -> Value {
    let Some(list) = list.as_array() else { return list.clone() };
    let kept = |entry: &Value| match entry.as_object() {
        Some(entry) => {
            let fields = FIELDS.iter().filter_map(|field| match entry.get(*field)? {
                Value::Null => None,
                // The `sqlite3` shell knows no booleans.
                Value::Number(number) if *field == "active" && number.as_u64().is_some_and(|n| n < 2) => {
                    Some(((*field).to_owned(), json!(number.as_u64() == Some(1))))
                }
                value => Some(((*field).to_owned(), value.clone())),
            });
            Value::Object(fields.collect())
        }
        None => entry.clone(),
    };
    list.iter().map(kept).collect()
}

/// Takes the sealed secrets out, so that the parser of clear ones does not see them; by the place of their entry.
pub(super) fn take_sealed(settings: &mut Map<String, Value>) -> Vec<Option<String>> {
    let list = settings.get_mut("webhooks").and_then(Value::as_array_mut);
    let take = |entry: &mut Value| {
        let entry = entry.as_object_mut()?;
        let sealed = WEBHOOK_SECRET.stored(entry).filter(|text| classify(text) != AtRest::Plain)?.to_owned();
        entry.remove(WEBHOOK_SECRET.field);
        Some(sealed)
    };
    list.into_iter().flatten().map(take).collect()
}

/// Puts the secrets that were taken out into the parsed entries, opened.
pub(super) fn put_back(
    id: &UserId,
    hooks: &mut [WebhookInput],
    sealed: Vec<Option<String>>,
    keyring: &Keyring,
) -> Result<(), DocFault> {
    for (hook, sealed) in hooks.iter_mut().zip(sealed) {
        if let Some(sealed) = sealed {
            hook.secret = Some(open(id, WEBHOOK_SECRET.path, &sealed, keyring)?);
        }
    }
    Ok(())
}

/// What is the default is not written, unless it stands there already.
pub(super) fn write(doc: &mut Map<String, Value>, user: &User, keyring: &Keyring, now: Timestamp) -> Result<(), SealError> {
    if user.webhooks.is_empty() && !doc.contains_key("webhooks") {
        return Ok(());
    }
    let old = doc.get("webhooks").and_then(Value::as_array).cloned().unwrap_or_default();
    let entries = user.webhooks.iter().map(|hook| write_one(hook, &old, user, keyring, now));
    let entries = entries.collect::<Result<Vec<_>, _>>()?;
    set(doc, "webhooks", entries);
    Ok(())
}

fn write_one(hook: &Webhook, old: &[Value], user: &User, keyring: &Keyring, now: Timestamp) -> Result<Value, SealError> {
    let is_it = |entry: &&Value| entry.get("url").and_then(Value::as_str).is_some_and(|url| is_same(url, &hook.url));
    let mut entry = old.iter().find(is_it).and_then(Value::as_object).cloned().unwrap_or_default();
    set(&mut entry, "url", &hook.url);
    if !hook.events.is_empty() || entry.contains_key("events") {
        set(&mut entry, "events", &hook.events);
    }
    if !hook.active || entry.contains_key("active") {
        set(&mut entry, "active", hook.active);
    }
    write_secret(&mut entry, WEBHOOK_SECRET, Some(&hook.secret), user, keyring, now)?;
    Ok(Value::Object(entry))
}

/// Somebody may have typed it in another form.
fn is_same(typed: &str, url: &str) -> bool {
    typed == url || callie_domain::user::webhooks::normal(typed).as_deref() == Some(url)
}
