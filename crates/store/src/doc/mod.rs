//! The stored form of a user: one JSON object with the maps `sip`, `device`, `calls` of the first version, and `ai`,
//! `routing`, `limits`, the list `webhooks` and some fields of `sip` of ours. All backends store this form; it never holds a secret in clear that we wrote.
//!
//! | function | does |
//! |---|---|
//! | [`read`] | document → user; all that is wrong with it at once |
//! | [`essence`] | the document without what [`read`] does not look at |
//! | [`write()`] | user → document, keeping every field of the old one that we do not know |
//! | [`reseal`] | seals the secrets with the primary key, from clear or from another key |
//! | [`seal_typed`] | seals the secrets that somebody typed into a document in clear |
//! | [`is_sealed_from`] | whether that is all that was done to a document |
//! | [`secrets`] | the secrets as they stand in a document |
//!
//! Missing maps and fields have the documented defaults; `null` is the same as missing. Times are RFC 3339 texts.

mod limits;
mod read;
mod secret;
#[cfg(test)]
mod tests;
mod tools;
mod webhooks;
mod write;

pub use read::{derived_mac, essence, read};
pub use secret::{
    Home, MCP_HEADERS, PASSWORD, SECRETS, SecretField, TLS_CLIENT_KEY, TOOL_HEADERS, WEBHOOK_SECRET, holds_typed_secret,
    is_sealed_from, reseal, seal_typed, secrets,
};
pub use write::write;

/// The fields of each map that are settings: the ones that are read and written. Everything else is kept as it is.
const MAPS: [(&str, &[&str]); 6] = [
    (
        "sip",
        &[
            "user_id",
            "display_name",
            "sip_username",
            "sip_password",
            "sip_server",
            "sip_port",
            "account_label",
            "is_active",
            "connect",
            "transport",
            "auth_username",
            "from_user",
            "caller_id",
            "outbound_proxy",
            "sips",
            "backup_server",
            "tls_ca",
            "tls_client_certificate",
            "tls_client_key",
            "tls_server_name",
            "accept_from",
            "registration_expires",
            "keepalive",
            "session_expires",
            "external_address",
            "stun_server",
            "srtp",
            "codecs",
            "dtmf",
        ],
    ),
    ("device", &["user_id", "mac_address", "model", "firmware", "custom_user_agent"]),
    (
        "calls",
        &[
            "user_id",
            "default_greeting",
            "max_call_duration",
            "answer_timeout",
            "rtp_port_min",
            "rtp_port_max",
            "use_fixed_rtp_port",
            "protect_greeting",
            "barge_in",
            "voicemail",
            "voicemail_message",
            "recording",
            "recording_notice",
            "retention_days",
        ],
    ),
    (
        "ai",
        &[
            "engine",
            "engines",
            "model",
            "voice",
            "language",
            "instructions",
            "temperature",
            "variables",
            "time_zone",
            "dead_air",
            "when_lost",
            "after_call",
            "tools",
        ],
    ),
    ("routing", &["transfer_targets", "accept_refer"]),
    ("limits", &limits::FIELDS),
];
