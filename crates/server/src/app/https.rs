//! HTTP over TLS: a certificate that is read again when its files change, and handshakes beside one another, so that one peer
//! who dawdles holds up nobody.

use crate::api::authorize::Peer;
use crate::config::HttpTls;
use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);
/// Handshakes under way; more wait in the system's queue.
const MOST_HANDSHAKES: usize = 256;
const LOOK_EVERY: Duration = Duration::from_secs(10);

impl Connected<IncomingStream<'_, TcpListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, TcpListener>) -> Self {
        Self(stream.remote_addr().ip())
    }
}

impl Connected<IncomingStream<'_, TlsListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, TlsListener>) -> Self {
        Self(stream.remote_addr().ip())
    }
}

/// Takes connections and hands them on once they are encrypted.
pub struct TlsListener {
    tcp: TcpListener,
    acceptor: TlsAcceptor,
    handshakes: JoinSet<io::Result<(TlsStream<TcpStream>, SocketAddr)>>,
}

impl TlsListener {
    pub fn new(tcp: TcpListener, certificate: Arc<Certificate>) -> io::Result<Self> {
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_no_client_auth()
            .with_cert_resolver(certificate);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { tcp, acceptor: TlsAcceptor::from(Arc::new(config)), handshakes: JoinSet::new() })
    }

    async fn encrypt(acceptor: TlsAcceptor, tcp: TcpStream, peer: SocketAddr) -> io::Result<(TlsStream<TcpStream>, SocketAddr)> {
        let done = tokio::time::timeout(HANDSHAKE_WITHIN, acceptor.accept(tcp)).await;
        Ok((done.map_err(|_| io::ErrorKind::TimedOut)??, peer))
    }
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let has_room = self.handshakes.len() < MOST_HANDSHAKES;
            tokio::select! {
                (tcp, peer) = Listener::accept(&mut self.tcp), if has_room => {
                    self.handshakes.spawn(Self::encrypt(self.acceptor.clone(), tcp, peer));
                }
                Some(done) = self.handshakes.join_next() => match done {
                    Ok(Ok(encrypted)) => return encrypted,
                    Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
                    Err(error) => tracing::error!(%error, "a TLS handshake did not end as it should"),
                },
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }
}

/// A stamp of a file: when it differs the file is read again.
type Stamp = Option<(SystemTime, u64)>;

/// What is shown to clients, from two files.
#[derive(Debug)]
pub struct Certificate {
    files: HttpTls,
    current: RwLock<Arc<CertifiedKey>>,
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

impl Certificate {
    pub fn read(files: &HttpTls) -> io::Result<Arc<Self>> {
        Ok(Arc::new(Self { files: files.clone(), current: RwLock::new(certified(files)?) }))
    }

    /// Reads the files again when they change, for as long as it is awaited. What cannot be used is told once, and the old
    /// certificate goes on: the two files may be half way through being replaced.
    pub async fn follow(self: Arc<Self>) {
        let (mut read, mut told) = (self.stamps(), None);
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let now = self.stamps();
            if now == read {
                continue;
            }
            match self.reload() {
                Ok(()) => (read, told) = (now, None),
                Err(error) => {
                    let text = error.to_string();
                    if told.as_ref() != Some(&text) {
                        tracing::error!("the new certificate of the HTTP API cannot be used, the old one goes on: {text}");
                    }
                    told = Some(text);
                }
            }
        }
    }

    fn reload(&self) -> io::Result<()> {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = certified(&self.files)?;
        tracing::info!(certificate = %self.files.certificate.display(), "certificate of the HTTP API read again");
        Ok(())
    }

    fn stamps(&self) -> [Stamp; 2] {
        [&self.files.certificate, &self.files.key].map(|path| {
            let meta = std::fs::metadata(path).ok()?;
            Some((meta.modified().ok()?, meta.len()))
        })
    }
}

fn certified(files: &HttpTls) -> io::Result<Arc<CertifiedKey>> {
    let unusable = |path: &Path, reason: String| io::Error::other(format!("{}: {reason}", path.display()));
    let bytes = |path: &Path| std::fs::read(path).map_err(|error| unusable(path, error.to_string()));
    let (certificate, key) = (files.certificate.as_path(), files.key.as_path());
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&bytes(certificate)?)
        .collect::<Result<_, _>>()
        .map_err(|error| unusable(certificate, error.to_string()))?;
    if chain.is_empty() {
        return Err(unusable(certificate, "it holds no certificate in PEM".into()));
    }
    // What the parser says of a key is not repeated: it might quote it.
    let secret = PrivateKeyDer::from_pem_slice(&bytes(key)?);
    let secret = secret.map_err(|_| unusable(key, "it holds no private key in PEM".into()))?;
    let fitting = CertifiedKey::from_der(chain, secret, &ring::default_provider());
    fitting.map(Arc::new).map_err(|error| unusable(certificate, format!("it does not fit the key: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    fn write(files: &HttpTls, name: &str) -> CertificateDer<'static> {
        let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).expect("a certificate");
        std::fs::write(&files.certificate, made.cert.pem()).expect("writable");
        std::fs::write(&files.key, made.signing_key.serialize_pem()).expect("writable");
        made.cert.der().clone()
    }

    fn files(folder: &tempfile::TempDir) -> HttpTls {
        HttpTls { certificate: folder.path().join("cert.pem"), key: folder.path().join("key.pem") }
    }

    #[test]
    fn changed_files_are_read_and_bad_ones_are_not_used() {
        let folder = tempfile::tempdir().expect("a folder");
        let files = files(&folder);
        assert!(Certificate::read(&files).is_err(), "there are no files yet");
        write(&files, "a.test");
        let certificate = Certificate::read(&files).expect("usable");
        let shown = || certificate.current.read().expect("not poisoned").end_entity_cert().expect("a certificate").to_vec();
        let first = shown();
        let second = write(&files, "b.test");
        certificate.reload().expect("usable");
        assert_ne!(shown(), first);
        assert_eq!(shown(), second.to_vec());
        std::fs::write(&files.key, "no key").expect("writable");
        let error = certificate.reload().expect_err("refused").to_string();
        assert!(error.contains("key.pem") && !error.contains("no key\""), "{error}");
        assert_eq!(shown(), second.to_vec(), "the old one goes on");
    }

    #[tokio::test]
    async fn one_who_dawdles_holds_up_nobody() {
        let folder = tempfile::tempdir().expect("a folder");
        let files = files(&folder);
        let shown = write(&files, "localhost");
        let tcp = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = tcp.local_addr().expect("bound");
        let mut listener = TlsListener::new(tcp, Certificate::read(&files).expect("usable")).expect("opened");
        let _dawdler = TcpStream::connect(address).await.expect("connected");
        let mut garbler = TcpStream::connect(address).await.expect("connected");
        garbler.write_all(b"GET / HTTP/1.1\r\n\r\n").await.expect("written");

        let mut roots = rustls::RootCertStore::empty();
        roots.add(shown).expect("a certificate");
        let config = rustls::ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let client = async {
            let tcp = TcpStream::connect(address).await.expect("connected");
            let name = rustls_pki_types::ServerName::try_from("localhost").expect("a name");
            let mut stream = tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, tcp).await.expect("encrypted");
            stream.write_all(b"hello").await.expect("written");
            stream
        };
        let server = async {
            let (mut stream, _) = listener.accept().await;
            let mut text = [0; 5];
            stream.read_exact(&mut text).await.expect("read");
            text
        };
        let both = async { tokio::join!(client, server) };
        let (_stream, text) = tokio::time::timeout(Duration::from_secs(5), both).await.expect("nobody is held up");
        assert_eq!(&text, b"hello");
    }
}
