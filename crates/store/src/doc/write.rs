//! User → document.

use super::PASSWORD_PATH;
use crate::seal::{AtRest, Keyring, SealError, classify};
use callie_domain::user::{Routing, TransferMode, TransferTarget};
use callie_domain::{Secret, User, UserId};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// The user's document: our fields over `existing`, whose other fields stay at every level.
///
/// An existing sealed password stays as it is when it opens to the same password under the primary key. When it does not
/// open at all it is not ours to overwrite: the error of [`Keyring::open`].
pub fn write(user: &User, existing: Option<&Value>, keyring: &Keyring, now: Timestamp) -> Result<Value, SealError> {
    let mut doc = existing.and_then(Value::as_object).cloned().unwrap_or_default();
    write_sip(map(&mut doc, "sip"), user, keyring, now)?;
    write_device(map(&mut doc, "device"), user);
    write_calls(map(&mut doc, "calls"), user);
    if doc.contains_key("ai") || user.ai != callie_domain::user::AiSettings::default() {
        let ai = map(&mut doc, "ai");
        set_optional(ai, "engine", user.ai.engine.as_deref());
        set_optional(ai, "model", user.ai.model.as_deref());
        set_optional(ai, "voice", user.ai.voice.as_deref());
        set_optional(ai, "language", user.ai.language.as_deref());
        set_optional(ai, "instructions", user.ai.instructions.as_deref());
    }
    if doc.contains_key("routing") || user.routing != Routing::default() {
        write_routing(map(&mut doc, "routing"), &user.routing);
    }
    Ok(Value::Object(doc))
}

/// Seals a password that stands in the document in clear, and changes nothing else. `false` when there is none.
pub fn seal_typed_password(id: &UserId, doc: &mut Value, keyring: &Keyring, now: Timestamp) -> Result<bool, SealError> {
    let Some(sip) = doc.get_mut("sip").and_then(Value::as_object_mut) else { return Ok(false) };
    let Some(typed) = sip.get("sip_password").and_then(Value::as_str) else { return Ok(false) };
    if typed.is_empty() || classify(typed) != AtRest::Plain {
        return Ok(false);
    }
    let typed = Secret::new(typed);
    set_password(sip, id, &typed, keyring, now)?;
    Ok(true)
}

/// Whether `sealed` is what [`seal_typed_password`] made of `typed`.
pub fn is_sealed_from(id: &UserId, sealed: &Value, typed: &Value, keyring: &Keyring) -> bool {
    let (mut sealed, mut typed) = (sealed.clone(), typed.clone());
    let (Some(stored), Some(clear)) = (take_password(&mut sealed), take_password(&mut typed)) else { return false };
    let same = || keyring.open(id, PASSWORD_PATH, &stored).is_ok_and(|password| password == Secret::new(&clear));
    sealed == typed && classify(&clear) == AtRest::Plain && same()
}

/// Takes the password out, with the time of its sealing.
fn take_password(doc: &mut Value) -> Option<String> {
    let sip = doc.get_mut("sip")?.as_object_mut()?;
    sip.remove("password_encrypted_at");
    sip.remove("sip_password")?.as_str().map(str::to_owned)
}

/// Seals the password with the primary key, whether it stands there in clear or under another key, and changes nothing
/// else. `false` when that is so already, or there is none.
pub fn reseal(id: &UserId, doc: &mut Value, keyring: &Keyring, now: Timestamp) -> Result<bool, SealError> {
    let Some(sip) = doc.get_mut("sip").and_then(Value::as_object_mut) else { return Ok(false) };
    let Some(stored) = sip.get("sip_password").and_then(Value::as_str).filter(|text| !text.is_empty()) else { return Ok(false) };
    let password = match classify(stored) {
        _ if keyring.is_current(stored) => {
            keyring.open(id, PASSWORD_PATH, stored)?;
            return Ok(false);
        }
        AtRest::Plain => Secret::new(stored),
        AtRest::Sealed { .. } => keyring.open(id, PASSWORD_PATH, stored)?,
    };
    set_password(sip, id, &password, keyring, now)?;
    Ok(true)
}

fn write_sip(sip: &mut Map<String, Value>, user: &User, keyring: &Keyring, now: Timestamp) -> Result<(), SealError> {
    let settings = &user.sip;
    let stored = sip.get("sip_password").and_then(Value::as_str).filter(|text| classify(text) != AtRest::Plain);
    let unchanged = match stored {
        Some(sealed) => keyring.open(&user.id, PASSWORD_PATH, sealed)? == settings.password && keyring.is_current(sealed),
        None => false,
    };
    if !unchanged {
        set_password(sip, &user.id, &settings.password, keyring, now)?;
    }
    set(sip, "user_id", user.id.as_str());
    set(sip, "display_name", &user.display_name);
    set(sip, "sip_username", &settings.username);
    set(sip, "sip_server", settings.server.to_string());
    set(sip, "sip_port", settings.port);
    set(sip, "account_label", &settings.account_label);
    set(sip, "is_active", settings.is_active);
    set(sip, "connect", settings.connect);
    set(sip, "transport", settings.transport.as_str());
    set_optional(sip, "auth_username", settings.auth_username.as_deref());
    set_optional(sip, "from_user", settings.from_user.as_deref());
    set_optional(sip, "caller_id", settings.caller_id.as_deref());
    set_optional(sip, "outbound_proxy", settings.outbound_proxy.as_ref().map(ToString::to_string).as_deref());
    set(sip, "created_at", user.created_at.to_string());
    set(sip, "updated_at", user.updated_at.to_string());
    Ok(())
}

fn set_password(
    sip: &mut Map<String, Value>,
    id: &UserId,
    password: &Secret,
    keyring: &Keyring,
    now: Timestamp,
) -> Result<(), SealError> {
    set(sip, "sip_password", keyring.seal(id, PASSWORD_PATH, password)?);
    set(sip, "password_encrypted_at", now.to_string());
    Ok(())
}

fn write_device(device: &mut Map<String, Value>, user: &User) {
    set(device, "user_id", user.id.as_str());
    set(device, "mac_address", user.device.mac_address.to_string());
    set(device, "model", &user.device.model);
    set(device, "firmware", &user.device.firmware);
    // The first version's documents carry this one as null.
    set(device, "custom_user_agent", user.device.custom_user_agent.as_deref());
}

fn write_calls(calls: &mut Map<String, Value>, user: &User) {
    let settings = &user.calls;
    set(calls, "user_id", user.id.as_str());
    set(calls, "default_greeting", &settings.default_greeting);
    set(calls, "max_call_duration", settings.max_call_duration);
    set(calls, "answer_timeout", settings.answer_timeout);
    set(calls, "rtp_port_min", settings.rtp_port_min);
    set(calls, "rtp_port_max", settings.rtp_port_max);
    set(calls, "use_fixed_rtp_port", settings.use_fixed_rtp_port);
}

/// What is the default is not written, unless it stands there already.
fn write_routing(routing: &mut Map<String, Value>, settings: &Routing) {
    let entry = |target: &TransferTarget| {
        let mut entry = Map::new();
        set(&mut entry, "name", target.name.as_str());
        set(&mut entry, "target", target.target.to_string());
        set_optional(&mut entry, "mode", target.mode.map(TransferMode::as_str));
        Value::Object(entry)
    };
    if !settings.transfer_targets.is_empty() || routing.contains_key("transfer_targets") {
        set(routing, "transfer_targets", settings.transfer_targets.iter().map(entry).collect::<Vec<_>>());
    }
    if settings.accept_refer || routing.contains_key("accept_refer") {
        set(routing, "accept_refer", settings.accept_refer);
    }
}

fn map<'a>(doc: &'a mut Map<String, Value>, name: &str) -> &'a mut Map<String, Value> {
    let slot = doc.entry(name).or_insert_with(|| json!({}));
    if !slot.is_object() {
        *slot = json!({});
    }
    slot.as_object_mut().expect("it was made an object above")
}

fn set<V: serde::Serialize>(map: &mut Map<String, Value>, field: &str, value: V) {
    map.insert(field.to_owned(), json!(value));
}

/// A setting of ours that is not made leaves no field behind.
fn set_optional(map: &mut Map<String, Value>, field: &str, value: Option<&str>) {
    match value {
        Some(value) => set(map, field, value),
        None => drop(map.remove(field)),
    }
}
