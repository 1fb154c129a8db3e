//! Logs: one subscriber for the whole process, to stderr, as text or JSON.
//!
//! What is logged is decided where it is logged; the rule there: at info and above never a secret, a digest, a full telephone
//! number (see `callie_domain::dial::masked`) or speech.

use crate::config::{Log, LogFormat};
use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

/// Starts logging. A second call does nothing: tests may start several servers in one process.
pub fn start(log: &Log) {
    let filter = EnvFilter::new(&log.filter);
    let registry = tracing_subscriber::registry().with(filter);
    let started = match log.format {
        LogFormat::Text => registry.with(fmt::layer().with_writer(std::io::stderr)).try_init(),
        LogFormat::Json => registry.with(fmt::layer().json().flatten_event(true).with_writer(std::io::stderr)).try_init(),
    };
    if started.is_err() {
        tracing::debug!("logging was started before");
    }
}

/// A plain level means ours: others' crates stay at info, the SIP stack, which logs every message, at warn. Anything else is
/// taken as directives.
pub fn filter_directives(text: &str) -> Result<String, String> {
    match text.to_ascii_lowercase().as_str() {
        level @ ("trace" | "debug" | "info") => Ok(format!("info,rsipstack=warn,callie={level}")),
        level @ ("warn" | "error" | "off") => Ok(level.to_owned()),
        _ => match EnvFilter::try_new(text) {
            Ok(_) => Ok(text.to_owned()),
            Err(e) => Err(format!("must be a level or directives such as info,callie_sip=debug: {e}")),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_level_is_meant_for_our_crates() {
        for (text, want) in [
            ("info", Ok("info,rsipstack=warn,callie=info")),
            ("DEBUG", Ok("info,rsipstack=warn,callie=debug")),
            ("warn", Ok("warn")),
            ("info,callie_sip=trace", Ok("info,callie_sip=trace")),
            ("callie=loud", Err(())),
        ] {
            assert_eq!(filter_directives(text).as_deref().map_err(|_| ()), want, "{text}");
        }
    }
}
