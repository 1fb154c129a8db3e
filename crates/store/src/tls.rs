//! TLS towards Google. The libraries for it take the process's provider of cryptography, and panic when there is none while
//! several are compiled in, as they are in this program (`ring` for the telephone's side and speech, `aws-lc-rs` for Google's).

use tokio_rustls::rustls::crypto::{CryptoProvider, ring};

/// Sees to it that the process has a provider; one that was installed before stays.
pub(crate) fn ensure_provider() {
    if CryptoProvider::get_default().is_none() {
        // An error means that somebody else was quicker, which is as good.
        let _ = ring::default_provider().install_default();
    }
}
