//! Transactions, validated when they commit: what they have read must still be so, or they are ABORTED.
//!
//! No locks are taken and nothing waits. A transaction that only reads sees the newest state, not one moment's.

use super::documents::{Documents, Version};
use super::query::Query;
use gcloud_sdk::google::firestore::v1::{TransactionOptions, transaction_options::Mode};
use std::collections::HashMap;
use tonic::Status;

#[derive(Debug, Default)]
pub(super) struct Transaction {
    reads_only: bool,
    /// What version each document had when it was first read; `None`: there was none.
    documents: HashMap<String, Option<Version>>,
    queries: Vec<(Query, Vec<(String, Version)>)>,
}

impl Transaction {
    /// Whether it may commit these writes: INVALID_ARGUMENT if it promised to read only, ABORTED if what it has read changed.
    pub fn validate(&self, documents: &Documents, writes: usize) -> Result<(), Status> {
        if self.reads_only {
            let text = "Cannot modify entities in a read-only transaction.";
            return if writes == 0 { Ok(()) } else { Err(Status::invalid_argument(text)) };
        }
        let unchanged = self.documents.iter().all(|(name, version)| documents.version_of(name) == *version)
            && self.queries.iter().all(|(query, seen)| results(query, documents) == *seen);
        if unchanged { Ok(()) } else { Err(contention()) }
    }
}

/// What a loser of a race is told.
pub(super) fn contention() -> Status {
    Status::aborted("Too much contention on these documents. Please try again.")
}

fn results(query: &Query, documents: &Documents) -> Vec<(String, Version)> {
    query.run(documents.live()).iter().map(|document| (document.name.clone(), Version::of(document))).collect()
}

/// The transactions that have begun and not ended.
#[derive(Debug, Default)]
pub(super) struct Transactions {
    open: HashMap<Vec<u8>, Transaction>,
    last: u64,
}

impl Transactions {
    pub fn begin(&mut self, options: Option<&TransactionOptions>) -> Vec<u8> {
        self.last += 1;
        let id = self.last.to_be_bytes().to_vec();
        let reads_only = matches!(options.and_then(|options| options.mode.as_ref()), Some(Mode::ReadOnly(_)));
        self.open.insert(id.clone(), Transaction { reads_only, ..Transaction::default() });
        id
    }

    /// Notes that the transaction has read this document. An empty id is no transaction.
    pub fn note_document(&mut self, id: &[u8], name: &str, documents: &Documents) -> Result<(), Status> {
        if !id.is_empty() {
            let transaction = self.open.get_mut(id).ok_or_else(unknown)?;
            transaction.documents.entry(name.to_owned()).or_insert_with(|| documents.version_of(name));
        }
        Ok(())
    }

    /// Notes that the transaction has read the results of this query. An empty id is no transaction.
    pub fn note_query(&mut self, id: &[u8], query: &Query, documents: &Documents) -> Result<(), Status> {
        if !id.is_empty() {
            let transaction = self.open.get_mut(id).ok_or_else(unknown)?;
            transaction.queries.push((query.clone(), results(query, documents)));
        }
        Ok(())
    }

    /// Ends it, whatever comes of it.
    pub fn end(&mut self, id: &[u8]) -> Result<Transaction, Status> {
        self.open.remove(id).ok_or_else(unknown)
    }

    pub fn forget_all(&mut self) {
        self.open.clear();
    }
}

fn unknown() -> Status {
    Status::invalid_argument("The referenced transaction has expired or is no longer valid.")
}
