//! Logs: one subscriber for the whole process, to stderr, as text or JSON.
//!
//! What is logged is decided where it is logged; the rule there: at info and above never a secret, a digest, a full telephone
//! number (see `callie_domain::dial::masked`) or speech.

use crate::config::{Log, LogFormat};
use std::io::IsTerminal;
use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

/// Starts logging. A second call does nothing: tests may start several servers in one process.
pub fn start(log: &Log) {
    let filter = EnvFilter::new(&log.filter);
    let registry = tracing_subscriber::registry().with(filter);
    let started = match log.format {
        LogFormat::Text => {
            // Colours are for people at a terminal; in a file they are noise.
            let layer = fmt::layer().with_ansi(std::io::stderr().is_terminal()).with_writer(std::io::stderr);
            registry.with(layer).try_init()
        }
        LogFormat::Json => registry.with(fmt::layer().json().flatten_event(true).with_writer(std::io::stderr)).try_init(),
    };
    if started.is_err() {
        tracing::debug!("logging was started before");
    }
}
