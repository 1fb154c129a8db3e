//! The environment of the first version, which served one telephone line in one process: its names, and what they mean here.
//!
//! The line becomes user [`PRIMARY`]. Where a name means a setting of ours (`FLASK_PORT`, `PUBLIC_IP`, `LOG_LEVEL`), it counts
//! as long as ours is not given.

use super::keys::{Key, key, secret};
use super::parse::Reader;
use callie_domain::user::input::UserInput;
use callie_domain::{MacAddress, User, UserId};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

#[cfg(test)]
mod tests;

/// The name that the line gets as a user.
pub const PRIMARY: &str = "primary";

/// What the first version's names describe beside settings of ours.
#[derive(Debug, Clone)]
pub struct FirstVersion {
    /// The user of `ZOHO_SIP_…`, connected. It has no times yet: they are those of the epoch.
    pub primary: Option<User>,
    /// Tokens of a reply in writing, at most.
    pub reply_tokens: u32,
}

/// Shown by `callie config check` where they are given.
pub const KEYS: [Key; 22] = [
    key("ZOHO_SIP_SERVER", "", "provider of user primary"),
    key("ZOHO_SIP_USERNAME", "", "sip_username of user primary"),
    secret("ZOHO_SIP_PASSWORD", "sip_password of user primary"),
    key("ZOHO_SIP_BACKUP_SERVER", "", "backup_server of user primary"),
    key("SIP_PORT", "", "sip_port of user primary"),
    key("ACCOUNT_LABEL", "", "display_name and account_label of user primary"),
    key("CUSTOM_USER_AGENT", "", "mac_address of user primary"),
    key("CUSTOM_USER_AGENT_OVERRIDE", "", "custom_user_agent of user primary"),
    key("DEVICE_MODEL", "", "model of user primary"),
    key("DEVICE_FIRMWARE", "", "firmware of user primary"),
    key("DEFAULT_GREETING", "", "greeting of user primary"),
    key("MAX_CALL_DURATION", "", "max_call_duration of user primary, seconds"),
    key("ANSWER_TIMEOUT", "", "answer_timeout of user primary, seconds"),
    key("RTP_PORT_MIN", "", "rtp_port_min of user primary"),
    key("RTP_PORT_MAX", "", "rtp_port_max of user primary"),
    key("USE_FIXED_RTP_PORT", "", "use_fixed_rtp_port of user primary: true or false"),
    key("GEMINI_TEMPERATURE", "", "temperature of Gemini's speech, 0 to 2"),
    key("GEMINI_MAX_TOKENS", "150", "tokens of a reply in writing (/sms, /chat); speech is not cut by it"),
    key("FLASK_HOST", "", "host of CALLIE_HTTP_LISTEN where that is not given"),
    key("FLASK_PORT", "", "port of CALLIE_HTTP_LISTEN where that is not given"),
    key("PUBLIC_IP", "", "CALLIE_EXTERNAL_ADDRESS where that is not given"),
    key("LOG_LEVEL", "", "CALLIE_LOG where that is not given"),
];

/// The names that count where `name` is not given.
pub fn stand_ins(name: &str) -> &'static [&'static str] {
    match name {
        "CALLIE_HTTP_LISTEN" => &["FLASK_HOST", "FLASK_PORT"],
        "CALLIE_EXTERNAL_ADDRESS" => &["PUBLIC_IP"],
        "CALLIE_LOG" => &["LOG_LEVEL"],
        _ => &[],
    }
}

/// Without these three there is no line.
const LINE: [&str; 3] = ["ZOHO_SIP_SERVER", "ZOHO_SIP_USERNAME", "ZOHO_SIP_PASSWORD"];

/// How a variable's text becomes the value of a field.
#[derive(Debug, Clone, Copy)]
enum Form {
    Text,
    Number,
    Switch,
    Mac,
}

/// Each variable with the field of a user that it is.
const FIELDS: [(&str, &str, Form); 16] = [
    ("ZOHO_SIP_SERVER", "sip_server", Form::Text),
    ("ZOHO_SIP_USERNAME", "sip_username", Form::Text),
    ("ZOHO_SIP_PASSWORD", "sip_password", Form::Text),
    ("ZOHO_SIP_BACKUP_SERVER", "backup_server", Form::Text),
    ("SIP_PORT", "sip_port", Form::Number),
    ("ACCOUNT_LABEL", "account_label", Form::Text),
    ("CUSTOM_USER_AGENT", "mac_address", Form::Mac),
    ("CUSTOM_USER_AGENT_OVERRIDE", "custom_user_agent", Form::Text),
    ("DEVICE_MODEL", "model", Form::Text),
    ("DEVICE_FIRMWARE", "firmware", Form::Text),
    ("DEFAULT_GREETING", "greeting", Form::Text),
    ("MAX_CALL_DURATION", "max_call_duration", Form::Number),
    ("ANSWER_TIMEOUT", "answer_timeout", Form::Number),
    ("RTP_PORT_MIN", "rtp_port_min", Form::Number),
    ("RTP_PORT_MAX", "rtp_port_max", Form::Number),
    ("USE_FIXED_RTP_PORT", "use_fixed_rtp_port", Form::Switch),
];

/// Whether a name describes user [`PRIMARY`], and is of no use once that user lives in the store.
pub fn describes_the_line(name: &str) -> bool {
    FIELDS.iter().any(|(variable, ..)| *variable == name)
}

pub(super) fn read(reader: &mut Reader) -> FirstVersion {
    let reply_tokens = reader.number("GEMINI_MAX_TOKENS", 1..=8_192).unwrap_or(1);
    FirstVersion { primary: primary(reader), reply_tokens }
}

/// The user, when its three names are given and nothing is wrong with any of them.
fn primary(reader: &mut Reader) -> Option<User> {
    let (given, missing): (Vec<&str>, Vec<&str>) = LINE.iter().partition(|name| reader.is_given(name));
    let Some(first) = given.first() else {
        warn_of_idle(reader);
        return None;
    };
    if !missing.is_empty() {
        let problem = format!("stands without {}: give all three for user {PRIMARY}, or none of them", missing.join(" and "));
        reader.fault(first, problem);
    }
    let mut fields = Map::new();
    let mut whole = missing.is_empty();
    for (name, field, form) in FIELDS {
        match reader.read(name, |text| value(field, form, text)) {
            Some(value) => drop(fields.insert(field.to_owned(), value)),
            None => whole &= !reader.is_given(name),
        }
    }
    whole.then(|| user(fields, reader)).flatten()
}

/// Other programs have variables of such names too, so they are not faults.
fn warn_of_idle(reader: &mut Reader) {
    for (name, ..) in FIELDS {
        if reader.is_given(name) {
            reader
                .warn(name, "describes the line of ZOHO_SIP_SERVER, which is not given; it has no effect on users of the store");
        }
    }
}

/// The value in JSON, once the domain has found nothing wrong with it.
fn value(field: &str, form: Form, text: &str) -> Result<Value, String> {
    let value = match form {
        Form::Text | Form::Mac => json!(text),
        Form::Number => text.parse::<u64>().map_or_else(|_| json!(text), Value::from),
        Form::Switch => switch(text)?,
    };
    let body = json!({ field: value });
    match (UserInput::from_json(&body), form) {
        (Ok(_), _) => Ok(value),
        (Err(_), Form::Mac) => Err("is not a MAC address such as 00:15:65:12:34:56; a whole User-Agent goes into \
                                    CUSTOM_USER_AGENT_OVERRIDE"
            .to_owned()),
        (Err(faults), _) => Err(faults.0.into_iter().map(|fault| fault.problem).collect::<Vec<_>>().join("; ")),
    }
}

fn switch(text: &str) -> Result<Value, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(json!(true)),
        "false" | "0" | "no" | "off" => Ok(json!(false)),
        _ => Err(format!("must be true or false, is {text:?}")),
    }
}

fn user(mut fields: Map<String, Value>, reader: &mut Reader) -> Option<User> {
    let text = |field: &str| fields.get(field).and_then(Value::as_str);
    let extension = || text("sip_username").and_then(|name| name.split('@').next());
    let name = text("account_label").or_else(extension).map(str::to_owned);
    if !fields.contains_key("account_label") {
        // Nobody wants to be greeted by the assistant of an extension's number.
        fields.entry("greeting").or_insert_with(|| json!("Hello! This is an AI assistant. How can I help you today?"));
    }
    fields.insert("display_name".to_owned(), json!(name));
    fields.insert("user_id".to_owned(), json!(PRIMARY));
    fields.insert("sip".to_owned(), json!({"connect": true}));
    let input = UserInput::from_json(&Value::Object(fields));
    match input.and_then(|input| input.create(Timestamp::UNIX_EPOCH, usual_mac())) {
        Ok(user) => Some(user),
        Err(faults) => {
            for fault in faults.0 {
                let name = FIELDS.iter().find(|(_, field, _)| *field == fault.field).map_or(LINE[1], |(name, ..)| name);
                reader.fault(name, fault.problem);
            }
            None
        }
    }
}

/// The address of a line whose environment names none: the same at every start.
fn usual_mac() -> MacAddress {
    PRIMARY.parse::<UserId>().map_or_else(|_| MacAddress::generate([0; 3]), |id| callie_store::doc::derived_mac(&id))
}

/// Where the API listens when `CALLIE_HTTP_LISTEN` does not say.
pub(super) fn http_listen(reader: &mut Reader, default: SocketAddr) -> SocketAddr {
    let port = reader.number("FLASK_PORT", 1..=u16::MAX).unwrap_or(default.port());
    let host = reader.read("FLASK_HOST", flask_host).unwrap_or(default.ip());
    if host.is_loopback() {
        return SocketAddr::new(host, port);
    }
    let instead = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    reader.warn(
        "FLASK_HOST",
        &format!(
            "is {host}, where the first version let everybody in without authentication; the API listens on {instead} only. Set \
             FLASK_HOST=127.0.0.1 to say so, or CALLIE_HTTP_LISTEN={host}:{port} to be reached by others, who need a key then"
        ),
    );
    instead
}

fn flask_host(text: &str) -> Result<IpAddr, String> {
    match text {
        "localhost" => Ok(Ipv4Addr::LOCALHOST.into()),
        _ => text.parse().map_err(|_| format!("must be an address such as 127.0.0.1, is {text:?}")),
    }
}

/// The level that `LOG_LEVEL` means, in our words.
pub(super) fn log_level(reader: &mut Reader) -> Option<&'static str> {
    let text = reader.read("LOG_LEVEL", |text| Ok(text.to_ascii_lowercase()))?;
    let level = match text.as_str() {
        "trace" | "notset" => "trace",
        "debug" => "debug",
        "info" => "info",
        "warning" | "warn" => "warn",
        "error" | "critical" | "fatal" => "error",
        _ => {
            reader.warn("LOG_LEVEL", "is none of DEBUG, INFO, WARNING, ERROR and CRITICAL, and has no effect; set CALLIE_LOG");
            return None;
        }
    };
    Some(level)
}

/// The model, or the default one where somebody named one that cannot talk.
pub(super) fn live_model(reader: &mut Reader, model: String) -> String {
    let name = model.to_ascii_lowercase();
    if name.contains("live") || name.contains("native-audio") {
        return model;
    }
    let default = Key::of("GEMINI_MODEL").map_or("", |key| key.default);
    let text = format!("is {model}, which is not a live model and cannot talk on the telephone; {default} talks instead");
    reader.warn("GEMINI_MODEL", &text);
    default.to_owned()
}

pub(super) fn temperature(reader: &mut Reader) -> Option<f64> {
    reader.read("GEMINI_TEMPERATURE", |text| {
        let number = text.parse::<f64>().ok().filter(|number| (0.0..=2.0).contains(number));
        number.ok_or_else(|| format!("must be a number from 0 to 2, is {text:?}"))
    })
}
