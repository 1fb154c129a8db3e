//! A client's body on its way to [`UserInput`]: what the domain cannot decide without the whole body, the other users or the
//! stored document.

use super::document::UserDocument;
use super::limits::LimitsChange;
use super::tools::ToolsChange;
use super::webhooks::WebhookChange;
use crate::api::error::Problem;
use crate::api::words::{
    AcceptFromWord, CodecWord, DtmfWord, EngineWord, RecordingWord, SrtpWord, TransferModeWord, TransportWord, VoicemailWord,
};
use callie_domain::user::input::{UserInput, written_as};
use callie_domain::{Faults, MacAddress, User, UserId};
use callie_store::UserView;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// A field that has two places: flat, and in its map.
const TWINS: [(&str, &str, &str); 19] = [
    ("display_name", "sip", "display_name"),
    ("sip_username", "sip", "sip_username"),
    ("sip_password", "sip", "sip_password"),
    ("sip_server", "sip", "sip_server"),
    ("sip_port", "sip", "sip_port"),
    ("account_label", "sip", "account_label"),
    ("is_active", "sip", "is_active"),
    ("transport", "sip", "transport"),
    ("mac_address", "device", "mac_address"),
    ("model", "device", "model"),
    ("firmware", "device", "firmware"),
    ("custom_user_agent", "device", "custom_user_agent"),
    ("greeting", "calls", "default_greeting"),
    ("default_greeting", "calls", "default_greeting"),
    ("max_call_duration", "calls", "max_call_duration"),
    ("answer_timeout", "calls", "answer_timeout"),
    ("rtp_port_min", "calls", "rtp_port_min"),
    ("rtp_port_max", "calls", "rtp_port_max"),
    ("use_fixed_rtp_port", "calls", "use_fixed_rtp_port"),
];

/// Reads the body of a new user. All faults are named at once, the missing fields among them.
pub fn read_new(mut body: Value) -> Result<UserInput, Problem> {
    let mut faults = Faults::default();
    settle_twins(&mut body, None, &mut faults);
    with_faults(UserInput::from_new_json(&body), faults)
}

/// Reads a change of the user shown as `old`.
pub fn read_change(mut body: Value, old: &UserDocument) -> Result<UserInput, Problem> {
    let mut faults = Faults::default();
    settle_twins(&mut body, serde_json::to_value(old).ok().as_ref(), &mut faults);
    with_faults(UserInput::from_json(&body), faults)
}

/// What was read, unless there are faults there or here.
fn with_faults(read: Result<UserInput, Faults>, mut faults: Faults) -> Result<UserInput, Problem> {
    match read {
        Ok(input) => Ok(faults.into_result(input)?),
        Err(more) => {
            faults.0.extend(more.0);
            Err(faults.into())
        }
    }
}

/// Where both places of a field are given and differ, the one that only repeats the stored value yields: a client may read a
/// document, change one place and send all of it back. Two different new values contradict each other.
fn settle_twins(body: &mut Value, old: Option<&Value>, faults: &mut Faults) {
    let Some(body) = body.as_object_mut() else { return };
    for (flat, map, nested) in TWINS {
        let (Some(a), Some(b)) = (body.get(flat), body.get(map).and_then(|m| m.get(nested))) else { continue };
        if a == b {
            continue;
        }
        let stored = old.and_then(|old| old.get(map)?.get(nested));
        if stored == Some(b) {
            remove_nested(body, map, nested);
        } else if stored == Some(a) {
            body.remove(flat);
        } else {
            faults.add(flat, format!("contradicts {map}.{nested}; send one of them"));
        }
    }
}

fn remove_nested(body: &mut Map<String, Value>, map: &str, field: &str) {
    if let Some(inner) = body.get_mut(map).and_then(Value::as_object_mut) {
        inner.remove(field);
    }
}

/// The faults of the whole user under the names that the client used.
pub fn as_written(body: &Value, mut faults: Faults) -> Faults {
    for fault in &mut faults.0 {
        fault.field = written_as(body, &fault.field);
    }
    faults
}

/// How a client that named a MAC address spelled the field.
pub fn mac_field(body: &Value) -> String {
    written_as(body, "mac_address")
}

/// The other user that has this address.
pub fn mac_owner<'v>(view: &'v UserView, mac: MacAddress, except: Option<&UserId>) -> Option<&'v UserId> {
    let has = |user: &User| user.device.mac_address == mac;
    view.users
        .iter()
        .filter(|(id, entry)| Some(*id) != except && entry.usable().is_some_and(|stored| has(&stored.user)))
        .map(|(id, _)| id)
        .next()
}

/// An address that no other user has. `None` when `draw` gives none in many attempts.
pub fn free_mac(view: &UserView, mut draw: impl FnMut() -> [u8; 3]) -> Option<MacAddress> {
    // 16.7 million addresses: a second draw is rare, a tenth means that they are used up.
    (0..64).map(|_| MacAddress::generate(draw())).find(|mac| mac_owner(view, *mac, None).is_none())
}

// What follows describes bodies for the OpenAPI document; they are read by [`UserInput`].

/// A new user. The nested maps of the document are accepted as well, with the same fields.
#[derive(ToSchema)]
#[schema(example = json!({
    "user_id": "alice",
    "display_name": "Alice Johnson",
    "sip_username": "alice@company.com",
    "sip_password": "secure_password",
    "greeting": "Hi! This is Alice's AI assistant."
}))]
#[expect(dead_code, reason = "only its schema is used")]
pub struct NewUser {
    user_id: String,
    display_name: String,
    sip_username: String,
    #[schema(write_only)]
    sip_password: String,
    #[serde(flatten)]
    rest: UserChange,
}

/// A change of a user: what it does not name stays. The nested maps of the document are accepted as well, with
/// the same fields; an absent or empty password keeps the stored one.
#[derive(ToSchema)]
#[schema(example = json!({"greeting": "Updated greeting message!", "sip_password": "new_secure_password"}))]
#[expect(dead_code, reason = "only its schema is used")]
pub struct UserChange {
    display_name: Option<String>,
    sip_username: Option<String>,
    #[schema(write_only)]
    sip_password: Option<String>,
    /// A name, an address or `host:port`.
    #[schema(default = "sip.zoho.com")]
    sip_server: Option<String>,
    /// Applies when `sip_server` has no port.
    #[schema(default = 5060, minimum = 1)]
    sip_port: Option<u16>,
    account_label: Option<String>,
    #[schema(default = true)]
    is_active: Option<bool>,
    #[schema(value_type = Option<TransportWord>, default = "udp")]
    transport: Option<String>,
    auth_username: Option<String>,
    from_user: Option<String>,
    caller_id: Option<String>,
    outbound_proxy: Option<String>,
    /// Drawn under 00:15:65 when a new user names none.
    mac_address: Option<String>,
    #[schema(default = "SIP-T46S")]
    model: Option<String>,
    #[schema(default = "66.85.0.5")]
    firmware: Option<String>,
    custom_user_agent: Option<String>,
    greeting: Option<String>,
    /// Seconds.
    #[schema(default = 1800, minimum = 1, maximum = 86400)]
    max_call_duration: Option<u32>,
    /// Seconds.
    #[schema(default = 30, minimum = 1, maximum = 300)]
    answer_timeout: Option<u32>,
    #[schema(default = 10000, minimum = 1024)]
    rtp_port_min: Option<u16>,
    #[schema(default = 10100, minimum = 1024)]
    rtp_port_max: Option<u16>,
    #[schema(default = true)]
    use_fixed_rtp_port: Option<bool>,
    sip: Option<SipChange>,
    /// The `device` map of the document.
    #[schema(value_type = Object)]
    device: Option<Value>,
    /// The `calls` map of the document.
    calls: Option<CallsChange>,
    ai: Option<AiChange>,
    routing: Option<RoutingChange>,
    limits: Option<LimitsChange>,
    /// The whole list; null empties it.
    #[schema(max_items = 8)]
    webhooks: Option<Vec<WebhookChange>>,
}

/// The `sip` map of the document: the fields above, and how the line is kept and its media travel. Null gives back the default.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub struct SipChange {
    /// Desired state: the line is kept registered while this and `is_active` hold.
    #[schema(default = false)]
    connect: Option<bool>,
    /// Write `sips:` URIs, which ask for TLS on every hop. Only with transport `tls`.
    #[schema(default = false)]
    sips: Option<bool>,
    /// Registrar for when `sip_server` does not answer: a name, an address or `host:port`.
    backup_server: Option<String>,
    /// Certificates (PEM) trusted instead of the system's.
    tls_ca: Option<String>,
    /// Certificate chain (PEM) for servers that ask for one; with `tls_client_key`.
    tls_client_certificate: Option<String>,
    /// Its private key (PEM, without passphrase). An absent or empty one keeps the stored one, null removes it.
    #[schema(write_only)]
    tls_client_key: Option<String>,
    /// The name that the server's certificate must bear, where it is not `sip_server`.
    tls_server_name: Option<String>,
    #[schema(value_type = Option<AcceptFromWord>, default = "provider")]
    accept_from: Option<String>,
    /// Seconds asked for in REGISTER.
    #[schema(minimum = 60, maximum = 86400)]
    registration_expires: Option<u32>,
    /// Seconds between keepalives on the flow to the registrar, 5 to 600; 0 sends none.
    #[schema(maximum = 600)]
    keepalive: Option<u32>,
    /// Seconds of the session timer asked for in calls, 90 to 86400; 0 asks for none.
    #[schema(maximum = 86400)]
    session_expires: Option<u32>,
    /// Address under which peers reach us, over the server's own setting.
    #[schema(example = "203.0.113.7")]
    external_address: Option<String>,
    /// STUN server asked for our public address: a name, an address or `host:port`.
    stun_server: Option<String>,
    #[schema(value_type = Option<SrtpWord>, default = "off")]
    srtp: Option<String>,
    /// The most wanted first; what is not listed is not used.
    #[schema(value_type = Option<Vec<CodecWord>>, default = json!(["pcmu", "pcma", "g722", "opus"]))]
    codecs: Option<Vec<String>>,
    #[schema(value_type = Option<DtmfWord>, default = "auto")]
    dtmf: Option<String>,
}

/// The `calls` map of the document: the fields above (the greeting is `default_greeting`), and what becomes of answering machines.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub struct CallsChange {
    #[schema(max_length = 2000)]
    default_greeting: Option<String>,
    /// Seconds.
    #[schema(default = 1800, minimum = 1, maximum = 86400)]
    max_call_duration: Option<u32>,
    /// Seconds an outbound call may ring.
    #[schema(default = 30, minimum = 1, maximum = 300)]
    answer_timeout: Option<u32>,
    #[schema(default = 10000, minimum = 1024)]
    rtp_port_min: Option<u16>,
    #[schema(default = 10100, minimum = 1024)]
    rtp_port_max: Option<u16>,
    #[schema(default = true)]
    use_fixed_rtp_port: Option<bool>,
    /// When an answering machine takes a call that the user places: `drop` leaves `voicemail_message` after the beep.
    #[schema(value_type = Option<VoicemailWord>, default = "talk")]
    voicemail: Option<String>,
    /// Null removes it.
    #[schema(max_length = 2000)]
    voicemail_message: Option<String>,
    /// Whether calls are recorded, and whether the agent says so before the greeting.
    #[schema(value_type = Option<RecordingWord>, default = "on")]
    recording: Option<String>,
    /// Said with `announce`; null: the server's own words.
    #[schema(max_length = 500)]
    recording_notice: Option<String>,
    /// Days after which recording, transcript and signalling of a call are deleted; null: never.
    #[schema(minimum = 1, maximum = 3650)]
    retention_days: Option<u32>,
}

/// Which engine talks and how; null means the server's default.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub struct AiChange {
    #[schema(value_type = Option<EngineWord>)]
    engine: Option<String>,
    /// By the engine's own name for it.
    model: Option<String>,
    voice: Option<String>,
    /// A language tag (BCP 47) such as `de-AT`.
    language: Option<String>,
    /// `{name}` stands for a variable.
    instructions: Option<String>,
    /// Who takes over in mid-call when the one before fails or stays silent, in this order; the offline engine is always the last.
    #[schema(value_type = Option<Vec<EngineWord>>)]
    engines: Option<Vec<String>>,
    #[schema(minimum = 0, maximum = 2)]
    temperature: Option<f64>,
    /// Texts by name, for `{name}` in greeting and instructions; at most 50.
    variables: Option<BTreeMap<String, String>>,
    /// Of the IANA database; that of `{date}` and `{time}`.
    #[schema(example = "Europe/Vienna")]
    time_zone: Option<String>,
    /// Seconds of dead air after the caller has spoken, before something is done about it: the engine is asked again, then its
    /// session is renewed, then another engine takes over.
    #[schema(minimum = 2, maximum = 60, default = 4)]
    dead_air: Option<u32>,
    /// The transfer target who gets the caller when no engine of a service is left; otherwise the offline engine takes a message.
    when_lost: Option<String>,
    /// Replaces the whole map; null wants nothing.
    after_call: Option<AfterCallChange>,
    tools: Option<ToolsChange>,
}

/// What a text model is to make of a call when it is over: the server's (`CALLIE_CHAT_URL`).
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub struct AfterCallChange {
    /// A few sentences about the call.
    #[schema(default = false)]
    summary: Option<bool>,
    /// JSON Schema of the type object: what is to be read out of the call; 16,384 bytes at most.
    #[schema(value_type = Option<Object>, example = json!({"type": "object", "properties": {"topic": {"type": "string"}}}))]
    fields: Option<Value>,
    /// By the endpoint's own name for it.
    model: Option<String>,
}

/// To whom a call may be handed over.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub struct RoutingChange {
    /// The whole list; null empties it.
    #[schema(max_items = 32)]
    transfer_targets: Option<Vec<TransferTargetChange>>,
    #[schema(default = false)]
    accept_refer: Option<bool>,
}

/// Somebody to whom the agent may hand a caller over.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub struct TransferTargetChange {
    /// As the agent knows them; unique in the list.
    #[schema(example = "sales", max_length = 64)]
    name: String,
    /// A telephone number, an extension, or an address such as `sip:name@host`.
    #[schema(example = "+1234567890")]
    target: String,
    #[schema(value_type = Option<TransferModeWord>)]
    mode: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn settled(mut body: Value, old: Option<Value>) -> (Value, Vec<String>) {
        let mut faults = Faults::default();
        settle_twins(&mut body, old.as_ref(), &mut faults);
        (body, faults.0.into_iter().map(|f| f.field).collect())
    }

    #[test]
    fn the_place_that_only_repeats_the_stored_value_yields() {
        let old = || Some(json!({"sip": {"display_name": "Old"}, "calls": {"default_greeting": "Hi"}}));
        for (body, want) in [
            (json!({"display_name": "New", "sip": {"display_name": "Old"}}), json!({"display_name": "New", "sip": {}})),
            (json!({"display_name": "Old", "sip": {"display_name": "New"}}), json!({"sip": {"display_name": "New"}})),
            (json!({"greeting": "Ho", "calls": {"default_greeting": "Hi"}}), json!({"greeting": "Ho", "calls": {}})),
            (
                json!({"display_name": "X", "sip": {"display_name": "X"}}),
                json!({"display_name": "X", "sip": {"display_name": "X"}}),
            ),
        ] {
            assert_eq!(settled(body, old()), (want, vec![]));
        }
    }

    #[test]
    fn two_new_values_contradict_each_other() {
        let old = Some(json!({"sip": {"is_active": null}}));
        let (_, faults) = settled(json!({"is_active": true, "sip": {"is_active": false}}), old);
        assert_eq!(faults, ["is_active"]);
        let (_, faults) = settled(json!({"greeting": "a", "calls": {"default_greeting": "b"}}), None);
        assert_eq!(faults, ["greeting"]);
    }

    #[test]
    fn missing_and_faulty_fields_are_named_together() {
        let problem = read_new(json!({"display_name": "A", "sip_port": 0, "sip": {"sip_password": "x"}})).expect_err("faulty");
        let mut fields: Vec<_> = problem.errors.iter().map(|e| e.field.as_str()).collect();
        fields.sort_unstable();
        assert_eq!(fields, ["sip_port", "sip_username", "user_id"]);
    }

    #[test]
    fn a_drawn_address_avoids_those_in_use() {
        let view = UserView::default();
        assert_eq!(free_mac(&view, || [1, 2, 3]).map(|m| m.to_string()).as_deref(), Some("00:15:65:01:02:03"));
    }
}
