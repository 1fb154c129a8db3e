//! The users, as the product itself writes them.

use callie_domain::{MacAddress, User, user::input::UserInput};
use callie_lab::firestore::Firestore;
use callie_store::{
    ConfigStore, Keyring, SqliteStore,
    firestore::{Credentials, FirestoreAccess, FirestoreStore},
};
use futures::{StreamExt, stream};
use jiff::Timestamp;
use serde_json::json;
use std::{path::Path, sync::Arc};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub const PASSWORD: &str = "pw";
/// Written at a time.
const AT_ONCE: usize = 32;

/// Whose documents a project holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Nobody,
    /// Users without lines.
    Idle,
    Connected,
}

impl Kind {
    pub fn project(self) -> &'static str {
        match self {
            Self::Nobody => "callie-nobody",
            Self::Idle => "callie-idle",
            Self::Connected => "callie-connected",
        }
    }
}

pub fn user(n: usize) -> String {
    format!("user{n:05}")
}

pub async fn write(firestore: &Firestore, kind: Kind, users: usize, carrier: &str, keys: &Path) {
    let folder = tempfile::tempdir().expect("a folder");
    let keyring = Arc::new(Keyring::load_or_create(keys, Timestamp::now()).expect("a key"));
    let local = SqliteStore::open(&folder.path().join("callie.db"), keyring.clone()).expect("a database");
    let credentials = Credentials::Emulator(firestore.address().to_string());
    let access = FirestoreAccess { credentials, project: Some(kind.project().to_owned()), database: None };
    let (tasks, cancel) = (TaskTracker::new(), CancellationToken::new());
    let store = FirestoreStore::open(&access, keyring, local.clone(), &tasks, cancel).await.expect("opens");
    let all = stream::iter(0..users).map(|n| {
        let (store, document) = (&store, document(n, kind, carrier));
        async move { store.create(&document).await.map(drop) }
    });
    let refused: Vec<_> = all.buffer_unordered(AT_ONCE).filter_map(async |written| written.err()).collect().await;
    assert!(refused.is_empty(), "{refused:?}");
    store.close().await;
    local.close().await;
}

fn document(n: usize, kind: Kind, carrier: &str) -> User {
    let name = user(n);
    let body = json!({
        "user_id": name, "display_name": format!("User {n}"), "sip_username": name, "sip_password": PASSWORD,
        "sip_server": carrier, "use_fixed_rtp_port": false, "is_active": kind == Kind::Connected,
        "sip": {"connect": kind == Kind::Connected},
    });
    let mac = MacAddress::generate([(n >> 16) as u8, (n >> 8) as u8, n as u8]);
    UserInput::from_json(&body).and_then(|input| input.create(Timestamp::now(), mac)).expect("valid")
}
