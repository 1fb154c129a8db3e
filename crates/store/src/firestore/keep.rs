//! Keeps the last good view in the local database, written behind: a change waits for the next batch, never for the disk.

use super::listen::Shared;
use super::pending::Pending;
use super::value::RawDocument;
use super::view::Keep;
use crate::doc;
use crate::sqlite::kept::{KeptChanges, KeptDocument};
use callie_domain::UserId;
use jiff::Timestamp;
use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What is to be written: a document each, or that it is gone.
#[derive(Default)]
pub(super) struct Keeping {
    documents: Pending<Option<RawDocument>>,
    only: Mutex<Option<HashSet<String>>>,
}

impl Keeping {
    pub fn add(&self, changes: Vec<Keep>) {
        let mut documents = Vec::with_capacity(changes.len());
        for change in changes {
            match change {
                Keep::Put(document) => documents.push((document.name.clone(), Some(document))),
                Keep::Drop(name) => documents.push((name, None)),
                Keep::Only(names) => {
                    *self.only() = Some(names);
                    self.documents.wake();
                }
            }
        }
        self.documents.add(documents);
    }

    fn only(&self) -> MutexGuard<'_, Option<HashSet<String>>> {
        self.only.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes batch after batch, until the listener ends; then the last one.
pub(super) async fn run(shared: &Shared) {
    let mut failing = false;
    while !shared.cancel.is_cancelled() {
        tokio::select! {
            () = shared.cancel.cancelled() => {}
            () = async { shared.keep.documents.wait().await; tokio::time::sleep(shared.options.keep_after).await } => {}
            () = tokio::time::sleep(shared.options.keep_again), if failing => {}
        }
        failing = !write(shared, failing).await;
    }
    // What came while the last batch was being written.
    write(shared, failing).await;
}

/// Puts down what there is; `false` when it could not.
async fn write(shared: &Shared, failing: bool) -> bool {
    // In this order: a document that came after the whole set must not be taken before it, only to be dropped by it.
    let taken = shared.keep.documents.take_all();
    let only = shared.keep.only().take();
    if only.is_none() && taken.is_empty() {
        return true;
    }
    let sealed = taken.iter().filter_map(|(name, document)| match document {
        Some(document) => Some((name.clone(), Some(sealed(shared, document)?))),
        None => Some((name.clone(), None)),
    });
    let changes = KeptChanges { only: only.clone(), documents: sealed.collect() };
    let Err(fault) = shared.local.keep(&shared.source, changes).await else { return true };
    if !failing {
        tracing::warn!(%fault, "the users of Firestore cannot be kept locally; it is tried again");
    }
    if let Some(names) = only {
        shared.keep.only().get_or_insert(names);
    }
    taken.into_iter().for_each(|(name, document)| shared.keep.documents.put_back(name, document));
    false
}

/// The document without any secret in clear, also where none belongs; `None` when there is one that cannot be sealed.
fn sealed(shared: &Shared, document: &RawDocument) -> Option<KeptDocument> {
    let mut body = doc::essence(&document.body);
    if doc::holds_typed_secret(&body) {
        let id: UserId = document.name.parse().ok()?;
        doc::seal_typed(&id, &mut body, &shared.keyring, Timestamp::now()).ok()?;
    }
    doc::secrets(&body).next()?;
    (!doc::holds_typed_secret(&body)).then_some(())?;
    Some(KeptDocument { revision: document.revision, body })
}
