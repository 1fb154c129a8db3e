//! The messages of a Listen stream.

use crate::firestore::documents::Documents;
use gcloud_sdk::google::firestore::v1::listen_response::ResponseType;
use gcloud_sdk::google::firestore::v1::target_change::TargetChangeType;
use gcloud_sdk::google::firestore::v1::{
    Document, DocumentChange, DocumentDelete, DocumentRemove, ExistenceFilter, ListenResponse, TargetChange,
};
use prost_types::Timestamp;

fn message(response_type: ResponseType) -> ListenResponse {
    ListenResponse { response_type: Some(response_type) }
}

fn target_change(kind: TargetChangeType, target_ids: Vec<i32>, at: Option<&Documents>) -> ListenResponse {
    message(ResponseType::TargetChange(TargetChange {
        target_change_type: kind.into(),
        target_ids,
        cause: None,
        resume_token: at.map(Documents::token).unwrap_or_default(),
        read_time: at.map(|documents| documents.version().timestamp()),
    }))
}

pub(super) fn added(target: i32) -> ListenResponse {
    target_change(TargetChangeType::Add, vec![target], None)
}

pub(super) fn removed(target: i32) -> ListenResponse {
    target_change(TargetChangeType::Remove, vec![target], None)
}

/// What was sent of the target is void; all of it follows. Google's emulator already gives the token of what follows: who keeps
/// it and loses the stream now would miss that. Production gives none.
pub(super) fn reset(target: i32, at: Option<&Documents>) -> ListenResponse {
    target_change(TargetChangeType::Reset, vec![target], at)
}

/// All of the target as of now has been sent.
pub(super) fn current(target: i32, documents: &Documents) -> ListenResponse {
    target_change(TargetChangeType::Current, vec![target], Some(documents))
}

/// All of every target as of now has been sent: a consistent moment.
pub(super) fn consistent(documents: &Documents) -> ListenResponse {
    target_change(TargetChangeType::NoChange, Vec::new(), Some(documents))
}

/// The document is new among the results, or changed.
pub(super) fn present(target: i32, document: Document) -> ListenResponse {
    let (document, target_ids) = (Some(document), vec![target]);
    message(ResponseType::DocumentChange(DocumentChange { document, target_ids, removed_target_ids: Vec::new() }))
}

/// The document changed so that it is no result any more.
pub(super) fn changed_away(target: i32, document: Document) -> ListenResponse {
    let (document, removed_target_ids) = (Some(document), vec![target]);
    message(ResponseType::DocumentChange(DocumentChange { document, target_ids: Vec::new(), removed_target_ids }))
}

/// The document did not change and is no result any more.
pub(super) fn pushed_out(target: i32, name: String, at: Timestamp) -> ListenResponse {
    let (document, removed_target_ids, read_time) = (name, vec![target], Some(at));
    message(ResponseType::DocumentRemove(DocumentRemove { document, removed_target_ids, read_time }))
}

/// The document does not exist.
pub(super) fn deleted(target: i32, name: String, at: Timestamp) -> ListenResponse {
    let (document, removed_target_ids, read_time) = (name, vec![target], Some(at));
    message(ResponseType::DocumentDelete(DocumentDelete { document, removed_target_ids, read_time }))
}

/// How many results there are.
pub(super) fn filter(target: i32, count: usize) -> ListenResponse {
    let count = i32::try_from(count).unwrap_or(i32::MAX);
    message(ResponseType::Filter(ExistenceFilter { target_id: target, count, unchanged_names: None }))
}
