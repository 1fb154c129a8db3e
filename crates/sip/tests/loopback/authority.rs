//! Certificates made for a test, and a server that shows them.

use crate::connection::Connection;
use crate::peer::soon;
use callie_sip::TlsListen;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair, date_time_ymd};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// Whoever signs certificates.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, both PEM.
#[derive(Clone)]
pub struct Shown {
    pub certificate: String,
    pub key: String,
}

impl Shown {
    /// As a listener reads it.
    pub fn write(&self, folder: &Path) -> TlsListen {
        let [certificate, key] = ["cert.pem", "key.pem"].map(|name| folder.join(name));
        std::fs::write(&certificate, &self.certificate).expect("writable");
        std::fs::write(&key, &self.key).expect("writable");
        TlsListen { listen: "127.0.0.1:0".parse().expect("address"), certificate, key }
    }
}

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("valid");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("a certificate"))
    }

    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A client that believes in this authority alone.
    pub fn client(&self) -> Arc<ClientConfig> {
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().expect("versions of rustls");
        Arc::new(builder.with_root_certificates(self.roots()).with_no_client_auth())
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.pem().as_bytes()).expect("PEM")).expect("a root");
        roots
    }

    /// For a host name, or an address.
    pub fn issue(&self, name: &str) -> Shown {
        self.issue_until(name, 2120)
    }

    /// One that is not valid after the beginning of that year.
    pub fn issue_until(&self, name: &str, year: i32) -> Shown {
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        params.not_before = date_time_ymd(2000, 1, 1);
        params.not_after = date_time_ymd(year, 1, 1);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.0).expect("a certificate");
        Shown { certificate: certificate.pem(), key: key.serialize_pem() }
    }
}

/// A TLS server.
pub struct Server {
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

pub enum Clients<'a> {
    Anybody,
    /// Only those with a certificate of this authority.
    Of(&'a Authority),
}

impl Server {
    pub async fn new(shown: &Shown) -> Self {
        Self::with(shown, &[&TLS12, &TLS13], Clients::Anybody).await
    }

    pub async fn with(shown: &Shown, versions: &[&'static SupportedProtocolVersion], clients: Clients<'_>) -> Self {
        let provider = Arc::new(ring::default_provider());
        let builder =
            ServerConfig::builder_with_provider(provider.clone()).with_protocol_versions(versions).expect("versions of rustls");
        let builder = match clients {
            Clients::Anybody => builder.with_no_client_auth(),
            Clients::Of(authority) => {
                let roots = Arc::new(authority.roots());
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider).build();
                builder.with_client_cert_verifier(verifier.expect("a verifier"))
            }
        };
        let chain = vec![CertificateDer::from_pem_slice(shown.certificate.as_bytes()).expect("PEM")];
        let key = PrivateKeyDer::from_pem_slice(shown.key.as_bytes()).expect("PEM");
        let config = builder.with_single_cert(chain, key).expect("a certificate with its key");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        Self { listener, acceptor: TlsAcceptor::from(Arc::new(config)) }
    }

    pub fn address(&self) -> SocketAddr {
        self.listener.local_addr().expect("bound")
    }

    /// The next connection, and whether its handshake came about.
    pub async fn next(&self) -> std::io::Result<Connection> {
        let (tcp, source) = soon("a connection", self.listener.accept()).await.expect("accept");
        let tls = soon("a handshake", self.acceptor.accept(tcp)).await?;
        Ok(Connection::over(tls, source))
    }

    pub async fn accept(&self) -> Connection {
        self.next().await.expect("a handshake")
    }
}
