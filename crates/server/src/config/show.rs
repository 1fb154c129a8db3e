//! The resolved configuration as `callie config check` prints it. Secrets are masked.

use super::engines::{GeminiAccess, Vertex};
use super::keys::{KEYS, Key};
use super::{Config, Engines, Loaded, LogFormat, Oidc, RecordingsPlace, dotenv, first_version, recordings};
use callie_sip::Strangers;
use std::borrow::Cow;
use std::fmt::Write;
use std::net::SocketAddr;

/// One line for each setting: name, value, where it comes from. It can be used as a `.env` after the masked lines are mended.
pub fn table(loaded: &Loaded) -> String {
    let mut text = String::new();
    for key in &KEYS {
        let value = if key.secret { masked(loaded, key) } else { value_of(&loaded.config, key.name) };
        let value = if value.is_empty() { idle(loaded, key) } else { value };
        line(&mut text, key, &value, &place(loaded, key));
    }
    // Names of the first version are shown to those who use them.
    for key in first_version::KEYS.iter().filter(|key| loaded.given.contains_key(key.name)) {
        let value = if key.secret { masked(loaded, key) } else { idle(loaded, key) };
        line(&mut text, key, &value, &place(loaded, key));
    }
    text
}

fn line(text: &mut String, key: &Key, value: &str, place: &str) {
    let setting = format!("{}={}", key.name, as_in_dotenv(value));
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{setting:<48} # {place}: {}", key.about);
}

/// In quotes where it would be read otherwise than it is.
fn as_in_dotenv(value: &str) -> Cow<'_, str> {
    let read = dotenv::read(&format!("A={value} # about"), |_| None);
    if matches!(read.as_slice(), [Ok((_, read))] if read == value) {
        return value.into();
    }
    let escaped = value.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{escaped}\"").into()
}

/// Where the value comes from: its own name, or one of the first version that stands in for it.
fn place(loaded: &Loaded, key: &Key) -> String {
    let stand_ins = first_version::stand_ins(key.name).iter().copied().filter(|name| loaded.given.contains_key(name));
    match (loaded.given.get(key.name), stand_ins.collect::<Vec<_>>()) {
        (Some(given), _) => format!("from {}", given.place),
        (None, names) if !names.is_empty() => format!("from {}", names.join(" and ")),
        _ => "default".to_owned(),
    }
}

fn masked(loaded: &Loaded, key: &Key) -> String {
    if loaded.given.contains_key(key.name) { "********".to_owned() } else { String::new() }
}

/// What was said, or would hold, of a setting that has no effect as the others are.
fn idle(loaded: &Loaded, key: &Key) -> String {
    match loaded.given.get(key.name) {
        Some(given) if !key.secret => given.text.clone(),
        _ => key.default.to_owned(),
    }
}

fn value_of(config: &Config, name: &str) -> String {
    match name {
        "CALLIE_DATA_DIR" => config.data_dir.display().to_string(),
        "CALLIE_HTTP_LISTEN" => config.http.listen.to_string(),
        "CALLIE_HTTP_TLS_CERTIFICATE" => {
            config.http.tls.as_ref().map(|tls| tls.certificate.display().to_string()).unwrap_or_default()
        }
        "CALLIE_HTTP_TLS_KEY" => config.http.tls.as_ref().map(|tls| tls.key.display().to_string()).unwrap_or_default(),
        "CALLIE_PUBLIC_URL" => {
            config.http.public_url.as_ref().map(|url| url.as_str().trim_end_matches('/').to_owned()).unwrap_or_default()
        }
        "CALLIE_TRUSTED_PROXIES" => config.http.trusted_proxies.iter().map(ToString::to_string).collect::<Vec<_>>().join(","),
        "CALLIE_AUTHENTICATION" => if config.http.closed { "required" } else { "auto" }.to_owned(),
        "CALLIE_RATE_LIMIT" => config.http.requests_per_second.to_string(),
        "CALLIE_SIP_LISTEN" => config.sip.listen.to_string(),
        "CALLIE_SIP_TLS_LISTEN" => config.sip.tls.as_ref().map(|tls| tls.listen.to_string()).unwrap_or_default(),
        "CALLIE_SIP_TLS_CERTIFICATE" => {
            config.sip.tls.as_ref().map(|tls| tls.certificate.display().to_string()).unwrap_or_default()
        }
        "CALLIE_SIP_TLS_KEY" => config.sip.tls.as_ref().map(|tls| tls.key.display().to_string()).unwrap_or_default(),
        "CALLIE_EXTERNAL_ADDRESS" => config.sip.external_address.map(|ip| ip.to_string()).unwrap_or_default(),
        "CALLIE_SIP_STRANGERS" => match config.sip.strangers {
            Strangers::Ignore => "ignore".to_owned(),
            Strangers::Refuse => "refuse".to_owned(),
        },
        "CALLIE_SIP_HOSTS" => hosts(config),
        "CALLIE_DNS_SERVERS" => listed(&config.sip.dns_servers),
        "CALLIE_REGISTRAR_AVOID" => config.sip.registrar_avoid.as_secs().to_string(),
        "CALLIE_LINE_ALERT_AFTER" => config.sip.line_alert_after.as_secs().to_string(),
        "CALLIE_RTP_PORTS" => format!("{}-{}", config.media.rtp_ports.start(), config.media.rtp_ports.end()),
        "CALLIE_RTP_TIMEOUT" => config.media.rtp_timeout.as_secs().to_string(),
        "CALLIE_MEDIA_THREADS" => config.media.threads.to_string(),
        "CALLIE_MEDIA_REALTIME" => if config.media.realtime { "auto" } else { "off" }.to_owned(),
        "CALLIE_RECORDINGS" => config.media.recordings.to_string(),
        "CALLIE_RECORDINGS_ENDPOINT" => {
            bucket(config).and_then(|bucket| bucket.endpoint.as_ref()).map(ToString::to_string).unwrap_or_default()
        }
        "AWS_ACCESS_KEY_ID" => bucket(config).and_then(|bucket| bucket.credentials.access_key_id.clone()).unwrap_or_default(),
        "AWS_REGION" => bucket(config).and_then(|bucket| bucket.credentials.region.clone()).unwrap_or_default(),
        "CALLIE_MAX_CALLS_PER_USER" => config.limits.calls_per_user.to_string(),
        "CALLIE_PRICES_FILE" => config.prices_file.as_ref().map(|file| file.display().to_string()).unwrap_or_default(),
        "CALLIE_ALLOW_PRIVATE_TARGETS" => config.private_targets.listed(),
        "CALLIE_SILENCE_PROMPT" => config.limits.silence_prompt.as_secs().to_string(),
        "CALLIE_KEYRING_FILE" if config.secrets.master_key.is_some() => String::new(),
        "CALLIE_KEYRING_FILE" => config.keyring_file().display().to_string(),
        "CALLIE_STORE" => config.store.name().to_owned(),
        "CALLIE_LOG" => config.log.filter.clone(),
        "CALLIE_LOG_FORMAT" => match config.log.format {
            LogFormat::Text => "text".to_owned(),
            LogFormat::Json => "json".to_owned(),
        },
        _ if name.starts_with("OTEL_") => String::new(),
        _ if name.starts_with("CALLIE_OIDC_") => {
            config.http.oidc.as_ref().map(|oidc| of_provider(oidc, name)).unwrap_or_default()
        }
        _ => of_engines(&config.engines, name),
    }
}

fn bucket(config: &Config) -> Option<&recordings::Bucket> {
    match &config.media.recordings {
        RecordingsPlace::Bucket(bucket) => Some(bucket),
        _ => None,
    }
}

fn of_provider(oidc: &Oidc, name: &str) -> String {
    match name {
        "CALLIE_OIDC_ISSUER" => oidc.issuer.clone(),
        "CALLIE_OIDC_CLIENT_ID" => oidc.client_id.clone().unwrap_or_default(),
        "CALLIE_OIDC_AUDIENCE" => oidc.audience.clone(),
        "CALLIE_OIDC_KEYS_URL" => oidc.keys_url.clone().unwrap_or_default(),
        "CALLIE_OIDC_CLAIMS" => format!("{},{}", oidc.role_claim, oidc.user_claim),
        "CALLIE_OIDC_ADMINS" => oidc.admins.join(","),
        _ => String::new(),
    }
}

fn listed(addresses: &[SocketAddr]) -> String {
    addresses.iter().map(SocketAddr::to_string).collect::<Vec<_>>().join(",")
}

fn of_engines(engines: &Engines, name: &str) -> String {
    let text = match name {
        "CALLIE_ENGINE" => Some(engines.default.name().to_owned()),
        "GEMINI_VERTEX_PROJECT" => vertex(engines).map(|vertex| vertex.project.clone()),
        "GEMINI_VERTEX_LOCATION" => vertex(engines).map(|vertex| vertex.location.clone()),
        "GEMINI_MODEL" => engines.gemini.as_ref().map(|gemini| gemini.model.clone()),
        "GEMINI_BASE_URL" => engines.gemini.as_ref().map(|gemini| gemini.base_url.clone()),
        "OPENAI_MODEL" => engines.openai.as_ref().and_then(|openai| openai.model.clone()),
        "OPENAI_BASE_URL" => engines.openai.as_ref().and_then(|openai| openai.base_url.clone()),
        "OPENAI_DIALECT" => engines.openai.as_ref().map(|openai| openai.dialect.clone()),
        "OPENAI_TURN_DETECTION" => engines.openai.as_ref().map(|openai| openai.turn_detection.clone()),
        "CALLIE_MODELS_DIR" => engines.models_dir.as_ref().map(|dir| dir.display().to_string()),
        "CALLIE_LOCAL_VOICE" => Some(engines.voice.name().to_owned()),
        "CALLIE_CHAT_URL" => engines.chat.as_ref().map(|chat| chat.url.clone()),
        "CALLIE_CHAT_MODEL" => engines.chat.as_ref().map(|chat| chat.model.clone()),
        _ => None,
    };
    text.unwrap_or_default()
}

fn vertex(engines: &Engines) -> Option<&Vertex> {
    match &engines.gemini.as_ref()?.access {
        GeminiAccess::Vertex(vertex) => Some(vertex),
        GeminiAccess::Key(_) => None,
    }
}

fn hosts(config: &Config) -> String {
    let mut hosts: Vec<_> = config.sip.hosts.iter().map(|(name, address)| format!("{name}={address}")).collect();
    hosts.sort_unstable();
    hosts.join(",")
}
