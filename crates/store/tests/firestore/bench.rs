//! A server and a store on it, and the documents behind the store's back.

use crate::json::{self, Fields};
use async_trait::async_trait;
use callie_lab::firestore::{Firestore, FirestoreOptions, ListenStyle};
use callie_store::firestore::{Credentials, FirestoreAccess, FirestoreStore};
use callie_store::suite::Backend;
use callie_store::{ConfigStore, DocumentStore, Keyring, RecordStore, SqliteStore, StoreError};
use gcloud_sdk::google::firestore::v1::firestore_client::FirestoreClient;
use gcloud_sdk::google::firestore::v1::write::Operation;
use gcloud_sdk::google::firestore::v1::{CommitRequest, Document, GetDocumentRequest, ListDocumentsRequest, Write};
use gcloud_sdk::prost::Message as _;
use gcloud_sdk::tonic::{Code, transport::Channel};
use serde_json::Value;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use zeroize::Zeroizing;

/// A server's documents, seen without the store.
#[derive(Clone)]
pub struct Console {
    client: FirestoreClient<Channel>,
    database: String,
}

impl Console {
    pub async fn open(address: SocketAddr, project: &str) -> Self {
        let client = FirestoreClient::connect(format!("http://{address}")).await.expect("connected");
        Self { client, database: format!("projects/{project}/databases/(default)") }
    }

    fn name(&self, path: &str) -> String {
        format!("{}/documents/{path}", self.database)
    }

    pub async fn put(&self, path: &str, fields: Fields) {
        self.write(vec![self.update(path, fields)]).await;
    }

    async fn put_all(&self, documents: Vec<(String, Value)>) {
        // As many as production takes in one commit.
        for some in documents.chunks(500) {
            let update = |(name, doc): &(String, Value)| self.update(&format!("user_configs/{name}"), json::fields(doc));
            self.write(some.iter().map(update).collect()).await;
        }
    }

    fn update(&self, path: &str, fields: Fields) -> Operation {
        Operation::Update(Document { name: self.name(path), fields, ..Document::default() })
    }

    pub async fn delete(&self, path: &str) {
        self.write(vec![Operation::Delete(self.name(path))]).await;
    }

    async fn write(&self, operations: Vec<Operation>) {
        let writes = operations.into_iter().map(|operation| Write { operation: Some(operation), ..Write::default() }).collect();
        let request = CommitRequest { database: self.database.clone(), writes, ..CommitRequest::default() };
        self.client.clone().commit(request).await.expect("written");
    }

    pub async fn get(&self, path: &str) -> Option<Document> {
        let request = GetDocumentRequest { name: self.name(path), ..GetDocumentRequest::default() };
        match self.client.clone().get_document(request).await {
            Ok(answer) => Some(answer.into_inner()),
            Err(status) if status.code() == Code::NotFound => None,
            Err(status) => panic!("{status}"),
        }
    }

    async fn list(&self, collection: &str) -> Vec<Document> {
        let mut request = ListDocumentsRequest {
            parent: format!("{}/documents", self.database),
            collection_id: collection.to_owned(),
            page_size: 300,
            ..ListDocumentsRequest::default()
        };
        let mut all = Vec::new();
        loop {
            let page = self.client.clone().list_documents(request.clone()).await.expect("listed").into_inner();
            all.extend(page.documents);
            if page.next_page_token.is_empty() {
                return all;
            }
            request.page_token = page.next_page_token;
        }
    }
}

/// One callie: its folder, its keys and its store.
pub struct Node {
    folder: TempDir,
    access: FirestoreAccess,
    keyring: Arc<Keyring>,
    local: SqliteStore,
    tasks: (TaskTracker, CancellationToken),
    pub store: FirestoreStore,
}

pub fn keys(kids: &[(&str, u8)]) -> Arc<Keyring> {
    let keys = kids.iter().map(|(kid, byte)| ((*kid).to_owned(), Zeroizing::new([*byte; 32])));
    Arc::new(Keyring::new(kids[0].0, keys, "the key file test.json").expect("valid"))
}

pub fn access(address: SocketAddr, project: &str) -> FirestoreAccess {
    FirestoreAccess { credentials: Credentials::Emulator(address.to_string()), project: Some(project.to_owned()), database: None }
}

impl Node {
    pub async fn open(access: FirestoreAccess, keyring: Arc<Keyring>) -> Result<Self, StoreError> {
        let folder = tempfile::tempdir().expect("a folder");
        let local = local(folder.path(), &keyring);
        let tasks = (TaskTracker::new(), CancellationToken::new());
        let store = FirestoreStore::open(&access, keyring.clone(), local.clone(), &tasks.0, tasks.1.clone()).await?;
        Ok(Self { folder, access, keyring, local, tasks, store })
    }

    pub async fn close(&self) {
        self.store.close().await;
        self.tasks.1.cancel();
        self.tasks.0.close();
        self.tasks.0.wait().await;
        self.local.close().await;
    }

    pub async fn restart(&mut self) {
        self.close().await;
        self.local = local(self.folder.path(), &self.keyring);
        self.tasks = (TaskTracker::new(), CancellationToken::new());
        let (tracker, cancel) = (&self.tasks.0, self.tasks.1.clone());
        let opened = FirestoreStore::open(&self.access, self.keyring.clone(), self.local.clone(), tracker, cancel).await;
        self.store = opened.expect("opened again");
    }
}

fn local(folder: &Path, keyring: &Arc<Keyring>) -> SqliteStore {
    SqliteStore::open(&folder.join("callie.db"), keyring.clone()).expect("opened")
}

/// The lab's server and one node on it.
pub struct LabBench {
    pub lab: Firestore,
    pub node: Node,
    pub console: Console,
}

pub async fn lab(listen_style: ListenStyle) -> Firestore {
    Firestore::start(FirestoreOptions { listen_style, ..FirestoreOptions::default() }).await.expect("started")
}

impl LabBench {
    pub async fn start(listen_style: ListenStyle) -> Self {
        let lab = lab(listen_style).await;
        let node = Self::node_on(&lab).await.expect("opened");
        let console = Console::open(lab.address(), lab.project()).await;
        Self { lab, node, console }
    }

    /// Another server with the same keys.
    pub async fn node_on(lab: &Firestore) -> Result<Node, StoreError> {
        Node::open(access(lab.address(), lab.project()), keys(&[("k2026a", 7)])).await
    }
}

/// A node on some server, for the suite.
pub struct Suited {
    pub node: Node,
    pub console: Console,
    /// Kept for as long as the test runs.
    pub _server: Option<Firestore>,
}

impl From<LabBench> for Suited {
    fn from(bench: LabBench) -> Self {
        Self { node: bench.node, console: bench.console, _server: Some(bench.lab) }
    }
}

#[async_trait]
impl Backend for Suited {
    fn users(&self) -> Arc<dyn ConfigStore> {
        Arc::new(self.node.store.clone())
    }
    fn documents(&self) -> Arc<dyn DocumentStore> {
        Arc::new(self.node.store.clone())
    }
    fn calls(&self) -> Arc<dyn RecordStore> {
        Arc::new(self.node.local.clone())
    }
    fn keyring(&self) -> Arc<Keyring> {
        self.node.keyring.clone()
    }
    async fn raw_put_all(&self, documents: Vec<(String, Value)>) {
        self.console.put_all(documents).await;
    }
    async fn raw_put(&self, name: &str, doc: &Value) {
        self.console.put(&format!("user_configs/{name}"), json::fields(doc)).await;
    }
    async fn raw_get(&self, name: &str) -> Option<Value> {
        self.console.get(&format!("user_configs/{name}")).await.map(|document| json::object(&document.fields))
    }
    async fn raw_delete(&self, name: &str) {
        self.console.delete(&format!("user_configs/{name}")).await;
    }
    async fn restart(&mut self) {
        self.node.restart().await;
    }
    async fn at_rest(&self) -> Vec<u8> {
        let documents = self.console.list("user_configs").await.into_iter().flat_map(|document| document.encode_to_vec());
        let files = fs::read_dir(self.node.folder.path()).expect("listed");
        let files = files.flat_map(|file| fs::read(file.expect("listed").path()).unwrap_or_default());
        documents.chain(files).collect()
    }
}
