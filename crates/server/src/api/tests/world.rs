//! The API with its doubles. Every reply that passes here is checked: no password in it, and a problem document when it is
//! not a success.

use super::fake_exchange::FakeExchange;
use super::memory::MemoryStore;
use crate::api::guard::Names;
use crate::api::headers::Secure;
use crate::api::{ApiState, Clock, EngineInfo, FirstVersionApi, Hooks, Phase, Phases, ServerInfo, router};
use crate::first_version::Scribe;
use crate::health::Board;
use crate::identity::{Door, DoorSettings, Openness, Rates};
use crate::records::erasure::Eraser;
use crate::records::{Metrics, Recordings};
use crate::telemetry::Tracer;
use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Request, StatusCode},
    response::Response,
};
use callie_domain::Offer;
use callie_store::{Keyring, SqliteStore};
use jiff::Timestamp;
use serde_json::Value;
use std::ops::Add;
use std::sync::Arc;
use tempfile::TempDir;
use tokio::sync::watch;
use tower::ServiceExt;

pub const NOW: &str = "2026-01-15T10:30:00Z";

/// All passwords that tests use. None may ever come back.
const PASSWORDS: [&str; 8] = [
    "secure_password",
    "new_secure_password",
    "pass1001",
    "pass1002",
    "sales_pass",
    "support_pass",
    "family_pass",
    "secure_password_of_a_hook",
];

pub struct World {
    pub store: Arc<MemoryStore>,
    pub exchange: Arc<FakeExchange>,
    pub phase: watch::Sender<Phase>,
    pub recordings: TempDir,
    /// The one store here that is real: what it does with deliveries is its own matter.
    pub queue: Arc<SqliteStore>,
    pub health: Board,
    router: Router,
}

/// A whole reply.
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub bytes: Vec<u8>,
}

impl World {
    pub fn new() -> Self {
        Self::with_rate(1_000)
    }

    /// Where a key may ask so often in a second.
    pub fn with_rate(per_second: u32) -> Self {
        Self::with_engines(&[("local", "the offline engine")], per_second)
    }

    /// With Gemini as the engine of users who name none.
    pub fn with_gemini() -> Self {
        Self::with_engines(&[("gemini", "Gemini Live"), ("local", "the offline engine")], 1_000)
    }

    /// The first one is the default.
    fn with_engines(engines: &[(&'static str, &str)], per_second: u32) -> Self {
        let infos = engines.iter().enumerate().map(|(index, (name, detail))| EngineInfo {
            name,
            detail: (*detail).to_owned().into(),
            default: index == 0,
        });
        let store = Arc::new(MemoryStore::default());
        let exchange = Arc::new(FakeExchange::new(store.clone()));
        let (phase, phases) = watch::channel(Phase::Running);
        let recordings = TempDir::new().expect("a folder");
        let keyring = Keyring::from_master_key(&"A".repeat(43).add("=")).expect("a key");
        let queue = SqliteStore::open(&recordings.path().join("queue.db"), Arc::new(keyring)).expect("opened");
        let queue = Arc::new(queue);
        let health = Board::default();
        let now: Timestamp = NOW.parse().expect("valid");
        let state = ApiState {
            users: store.clone(),
            records: store.clone(),
            contacts: queue.clone(),
            exchange: exchange.clone(),
            toll: queue.clone(),
            versions: queue.clone(),
            analytics: queue.clone(),
            hooks: Hooks { queue: queue.clone(), meters: Arc::default() },
            metrics: Metrics::default(),
            health: health.clone(),
            tracer: Tracer::default(),
            orders: queue.clone(),
            recordings: Recordings::new(queue.clone(), recordings.path()),
            clock: Clock::of(move || now),
            info: ServerInfo {
                version: "9.9.9",
                store: "sqlite",
                listening: "127.0.0.1:8080".parse().expect("valid"),
                started_at: now - std::time::Duration::from_secs(60),
                engines: infos.collect(),
                offers: ["gemini", "openai"].map(offer).into(),
            },
            phase: Phases(phases),
            eraser: Eraser::new(queue.clone(), Recordings::new(queue.clone(), recordings.path())),
            door: Door {
                settings: DoorSettings { openness: Openness::UntilThereIsAKey, secure: false, tokens: None, login: None },
                access: queue.clone(),
                first: Arc::default(),
                rates: Arc::new(Rates::new(std::num::NonZeroU32::new(per_second).expect("not zero"))),
                stays: Default::default(),
            },
            audit: queue.clone(),
            proxies: Default::default(),
            names: Names { listening: "127.0.0.1:8080".parse().expect("valid"), public: None, any: false },
            secure: Secure(false),
            first_version: FirstVersionApi::new(Scribe::default(), Some("gemini-x-live"))
                .expect("no address that could be wrong"),
        };
        Self { store, exchange, phase, recordings, queue, health, router: router(state) }
    }

    pub fn view(&self) -> Arc<callie_store::UserView> {
        callie_store::ConfigStore::watch(&*self.store).borrow().clone()
    }

    /// With alice of the guide in it.
    pub async fn with_alice() -> Self {
        let world = Self::new();
        assert_eq!(world.post("/users", super::guide::ALICE).await.status, 201);
        world
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.send("GET", path, &[], "").await
    }

    /// As `curl -d` does it: JSON under the content type of a form.
    pub async fn post(&self, path: &str, body: &str) -> Reply {
        self.send("POST", path, &[("content-type", "application/x-www-form-urlencoded")], body.to_owned()).await
    }

    pub async fn put(&self, path: &str, body: &str) -> Reply {
        self.send("PUT", path, &[("content-type", "application/json")], body.to_owned()).await
    }

    pub async fn delete(&self, path: &str) -> Reply {
        self.send("DELETE", path, &[], "").await
    }

    pub async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Reply {
        let response = self.response(method, path, headers, body).await;
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, 10_000_000).await.expect("a body");
        let reply = Reply { status: parts.status.as_u16(), headers: parts.headers, bytes: bytes.to_vec() };
        reply.check(&format!("{method} {path}"));
        reply
    }

    /// A response whose body may never end.
    pub async fn response(&self, method: &str, path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Response {
        let mut request = Request::builder().method(method).uri(path);
        if !headers.iter().any(|(name, _)| *name == "host") {
            request = request.header("host", "localhost:8080");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let Ok(response) = self.router.clone().oneshot(request.body(body.into()).expect("a request")).await;
        response
    }
}

impl Reply {
    fn check(&self, what: &str) {
        let text = self.text();
        // The description shows the guide's examples.
        for password in PASSWORDS.iter().filter(|_| !what.contains("/openapi.json")) {
            assert!(!text.contains(password), "{what} leaks a password: {text}");
        }
        let status = StatusCode::from_u16(self.status).expect("a status");
        if (status.is_client_error() || status.is_server_error()) && !what.contains("/health") {
            assert_eq!(self.header("content-type"), "application/problem+json", "{what}: {text}");
            let problem = self.json();
            assert_eq!(problem["status"], self.status, "{what}");
            for field in ["type", "title", "detail"] {
                assert!(problem[field].as_str().is_some_and(|t| !t.is_empty()), "{what} has no {field}: {text}");
            }
        }
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|e| panic!("{e}: {}", self.text()))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default()
    }

    /// The faulty fields of a problem document, sorted.
    pub fn fields(&self) -> Vec<String> {
        let errors = self.json()["errors"].as_array().cloned().unwrap_or_default();
        let mut fields: Vec<String> = errors.iter().map(|e| e["field"].as_str().unwrap_or_default().to_owned()).collect();
        fields.sort_unstable();
        fields
    }
}

/// What users may choose of an engine.
fn offer(name: &'static str) -> (&'static str, Offer) {
    let voices = vec![format!("voice of {name}")];
    (name, Offer { title: name.to_uppercase(), voices, takes_hints: true, ..Offer::default() })
}
