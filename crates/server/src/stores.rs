//! The stores of one process: keys first, then the embedded database, then Firestore where it is configured. Both the server
//! and the commands that work on documents open them here.

use crate::config::{Config, Firestore, FirestoreCredentials, StoreChoice};
use anyhow::Context;
use callie_store::firestore::{Credentials, FirestoreAccess, FirestoreStore};
use callie_store::{ConfigStore, DocumentStore, Keyring, SqliteStore, seal::CloudKms};
use jiff::Timestamp;
use std::path::PathBuf;
use std::sync::Arc;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Open stores. Users live in Firestore or in the embedded database; calls live in the database always.
pub struct Stores {
    pub users: Arc<dyn ConfigStore>,
    pub documents: Arc<dyn DocumentStore>,
    pub records: Arc<SqliteStore>,
    firestore: Option<Followed>,
}

/// Firestore with the tasks that follow it.
struct Followed {
    store: FirestoreStore,
    tasks: TaskTracker,
    cancel: CancellationToken,
}

impl Stores {
    /// Opens what the configuration names. An error names the setting or file that must be mended.
    pub async fn open(config: &Config) -> anyhow::Result<Self> {
        let folder = config.data_dir.display();
        std::fs::create_dir_all(&config.data_dir)
            .with_context(|| format!("cannot create the data folder {folder} (CALLIE_DATA_DIR)"))?;
        let keyring = Arc::new(open_keyring(config).await?);
        let records = Arc::new(SqliteStore::open(&config.data_dir.join("callie.db"), keyring.clone())?);
        match &config.store {
            StoreChoice::Sqlite => Ok(Self { users: records.clone(), documents: records.clone(), records, firestore: None }),
            StoreChoice::Firestore(settings) => {
                let (tasks, cancel) = (TaskTracker::new(), CancellationToken::new());
                let access = access(settings);
                let opened = FirestoreStore::open(&access, keyring, (*records).clone(), &tasks, cancel.clone());
                let store = opened.await?;
                let shared = Arc::new(store.clone());
                let firestore = Some(Followed { store, tasks, cancel });
                Ok(Self { users: shared.clone(), documents: shared, records, firestore })
            }
        }
    }

    /// Ends what follows Firestore, then the database.
    pub async fn close(&self) {
        if let Some(Followed { store, tasks, cancel }) = &self.firestore {
            store.close().await;
            cancel.cancel();
            tasks.close();
            tasks.wait().await;
        }
        self.records.close().await;
    }
}

async fn open_keyring(config: &Config) -> anyhow::Result<Keyring> {
    Ok(match &config.secrets.master_key {
        Some(key) => Keyring::from_master_key(key.expose())?,
        None => Keyring::open_file(&config.keyring_file(), Timestamp::now(), &key_service(config)).await?,
    })
}

/// Who wraps master keys.
pub fn key_service(config: &Config) -> CloudKms {
    CloudKms { endpoint: config.secrets.kms_endpoint.clone(), service_account: service_account(config) }
}

fn service_account(config: &Config) -> Option<PathBuf> {
    match &config.store {
        StoreChoice::Firestore(Firestore { credentials: FirestoreCredentials::ServiceAccount { file }, .. }) => {
            Some(file.clone())
        }
        _ => None,
    }
}

fn access(settings: &Firestore) -> FirestoreAccess {
    let credentials = match settings.credentials.clone() {
        FirestoreCredentials::Emulator { address } => Credentials::Emulator(address),
        FirestoreCredentials::ServiceAccount { file } => Credentials::ServiceAccount(file),
        FirestoreCredentials::ApplicationDefault { file } => Credentials::ApplicationDefault(file),
    };
    FirestoreAccess { credentials, project: settings.project.clone(), database: Some(settings.database.clone()) }
}
