//! The server's side: a certificate read from files, and read again when they change.

use crate::options::TlsListen;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::io;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);

/// A stamp of a file: when it differs the file is read again.
type Stamp = Option<(SystemTime, u64)>;

pub(in crate::stack) struct Listener {
    options: TlsListen,
    acceptor: TlsAcceptor,
    certificate: Arc<Certificate>,
}

impl Listener {
    /// Reads certificate and key; without them nothing listens.
    pub fn open(options: &TlsListen) -> io::Result<Self> {
        let certificate =
            Arc::new(Certificate { current: RwLock::new(read(options)?), read: RwLock::new((stamps(options), None)) });
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_no_client_auth()
            .with_cert_resolver(certificate.clone());
        Ok(Self { options: options.clone(), acceptor: TlsAcceptor::from(Arc::new(config)), certificate })
    }

    pub async fn accept(&self, tcp: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        match tokio::time::timeout(HANDSHAKE_WITHIN, self.acceptor.accept(tcp)).await {
            Ok(accepted) => accepted,
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    /// Reads the files again if they have changed. One that cannot be used is told once; the old certificate goes on.
    pub fn reload(&self) {
        let now = stamps(&self.options);
        let mut read_last = self.certificate.read.write().unwrap_or_else(PoisonError::into_inner);
        if read_last.0 == now {
            return;
        }
        match read(&self.options) {
            Ok(key) => {
                *self.certificate.current.write().unwrap_or_else(PoisonError::into_inner) = key;
                *read_last = (now, None);
                tracing::info!(certificate = %self.options.certificate.display(), "certificate of SIP over TLS read again");
            }
            Err(error) => {
                let text = error.to_string();
                if read_last.1.as_deref() != Some(&text) {
                    tracing::error!("the new certificate of SIP over TLS cannot be used, the old one goes on: {text}");
                }
                // The two files may be half way through being replaced: they are tried again until they fit.
                read_last.1 = Some(text);
            }
        }
    }
}

struct Certificate {
    current: RwLock<Arc<CertifiedKey>>,
    /// Of the files as they were read last, and what was wrong with newer ones.
    read: RwLock<([Stamp; 2], Option<String>)>,
}

impl std::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Certificate")
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

fn stamps(options: &TlsListen) -> [Stamp; 2] {
    [&options.certificate, &options.key].map(|path| {
        let meta = std::fs::metadata(path).ok()?;
        Some((meta.modified().ok()?, meta.len()))
    })
}

fn read(options: &TlsListen) -> io::Result<Arc<CertifiedKey>> {
    let unusable = |path: &Path, reason: String| io::Error::other(format!("{}: {reason}", path.display()));
    let text = |path: &Path| std::fs::read(path).map_err(|error| unusable(path, error.to_string()));
    let (certificate, key) = (options.certificate.as_path(), options.key.as_path());
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&text(certificate)?)
        .collect::<Result<_, _>>()
        .map_err(|error| unusable(certificate, error.to_string()))?;
    if chain.is_empty() {
        return Err(unusable(certificate, "it holds no certificate in PEM".into()));
    }
    // What the parser says of a key is not repeated: it might quote it.
    let secret =
        PrivateKeyDer::from_pem_slice(&text(key)?).map_err(|_| unusable(key, "it holds no private key in PEM".into()))?;
    let signed = CertifiedKey::from_der(chain, secret, &ring::default_provider());
    signed.map(Arc::new).map_err(|error| unusable(certificate, format!("it does not fit the key: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(options: &TlsListen, name: &str) {
        let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).expect("a certificate");
        std::fs::write(&options.certificate, made.cert.pem()).expect("writable");
        std::fs::write(&options.key, made.signing_key.serialize_pem()).expect("writable");
    }

    fn presented(listener: &Listener) -> Vec<u8> {
        listener.certificate.current.read().expect("not poisoned").end_entity_cert().expect("a certificate").to_vec()
    }

    #[test]
    fn changed_files_are_read_and_bad_ones_are_not_used() {
        let folder = tempfile::tempdir().expect("a folder");
        let [certificate, key] = ["cert.pem", "key.pem"].map(|name| folder.path().join(name));
        let options = TlsListen { listen: "127.0.0.1:0".parse().expect("address"), certificate, key };
        assert!(Listener::open(&options).is_err(), "there are no files yet");
        write(&options, "a.test");
        let listener = Listener::open(&options).expect("usable");
        let first = presented(&listener);
        listener.reload();
        assert_eq!(presented(&listener), first);
        std::fs::write(&options.key, "no key").expect("writable");
        listener.reload();
        assert_eq!(presented(&listener), first, "the old certificate goes on");
        write(&options, "another.example.test");
        listener.reload();
        assert_ne!(presented(&listener), first);
    }
}
