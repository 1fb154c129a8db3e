//! The calls that write, and transactions.

use super::state::{Database, State};
use super::value::project;
use super::writes::write_all;
use futures::{Stream, StreamExt};
use gcloud_sdk::google::firestore::v1;
use gcloud_sdk::google::rpc;
use std::sync::Arc;
use tonic::{Status, Streaming};
use v1::precondition::ConditionType;
use v1::write::Operation;

/// What Firestore allows one BatchWrite.
const BATCH_LIMIT: usize = 500;

/// One commit outside a transaction.
pub(super) fn commit_writes(database: &mut Database, writes: &[v1::Write]) -> Result<Vec<v1::WriteResult>, Status> {
    let at = database.documents.next_version();
    write_all(&mut database.documents, writes, at)
}

pub(super) fn create_document(state: &State, request: v1::CreateDocumentRequest) -> Result<v1::Document, Status> {
    let id = match request.document_id.is_empty() {
        true => format!("{:020x}", rand::random::<u128>() >> 48),
        false => request.document_id,
    };
    let name = format!("{}/{}/{id}", request.parent, request.collection_id);
    let document = v1::Document { name, ..request.document.unwrap_or_default() };
    let absent = v1::Precondition { condition_type: Some(ConditionType::Exists(false)) };
    put(state, document, None, Some(absent), request.mask.as_ref())
}

pub(super) fn update_document(state: &State, request: v1::UpdateDocumentRequest) -> Result<v1::Document, Status> {
    let document = request.document.ok_or_else(|| Status::invalid_argument("the request has no document"))?;
    put(state, document, request.update_mask, request.current_document, request.mask.as_ref())
}

fn put(
    state: &State,
    document: v1::Document,
    update_mask: Option<v1::DocumentMask>,
    current_document: Option<v1::Precondition>,
    answer: Option<&v1::DocumentMask>,
) -> Result<v1::Document, Status> {
    let name = document.name.clone();
    let write = v1::Write { update_mask, current_document, operation: Some(Operation::Update(document)), ..Default::default() };
    state.write(|database| {
        commit_writes(database, &[write])?;
        let stored = database.documents.get(&name).map(|document| project(document, answer.map(|mask| &mask.field_paths)));
        stored.ok_or_else(|| Status::internal(format!("{name} was written and is not there")))
    })
}

pub(super) fn delete_document(state: &State, request: v1::DeleteDocumentRequest) -> Result<(), Status> {
    let operation = Some(Operation::Delete(request.name));
    let write = v1::Write { current_document: request.current_document, operation, ..Default::default() };
    state.write(|database| commit_writes(database, &[write])).map(drop)
}

pub(super) fn begin_transaction(
    state: &State,
    request: v1::BeginTransactionRequest,
) -> Result<v1::BeginTransactionResponse, Status> {
    let transaction = state.database().transactions.begin(request.options.as_ref());
    Ok(v1::BeginTransactionResponse { transaction })
}

pub(super) fn rollback(state: &State, request: v1::RollbackRequest) -> Result<(), Status> {
    state.database().transactions.end(&request.transaction).map(drop)
}

pub(super) fn commit(state: &State, request: v1::CommitRequest) -> Result<v1::CommitResponse, Status> {
    state.write(|database| {
        if !request.transaction.is_empty() {
            let transaction = database.transactions.end(&request.transaction)?;
            transaction.validate(&database.documents, request.writes.len())?;
        }
        let write_results = commit_writes(database, &request.writes)?;
        Ok(v1::CommitResponse { write_results, commit_time: Some(database.documents.version().timestamp()) })
    })
}

/// Each write stands for itself and has its own status.
pub(super) fn batch_write(state: &State, request: v1::BatchWriteRequest) -> Result<v1::BatchWriteResponse, Status> {
    if request.writes.len() > BATCH_LIMIT {
        return Err(Status::invalid_argument(format!("maximum {BATCH_LIMIT} writes allowed per request")));
    }
    state.write(|database| {
        let mut answer = v1::BatchWriteResponse::default();
        for write in &request.writes {
            let (results, status) = match commit_writes(database, std::slice::from_ref(write)) {
                Ok(results) => (results, rpc::Status::default()),
                Err(status) => (Vec::new(), as_message(&status)),
            };
            answer.write_results.push(results.into_iter().next().unwrap_or_default());
            answer.status.push(status);
        }
        Ok(answer)
    })
}

fn as_message(status: &Status) -> rpc::Status {
    rpc::Status { code: status.code() as i32, message: status.message().to_owned(), details: Vec::new() }
}

/// The Write stream: the first message opens it, every further one is a commit.
pub(super) fn write_stream(
    state: Arc<State>,
    requests: Streaming<v1::WriteRequest>,
) -> impl Stream<Item = Result<v1::WriteResponse, Status>> + Send + use<> {
    requests.enumerate().map(move |(index, request)| {
        let request = request?;
        let stream_token = (index as u64).to_be_bytes().to_vec();
        if index == 0 {
            return Ok(v1::WriteResponse { stream_id: "lab".to_owned(), stream_token, ..Default::default() });
        }
        state.write(|database| {
            let write_results = commit_writes(database, &request.writes)?;
            let commit_time = Some(database.documents.version().timestamp());
            Ok(v1::WriteResponse { stream_id: String::new(), stream_token, write_results, commit_time })
        })
    })
}
