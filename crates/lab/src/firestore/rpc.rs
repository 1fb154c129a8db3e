//! The remote procedures of `google.firestore.v1.Firestore` that this server has, and how often each was called.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// One of Firestore's remote procedures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rpc {
    GetDocument,
    ListDocuments,
    ListCollectionIds,
    BatchGetDocuments,
    RunQuery,
    RunAggregationQuery,
    CreateDocument,
    UpdateDocument,
    DeleteDocument,
    Commit,
    BatchWrite,
    Write,
    BeginTransaction,
    Rollback,
    Listen,
}

impl Rpc {
    pub const ALL: [Self; 15] = [
        Self::GetDocument,
        Self::ListDocuments,
        Self::ListCollectionIds,
        Self::BatchGetDocuments,
        Self::RunQuery,
        Self::RunAggregationQuery,
        Self::CreateDocument,
        Self::UpdateDocument,
        Self::DeleteDocument,
        Self::Commit,
        Self::BatchWrite,
        Self::Write,
        Self::BeginTransaction,
        Self::Rollback,
        Self::Listen,
    ];

    /// Those that read documents when asked: what a client that polls would call.
    pub const READS: [Self; 5] =
        [Self::GetDocument, Self::ListDocuments, Self::BatchGetDocuments, Self::RunQuery, Self::RunAggregationQuery];

    /// By the path of an HTTP/2 request.
    pub(super) fn of_path(path: &str) -> Option<Self> {
        let name = path.strip_prefix("/google.firestore.v1.Firestore/")?;
        Self::ALL.into_iter().find(|rpc| format!("{rpc:?}") == name)
    }
}

/// Counters that only grow, and the number of open Listen streams.
#[derive(Debug, Default)]
pub(super) struct Counts {
    calls: [AtomicU64; Rpc::ALL.len()],
    pub listening: AtomicUsize,
}

impl Counts {
    pub fn count(&self, rpc: Rpc) {
        self.calls[rpc as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub fn of(&self, rpc: Rpc) -> u64 {
        self.calls[rpc as usize].load(Ordering::Relaxed)
    }

    pub fn all(&self) -> BTreeMap<Rpc, u64> {
        Rpc::ALL.into_iter().map(|rpc| (rpc, self.of(rpc))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_procedure_has_a_path_and_a_counter_of_its_own() {
        let counts = Counts::default();
        for (index, rpc) in Rpc::ALL.into_iter().enumerate() {
            assert_eq!(rpc as usize, index);
            assert_eq!(Rpc::of_path(&format!("/google.firestore.v1.Firestore/{rpc:?}")), Some(rpc));
            counts.count(rpc);
        }
        assert!(counts.all().values().all(|count| *count == 1));
        assert_eq!(Rpc::of_path("/google.firestore.v1.Firestore/PartitionQuery"), None);
        assert_eq!(Rpc::of_path("/other/Listen"), None);
    }
}
