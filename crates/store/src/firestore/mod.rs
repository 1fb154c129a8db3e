//! The Firestore backend: users as documents of the collection `user_configs`, for several servers and a console at once.
//!
//! ```text
//!  ConfigStore ┐ writes ─▶ mask of what differs, under the revision that was read ──commit──▶ user_configs/{id} ◀── console,
//!  DocumentStore ┘                        │ at once                                             │             other servers
//!                                     live view ◀───────────────────── Listen ─────────────────┘
//! ```
//!
//! | module | holds |
//! |---|---|
//! | `view` | the live view, as a value |
//! | `listen` | the tasks behind the live view |
//! | `stream` | Listen streams, one after the other |
//! | `link` | whether Firestore answers |
//! | `seal_typed` | passwords typed in clear are sealed |
//! | `keep` | the last good view, kept in the local database |
//! | `pending` | things to be done, one for each name |
//! | `access` | which Firestore: options and key files |
//! | `client` | single documents: read, and written under a precondition |
//! | `config` | [`crate::ConfigStore`] |
//! | `documents` | [`crate::DocumentStore`] |
//! | `keycheck` | the check that this server's keys are the others' |
//! | `change` | what differs, as paths and values |
//! | `fault` | Firestore's refusals with the remedy |
//! | `value` | Firestore's values into JSON and back |

mod access;
mod change;
mod client;
mod config;
mod documents;
mod fault;
mod keep;
mod keycheck;
mod link;
mod listen;
mod pending;
mod seal_typed;
mod stream;
mod value;
mod view;

pub use access::{Credentials, FirestoreAccess};
pub use listen::ListenOptions;

use crate::{Keyring, SqliteStore, StoreError};
use access::Endpoint;
use client::Documents;
use fault::Fault;
use keycheck::Unproved;
use listen::Listener;
use std::sync::Arc;
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The collection of the users' documents.
const USERS: &str = "user_configs";

/// The users in Firestore. Cheap to clone; the clones share connection and view.
#[derive(Clone)]
pub struct FirestoreStore {
    shared: Arc<Shared>,
}

struct Shared {
    documents: Arc<Documents>,
    keyring: Arc<Keyring>,
    /// Set once the keys were found to be those of the other servers; nothing is sealed before.
    keys_checked: OnceCell<()>,
    listener: Listener,
}

impl FirestoreStore {
    /// Connects, checks the keys, and shows the users. `local` holds the last view that was good, to start from when
    /// Firestore does not answer.
    ///
    /// [`StoreError::Setup`] names the remedy when the credentials cannot be used, when Firestore refuses them for good and
    /// there is nothing to start from, or when the passwords there were sealed with other keys.
    pub async fn open(
        access: &FirestoreAccess,
        keyring: Arc<Keyring>,
        local: SqliteStore,
        tracker: &TaskTracker,
        cancel: CancellationToken,
    ) -> Result<Self, StoreError> {
        Self::open_with(access, keyring, local, ListenOptions::default(), tracker, cancel).await
    }

    /// As [`Self::open`], with other times.
    pub async fn open_with(
        access: &FirestoreAccess,
        keyring: Arc<Keyring>,
        local: SqliteStore,
        options: ListenOptions,
        tracker: &TaskTracker,
        cancel: CancellationToken,
    ) -> Result<Self, StoreError> {
        let documents = Arc::new(Documents::new(Endpoint::find(access).await?));
        let listener = Listener::start(documents.clone(), keyring.clone(), local, options, tracker, cancel).await?;
        let opened = Self { shared: Arc::new(Shared { documents, keyring, keys_checked: OnceCell::new(), listener }) };
        match opened.prove_keys().await {
            Ok(()) => Ok(opened),
            Err(unproved) if opened.can_start_with(&unproved) => {
                let fault = unproved.into_error(opened.documents().place());
                tracing::warn!(%fault, "the keys could not be compared with those of the other servers; that is done before the first write");
                Ok(opened)
            }
            Err(Unproved::Wrong(text) | Unproved::Unanswered(Fault::Refused(text))) => {
                opened.close().await;
                Err(StoreError::Setup(text))
            }
            Err(unproved) => {
                opened.close().await;
                Err(unproved.into_error(opened.documents().place()))
            }
        }
    }

    /// A server that does not answer now will do so later; one that refuses us will not, but we can go on with what we have.
    fn can_start_with(&self, unproved: &Unproved) -> bool {
        match unproved {
            Unproved::Wrong(_) => false,
            Unproved::Unanswered(Fault::Refused(_)) => !self.shared.listener.watch().borrow().users.is_empty(),
            Unproved::Unanswered(_) => true,
        }
    }

    /// Ends listening. The tasks are the tracker's.
    pub async fn close(&self) {
        self.shared.listener.close().await;
    }

    fn documents(&self) -> &Documents {
        &self.shared.documents
    }

    /// Refuses to seal anything with keys that are not the other servers'.
    async fn check_keys(&self) -> Result<(), StoreError> {
        self.prove_keys().await.map_err(|unproved| unproved.into_error(self.documents().place()))
    }

    async fn prove_keys(&self) -> Result<(), Unproved> {
        let check = || keycheck::check(&self.shared.documents, &self.shared.keyring);
        self.shared.keys_checked.get_or_try_init(check).await.copied()
    }
}
