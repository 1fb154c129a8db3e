//! A user as the API shows it: the first version's fields, the nested maps of the stored document, and the line's state.
//! Whatever is shown here is accepted back by PUT. Secrets are never shown.

use super::limits::LimitsDocument;
use super::tools::ToolsDocument;
use super::webhooks::WebhookDocument;
use crate::api::error::FieldProblem;
use crate::api::words::{
    AcceptFromWord, CodecWord, DtmfWord, EngineWord, RecordingWord, RegistrationStateWord, SrtpWord, TransferModeWord,
    TransportWord, VoicemailWord,
};
use crate::exchange::LineStatus;
use callie_domain::audio::{AudioCodec, DtmfMode, SrtpPolicy};
use callie_domain::registration::{RegistrarInUse, RegistrationState, RegistrationStatus};
use callie_domain::user::{
    AfterCall, AiSettings, CallSettings, Device, RecordingPolicy, Routing, SipSettings, Temperature, ToolSettings, TransferMode,
    VoicemailPolicy,
};
use callie_domain::{AcceptFrom, HostPort, User, UserId};
use callie_store::{Entry, StoredUser};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use utoipa::ToSchema;

/// A user.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct UserDocument {
    #[schema(example = "alice")]
    pub user_id: String,
    #[schema(example = "Alice Johnson")]
    pub display_name: String,
    #[schema(example = "alice@company.com")]
    pub sip_username: String,
    pub is_active: bool,
    pub sip_status: SipStatus,
    /// Absent while the document cannot be read.
    pub created_at: Option<Timestamp>,
    pub updated_at: Option<Timestamp>,
    /// Grows with each write.
    pub revision: u64,
    pub registration: RegistrationDocument,
    /// What the user's SIP requests carry.
    #[schema(example = "Yealink SIP-T46S 66.85.0.5 ~00:15:65:12:34:56")]
    pub user_agent: Option<String>,
    pub config_state: ConfigState,
    /// Settings that work, but not as somebody may expect.
    pub warnings: Vec<FieldProblem>,
    pub sip: Option<SipDocument>,
    pub device: Option<DeviceDocument>,
    pub calls: Option<CallsDocument>,
    pub ai: Option<AiDocument>,
    pub routing: Option<RoutingDocument>,
    pub limits: Option<LimitsDocument>,
    /// Who is told of what happens.
    pub webhooks: Option<Vec<WebhookDocument>>,
}

/// The line in three fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct SipStatus {
    /// A line runs for this user: registered, or trying to be.
    pub connected: bool,
    pub registered: bool,
    pub active_calls: usize,
}

/// Where the registration stands, why, and what comes next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct RegistrationDocument {
    #[schema(value_type = RegistrationStateWord)]
    pub state: RegistrationState,
    /// When this state was entered.
    pub since: Option<Timestamp>,
    #[schema(example = "503 Service Unavailable")]
    pub reason: Option<String>,
    /// The registrar's last final status code.
    pub last_code: Option<u16>,
    pub next_attempt_at: Option<Timestamp>,
    /// When the granted binding runs out.
    pub expires_at: Option<Timestamp>,
    /// REGISTER requests since the line started.
    pub attempts: u64,
    /// Our Contact at the registrar.
    pub contact: Option<String>,
    /// Seconds that the registrar granted last.
    #[schema(example = 3600)]
    pub granted_s: Option<u32>,
    /// The registrar in use.
    pub registrar: Option<RegistrarDocument>,
    /// Why the registrar in use is not the preferred one.
    #[schema(example = "sip1.example.com answered 503 Service Unavailable")]
    pub failover_reason: Option<String>,
    /// The DNS does not answer, and why; the addresses are the last ones known.
    pub dns_failure: Option<String>,
    /// The address that we are reached under, when it is not the host's own.
    #[schema(value_type = Option<String>, example = "203.0.113.9:5060")]
    pub public_address: Option<SocketAddr>,
    /// Wanted, and without a binding at any registrar, since then.
    pub down_since: Option<Timestamp>,
    /// Down for longer than `CALLIE_LINE_ALERT_AFTER`.
    pub alert: bool,
}

/// One of the places that the account's hosts resolve to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct RegistrarDocument {
    /// The name that it was found under.
    #[schema(example = "sip1.example.com")]
    pub host: String,
    #[schema(value_type = String, example = "192.0.2.1:5060")]
    pub address: SocketAddr,
    #[schema(value_type = String, example = "udp")]
    pub transport: &'static str,
    /// It belongs to the account's backup server.
    pub is_backup: bool,
}

/// Whether the stored document can be read. While it cannot, the last good configuration goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ConfigState {
    Ok,
    Faulty { problem: String },
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SipDocument {
    pub user_id: String,
    pub display_name: String,
    pub sip_username: String,
    /// A password is stored. It is never shown; send `sip_password` to change it.
    pub has_password: bool,
    #[schema(example = "sip.zoho.com")]
    pub sip_server: String,
    #[schema(example = 5060)]
    pub sip_port: u16,
    pub account_label: String,
    pub is_active: bool,
    /// Desired state: the line is kept registered while this and `is_active` hold.
    pub connect: bool,
    #[schema(value_type = TransportWord)]
    pub transport: &'static str,
    pub auth_username: Option<String>,
    pub from_user: Option<String>,
    pub caller_id: Option<String>,
    pub outbound_proxy: Option<String>,
    /// Requests and Contact are `sips:`.
    pub sips: bool,
    pub backup_server: Option<String>,
    /// Certificates (PEM) trusted instead of the system's.
    pub tls_ca: Option<String>,
    /// Certificate chain (PEM) shown to servers that ask for one.
    pub tls_client_certificate: Option<String>,
    /// A key of the client certificate is stored. It is never shown; send `tls_client_key` to change it.
    pub has_tls_client_key: bool,
    /// The name in the server's certificate, where it is not `sip_server`.
    pub tls_server_name: Option<String>,
    #[schema(value_type = AcceptFromWord)]
    pub accept_from: AcceptFrom,
    /// Seconds asked for in REGISTER; null is the server's default, as in the next two.
    pub registration_expires: Option<u32>,
    /// Seconds between keepalives; 0 sends none.
    pub keepalive: Option<u32>,
    /// Seconds of the session timer asked for; 0 asks for none.
    pub session_expires: Option<u32>,
    /// Where peers reach us; null is the server's own setting.
    #[schema(value_type = Option<String>, example = "203.0.113.7")]
    pub external_address: Option<IpAddr>,
    pub stun_server: Option<String>,
    #[schema(value_type = SrtpWord)]
    pub srtp: SrtpPolicy,
    /// The most wanted first.
    #[schema(value_type = Vec<CodecWord>, example = json!(["pcmu", "pcma", "g722", "opus"]))]
    pub codecs: Vec<AudioCodec>,
    #[schema(value_type = DtmfWord)]
    pub dtmf: DtmfMode,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct DeviceDocument {
    pub user_id: String,
    #[schema(example = "00:15:65:12:34:56")]
    pub mac_address: String,
    #[schema(example = "SIP-T46S")]
    pub model: String,
    #[schema(example = "66.85.0.5")]
    pub firmware: String,
    pub custom_user_agent: Option<String>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CallsDocument {
    pub user_id: String,
    pub default_greeting: String,
    /// Seconds.
    #[schema(example = 1800)]
    pub max_call_duration: u32,
    /// Seconds an outbound call may ring.
    #[schema(example = 30)]
    pub answer_timeout: u32,
    #[schema(example = 10000)]
    pub rtp_port_min: u16,
    #[schema(example = 10100)]
    pub rtp_port_max: u16,
    /// Take RTP ports from this user's range; otherwise from the server's.
    pub use_fixed_rtp_port: bool,
    /// The caller cannot interrupt the greeting: it is heard to its end.
    pub protect_greeting: bool,
    /// The line itself hears when the caller speaks over the agent, and what is none of it does not stop the agent. False leaves
    /// it to the engine.
    pub barge_in: bool,
    #[schema(value_type = VoicemailWord)]
    pub voicemail: VoicemailPolicy,
    /// Left after the beep where `voicemail` is `drop`.
    pub voicemail_message: Option<String>,
    #[schema(value_type = RecordingWord)]
    pub recording: RecordingPolicy,
    /// Said before the greeting where `recording` is `announce`; the server's own words when null.
    pub recording_notice: Option<String>,
    /// Days after which recording, transcript and signalling of a call are deleted; never when null.
    pub retention_days: Option<u32>,
}

/// Which engine talks and how; null means the server's default.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AiDocument {
    #[schema(value_type = Option<EngineWord>, example = "gemini")]
    pub engine: Option<String>,
    /// By the engine's own name for it.
    pub model: Option<String>,
    pub voice: Option<String>,
    /// A language tag (BCP 47).
    #[schema(example = "de-AT")]
    pub language: Option<String>,
    /// `{name}` stands for a variable: `caller_number`, `caller_name`, `display_name`, `direction`, `date`, `time`, `weekday`,
    /// those of `variables`, and those of the call.
    pub instructions: Option<String>,
    /// Who takes over in mid-call, in this order.
    #[schema(value_type = Vec<EngineWord>)]
    pub engines: Vec<String>,
    /// 0 to 2.
    pub temperature: Option<f64>,
    pub variables: BTreeMap<String, String>,
    /// Of the IANA database.
    #[schema(example = "Europe/Vienna")]
    pub time_zone: Option<String>,
    /// Seconds of dead air after the caller has spoken, before something is done about it.
    pub dead_air: Option<u32>,
    /// The transfer target who gets the caller when no engine of a service is left.
    pub when_lost: Option<String>,
    /// What a text model makes of a call when it is over.
    pub after_call: AfterCallSettings,
    /// What the agent can do besides talking.
    pub tools: ToolsDocument,
}

/// What a text model makes of a call when it is over.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AfterCallSettings {
    /// A few sentences about the call.
    pub summary: bool,
    /// JSON Schema of what is read out of the call.
    #[schema(value_type = Option<Object>)]
    pub fields: Option<Value>,
    /// By the chat endpoint's own name for it; null means the server's.
    pub model: Option<String>,
}

impl From<AfterCall> for AfterCallSettings {
    fn from(AfterCall { summary, fields, model }: AfterCall) -> Self {
        Self { summary, fields, model }
    }
}

/// To whom a call may be handed over.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RoutingDocument {
    /// Those to whom the agent may hand a caller over, by itself.
    pub transfer_targets: Vec<TransferTargetDocument>,
    /// Follow a transfer that the other side asks for (REFER) to one of the targets; otherwise it is declined.
    pub accept_refer: bool,
}

/// Somebody to whom the agent may hand a caller over.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct TransferTargetDocument {
    /// As the agent knows them.
    #[schema(example = "sales")]
    pub name: String,
    /// A telephone number, an extension, or an address such as `sip:name@host`.
    #[schema(example = "+1234567890")]
    pub target: String,
    /// Blind when null.
    #[schema(value_type = Option<TransferModeWord>)]
    pub mode: Option<TransferMode>,
}

impl UserDocument {
    pub fn good(stored: &StoredUser, line: Option<LineStatus>) -> Self {
        Self::of(&stored.user.id, Some(stored), ConfigState::Ok, line)
    }

    pub fn entry(id: &UserId, entry: &Entry, line: Option<LineStatus>) -> Self {
        Self::of(id, entry.usable(), ConfigState::of(entry), line)
    }

    /// `stored` is what the user runs with: the document, or the last good one, or nothing.
    pub fn of(id: &UserId, stored: Option<&StoredUser>, config_state: ConfigState, line: Option<LineStatus>) -> Self {
        let user = stored.map(|s| &*s.user);
        Self {
            user_id: id.to_string(),
            display_name: user.map_or_else(|| id.to_string(), |u| u.display_name.clone()),
            sip_username: user.map(|u| u.sip.username.clone()).unwrap_or_default(),
            is_active: user.is_some_and(|u| u.sip.is_active),
            sip_status: SipStatus::of(line.as_ref()),
            created_at: user.map(|u| u.created_at),
            updated_at: user.map(|u| u.updated_at),
            revision: stored.map_or(0, |s| s.revision),
            registration: line.map_or(RegistrationStatus::OFF, |l| l.registration).into(),
            user_agent: user.map(User::user_agent),
            config_state,
            warnings: user.map(User::warnings).unwrap_or_default().into_iter().map(FieldProblem::from).collect(),
            sip: user.map(|u| SipDocument::of(u, &u.sip)),
            device: user.map(|u| DeviceDocument::of(&u.id, &u.device)),
            calls: user.map(|u| CallsDocument::of(&u.id, &u.calls)),
            ai: user.map(|u| AiDocument::of(&u.ai, &u.tools)),
            routing: user.map(|u| RoutingDocument::of(&u.routing)),
            limits: user.map(|u| LimitsDocument::of(&u.limits)),
            webhooks: user.map(|u| u.webhooks.iter().map(WebhookDocument::of).collect()),
        }
    }
}

impl ConfigState {
    pub fn of(entry: &Entry) -> Self {
        match entry {
            Entry::Good(_) => Self::Ok,
            Entry::Faulty { fault, .. } => Self::Faulty { problem: fault.to_string() },
        }
    }
}

impl SipStatus {
    pub fn of(line: Option<&LineStatus>) -> Self {
        Self {
            connected: line.is_some_and(|l| l.connected),
            registered: line.is_some_and(|l| l.registration.is_registered()),
            active_calls: line.map_or(0, |l| l.active_calls),
        }
    }
}

impl From<RegistrationStatus> for RegistrationDocument {
    fn from(status: RegistrationStatus) -> Self {
        Self {
            state: status.state,
            since: status.since,
            reason: status.reason,
            last_code: status.last_code,
            next_attempt_at: status.next_attempt_at,
            expires_at: status.expires_at,
            attempts: status.attempts,
            contact: status.contact,
            granted_s: status.granted_s,
            registrar: status.registrar.map(RegistrarDocument::from),
            failover_reason: status.failover_reason,
            dns_failure: status.dns_failure,
            public_address: status.public_address,
            down_since: status.down_since,
            alert: status.alert,
        }
    }
}

impl From<RegistrarInUse> for RegistrarDocument {
    fn from(registrar: RegistrarInUse) -> Self {
        let RegistrarInUse { host, address, transport, is_backup } = registrar;
        Self { host, address, transport: transport.as_str(), is_backup }
    }
}

impl SipDocument {
    fn of(user: &User, sip: &SipSettings) -> Self {
        Self {
            user_id: user.id.to_string(),
            display_name: user.display_name.clone(),
            sip_username: sip.username.clone(),
            has_password: !sip.password.is_empty(),
            sip_server: sip.server.to_string(),
            sip_port: sip.port,
            account_label: sip.account_label.clone(),
            is_active: sip.is_active,
            connect: sip.connect,
            transport: sip.transport.as_str(),
            auth_username: sip.auth_username.clone(),
            from_user: sip.from_user.clone(),
            caller_id: sip.caller_id.clone(),
            outbound_proxy: sip.outbound_proxy.as_ref().map(HostPort::to_string),
            sips: sip.sips,
            backup_server: sip.backup_server.as_ref().map(HostPort::to_string),
            tls_ca: sip.tls.ca_certificates.clone(),
            tls_client_certificate: sip.tls.client_certificate.clone(),
            has_tls_client_key: sip.tls.client_key.is_some(),
            tls_server_name: sip.tls.server_name.clone(),
            accept_from: sip.accept_from,
            registration_expires: sip.upkeep.registration_expires_s,
            keepalive: sip.upkeep.keepalive_s,
            session_expires: sip.upkeep.session_expires_s,
            external_address: sip.upkeep.external_address,
            stun_server: sip.upkeep.stun_server.as_ref().map(HostPort::to_string),
            srtp: sip.media.srtp,
            codecs: sip.media.codecs.clone(),
            dtmf: sip.media.dtmf,
            created_at: user.created_at,
            updated_at: user.updated_at,
        }
    }
}

impl DeviceDocument {
    fn of(id: &UserId, device: &Device) -> Self {
        Self {
            user_id: id.to_string(),
            mac_address: device.mac_address.to_string(),
            model: device.model.clone(),
            firmware: device.firmware.clone(),
            custom_user_agent: device.custom_user_agent.clone(),
        }
    }
}

impl CallsDocument {
    fn of(id: &UserId, calls: &CallSettings) -> Self {
        Self {
            user_id: id.to_string(),
            default_greeting: calls.default_greeting.clone(),
            max_call_duration: calls.max_call_duration,
            answer_timeout: calls.answer_timeout,
            rtp_port_min: calls.rtp_port_min,
            rtp_port_max: calls.rtp_port_max,
            use_fixed_rtp_port: calls.use_fixed_rtp_port,
            protect_greeting: calls.protect_greeting,
            barge_in: calls.barge_in,
            voicemail: calls.voicemail.policy,
            voicemail_message: calls.voicemail.message.clone(),
            recording: calls.recording.policy,
            recording_notice: calls.recording.notice.clone(),
            retention_days: calls.recording.retention_days,
        }
    }
}

impl AiDocument {
    fn of(ai: &AiSettings, tools: &ToolSettings) -> Self {
        let ai = ai.clone();
        Self {
            engine: ai.engine,
            engines: ai.engines,
            model: ai.model,
            voice: ai.voice,
            language: ai.language,
            instructions: ai.instructions,
            temperature: ai.temperature.map(Temperature::value),
            variables: ai.variables,
            time_zone: ai.time_zone,
            dead_air: ai.dead_air_s,
            when_lost: ai.when_lost,
            after_call: ai.after_call.into(),
            tools: ToolsDocument::of(tools),
        }
    }
}

impl RoutingDocument {
    fn of(routing: &Routing) -> Self {
        let targets = routing.transfer_targets.iter().map(|target| TransferTargetDocument {
            name: target.name.clone(),
            target: target.target.to_string(),
            mode: target.mode,
        });
        Self { transfer_targets: targets.collect(), accept_refer: routing.accept_refer }
    }
}
