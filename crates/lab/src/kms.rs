//! Google Cloud KMS in a box: `Encrypt` and `Decrypt` of google.cloud.kms.v1 over gRPC, with keys by name and refusals in
//! Google's own codes. What it wraps is bound to the key's name and to the additional data, and opens nowhere else.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use gcloud_sdk::google::cloud::kms::v1::{DecryptRequest, EncryptResponse};
use gcloud_sdk::proto_ext::kms::{DecryptResponse, EncryptRequest};
use gcloud_sdk::{SecretValue, tonic};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper_util::rt::TokioIo;
use prost::Message;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use tonic::body::Body;
use tonic::codegen::http;
use tonic::server::Grpc;
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;
use tower::service_fn;

const SERVICE: &str = "/google.cloud.kms.v1.KeyManagementService/";

/// A running key service. Dropping it ends its tasks.
#[derive(Debug)]
pub struct Kms {
    address: SocketAddr,
    state: Arc<State>,
    _running: DropGuard,
}

#[derive(Debug, Default)]
struct State {
    keys: BTreeSet<String>,
    refusal: Mutex<Option<(tonic::Code, String)>>,
    decrypted: AtomicU64,
}

impl Kms {
    /// Serves on a free port of loopback, with the keys of these names.
    pub async fn start(keys: impl IntoIterator<Item = &str>) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let state = Arc::new(State { keys: keys.into_iter().map(str::to_owned).collect(), ..State::default() });
        let token = CancellationToken::new();
        let tasks = Tasks { tracker: TaskTracker::new(), token: token.clone() };
        hyper::rt::Executor::execute(&tasks.clone(), accept(listener, state.clone(), tasks));
        Ok(Self { address, state, _running: token.drop_guard() })
    }

    /// What a client takes for `https://cloudkms.googleapis.com`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Answers every call so from now on; `None` ends it.
    pub fn refuse(&self, refusal: Option<(tonic::Code, &str)>) {
        let refusal = refusal.map(|(code, message)| (code, message.to_owned()));
        *self.state.refusal.lock().unwrap_or_else(PoisonError::into_inner) = refusal;
    }

    /// How often anything was unwrapped.
    pub fn decrypted(&self) -> u64 {
        self.state.decrypted.load(Ordering::Relaxed)
    }
}

#[derive(Clone)]
struct Tasks {
    tracker: TaskTracker,
    token: CancellationToken,
}

impl<F> hyper::rt::Executor<F> for Tasks
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, task: F) {
        self.tracker.spawn(self.token.clone().run_until_cancelled_owned(task));
    }
}

async fn accept(listener: TcpListener, state: Arc<State>, tasks: Tasks) {
    while let Ok((stream, _)) = listener.accept().await {
        hyper::rt::Executor::execute(&tasks, talk(stream, state.clone(), tasks.clone()));
    }
}

async fn talk(stream: TcpStream, state: Arc<State>, tasks: Tasks) {
    let service = hyper::service::service_fn(move |request| {
        let state = state.clone();
        async move { Ok::<_, Infallible>(answer(state, request).await) }
    });
    if let Err(error) = http2::Builder::new(tasks).serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!(%error, "a connection ended");
    }
}

async fn answer(state: Arc<State>, request: http::Request<Incoming>) -> http::Response<Body> {
    if let Some((code, message)) = state.refusal.lock().unwrap_or_else(PoisonError::into_inner).clone() {
        return Status::new(code, message).into_http();
    }
    match request.uri().path().strip_prefix(SERVICE) {
        Some("Encrypt") => unary(state, request, encrypt).await,
        Some("Decrypt") => unary(state, request, decrypt).await,
        _ => Status::unimplemented(format!("{} is not part of this server", request.uri().path())).into_http(),
    }
}

async fn unary<Asked, Answered>(
    state: Arc<State>,
    request: http::Request<Incoming>,
    call: fn(&State, Asked) -> Result<Answered, Status>,
) -> http::Response<Body>
where
    Asked: Message + Default + Send + 'static,
    Answered: Message + Send + 'static,
{
    let service = service_fn(move |request: Request<Asked>| {
        let state = state.clone();
        async move { call(&state, request.into_inner()).map(Response::new) }
    });
    Grpc::new(ProstCodec::<Answered, Asked>::default()).unary(service, request).await
}

fn encrypt(state: &State, asked: EncryptRequest) -> Result<EncryptResponse, Status> {
    state.must_have(&asked.name)?;
    let mark = mark(&asked.name, &asked.additional_authenticated_data);
    let body: Vec<u8> = asked.plaintext.as_sensitive_bytes().iter().map(|byte| byte ^ mark[0]).collect();
    let name = format!("{}/cryptoKeyVersions/1", asked.name);
    Ok(EncryptResponse { name, ciphertext: [mark.as_slice(), &body].concat(), ..EncryptResponse::default() })
}

fn decrypt(state: &State, asked: DecryptRequest) -> Result<DecryptResponse, Status> {
    state.must_have(&asked.name)?;
    let mark = mark(&asked.name, &asked.additional_authenticated_data);
    let body = asked
        .ciphertext
        .strip_prefix(mark.as_slice())
        .ok_or_else(|| Status::invalid_argument("Decryption failed: verify that 'name' refers to the correct CryptoKey."))?;
    state.decrypted.fetch_add(1, Ordering::Relaxed);
    let plaintext = SecretValue::new(body.iter().map(|byte| byte ^ mark[0]).collect());
    Ok(DecryptResponse { plaintext, ..DecryptResponse::default() })
}

impl State {
    fn must_have(&self, name: &str) -> Result<(), Status> {
        if self.keys.contains(name) {
            return Ok(());
        }
        Err(Status::not_found(format!("CryptoKey {name} not found.")))
    }
}

/// Stands before everything that the key wrapped with this additional data.
fn mark(name: &str, additional: &[u8]) -> Vec<u8> {
    let hash = Sha256::digest([name.as_bytes(), b"\0", additional].concat());
    STANDARD.encode(hash).into_bytes()
}
