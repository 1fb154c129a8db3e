//! Key files and options of every kind, and what is said of those that cannot be used.

use super::*;
use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::json;
use tempfile::TempDir;

/// A service account's key that can sign.
fn key() -> Value {
    let pair = KeyPair::generate(KeySize::Rsa2048).expect("a key");
    let der: Pkcs8V1Der<'_> = pair.as_der().expect("its form");
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(der.as_ref()));
    json!({"type": "service_account", "project_id": "acme", "private_key_id": "k", "private_key": pem,
        "client_email": "callie@acme.iam.gserviceaccount.com"})
}

fn file(key: &Value) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("key.json");
    std::fs::write(&path, key.to_string()).expect("written");
    (folder, path)
}

fn access(credentials: Credentials) -> FirestoreAccess {
    FirestoreAccess { credentials, project: None, database: None }
}

#[tokio::test]
async fn a_key_file_names_its_project() {
    let (_folder, path) = file(&key());
    for credentials in [Credentials::ServiceAccount(path.clone()), Credentials::ApplicationDefault(Some(path))] {
        let found = Endpoint::find(&access(credentials.clone())).await.expect("usable");
        assert_eq!(found.place.path(), "projects/acme/databases/(default)");
        assert_eq!(found.url, GOOGLE);
        let named = FirestoreAccess { project: Some("other".to_owned()), database: Some("users".to_owned()), credentials };
        let found = Endpoint::find(&named).await.expect("usable");
        assert_eq!(found.place.path(), "projects/other/databases/users");
    }
}

#[tokio::test]
async fn an_emulator_needs_nothing() {
    let found = Endpoint::find(&access(Credentials::Emulator("127.0.0.1:8087".to_owned()))).await.expect("usable");
    assert_eq!((found.url.as_str(), found.place.project.as_str()), ("http://127.0.0.1:8087", "callie-local"));
    let headers = found.token.headers(Extensions::new()).await.expect("made");
    assert!(matches!(headers, CacheableResource::New { data, .. } if data["authorization"] == "Bearer owner"));
}

/// Two libraries of cryptography are compiled in; without a provider for the process the TLS of gRPC panics.
#[tokio::test]
async fn tls_is_spoken_to_google() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let port = listener.local_addr().expect("bound").port();
    let (_folder, path) = file(&key());
    let found = Endpoint::find(&access(Credentials::ServiceAccount(path))).await.expect("usable");
    let there = Endpoint { url: format!("https://localhost:{port}"), ..found };
    let hello = async {
        let (stream, _) = listener.accept().await.expect("accepted");
        let mut first = [0; 1];
        stream.readable().await.expect("something came");
        stream.try_read(&mut first).expect("read");
        first[0]
    };
    let (connected, first) = tokio::join!(there.connect(), hello);
    assert_eq!(first, 22, "a TLS handshake (RFC 8446 section 5.1)");
    assert!(matches!(connected, Err(Fault::Unreachable(_))), "and nobody answered it");
}

#[tokio::test]
async fn why_there_is_no_connection_is_said_in_words() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let nobody = listener.local_addr().expect("bound").to_string();
    drop(listener);
    let found = Endpoint::find(&access(Credentials::Emulator(nobody))).await.expect("usable");
    let Err(Fault::Unreachable(cause)) = found.connect().await else { panic!("nobody listens there") };
    assert!(cause.contains("Connection refused"), "{cause}");
    assert!(!cause.contains("Error(") && !cause.contains("Os {"), "the words of people: {cause}");
}

#[tokio::test]
async fn default_credentials_of_other_types_are_taken() {
    let user = json!({"type": "authorized_user", "client_id": "a", "client_secret": "b", "refresh_token": "c"});
    let (_folder, path) = file(&user);
    let unnamed = of_file(&path).expect("usable");
    assert_eq!(unnamed.1, None);
    let mut named = user;
    named["quota_project_id"] = json!("acme");
    let (_folder, path) = file(&named);
    assert_eq!(of_file(&path).expect("usable").1.as_deref(), Some("acme"));
}
