//! Firestore, a carrier and an AI on loopback, and the program that talks to all of them.

use crate::process::{Callie, Program};
use callie_lab::{
    carrier::{Carrier, CarrierOptions, Subscriber},
    firestore::{Firestore, FirestoreOptions},
    gemini::{FakeGemini, FakeGeminiOptions, Script},
};
use serde_json::json;
use std::time::Duration;

/// For whatever should take no time at all; a busy machine gets more.
pub const PATIENCE: Duration = Duration::from_secs(60);
pub const PASSWORD: &str = "pw";

pub struct World {
    pub firestore: Firestore,
    pub carrier: Carrier,
    /// Its agents speak without end.
    pub gemini: FakeGemini,
    pub program: Program,
    _folder: tempfile::TempDir,
}

impl World {
    /// With so many subscribers of the carrier, [`user`]s all.
    pub async fn start(users: usize) -> Self {
        let firestore = Firestore::start(FirestoreOptions::default()).await.expect("a free port");
        let subscribers = (0..users).map(|n| Subscriber::new(&user(n), PASSWORD)).collect();
        let carrier = Carrier::start(CarrierOptions { subscribers, ..CarrierOptions::default() }).await.expect("a free port");
        let script = Script::Continuous { lead_ms: 300 };
        let options = FakeGeminiOptions { script, keep_audio: Duration::ZERO, ..FakeGeminiOptions::default() };
        let key = options.api_key.clone();
        let gemini = FakeGemini::start(options).await.expect("a free port");
        let folder = tempfile::tempdir().expect("a temporary folder");
        let environment = vec![
            ("FIRESTORE_EMULATOR_HOST", firestore.address().to_string()),
            ("FIREBASE_PROJECT_ID", firestore.project().to_owned()),
            ("GEMINI_API_KEY", key),
            ("GEMINI_BASE_URL", gemini.base_url()),
        ];
        let program = Program { folder: folder.path().to_owned(), environment };
        Self { firestore, carrier, gemini, program, _folder: folder }
    }

    /// Creates the users through the API, connected.
    pub async fn create_users(&self, callie: &Callie, users: usize) {
        for n in 0..users {
            let body = self.user_body(&user(n));
            let created = callie.ask("POST", "/users", &body.to_string()).await;
            assert_eq!(created.status, 201, "{}", created.text());
        }
    }

    /// Callers talk over the agent without end here, and that is not to stop it.
    pub fn user_body(&self, name: &str) -> serde_json::Value {
        json!({
            "user_id": name, "display_name": name, "sip_username": name, "sip_password": PASSWORD,
            "sip_server": self.carrier.address().to_string(), "use_fixed_rtp_port": false, "sip": {"connect": true},
            "calls": {"barge_in": false},
        })
    }

    pub async fn all_registered(&self, users: usize) {
        let all = |carrier: &Carrier| carrier.bindings().len() == users;
        self.carrier.wait_until("all lines are registered", PATIENCE, all).await.expect("in time");
    }
}

pub fn user(n: usize) -> String {
    format!("user{n:03}")
}

/// Waits for a condition, and ends the test when it does not come true.
pub async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, waiting).await.is_ok(), "not in time: {what}");
}
