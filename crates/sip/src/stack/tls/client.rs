//! The client's side: roots, certificate and name, and the handshake.

use super::TlsFault;
use callie_domain::{Account, TlsSettings};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// A host that we connect to, as an account knows it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hop<'a> {
    /// The name that was configured, or that a peer gave us: not what the DNS made of it (RFC 5922 §4).
    pub host: &'a str,
    pub tls: &'a TlsSettings,
    /// The certificate must bear this name instead.
    pub server_name: Option<&'a str>,
}

impl<'a> Hop<'a> {
    /// The account's own hosts go by its `server_name`, others by theirs.
    pub fn of(account: &'a Account, host: &'a str) -> Self {
        let own = [Some(&account.server), account.backup_server.as_ref(), account.outbound_proxy.as_ref()];
        let is_own = own.into_iter().flatten().any(|known| known.host == host);
        let server_name = account.tls.server_name.as_deref().filter(|_| is_own);
        Self { host, tls: &account.tls, server_name }
    }
}

/// Whom a connection's peer was proven to be, to whose authority, and who we are to it. Two accounts share a connection
/// when they agree on all of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::stack) struct Identity {
    pub server_name: String,
    /// A fingerprint of roots, client certificate and key.
    pub trust: [u8; 32],
    /// The account has roots of its own.
    pub own_roots: bool,
    pub shows_certificate: bool,
}

impl Identity {
    pub fn of(hop: Hop<'_>) -> Self {
        Self {
            server_name: hop.server_name.unwrap_or(hop.host).trim_matches(['[', ']']).to_ascii_lowercase(),
            trust: fingerprint(hop.tls),
            own_roots: hop.tls.ca_certificates.is_some(),
            shows_certificate: hop.tls.client_certificate.is_some(),
        }
    }
}

fn fingerprint(tls: &TlsSettings) -> [u8; 32] {
    let key = tls.client_key.as_ref().map(|key| key.expose());
    let mut digest = Sha256::new();
    for part in [tls.ca_certificates.as_deref(), tls.client_certificate.as_deref(), key] {
        let bytes = part.unwrap_or_default().as_bytes();
        // With its length, so that nothing can slip from one part into the next.
        digest.update([u8::from(part.is_some())]);
        digest.update(bytes.len().to_be_bytes());
        digest.update(bytes);
    }
    digest.finalize().into()
}

/// One configuration for each set of settings, kept while a connection or a handshake uses it.
#[derive(Default)]
pub(in crate::stack) struct Clients {
    configs: Mutex<HashMap<[u8; 32], Weak<ClientConfig>>>,
}

impl Clients {
    /// The handshake. The configuration is to be kept as long as the connection.
    pub async fn connect(
        &self,
        tcp: TcpStream,
        identity: &Identity,
        settings: &TlsSettings,
    ) -> Result<(TlsStream<TcpStream>, Arc<ClientConfig>), TlsFault> {
        let name = ServerName::try_from(identity.server_name.clone())
            .map_err(|_| TlsFault::Other(format!("{:?} is no name that a certificate could bear", identity.server_name)))?;
        let config = self.config(identity, settings).await?;
        let connected = TlsConnector::from(config.clone()).connect(name, tcp).await;
        Ok((connected.map_err(|error| TlsFault::of(&error, identity))?, config))
    }

    async fn config(&self, identity: &Identity, settings: &TlsSettings) -> Result<Arc<ClientConfig>, TlsFault> {
        let known = self.configs().get(&identity.trust).and_then(Weak::upgrade);
        if let Some(config) = known {
            return Ok(config);
        }
        let roots = match &settings.ca_certificates {
            Some(pem) => Arc::new(roots_of(pem)?),
            None => system_roots().await,
        };
        let config = Arc::new(client_config(roots, settings)?);
        let mut configs = self.configs();
        configs.retain(|_, config| config.strong_count() > 0);
        configs.insert(identity.trust, Arc::downgrade(&config));
        Ok(config)
    }

    fn configs(&self) -> std::sync::MutexGuard<'_, HashMap<[u8; 32], Weak<ClientConfig>>> {
        self.configs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn client_config(roots: Arc<RootCertStore>, settings: &TlsSettings) -> Result<ClientConfig, TlsFault> {
    let own = |error: rustls::Error| TlsFault::Settings { field: "sip.tls_client_key", reason: error.to_string() };
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsFault::Other(error.to_string()))?
        .with_root_certificates(roots);
    match (&settings.client_certificate, &settings.client_key) {
        (Some(chain), Some(key)) => {
            let chain = certificates(chain, "sip.tls_client_certificate")?;
            let key = PrivateKeyDer::from_pem_slice(key.expose().as_bytes())
                .map_err(|_| TlsFault::Settings { field: "sip.tls_client_key", reason: "it is no private key in PEM".into() })?;
            builder.with_client_auth_cert(chain, key).map_err(own)
        }
        (Some(_), None) => Err(TlsFault::Settings { field: "sip.tls_client_certificate", reason: "its key is missing".into() }),
        _ => Ok(builder.with_no_client_auth()),
    }
}

fn roots_of(pem: &str) -> Result<RootCertStore, TlsFault> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(pem, "sip.tls_ca")? {
        roots.add(certificate).map_err(|error| TlsFault::Settings { field: "sip.tls_ca", reason: error.to_string() })?;
    }
    Ok(roots)
}

fn certificates(pem: &str, field: &'static str) -> Result<Vec<CertificateDer<'static>>, TlsFault> {
    let unreadable = || TlsFault::Settings { field, reason: "it holds no certificate in PEM".into() };
    let found: Vec<_> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<_, _>>().map_err(|_| unreadable())?;
    if found.is_empty() { Err(unreadable()) } else { Ok(found) }
}

/// The system's roots, read once; Mozilla's, which are compiled in, when the system has none.
async fn system_roots() -> Arc<RootCertStore> {
    static ROOTS: OnceLock<Arc<RootCertStore>> = OnceLock::new();
    if let Some(roots) = ROOTS.get() {
        return roots.clone();
    }
    let read = tokio::task::spawn_blocking(|| {
        let mut roots = RootCertStore::empty();
        let found = rustls_native_certs::load_native_certs();
        let (added, ignored) = roots.add_parsable_certificates(found.certs);
        tracing::debug!(added, ignored, errors = found.errors.len(), "root certificates of the system");
        roots
    });
    let mut roots = read.await.unwrap_or_else(|_| RootCertStore::empty());
    if roots.is_empty() {
        tracing::warn!("this system has no root certificates: those compiled in are used for SIP over TLS");
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    ROOTS.get_or_init(|| Arc::new(roots)).clone()
}

#[cfg(test)]
mod tests {
    use super::*;
    use callie_domain::Secret;

    fn settings(parts: [Option<&str>; 3]) -> TlsSettings {
        let [ca, certificate, key] = parts.map(|part| part.map(str::to_owned));
        TlsSettings { ca_certificates: ca, client_certificate: certificate, client_key: key.map(Secret::new), server_name: None }
    }

    #[test]
    fn whatever_differs_is_another_identity() {
        let all = [
            settings([None, None, None]),
            settings([Some(""), None, None]),
            settings([Some("a"), None, None]),
            settings([Some("a"), Some("b"), Some("c")]),
            settings([Some("a"), Some("bc"), Some("")]),
            settings([Some("a"), Some("b"), Some("d")]),
            settings([None, Some("b"), Some("c")]),
        ];
        let seen: std::collections::HashSet<_> = all.iter().map(fingerprint).collect();
        assert_eq!(seen.len(), all.len());
        let identity = |host, server_name| Identity::of(Hop { host, tls: &all[0], server_name });
        assert_eq!(identity("A.test", None), identity("a.test", None));
        assert_eq!(identity("[::1]", None).server_name, "::1");
        assert_ne!(identity("a.test", None), identity("b.test", None));
        assert_eq!(identity("192.0.2.1", Some("b.test")), identity("b.test", None));
    }

    #[test]
    fn settings_that_cannot_be_used_are_named() {
        let roots = || Arc::new(RootCertStore::empty());
        let told = |settings: &TlsSettings| client_config(roots(), settings).map(|_| ()).expect_err("unusable").to_string();
        let texts = [
            told(&settings([None, Some("x"), Some("y")])),
            told(&settings([None, Some("x"), None])),
            roots_of("x").expect_err("unusable").to_string(),
            roots_of("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----").expect_err("unusable").to_string(),
        ];
        insta::assert_snapshot!(texts.join("\n"));
    }
}
