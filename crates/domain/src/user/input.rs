//! A client's JSON turned into a user: parse, don't validate. All faults are found in one pass.
//!
//! Flat fields of the first version (`sip_username`, `greeting`) and the nested maps of the document
//! (`sip.sip_username`, `calls.default_greeting`) are both accepted; a fault names the field as the client wrote it.

mod line;
mod persona;

pub use line::LineInput;
pub use persona::{PersonaInput, read_variables};

use super::field::Field;
use super::limits::{Limits, LimitsInput};
use super::preset::Preset;
use super::recording::{self, Recording, RecordingPolicy};
use super::routing::{Routing, TransferTarget, read_targets};
use super::tools::{self, ToolSettings, ToolsInput};
use super::voicemail::{self, Voicemail, VoicemailPolicy};
use super::webhooks::{self, WebhookInput};
use super::{AiSettings, CallSettings, Device, SipSettings, User, defaults};
use crate::audio::LineMedia;
use crate::{AcceptFrom, Faults, FieldFault, HostPort, LineUpkeep, MacAddress, Secret, TlsSettings, Transport, UserId};
use jiff::Timestamp;
use serde_json::{Map, Value};

/// What a client sent: `None` where it said nothing. `Some(None)` clears an optional field.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserInput {
    pub user_id: Option<UserId>,
    pub display_name: Option<String>,
    pub sip_username: Option<String>,
    pub sip_password: Option<Secret>,
    pub sip_server: Option<HostPort>,
    pub sip_port: Option<u16>,
    pub account_label: Option<String>,
    pub is_active: Option<bool>,
    pub connect: Option<bool>,
    pub transport: Option<Transport>,
    pub auth_username: Option<Option<String>>,
    pub from_user: Option<Option<String>>,
    pub caller_id: Option<Option<String>>,
    pub outbound_proxy: Option<Option<HostPort>>,
    pub line: LineInput,
    pub mac_address: Option<MacAddress>,
    pub model: Option<String>,
    pub firmware: Option<String>,
    pub custom_user_agent: Option<Option<String>>,
    pub greeting: Option<String>,
    pub max_call_duration: Option<u32>,
    pub answer_timeout: Option<u32>,
    pub rtp_port_min: Option<u16>,
    pub rtp_port_max: Option<u16>,
    pub use_fixed_rtp_port: Option<bool>,
    pub protect_greeting: Option<bool>,
    pub barge_in: Option<bool>,
    pub voicemail: Option<VoicemailPolicy>,
    pub voicemail_message: Option<Option<String>>,
    pub recording: Option<RecordingPolicy>,
    pub recording_notice: Option<Option<String>>,
    pub retention_days: Option<Option<u32>>,
    pub ai: PersonaInput,
    /// The map `ai.tools`.
    pub tools: Option<ToolsInput>,
    pub transfer_targets: Option<Vec<TransferTarget>>,
    pub accept_refer: Option<bool>,
    pub webhooks: Option<Vec<WebhookInput>>,
    pub limits: LimitsInput,
}

/// The maps of the document.
const MAPS: [&str; 6] = ["sip", "device", "calls", "ai", "routing", "limits"];

/// Fields that responses carry and that a client may send back unchanged; they are not settings.
const READ_ONLY: [&str; 11] = [
    "created_at",
    "updated_at",
    "sip_status",
    "registration",
    "user_agent",
    "has_password",
    "has_tls_client_key",
    "password_encrypted_at",
    "config_state",
    "warnings",
    "revision",
];

impl UserInput {
    /// Reads a request body. Unknown fields are faults: a misspelt field that is silently dropped helps nobody.
    pub fn from_json(body: &Value) -> Result<Self, Faults> {
        let mut faults = Faults::default();
        let input = Self::read(body, &mut faults);
        faults.into_result(input)
    }

    /// Reads the body of a new user: as [`Self::from_json`], and in the same pass finds all that [`Self::create`] would refuse.
    pub fn from_new_json(body: &Value) -> Result<Self, Faults> {
        let mut faults = Faults::default();
        let input = Self::read(body, &mut faults);
        if body.is_object() {
            let unfit = input.unfit_for_creation().0.into_iter().filter(|fault| !is_explained(&fault.field, &faults));
            let unfit: Vec<_> = unfit.map(|fault| FieldFault { field: written_as(body, &fault.field), ..fault }).collect();
            faults.0.extend(unfit);
        }
        faults.into_result(input)
    }

    fn read(body: &Value, faults: &mut Faults) -> Self {
        let mut input = Self::default();
        match body.as_object() {
            Some(map) => match preset(map, faults) {
                Some(preset) => input.read_map(&preset.beneath(map), "", faults),
                None => input.read_map(map, "", faults),
            },
            None => faults.add("", "must be a JSON object"),
        }
        input
    }

    fn read_map(&mut self, map: &Map<String, Value>, prefix: &str, faults: &mut Faults) {
        for (key, value) in map {
            let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
            match (prefix, key.as_str(), value) {
                ("", map, Value::Object(inner)) if MAPS.contains(&map) => self.read_map(inner, key, faults),
                ("", map, Value::Null) if MAPS.contains(&map) => {}
                ("", map, _) if MAPS.contains(&map) => faults.add(path, "must be an object"),
                ("", "preset", _) => {}
                (_, key, _) if READ_ONLY.contains(&key) => {}
                (prefix, key, value) => self.read_field(prefix, key, &Field { path: &path, value }, faults),
            }
        }
    }

    fn read_field(&mut self, map: &str, key: &str, field: &Field<'_>, faults: &mut Faults) {
        // A flat field belongs to any map; a nested one only to its own.
        let within = |home: &str| map.is_empty() || map == home;
        match key {
            "user_id" => self.user_id = field.parsed(faults, "text"),
            "display_name" if within("sip") => self.display_name = field.text(faults, 1, 128),
            "sip_username" if within("sip") => self.sip_username = field.sip_username(faults),
            "sip_password" if within("sip") => self.sip_password = field.password(faults),
            "sip_server" if within("sip") => self.sip_server = field.parsed(faults, "text"),
            "sip_port" if within("sip") => self.sip_port = field.number(faults, 1, 65_535),
            "account_label" if within("sip") => self.account_label = field.text(faults, 0, 128),
            "is_active" if within("sip") => self.is_active = field.boolean(faults),
            "connect" if map == "sip" => self.connect = field.boolean(faults),
            "transport" if within("sip") => self.transport = field.word(faults, "udp, tcp or tls"),
            "auth_username" if within("sip") => self.auth_username = field.optional(|f| f.text(faults, 1, 128)),
            "from_user" if within("sip") => self.from_user = field.optional(|f| f.uri_user(faults)),
            "caller_id" if within("sip") => self.caller_id = field.optional(|f| f.uri_user(faults)),
            "outbound_proxy" if within("sip") => self.outbound_proxy = field.optional(|f| f.parsed(faults, "text")),
            "mac_address" if within("device") => self.mac_address = field.parsed(faults, "text"),
            "model" if within("device") => self.model = field.text(faults, 1, 64),
            "firmware" if within("device") => self.firmware = field.text(faults, 1, 64),
            "custom_user_agent" if within("device") => {
                self.custom_user_agent = field.optional(|f| f.text(faults, 1, 256));
            }
            "greeting" if map.is_empty() => self.greeting = field.text(faults, 1, 2_000),
            "default_greeting" if within("calls") => self.greeting = field.text(faults, 1, 2_000),
            "max_call_duration" if within("calls") => self.max_call_duration = field.number(faults, 1, 86_400),
            "answer_timeout" if within("calls") => self.answer_timeout = field.number(faults, 1, 300),
            "rtp_port_min" if within("calls") => self.rtp_port_min = field.number(faults, 1_024, 65_535),
            "rtp_port_max" if within("calls") => self.rtp_port_max = field.number(faults, 1_024, 65_535),
            "use_fixed_rtp_port" if within("calls") => self.use_fixed_rtp_port = field.boolean(faults),
            "protect_greeting" if map == "calls" => self.protect_greeting = field.boolean(faults),
            "barge_in" if map == "calls" => self.barge_in = field.boolean(faults),
            "voicemail" if map == "calls" => self.voicemail = field.word(faults, "talk, hang_up or drop"),
            "voicemail_message" if map == "calls" => {
                self.voicemail_message = field.optional(|f| f.prose(faults, voicemail::MAX_MESSAGE));
            }
            "recording" if map == "calls" => self.recording = field.word(faults, "on, off or announce"),
            "recording_notice" if map == "calls" => {
                self.recording_notice = field.optional(|f| f.prose(faults, recording::MAX_NOTICE));
            }
            "retention_days" if map == "calls" => {
                self.retention_days = field.optional(|f| f.number(faults, 1, recording::LONGEST_RETENTION));
            }
            "transfer_targets" if map == "routing" => self.transfer_targets = read_targets(field, faults),
            "accept_refer" if map == "routing" => self.accept_refer = field.boolean(faults),
            "webhooks" if map.is_empty() => self.webhooks = webhooks::read(field, faults),
            "tools" if map == "ai" => self.tools = tools::read(field, faults),
            _ if map == "ai" && self.ai.read_field(key, field, faults) => {}
            _ if map == "limits" && self.limits.read_field(key, field, faults) => {}
            _ if within("sip") && self.line.read_field(key, field, faults) => {}
            _ => faults.add(field.path, "is not a known field"),
        }
    }

    /// What a new user lacks, and what contradicts the defaults.
    fn unfit_for_creation(&self) -> Faults {
        let mut faults = Faults::default();
        for (missing, field) in [
            (self.user_id.is_none(), "user_id"),
            (self.display_name.is_none(), "display_name"),
            (self.sip_username.is_none(), "sip_username"),
            (self.sip_password.is_none(), "sip_password"),
        ] {
            if missing {
                faults.add(field, "is required");
            }
        }
        if self.sip_password.as_ref().is_some_and(Secret::is_empty) {
            faults.add("sip_password", "must not be empty");
        }
        let (min, max) = (self.rtp_port_min, self.rtp_port_max);
        check_ports(min.unwrap_or(defaults::RTP_PORT_MIN), max.unwrap_or(defaults::RTP_PORT_MAX), &mut faults);
        let voicemail =
            Voicemail { policy: self.voicemail.unwrap_or_default(), message: self.voicemail_message.clone().flatten() };
        if let Some(lack) = voicemail.lack() {
            faults.add("calls.voicemail_message", lack);
        }
        self.line.unfit_for_creation(self.transport.unwrap_or_default(), &mut faults);
        faults
    }

    /// A new user. `mac` is used when the client names none; the caller has made sure that it is free.
    pub fn create(self, now: Timestamp, mac: MacAddress) -> Result<User, Faults> {
        let faults = self.unfit_for_creation();
        if !faults.is_empty() {
            return Err(faults);
        }
        let (Some(id), Some(display_name), Some(username), Some(password)) =
            (self.user_id.clone(), self.display_name.clone(), self.sip_username.clone(), self.sip_password.clone())
        else {
            return Err(faults);
        };
        let server = HostPort { host: defaults::SIP_SERVER.to_owned(), port: None };
        let blank = User {
            sip: SipSettings {
                account_label: display_name.split_whitespace().next().unwrap_or(&display_name).to_owned(),
                username,
                password,
                server,
                port: defaults::SIP_PORT,
                is_active: true,
                connect: false,
                transport: Transport::Udp,
                sips: false,
                auth_username: None,
                from_user: None,
                caller_id: None,
                outbound_proxy: None,
                backup_server: None,
                tls: TlsSettings::default(),
                accept_from: AcceptFrom::default(),
                upkeep: LineUpkeep::default(),
                media: LineMedia::default(),
            },
            device: Device {
                mac_address: mac,
                model: defaults::MODEL.to_owned(),
                firmware: defaults::FIRMWARE.to_owned(),
                custom_user_agent: None,
            },
            calls: CallSettings {
                default_greeting: defaults::greeting(&display_name),
                max_call_duration: defaults::MAX_CALL_DURATION,
                answer_timeout: defaults::ANSWER_TIMEOUT,
                rtp_port_min: defaults::RTP_PORT_MIN,
                rtp_port_max: defaults::RTP_PORT_MAX,
                use_fixed_rtp_port: true,
                protect_greeting: false,
                barge_in: true,
                voicemail: Voicemail::default(),
                recording: Recording::default(),
            },
            ai: AiSettings::default(),
            tools: ToolSettings::default(),
            routing: Routing::default(),
            webhooks: Vec::new(),
            limits: Limits::default(),
            id,
            display_name,
            created_at: now,
            updated_at: now,
        };
        self.apply(&blank, now)
    }

    /// The user after this change. An absent or empty password keeps the old one.
    pub fn apply(self, old: &User, now: Timestamp) -> Result<User, Faults> {
        let mut faults = Faults::default();
        let mut user = old.clone();
        if self.user_id.is_some_and(|id| id != old.id) {
            faults.add("user_id", format!("cannot change: this user is {}", old.id));
        }
        set(&mut user.display_name, self.display_name);
        set(&mut user.sip.username, self.sip_username);
        set(&mut user.sip.password, self.sip_password.filter(|p| !p.is_empty()));
        set(&mut user.sip.server, self.sip_server);
        set(&mut user.sip.port, self.sip_port);
        set(&mut user.sip.account_label, self.account_label);
        set(&mut user.sip.is_active, self.is_active);
        set(&mut user.sip.connect, self.connect);
        set(&mut user.sip.transport, self.transport);
        set(&mut user.sip.auth_username, self.auth_username);
        set(&mut user.sip.from_user, self.from_user);
        set(&mut user.sip.caller_id, self.caller_id);
        set(&mut user.sip.outbound_proxy, self.outbound_proxy);
        self.line.apply(&mut user.sip);
        set(&mut user.device.mac_address, self.mac_address);
        set(&mut user.device.model, self.model);
        set(&mut user.device.firmware, self.firmware);
        set(&mut user.device.custom_user_agent, self.custom_user_agent);
        set(&mut user.calls.default_greeting, self.greeting);
        set(&mut user.calls.max_call_duration, self.max_call_duration);
        set(&mut user.calls.answer_timeout, self.answer_timeout);
        set(&mut user.calls.rtp_port_min, self.rtp_port_min);
        set(&mut user.calls.rtp_port_max, self.rtp_port_max);
        set(&mut user.calls.use_fixed_rtp_port, self.use_fixed_rtp_port);
        set(&mut user.calls.protect_greeting, self.protect_greeting);
        set(&mut user.calls.barge_in, self.barge_in);
        set(&mut user.calls.voicemail.policy, self.voicemail);
        set(&mut user.calls.voicemail.message, self.voicemail_message);
        set(&mut user.calls.recording.policy, self.recording);
        set(&mut user.calls.recording.notice, self.recording_notice);
        set(&mut user.calls.recording.retention_days, self.retention_days);
        self.ai.apply(&mut user.ai);
        if let Some(wanted) = self.tools {
            user.tools = wanted.apply(&old.tools, &mut faults);
        }
        set(&mut user.routing.transfer_targets, self.transfer_targets);
        set(&mut user.routing.accept_refer, self.accept_refer);
        self.limits.apply(&mut user.limits);
        if let Some(wanted) = self.webhooks {
            user.webhooks = webhooks::apply(wanted, &old.webhooks, &mut faults);
        }
        check_ports(user.calls.rtp_port_min, user.calls.rtp_port_max, &mut faults);
        if let Some(lack) = user.calls.voicemail.lack() {
            faults.add("calls.voicemail_message", lack);
        }
        line::contradictions(user.sip.transport, user.sip.sips, &user.sip.tls, &mut faults);
        if user != *old {
            user.updated_at = now;
        }
        faults.into_result(user)
    }
}

/// The preset that the client names: the fields beneath its own.
fn preset(body: &Map<String, Value>, faults: &mut Faults) -> Option<&'static Preset> {
    let named = body.get("preset").filter(|named| !named.is_null())?;
    let preset = named.as_str().and_then(Preset::named);
    if preset.is_none() {
        let known: Vec<_> = Preset::all().iter().map(|preset| preset.name.as_str()).collect();
        faults.add("preset", format!("is not a known preset; known are {}", known.join(", ")));
    }
    preset
}

fn check_ports(min: u16, max: u16, faults: &mut Faults) {
    if min > max {
        faults.add("rtp_port_max", format!("must not be below rtp_port_min ({min}), is {max}"));
    }
}

/// Whether a fault found while reading says already why a field is missing, or why its value is not known.
fn is_explained(field: &str, faults: &Faults) -> bool {
    let is_about = |fault: &FieldFault, field: &str| fault.field == field || fault.field == nested(field);
    faults.0.iter().any(|fault| match field {
        "user_id" => fault.field.rsplit('.').next() == Some(field),
        "rtp_port_max" => is_about(fault, field) || is_about(fault, "rtp_port_min"),
        "sips" => is_about(fault, field) || is_about(fault, "transport"),
        _ => is_about(fault, field),
    })
}

/// The path of a flat field as this client wrote it: within its map, if it stands only there.
pub fn written_as(body: &Value, field: &str) -> String {
    let nested = nested(field);
    let stands_there = nested.split_once('.').is_some_and(|(map, key)| body.get(map).is_some_and(|m| m.get(key).is_some()));
    if body.get(field).is_none() && stands_there { nested } else { field.to_owned() }
}

/// The place of a flat field in the document.
fn nested(field: &str) -> String {
    let map = match field {
        "mac_address" | "model" | "firmware" | "custom_user_agent" => "device",
        "default_greeting" | "max_call_duration" | "answer_timeout" | "rtp_port_min" | "rtp_port_max" | "use_fixed_rtp_port" => {
            "calls"
        }
        _ => "sip",
    };
    format!("{map}.{field}")
}

fn set<T>(slot: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *slot = value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn create(body: Value) -> Result<User, Faults> {
        UserInput::from_json(&body)?.create(Timestamp::UNIX_EPOCH, MacAddress::generate([1, 2, 3]))
    }

    fn alice() -> User {
        create(json!({"user_id": "alice", "display_name": "Alice Johnson", "sip_username": "alice@company.com",
            "sip_password": "secure_password", "greeting": "Hi!"}))
        .expect("valid")
    }

    #[test]
    fn a_new_user_has_the_documented_defaults() {
        let user = alice();
        assert_eq!(user.sip.server.to_string(), "sip.zoho.com");
        assert_eq!(user.user_agent(), "Yealink SIP-T46S 66.85.0.5 ~00:15:65:01:02:03");
        assert_eq!(user.account().aor(), "sip:alice@company.com");
        assert_eq!(user.account().server.to_string(), "sip.zoho.com", "the usual port leaves the choice to the DNS");
        assert_eq!(user.sip.account_label, "Alice");
        assert!(!user.wants_line(), "connect is asked for, not assumed");
    }

    #[test]
    fn the_default_greeting_names_the_user() {
        let user = create(json!({"user_id": "dad", "display_name": "Dad", "sip_username": "dad_home_line", "sip_password": "p"}));
        let greeting = user.expect("valid").calls.default_greeting;
        assert_eq!(greeting, "Hello! This is Dad's AI assistant. How can I help you today?");
    }

    #[test]
    fn every_fault_is_named_at_once() {
        let faults =
            create(json!({"user_id": "a b", "sip_port": 0, "sip": {"sip_server": "a b"}, "calls": {"answer_timeout": "x"},
            "is_active": "yes", "colour": 1}))
            .expect_err("faulty");
        let mut fields: Vec<_> = faults.0.iter().map(|f| f.field.as_str()).collect();
        fields.sort_unstable();
        assert_eq!(fields, ["calls.answer_timeout", "colour", "is_active", "sip.sip_server", "sip_port", "user_id"]);
    }

    #[test]
    fn missing_fields_are_named_with_the_faulty_ones() {
        for (body, want) in [
            (json!({}), "display_name sip_password sip_username user_id"),
            (json!({"user_id": "a b", "colour": 1}), "colour display_name sip_password sip_username user_id"),
            (json!({"sip": {"user_id": "", "sip_password": 5}}), "display_name sip.sip_password sip.user_id sip_username"),
            (json!({"device": {"display_name": "A"}}), "device.display_name display_name sip_password sip_username user_id"),
            (json!({"sip": 5}), "display_name sip sip_password sip_username user_id"),
            (
                json!({"sip": {"sip_password": ""}, "calls": {"rtp_port_max": 2000}}),
                "calls.rtp_port_max display_name sip.sip_password sip_username user_id",
            ),
            (
                json!({"sip_password": "p", "calls": {"rtp_port_max": 2000, "rtp_port_min": "x"}}),
                "calls.rtp_port_min display_name sip_username user_id",
            ),
            (json!([]), ""),
        ] {
            let faults = UserInput::from_new_json(&body).expect_err("faulty");
            let mut fields: Vec<_> = faults.0.iter().map(|f| f.field.as_str()).collect();
            fields.sort_unstable();
            assert_eq!(fields.join(" "), want, "{body}");
        }
    }

    #[test]
    fn what_is_created_has_all_that_is_required() {
        for (body, want) in [
            (json!({"rtp_port_max": 2000}), vec!["user_id", "display_name", "sip_username", "sip_password", "rtp_port_max"]),
            (json!({"user_id": "a", "display_name": "A", "sip_username": "a", "sip_password": ""}), vec!["sip_password"]),
        ] {
            let faults = create(body.clone()).expect_err("faulty");
            assert_eq!(faults.0.iter().map(|f| f.field.as_str()).collect::<Vec<_>>(), want, "{body}");
        }
    }

    #[test]
    fn the_agent_is_described_in_its_own_map() {
        let body = json!({"ai": {"engine": "gemini", "model": "gemini-3.8-live", "language": "de-AT", "voice": "Kore"}});
        let user = UserInput::from_json(&body).expect("valid").apply(&alice(), Timestamp::UNIX_EPOCH).expect("valid");
        let ai = (user.ai.engine.as_deref(), user.ai.model.as_deref(), user.ai.language.as_deref());
        assert_eq!(ai, (Some("gemini"), Some("gemini-3.8-live"), Some("de-AT")));
        assert_eq!(user.device.model, "SIP-T46S", "the phone's model is another field");
        let cleared = json!({"ai": {"engine": null, "language": ""}});
        let user = UserInput::from_json(&cleared).expect("valid").apply(&user, Timestamp::UNIX_EPOCH).expect("valid");
        assert_eq!((user.ai.engine, user.ai.language), (None, None));
    }

    #[test]
    fn engines_and_languages_are_checked() {
        for (field, value, good) in [
            ("engine", "local", true),
            ("engine", "openai", true),
            ("engine", "Gemini", false),
            ("engine", "hal9000", false),
            ("language", "de", true),
            ("language", "zh-Hant-TW", true),
            ("language", "es-419", true),
            ("language", "german please", false),
            ("language", "d", false),
            ("language", "de-", false),
            ("language", "de_AT", false),
            ("language", "de-AT\r\n", true),
            ("language", "1a", false),
        ] {
            let read = UserInput::from_json(&json!({"ai": {field: value}}));
            assert_eq!(read.is_ok(), good, "{field} {value}");
            if let (Err(faults), "engine") = (read, field) {
                assert_eq!(faults.to_string(), "ai.engine: must be one of local, gemini, openai");
            }
        }
    }

    #[test]
    fn a_put_keeps_what_it_does_not_name() {
        let old = alice();
        let body = json!({"greeting": "New", "sip_password": "", "sip": {"connect": true}, "created_at": "x"});
        let input = UserInput::from_json(&body).expect("valid");
        let new = input.apply(&old, Timestamp::from_second(9).expect("valid")).expect("valid");
        assert_eq!(new.calls.default_greeting, "New");
        assert_eq!(new.sip.password, old.sip.password);
        assert!(new.wants_line());
        assert_ne!(new.updated_at, old.updated_at);
    }

    #[test]
    fn a_put_that_changes_nothing_keeps_the_time_of_update() {
        let old = alice();
        let same = UserInput::default().apply(&old, Timestamp::from_second(9).expect("valid")).expect("valid");
        assert_eq!(same, old);
    }

    #[test]
    fn header_injection_is_refused() {
        for (field, value) in [
            ("display_name", "A\r\nVia: x"),
            ("custom_user_agent", "A\nB"),
            ("sip_username", "a>;x"),
            ("caller_id", "1 2"),
            ("sip_server", "h\r\nX: y"),
        ] {
            let body = json!({ field: value });
            assert!(UserInput::from_json(&body).is_err(), "{field}");
        }
    }

    #[test]
    fn ranges_that_contradict_are_faults() {
        let input = UserInput::from_json(&json!({"rtp_port_min": 20000, "rtp_port_max": 10000})).expect("each is valid");
        assert!(input.apply(&alice(), Timestamp::UNIX_EPOCH).is_err());
    }
}
