//! The configuration in the words of the parts.

use crate::config::Config;
use callie_media::engine::EngineOptions;
use callie_sip::{SipOptions, TlsListen};
use std::num::NonZeroUsize;

pub(super) fn media(config: &Config) -> EngineOptions {
    let defaults = EngineOptions::default();
    let threads = NonZeroUsize::new(config.media.threads).unwrap_or(defaults.threads);
    EngineOptions { threads, realtime: config.media.realtime, ..defaults }
}

pub(super) fn sip(config: &Config) -> SipOptions {
    let mut options = SipOptions::new(config.sip.listen);
    options.tls = config.sip.tls.as_ref().map(|tls| TlsListen {
        listen: tls.listen,
        certificate: tls.certificate.clone(),
        key: tls.key.clone(),
    });
    options.external_address = config.sip.external_address;
    options.hosts = config.sip.hosts.clone();
    options.dns_servers = config.sip.dns_servers.clone();
    options.register.avoid_for = config.sip.registrar_avoid;
    options.strangers = config.sip.strangers;
    options.register.alert_after = config.sip.line_alert_after;
    options
}
