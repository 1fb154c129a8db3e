//! A node on some Firestore, documents put there behind its back, and waiting for what follows.

use callie_domain::UserId;
use callie_lab::firestore::{Firestore, FirestoreOptions, ListenStyle};
use callie_store::firestore::{Credentials, FirestoreAccess, FirestoreStore, ListenOptions};
use callie_store::{ConfigStore, Entry, Keyring, SqliteStore, StoreError, StoredUser, UserView};
use gcloud_sdk::google::firestore::v1::firestore_client::FirestoreClient;
use gcloud_sdk::google::firestore::v1::value::ValueType;
use gcloud_sdk::google::firestore::v1::write::Operation;
use gcloud_sdk::google::firestore::v1::{CommitRequest, Document, MapValue, Value as Field, Write};
use gcloud_sdk::tonic::transport::Channel;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use zeroize::Zeroizing;

pub const STYLES: [ListenStyle; 2] = [ListenStyle::Deltas, ListenStyle::Resets];
pub const PATIENCE: Duration = Duration::from_secs(20);
/// Within this long a change made elsewhere takes effect; an outage is known within [`NOTICED`].
pub const SEEN: Duration = Duration::from_secs(2);
pub const NOTICED: Duration = Duration::from_secs(5);

/// One callie: its folder and its store.
pub struct Node {
    pub folder: TempDir,
    pub address: SocketAddr,
    pub options: ListenOptions,
    pub running: Option<Running>,
}

pub struct Running {
    store: FirestoreStore,
    local: SqliteStore,
    tracker: TaskTracker,
}

pub fn keyring() -> Arc<Keyring> {
    Arc::new(Keyring::new("k2026a", [("k2026a".to_owned(), Zeroizing::new([7; 32]))], "the test").expect("valid"))
}

pub fn quick() -> ListenOptions {
    ListenOptions {
        first_delay: Duration::from_millis(100),
        longest_delay: Duration::from_secs(1),
        start_patience: Duration::from_secs(2),
        ..ListenOptions::default()
    }
}

impl Node {
    pub async fn start(address: SocketAddr, options: ListenOptions) -> Self {
        let mut node = Self { folder: tempfile::tempdir().expect("a folder"), address, options, running: None };
        node.open().await.expect("opened");
        node
    }

    pub async fn open(&mut self) -> Result<(), StoreError> {
        let credentials = Credentials::Emulator(self.address.to_string());
        let access = FirestoreAccess { credentials, project: Some("callie-lab".to_owned()), database: None };
        let local = SqliteStore::open(&self.folder.path().join("callie.db"), keyring()).expect("opened");
        let (tracker, cancel) = (TaskTracker::new(), CancellationToken::new());
        let opened = FirestoreStore::open_with(&access, keyring(), local.clone(), self.options.clone(), &tracker, cancel).await;
        match opened {
            Ok(store) => self.running = Some(Running { store, local, tracker }),
            Err(fault) => {
                local.close().await;
                return Err(fault);
            }
        }
        Ok(())
    }

    pub fn store(&self) -> &FirestoreStore {
        &self.running.as_ref().expect("running").store
    }

    pub async fn close(&mut self) {
        let running = self.running.take().expect("running");
        running.store.close().await;
        running.tracker.close();
        tokio::time::timeout(PATIENCE, running.tracker.wait()).await.expect("every task ends");
        running.local.close().await;
    }

    pub fn files(&self) -> Vec<u8> {
        let files = std::fs::read_dir(self.folder.path()).expect("listed");
        files.flat_map(|file| std::fs::read(file.expect("listed").path()).unwrap_or_default()).collect()
    }
}

pub async fn lab(listen_style: ListenStyle) -> Firestore {
    Firestore::start(FirestoreOptions { listen_style, ..FirestoreOptions::default() }).await.expect("started")
}

pub fn document(greeting: &str) -> Value {
    json!({"sip": {"sip_username": "alice@company.com", "sip_password": "typed in the console"},
        "calls": {"default_greeting": greeting}})
}

pub fn fields(object: &Value) -> HashMap<String, Field> {
    let named = |(name, value): (&String, &Value)| (name.clone(), field(value));
    object.as_object().expect("an object").iter().map(named).collect()
}

pub fn field(value: &Value) -> Field {
    let value_type = match value {
        Value::Object(_) => ValueType::MapValue(MapValue { fields: fields(value) }),
        Value::Number(number) => ValueType::IntegerValue(number.as_i64().expect("an integer")),
        Value::Bool(on) => ValueType::BooleanValue(*on),
        other => ValueType::StringValue(other.as_str().expect("a text").to_owned()),
    };
    Field { value_type: Some(value_type) }
}

pub fn put(lab: &Firestore, name: &str, greeting: &str) {
    lab.put(&format!("user_configs/{name}"), fields(&document(greeting))).expect("put");
}

pub fn remove(lab: &Firestore, name: &str) {
    lab.remove(&format!("user_configs/{name}")).expect("removed");
}

/// The password as it lies in the server.
pub fn stored_password(lab: &Firestore, name: &str) -> Option<String> {
    let document = lab.document(&format!("user_configs/{name}"))?;
    match document.fields.get("sip")?.value_type.as_ref()? {
        ValueType::MapValue(sip) => match sip.fields.get("sip_password")?.value_type.as_ref()? {
            ValueType::StringValue(text) => Some(text.clone()),
            _ => None,
        },
        _ => None,
    }
}

pub fn id(name: &str) -> UserId {
    name.parse().expect("valid")
}

pub fn stored(view: &UserView, name: &str) -> Option<StoredUser> {
    view.users.get(&id(name)).and_then(Entry::usable).cloned()
}

pub fn greets(view: &UserView, name: &str, greeting: &str) -> bool {
    stored(view, name).is_some_and(|stored| stored.user.calls.default_greeting == greeting)
}

/// Waits until the view shows it; how long that took.
pub async fn until(view: &mut watch::Receiver<Arc<UserView>>, what: &str, shows: impl Fn(&UserView) -> bool) -> Duration {
    let began = Instant::now();
    let shown = tokio::time::timeout(PATIENCE, view.wait_for(|view| shows(view))).await;
    shown.unwrap_or_else(|_| panic!("the view never showed: {what}")).expect("open");
    began.elapsed()
}

pub async fn until_healthy(store: &FirestoreStore, healthy: bool) -> Duration {
    let began = Instant::now();
    let mut look = tokio::time::interval(Duration::from_millis(5));
    let asking = async {
        while store.health().await.is_ok() != healthy {
            look.tick().await;
        }
    };
    tokio::time::timeout(PATIENCE, asking).await.unwrap_or_else(|_| panic!("health never was {healthy}"));
    began.elapsed()
}

pub async fn sealed(lab: &Firestore, name: &str) {
    let is_sealed = |lab: &Firestore| stored_password(lab, name).is_some_and(|text| text.starts_with("callie-enc:v1:"));
    lab.wait_until("sealed", PATIENCE, is_sealed).await.expect("sealed");
}

/// Writes or deletes as the console does.
pub async fn write(client: &FirestoreClient<Channel>, name: &str, greeting: Option<&str>) {
    let database = "projects/callie-lab/databases/(default)".to_owned();
    let name = format!("{database}/documents/user_configs/{name}");
    let operation = match greeting {
        Some(greeting) => Operation::Update(Document { name, fields: fields(&document(greeting)), ..Document::default() }),
        None => Operation::Delete(name),
    };
    let writes = vec![Write { operation: Some(operation), ..Write::default() }];
    let request = CommitRequest { database, writes, ..CommitRequest::default() };
    client.clone().commit(request).await.expect("written");
}
