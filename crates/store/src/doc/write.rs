//! User → document.

use super::{PASSWORD, SecretField, TLS_CLIENT_KEY, limits, tools, webhooks};
use crate::seal::{AtRest, Keyring, SealError, classify};
use callie_domain::audio::LineMedia;
use callie_domain::user::{
    AfterCall, AiSettings, Limits, Recording, RecordingPolicy, Routing, SipSettings, ToolSettings, TransferMode, TransferTarget,
    Voicemail, VoicemailPolicy,
};
use callie_domain::{AcceptFrom, Secret, User};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// The user's document: our fields over `existing`, whose other fields stay at every level.
///
/// An existing sealed secret stays as it is when it opens to the same secret under the primary key. When it does not
/// open at all it is not ours to overwrite: the error of [`Keyring::open`].
pub fn write(user: &User, existing: Option<&Value>, keyring: &Keyring, now: Timestamp) -> Result<Value, SealError> {
    let mut doc = existing.and_then(Value::as_object).cloned().unwrap_or_default();
    write_sip(map(&mut doc, "sip"), user, keyring, now)?;
    write_device(map(&mut doc, "device"), user);
    write_calls(map(&mut doc, "calls"), user);
    if doc.contains_key("ai") || user.ai != AiSettings::default() || user.tools != ToolSettings::default() {
        let ai = map(&mut doc, "ai");
        write_ai(ai, &user.ai);
        tools::write(ai, user, keyring, now)?;
    }
    if doc.contains_key("routing") || user.routing != Routing::default() {
        write_routing(map(&mut doc, "routing"), &user.routing);
    }
    if doc.contains_key("limits") || user.limits != Limits::default() {
        limits::write(map(&mut doc, "limits"), &user.limits);
    }
    webhooks::write(&mut doc, user, keyring, now)?;
    Ok(Value::Object(doc))
}

fn write_sip(sip: &mut Map<String, Value>, user: &User, keyring: &Keyring, now: Timestamp) -> Result<(), SealError> {
    let settings = &user.sip;
    write_secret(sip, PASSWORD, Some(&settings.password), user, keyring, now)?;
    write_secret(sip, TLS_CLIENT_KEY, settings.tls.client_key.as_ref(), user, keyring, now)?;
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
    set_optional(sip, "outbound_proxy", settings.outbound_proxy.as_ref().map(ToString::to_string));
    write_line(sip, settings);
    set(sip, "created_at", user.created_at.to_string());
    set(sip, "updated_at", user.updated_at.to_string());
    Ok(())
}

pub(super) fn write_secret(
    home: &mut Map<String, Value>,
    field: SecretField,
    secret: Option<&Secret>,
    user: &User,
    keyring: &Keyring,
    now: Timestamp,
) -> Result<(), SealError> {
    let stored = field.stored(home).filter(|text| classify(text) != AtRest::Plain);
    let opened = stored.map(|sealed| keyring.open(&user.id, &field.path_in(home), sealed)).transpose()?;
    let is_current = stored.is_some_and(|sealed| keyring.is_current(sealed));
    match secret {
        Some(secret) if opened.as_ref() == Some(secret) && is_current => Ok(()),
        Some(secret) => field.seal(home, &user.id, secret, keyring, now),
        None => {
            home.remove(field.field);
            Ok(())
        }
    }
}

/// The settings that are ours alone: those that are as usual leave no field.
fn write_line(sip: &mut Map<String, Value>, settings: &SipSettings) {
    let SipSettings { tls, upkeep, media, .. } = settings;
    let usual = LineMedia::default();
    set_optional(sip, "sips", settings.sips.then_some(true));
    set_optional(sip, "backup_server", settings.backup_server.as_ref().map(ToString::to_string));
    set_optional(sip, "tls_ca", tls.ca_certificates.as_deref());
    set_optional(sip, "tls_client_certificate", tls.client_certificate.as_deref());
    set_optional(sip, "tls_server_name", tls.server_name.as_deref());
    set_optional(sip, "accept_from", Some(settings.accept_from).filter(|from| *from != AcceptFrom::default()));
    set_optional(sip, "registration_expires", upkeep.registration_expires_s);
    set_optional(sip, "keepalive", upkeep.keepalive_s);
    set_optional(sip, "session_expires", upkeep.session_expires_s);
    set_optional(sip, "external_address", upkeep.external_address);
    set_optional(sip, "stun_server", upkeep.stun_server.as_ref().map(ToString::to_string));
    set_optional(sip, "srtp", Some(media.srtp).filter(|srtp| *srtp != usual.srtp));
    set_optional(sip, "codecs", Some(&media.codecs).filter(|codecs| **codecs != usual.codecs));
    set_optional(sip, "dtmf", Some(media.dtmf).filter(|dtmf| *dtmf != usual.dtmf));
}

fn write_ai(ai: &mut Map<String, Value>, settings: &AiSettings) {
    set_optional(ai, "engine", settings.engine.as_deref());
    set_optional(ai, "engines", Some(json!(settings.engines)).filter(|_| !settings.engines.is_empty()));
    set_optional(ai, "model", settings.model.as_deref());
    set_optional(ai, "voice", settings.voice.as_deref());
    set_optional(ai, "language", settings.language.as_deref());
    set_optional(ai, "instructions", settings.instructions.as_deref());
    set_optional(ai, "temperature", settings.temperature.map(|temperature| temperature.value()));
    set_optional(ai, "variables", Some(json!(settings.variables)).filter(|_| !settings.variables.is_empty()));
    set_optional(ai, "time_zone", settings.time_zone.as_deref());
    set_optional(ai, "dead_air", settings.dead_air_s);
    set_optional(ai, "when_lost", settings.when_lost.as_deref());
    set_optional(ai, "after_call", after_call(&settings.after_call));
}

/// What is as usual leaves no field.
fn after_call(settings: &AfterCall) -> Option<Value> {
    let mut map = Map::new();
    set_optional(&mut map, "summary", settings.summary.then_some(true));
    set_optional(&mut map, "fields", settings.fields.as_ref());
    set_optional(&mut map, "model", settings.model.as_deref());
    (*settings != AfterCall::default()).then_some(Value::Object(map))
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
    if settings.protect_greeting || calls.contains_key("protect_greeting") {
        set(calls, "protect_greeting", settings.protect_greeting);
    }
    if !settings.barge_in || calls.contains_key("barge_in") {
        set(calls, "barge_in", settings.barge_in);
    }
    let Voicemail { policy, message } = &settings.voicemail;
    set_optional(calls, "voicemail", Some(policy.as_str()).filter(|_| *policy != VoicemailPolicy::default()));
    set_optional(calls, "voicemail_message", message.as_deref());
    let Recording { policy, notice, retention_days } = &settings.recording;
    set_optional(calls, "recording", Some(policy.as_str()).filter(|_| *policy != RecordingPolicy::default()));
    set_optional(calls, "recording_notice", notice.as_deref());
    set_optional(calls, "retention_days", *retention_days);
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

pub(super) fn set<V: serde::Serialize>(map: &mut Map<String, Value>, field: &str, value: V) {
    map.insert(field.to_owned(), json!(value));
}

/// A setting of ours that is not made leaves no field behind.
pub(super) fn set_optional<V: serde::Serialize>(map: &mut Map<String, Value>, field: &str, value: Option<V>) {
    match value {
        Some(value) => set(map, field, value),
        None => drop(map.remove(field)),
    }
}
