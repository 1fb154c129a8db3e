//! Single documents: read, and written under a precondition, with deadlines and repetition. It knows paths and revisions,
//! not what the documents mean.
//!
//! Every write carries a precondition, so sending it twice does no harm. That is how an answer that was lost is dealt with:
//! the write is sent again, and when its precondition fails then, the document itself tells whether the first one took place.

use super::access::Endpoint;
use super::change;
use super::fault::{Fault, Place};
use super::value::{RawDocument, Unwritable, fields_of, normal, revision_of};
use crate::Revision;
use gcloud_sdk::google::firestore::v1::firestore_client::FirestoreClient;
use gcloud_sdk::google::firestore::v1::precondition::ConditionType;
use gcloud_sdk::google::firestore::v1::run_query_request::QueryType;
use gcloud_sdk::google::firestore::v1::structured_query::{CollectionSelector, Direction, FieldReference, Order};
use gcloud_sdk::google::firestore::v1::value::ValueType;
use gcloud_sdk::google::firestore::v1::write::Operation;
use gcloud_sdk::google::firestore::v1::{
    CommitRequest, CommitResponse, Cursor, Document, DocumentMask, GetDocumentRequest, Precondition, RunQueryRequest,
    StructuredQuery, Value as ProtoValue, Write,
};
use gcloud_sdk::tonic::Status;
use gcloud_sdk::{GoogleApi, GoogleAuthMiddleware};
use jiff::Timestamp;
use serde_json::{Map, Value};
use std::time::Duration;
use tokio::sync::OnceCell;
use tokio::time::{Instant, sleep, timeout};

/// How long a request may take in all.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long one attempt may take.
const ATTEMPT: Duration = Duration::from_millis(2_500);
const ATTEMPTS: u32 = 7;
/// The wait before the second attempt; it doubles with each.
const FIRST_DELAY: Duration = Duration::from_millis(25);

pub(super) type Client = FirestoreClient<GoogleAuthMiddleware>;
/// Gives clients; it connects again by itself when the connection is lost.
pub(super) type Connection = GoogleApi<Client>;

/// The documents of one database.
pub(super) struct Documents {
    endpoint: Endpoint,
    /// Made with the first request that finds a server.
    db: OnceCell<Connection>,
}

/// Why something was given up, and whether an attempt went without an answer before: it may have happened then.
struct GivenUp {
    fault: Fault,
    unanswered: bool,
}

impl Documents {
    pub fn new(endpoint: Endpoint) -> Self {
        Self { endpoint, db: OnceCell::new() }
    }

    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    pub fn place(&self) -> &Place {
        &self.endpoint.place
    }

    /// The document at `path`, such as `user_configs/alice`.
    pub async fn get(&self, path: &str) -> Result<Option<Document>, Fault> {
        let request = GetDocumentRequest { name: self.name(path), ..GetDocumentRequest::default() };
        let got = self.repeat(|mut client| {
            let request = request.clone();
            async move { client.get_document(request).await.map(|answer| answer.into_inner()) }
        });
        match got.await {
            Ok(document) => Ok(Some(document)),
            Err(GivenUp { fault: Fault::Missing, .. }) => Ok(None),
            Err(given_up) => Err(given_up.fault),
        }
    }

    /// Writes a new document; [`Fault::Exists`] when there is one.
    pub async fn create(&self, path: &str, body: &Map<String, Value>) -> Result<RawDocument, Fault> {
        let body = normal(body);
        let document = Document { name: self.name(path), fields: fields_of(&body)?, ..Document::default() };
        let write = write(Operation::Update(document), None, ConditionType::Exists(false));
        let created = match self.commit(write).await {
            Err(GivenUp { fault: Fault::Precondition, unanswered }) => Err(GivenUp { fault: Fault::Exists, unanswered }),
            other => other,
        };
        self.settle(path, created, body).await
    }

    /// Makes `stored` into `wanted` by writing what differs, if it is still the same; [`Fault::Precondition`] or
    /// [`Fault::Missing`] when it is not.
    pub async fn update(&self, path: &str, stored: &Document, wanted: &Map<String, Value>) -> Result<RawDocument, Fault> {
        let wanted = normal(wanted);
        let change = change::between(&stored.fields, &wanted)?;
        let Some(read_at) = stored.update_time.filter(|_| !change.is_empty()) else {
            return Ok(RawDocument::from(stored.clone()));
        };
        let document = Document { name: self.name(path), fields: change.fields, ..Document::default() };
        let mask = DocumentMask { field_paths: change.mask };
        let write = write(Operation::Update(document), Some(mask), ConditionType::UpdateTime(read_at));
        let updated = self.commit(write).await;
        self.settle(path, updated, wanted).await
    }

    /// Deletes the document and gives the time of that, 0 when it is not known; `None` when there was no document.
    pub async fn delete(&self, path: &str) -> Result<Option<Revision>, Fault> {
        let write = write(Operation::Delete(self.name(path)), None, ConditionType::Exists(true));
        match self.commit(write).await {
            Ok(answer) => Ok(Some(answer.commit_time.as_ref().map_or(0, revision_of))),
            // Missing, because it was deleted by the attempt that had no answer.
            Err(GivenUp { fault: Fault::Missing | Fault::Precondition, unanswered }) => Ok(unanswered.then_some(0)),
            Err(given_up) => Err(given_up.fault),
        }
    }

    /// Deletes the document if it is still `stored`, and gives the time of that, 0 when it is not known; [`Fault::Precondition`]
    /// or [`Fault::Missing`] when it is not.
    pub async fn delete_at(&self, path: &str, stored: &Document) -> Result<Revision, Fault> {
        let read_at = stored.update_time.unwrap_or_default();
        let write = write(Operation::Delete(self.name(path)), None, ConditionType::UpdateTime(read_at));
        let given_up = match self.commit(write).await {
            Ok(answer) => return Ok(answer.commit_time.as_ref().map_or(0, revision_of)),
            Err(given_up) => given_up,
        };
        // It may have been deleted by the attempt that had no answer.
        let may_be_gone = given_up.unanswered && matches!(given_up.fault, Fault::Missing | Fault::Precondition);
        if may_be_gone && self.get(path).await?.is_none() { Ok(0) } else { Err(given_up.fault) }
    }

    /// At most `limit` documents of a collection in the order of their names, from the first one behind `after`.
    pub async fn page(&self, collection: &str, after: Option<&str>, limit: usize) -> Result<Vec<RawDocument>, Fault> {
        let behind = after.map(|name| self.name(&format!("{collection}/{name}")));
        let query = by_name(collection, behind, limit);
        let request = RunQueryRequest { parent: self.place().documents(), query_type: Some(query), ..RunQueryRequest::default() };
        let read = self.repeat(|mut client| {
            let request = request.clone();
            async move {
                let mut answers = client.run_query(request).await?.into_inner();
                let mut page = Vec::new();
                while let Some(answer) = answers.message().await? {
                    page.extend(answer.document.map(RawDocument::from));
                }
                Ok(page)
            }
        });
        read.await.map_err(|given_up| given_up.fault)
    }

    /// What a write came to: where its precondition failed after an attempt without an answer, the document tells.
    async fn settle(
        &self,
        path: &str,
        outcome: Result<CommitResponse, GivenUp>,
        body: Map<String, Value>,
    ) -> Result<RawDocument, Fault> {
        let body = Value::Object(body);
        let given_up = match outcome {
            Ok(answer) => {
                let written = answer.write_results.first().and_then(|result| result.update_time).or(answer.commit_time);
                let name = path.rsplit('/').next().unwrap_or_default().to_owned();
                return Ok(RawDocument { name, revision: written.as_ref().map_or(0, revision_of), body });
            }
            Err(given_up) => given_up,
        };
        let may_be_ours = given_up.unanswered && matches!(given_up.fault, Fault::Exists | Fault::Precondition | Fault::Missing);
        if !may_be_ours {
            return Err(given_up.fault);
        }
        match self.get(path).await?.map(RawDocument::from) {
            Some(there) if there.body == body => Ok(there),
            _ => Err(given_up.fault),
        }
    }

    async fn commit(&self, write: Write) -> Result<CommitResponse, GivenUp> {
        let request = CommitRequest { database: self.place().path(), writes: vec![write], ..CommitRequest::default() };
        let done = self.repeat(|mut client| {
            let request = request.clone();
            async move { client.commit(request).await.map(|answer| answer.into_inner()) }
        });
        done.await.map_err(|given_up| match given_up.fault {
            Fault::Unreachable(text) => {
                GivenUp { fault: Fault::Unreachable(format!("{text}; it is not known whether the write took place")), ..given_up }
            }
            _ => given_up,
        })
    }

    /// Sends a request until it is answered: only for what may be done twice.
    async fn repeat<T, F>(&self, send: impl Fn(Client) -> F) -> Result<T, GivenUp>
    where
        F: Future<Output = Result<T, Status>>,
    {
        let deadline = Instant::now() + PATIENCE;
        let mut unanswered = false;
        let mut delay = FIRST_DELAY;
        let mut attempt = 1;
        loop {
            let fault = match self.once(deadline, &send).await {
                Ok(answer) => return Ok(answer),
                Err(fault) => fault,
            };
            unanswered |= matches!(fault, Fault::Unreachable(_));
            if !fault.is_passing() || attempt == ATTEMPTS || Instant::now() + delay >= deadline {
                return Err(GivenUp { fault, unanswered });
            }
            tracing::debug!(attempt, ?fault, "asking Firestore again");
            sleep(jittered(delay)).await;
            delay *= 2;
            attempt += 1;
        }
    }

    /// Sends a request once; no answer within [`ATTEMPT`] is a fault.
    async fn once<T, F>(&self, deadline: Instant, send: impl FnOnce(Client) -> F) -> Result<T, Fault>
    where
        F: Future<Output = Result<T, Status>>,
    {
        let limit = ATTEMPT.min(deadline.saturating_duration_since(Instant::now()));
        let asking = async {
            let db = self.db.get_or_try_init(|| self.endpoint.connect()).await?;
            send(db.get()).await.map_err(|status| Fault::of(&status, self.place()))
        };
        timeout(limit, asking).await.unwrap_or_else(|_| Err(Fault::Unreachable(format!("no answer within {limit:.1?}"))))
    }

    /// The full name of the document at `path`.
    fn name(&self, path: &str) -> String {
        format!("{}/{path}", self.place().documents())
    }
}

impl From<Unwritable> for Fault {
    fn from(unwritable: Unwritable) -> Self {
        Self::Refused(unwritable.to_string())
    }
}

fn by_name(collection: &str, behind: Option<String>, limit: usize) -> QueryType {
    let from = CollectionSelector { collection_id: collection.to_owned(), all_descendants: false };
    let field = FieldReference { field_path: "__name__".to_owned() };
    let start_at = behind.map(|name| Cursor {
        values: vec![ProtoValue { value_type: Some(ValueType::ReferenceValue(name)) }],
        // Behind it, not at it.
        before: false,
    });
    QueryType::StructuredQuery(StructuredQuery {
        from: vec![from],
        order_by: vec![Order { field: Some(field), direction: Direction::Ascending.into() }],
        start_at,
        limit: Some(i32::try_from(limit).unwrap_or(i32::MAX)),
        ..StructuredQuery::default()
    })
}

fn write(operation: Operation, update_mask: Option<DocumentMask>, condition: ConditionType) -> Write {
    let current_document = Some(Precondition { condition_type: Some(condition) });
    Write { operation: Some(operation), update_mask, current_document, ..Write::default() }
}

/// Between half the delay and the whole, so that those who met once do not meet again.
fn jittered(delay: Duration) -> Duration {
    let nanos = Timestamp::now().subsec_nanosecond().unsigned_abs();
    delay / 2 + delay / 2 * (nanos / 1_000 % 1_000) / 1_000
}
