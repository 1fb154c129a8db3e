//! The calls that read.

use super::aggregate::aggregate;
use super::query::Query;
use super::state::{Database, State};
use super::value::{NAME, project};
use gcloud_sdk::google::firestore::v1;
use gcloud_sdk::google::firestore::v1::{DocumentMask, StructuredQuery, TransactionOptions};
use tonic::Status;
use v1::batch_get_documents_request::ConsistencySelector as BatchGetAt;
use v1::batch_get_documents_response::Result as Got;
use v1::get_document_request::ConsistencySelector as GetAt;
use v1::run_aggregation_query_request::{ConsistencySelector as AggregateAt, QueryType as AggregateWhat};
use v1::run_query_request::{ConsistencySelector as QueryAt, QueryType as QueryWhat};
use v1::structured_aggregation_query::QueryType as Aggregated;

const PAGE: usize = 300;

pub(super) fn get_document(state: &State, request: v1::GetDocumentRequest) -> Result<v1::Document, Status> {
    let Database { documents, transactions } = &mut *state.database();
    match &request.consistency_selector {
        Some(GetAt::Transaction(id)) => transactions.note_document(id, &request.name, documents)?,
        Some(GetAt::ReadTime(_)) => return Err(no_read_time()),
        None => {}
    }
    let missing = || Status::not_found(format!("Document \"{}\" not found.", request.name));
    documents.get(&request.name).map(|document| project(document, paths(&request.mask))).ok_or_else(missing)
}

pub(super) fn batch_get(
    state: &State,
    request: v1::BatchGetDocumentsRequest,
) -> Result<Vec<v1::BatchGetDocumentsResponse>, Status> {
    let mut database = state.database();
    let (transaction, begun) = match request.consistency_selector {
        Some(BatchGetAt::ReadTime(_)) => return Err(no_read_time()),
        Some(BatchGetAt::Transaction(id)) => (id, None),
        Some(BatchGetAt::NewTransaction(options)) => begin(&mut database, &options),
        None => Default::default(),
    };
    let Database { documents, transactions } = &mut *database;
    let read_time = Some(documents.read_time());
    let begun = begun.map(|transaction| v1::BatchGetDocumentsResponse { transaction, read_time, result: None });
    let mut answers = Vec::from_iter(begun);
    for name in request.documents {
        transactions.note_document(&transaction, &name, documents)?;
        let result = Some(match documents.get(&name) {
            Some(document) => Got::Found(project(document, paths(&request.mask))),
            None => Got::Missing(name),
        });
        answers.push(v1::BatchGetDocumentsResponse { transaction: Vec::new(), read_time, result });
    }
    Ok(answers)
}

pub(super) fn list_documents(state: &State, request: v1::ListDocumentsRequest) -> Result<v1::ListDocumentsResponse, Status> {
    if request.consistency_selector.is_some() {
        return Err(Status::unimplemented("ListDocuments in a transaction or of the past is not part of this server"));
    }
    if !matches!(request.order_by.as_str(), "" | NAME) {
        return Err(Status::unimplemented("ListDocuments in another order than by name is not part of this server"));
    }
    let page = usize::try_from(request.page_size).ok().filter(|size| *size > 0).unwrap_or(PAGE);
    let prefix = format!("{}/{}/", request.parent, request.collection_id);
    let start = if request.page_token.is_empty() { prefix.clone() } else { request.page_token };
    let database = state.database();
    let mut names = database
        .documents
        .live()
        .range(start..)
        .take_while(|(name, _)| name.starts_with(&prefix))
        .filter(|(name, _)| !name[prefix.len()..].contains('/'));
    let documents = names.by_ref().take(page).map(|(_, document)| project(document, paths(&request.mask))).collect();
    let next_page_token = names.next().map(|(name, _)| name.clone()).unwrap_or_default();
    Ok(v1::ListDocumentsResponse { documents, next_page_token })
}

pub(super) fn list_collection_ids(
    state: &State,
    request: v1::ListCollectionIdsRequest,
) -> Result<v1::ListCollectionIdsResponse, Status> {
    let prefix = format!("{}/", request.parent);
    let database = state.database();
    let below = database.documents.live().range(prefix.clone()..).map_while(|(name, _)| name.strip_prefix(&prefix));
    let mut collection_ids: Vec<String> = below.filter_map(|below| below.split('/').next()).map(str::to_owned).collect();
    collection_ids.dedup();
    Ok(v1::ListCollectionIdsResponse { collection_ids, next_page_token: String::new() })
}

pub(super) fn run_query(state: &State, request: v1::RunQueryRequest) -> Result<Vec<v1::RunQueryResponse>, Status> {
    let Some(QueryWhat::StructuredQuery(query)) = request.query_type else { return Err(no_query()) };
    let query = Query::new(request.parent, query)?;
    let mut database = state.database();
    let (transaction, begun) = match request.consistency_selector {
        Some(QueryAt::ReadTime(_)) => return Err(no_read_time()),
        Some(QueryAt::Transaction(id)) => (id, None),
        Some(QueryAt::NewTransaction(options)) => begin(&mut database, &options),
        None => Default::default(),
    };
    let Database { documents, transactions } = &mut *database;
    transactions.note_query(&transaction, &query, documents)?;
    let read_time = Some(documents.read_time());
    let empty = v1::RunQueryResponse { read_time, ..Default::default() };
    let begun = begun.map(|transaction| v1::RunQueryResponse { transaction, ..empty.clone() });
    let found = query.run(documents.live());
    let results = found.iter().map(|document| v1::RunQueryResponse { document: Some(query.project(document)), ..empty.clone() });
    Ok(begun.into_iter().chain(results).chain([empty.clone()]).collect())
}

pub(super) fn run_aggregation(
    state: &State,
    request: v1::RunAggregationQueryRequest,
) -> Result<Vec<v1::RunAggregationQueryResponse>, Status> {
    let Some(AggregateWhat::StructuredAggregationQuery(wanted)) = request.query_type else { return Err(no_query()) };
    let Some(Aggregated::StructuredQuery(query)) = wanted.query_type else { return Err(no_query()) };
    let query: Query = Query::new(request.parent, StructuredQuery { select: None, ..query })?;
    let mut database = state.database();
    let (transaction, begun) = match request.consistency_selector {
        Some(AggregateAt::ReadTime(_)) => return Err(no_read_time()),
        Some(AggregateAt::Transaction(id)) => (id, None),
        Some(AggregateAt::NewTransaction(options)) => begin(&mut database, &options),
        None => Default::default(),
    };
    let Database { documents, transactions } = &mut *database;
    transactions.note_query(&transaction, &query, documents)?;
    let aggregate_fields = aggregate(&query.run(documents.live()), &wanted.aggregations);
    Ok(vec![v1::RunAggregationQueryResponse {
        result: Some(v1::AggregationResult { aggregate_fields }),
        transaction: begun.unwrap_or_default(),
        read_time: Some(documents.read_time()),
        explain_metrics: None,
    }])
}

/// The new transaction's id, twice: to note what it reads and to tell it.
fn begin(database: &mut Database, options: &TransactionOptions) -> (Vec<u8>, Option<Vec<u8>>) {
    let id = database.transactions.begin(Some(options));
    (id.clone(), Some(id))
}

fn paths(mask: &Option<DocumentMask>) -> Option<&Vec<String>> {
    mask.as_ref().map(|mask| &mask.field_paths)
}

fn no_query() -> Status {
    Status::invalid_argument("the request has no structured query")
}

fn no_read_time() -> Status {
    Status::unimplemented("reading the past (read_time) is not part of this server")
}
