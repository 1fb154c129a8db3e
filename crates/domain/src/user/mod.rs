//! One user's configuration document, parsed: every value in here is valid.
//!
//! The stored form (field names, defaults for missing maps, fields we do not know) is the store's; the edge that turns a
//! client's JSON into these types is [`input`].

pub mod after_call;
mod field;
pub mod input;
pub mod limits;
pub mod persona;
pub mod preset;
pub mod recording;
pub mod routing;
pub mod tools;
pub mod voicemail;
pub mod webhooks;

use crate::audio::{LineMedia, SrtpPolicy};
use crate::{AcceptFrom, Account, FieldFault, HostPort, LineUpkeep, MacAddress, Secret, TlsSettings, Transport, UserId};
pub use after_call::AfterCall;
use jiff::Timestamp;
pub use limits::Limits;
pub use persona::{AiSettings, ENGINES, Temperature};
pub use recording::{Recording, RecordingPolicy};
pub use routing::{Routing, TransferMode, TransferTarget};
pub use tools::{BuiltIn, McpServer, ToolSettings};
pub use voicemail::{Voicemail, VoicemailPolicy, VoicemailWish};
pub use webhooks::{HookEvent, Webhook};

/// A user: SIP credentials, the desk phone it imitates, how its calls go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    pub id: UserId,
    pub display_name: String,
    pub sip: SipSettings,
    pub device: Device,
    pub calls: CallSettings,
    pub ai: AiSettings,
    /// The map `ai.tools`.
    pub tools: ToolSettings,
    pub routing: Routing,
    pub webhooks: Vec<Webhook>,
    pub limits: Limits,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SipSettings {
    /// As the provider gave it: `ext1001` or `alice@company.com`.
    pub username: String,
    pub password: Secret,
    pub server: HostPort,
    /// Used when `server` has no port of its own.
    pub port: u16,
    pub account_label: String,
    pub is_active: bool,
    /// Desired state: the line is kept registered while this and `is_active` hold.
    pub connect: bool,
    pub transport: Transport,
    pub sips: bool,
    pub auth_username: Option<String>,
    pub from_user: Option<String>,
    pub caller_id: Option<String>,
    pub outbound_proxy: Option<HostPort>,
    pub backup_server: Option<HostPort>,
    pub tls: TlsSettings,
    pub accept_from: AcceptFrom,
    pub upkeep: LineUpkeep,
    pub media: LineMedia,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    pub mac_address: MacAddress,
    pub model: String,
    pub firmware: String,
    pub custom_user_agent: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallSettings {
    pub default_greeting: String,
    /// Seconds.
    pub max_call_duration: u32,
    /// Seconds an outbound call may ring.
    pub answer_timeout: u32,
    pub rtp_port_min: u16,
    pub rtp_port_max: u16,
    /// Take RTP ports from the range above; otherwise from the server's range.
    pub use_fixed_rtp_port: bool,
    /// The caller cannot interrupt the greeting: it is heard to its end.
    pub protect_greeting: bool,
    /// The line itself hears when the caller speaks over the agent; otherwise the engine alone decides.
    pub barge_in: bool,
    /// When an answering machine takes a call of ours.
    pub voicemail: Voicemail,
    pub recording: Recording,
}

/// The values a document has when it does not say otherwise.
pub mod defaults {
    pub const SIP_SERVER: &str = "sip.zoho.com";
    pub const SIP_PORT: u16 = 5060;
    pub const MODEL: &str = "SIP-T46S";
    pub const FIRMWARE: &str = "66.85.0.5";
    pub const MAX_CALL_DURATION: u32 = 1800;
    pub const ANSWER_TIMEOUT: u32 = 30;
    pub const RTP_PORT_MIN: u16 = 10_000;
    pub const RTP_PORT_MAX: u16 = 10_100;

    pub fn greeting(display_name: &str) -> String {
        format!("Hello! This is {display_name}'s AI assistant. How can I help you today?")
    }
}

impl User {
    /// The User-Agent this user's requests carry.
    pub fn user_agent(&self) -> String {
        match &self.device.custom_user_agent {
            Some(custom) => custom.clone(),
            None => format!("Yealink {} {} ~{}", self.device.model, self.device.firmware, self.device.mac_address),
        }
    }

    /// Whether a registration is wanted.
    pub fn wants_line(&self) -> bool {
        self.sip.is_active && self.sip.connect
    }

    /// Settings that work, but not as somebody may expect; the fields are those of the document.
    pub fn warnings(&self) -> Vec<FieldFault> {
        let sip = &self.sip;
        let (transport, clear) = (sip.transport.as_str(), sip.transport != Transport::Tls);
        let warn = |field: &str, problem: String| FieldFault { field: format!("sip.{field}"), problem };
        let mut warnings = Vec::new();
        if let Some(name) = self.ai.when_lost.as_deref().filter(|name| self.routing.named(name).is_none()) {
            let problem = format!("{name:?} is none of routing.transfer_targets: the offline engine takes a message instead");
            warnings.push(FieldFault { field: "ai.when_lost".to_owned(), problem });
        }
        if clear && sip.media.srtp == SrtpPolicy::Required {
            let problem = format!("the keys of SRTP travel in SIP, which {transport} does not encrypt; use transport tls");
            warnings.push(warn("srtp", problem));
        }
        for (field, is_set) in [
            ("tls_ca", sip.tls.ca_certificates.is_some()),
            ("tls_client_certificate", sip.tls.client_certificate.is_some()),
            ("tls_server_name", sip.tls.server_name.is_some()),
        ] {
            if clear && is_set {
                warnings.push(warn(field, format!("has no effect with transport {transport}")));
            }
        }
        let in_clear = self.webhooks.iter().enumerate().filter(|(_, hook)| hook.url.starts_with("http:"));
        warnings.extend(in_clear.map(|(index, _)| FieldFault {
            field: format!("webhooks[{index}].url"),
            problem: "what is said in calls travels there unencrypted; use https".to_owned(),
        }));
        warnings
    }

    /// `sip_port` stands in every document of the first version, so its default says nothing: then the DNS may name another.
    fn registrar_port(&self) -> Option<u16> {
        let chosen = Some(self.sip.port).filter(|port| *port != defaults::SIP_PORT);
        self.sip.server.port.or(chosen)
    }

    /// The telephone account of this user, whether or not it is wanted now.
    pub fn account(&self) -> Account {
        let sip = &self.sip;
        let (aor_user, aor_host) = match sip.username.split_once('@') {
            Some((user, host)) => (user.to_owned(), host.to_owned()),
            None => {
                let without_port = HostPort { port: None, ..sip.server.clone() };
                (sip.username.clone(), without_port.to_string())
            }
        };
        Account {
            user: self.id.clone(),
            display_name: self.display_name.clone(),
            aor_user,
            aor_host,
            auth_username: sip.auth_username.clone().unwrap_or_else(|| sip.username.clone()),
            password: sip.password.clone(),
            server: HostPort { port: self.registrar_port(), ..sip.server.clone() },
            backup_server: sip.backup_server.clone(),
            outbound_proxy: sip.outbound_proxy.clone(),
            transport: sip.transport,
            sips: sip.sips,
            tls: sip.tls.clone(),
            accept_from: sip.accept_from,
            upkeep: sip.upkeep.clone(),
            from_user: sip.from_user.clone(),
            caller_id: sip.caller_id.clone(),
            user_agent: self.user_agent(),
        }
    }
}

#[cfg(test)]
pub(crate) fn user_of_tests() -> User {
    let body = serde_json::json!({"user_id": "alice", "display_name": "Alice", "sip_username": "alice", "sip_password": "p"});
    let input = input::UserInput::from_new_json(&body).expect("valid");
    input.create(Timestamp::UNIX_EPOCH, MacAddress::generate([1, 2, 3])).expect("valid")
}
