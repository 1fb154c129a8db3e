//! One Listen stream after the other, for ever: opened where the last one stood, read into events, watched for silence.
//!
//! The client's own listener is not used, because it does not tell when its stream breaks; health and the log have to know.

use super::client::{Client, Connection};
use super::fault::Fault;
use super::listen::Shared;
use super::value::{RawDocument, revision_of};
use super::view::{Event, LiveView};
use crate::Revision;
use futures::StreamExt as _;
use gcloud_sdk::google::firestore::v1::listen_request::TargetChange as Ask;
use gcloud_sdk::google::firestore::v1::listen_response::ResponseType;
use gcloud_sdk::google::firestore::v1::run_query_request::QueryType as RunQuery;
use gcloud_sdk::google::firestore::v1::structured_query::{CollectionSelector, FieldReference, Projection};
use gcloud_sdk::google::firestore::v1::target::query_target::QueryType;
use gcloud_sdk::google::firestore::v1::target::{QueryTarget, ResumeType, TargetType};
use gcloud_sdk::google::firestore::v1::target_change::TargetChangeType;
use gcloud_sdk::google::firestore::v1::{
    GetDocumentRequest, ListenRequest, ListenResponse, RunQueryRequest, StructuredQuery, Target, TargetChange,
};
use gcloud_sdk::tonic::{Code, Request, Status, Streaming};
use std::collections::HashMap;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// The only target of each stream.
const TARGET: i32 = 1;
/// A stream that lived for this long broke by accident, and is opened again at once.
const SETTLED: Duration = Duration::from_secs(5);
const AT_ONCE: Duration = Duration::from_millis(50);
/// Streams that came and broke soon, one after the other, before that is an outage.
const FLAPPING: u32 = 3;

/// Why a stream is over.
enum End {
    Broken(Fault),
    /// The token leads nowhere, or the view is not the server's: begin with the whole collection.
    Resync,
}

/// Listens for ever.
pub(super) async fn run(shared: &Shared) {
    let mut listening = Listening { shared, db: None, token: None, heard: false };
    let mut attempt = 0;
    loop {
        let began = Instant::now();
        let end = listening.once().await;
        let heard = std::mem::take(&mut listening.heard);
        let settled = heard && began.elapsed() >= SETTLED;
        if settled {
            attempt = 0;
        }
        match end {
            End::Resync => listening.token = None,
            End::Broken(fault) => {
                tracing::debug!(?fault, attempt, "a Listen stream is over");
                // A new connection each time: the old one may be dead without knowing it.
                listening.db = None;
                // Streams end now and then; it is an outage when the next one does not come.
                if !heard || attempt >= FLAPPING {
                    shared.link.lost(fault, std::time::Instant::now());
                }
            }
        }
        sleep(if settled { AT_ONCE } else { delay(shared, attempt) }).await;
        attempt += 1;
    }
}

/// Doubles from the first delay up to the longest; jittered, so that not all servers come back at the same moment.
fn delay(shared: &Shared, attempt: u32) -> Duration {
    let delay = shared.options.first_delay.saturating_mul(1 << attempt.min(16));
    jittered(delay.min(shared.options.longest_delay))
}

/// Between three quarters of the time and the whole.
fn jittered(time: Duration) -> Duration {
    let nanos = jiff::Timestamp::now().subsec_nanosecond().unsigned_abs();
    time - time / 4 * (nanos / 1_000 % 1_000) / 1_000
}

struct Listening<'a> {
    shared: &'a Shared,
    db: Option<Connection>,
    /// Leads on from where the view stands. Never outlives the process: the view does not either.
    token: Option<Vec<u8>>,
    /// The server has said something on this stream.
    heard: bool,
}

impl Listening<'_> {
    /// One stream, from its opening to its end.
    async fn once(&mut self) -> End {
        let shared = self.shared;
        let client = match self.client().await {
            Ok(client) => client,
            Err(fault) => return End::Broken(fault),
        };
        let answers = match self.open(client.clone()).await {
            Ok(answers) => answers,
            Err(end) => return end,
        };
        tokio::select! {
            end = self.follow(answers) => end,
            fault = watch_over(shared, client.clone()) => {
                shared.link.lost(fault.clone(), std::time::Instant::now());
                End::Broken(fault)
            }
            () = compare(shared, client) => End::Resync,
            () = shared.resync.notified() => End::Resync,
        }
    }

    async fn client(&mut self) -> Result<Client, Fault> {
        let db = match self.db.take() {
            Some(db) => db,
            None => self.shared.documents.endpoint().connect().await?,
        };
        Ok(self.db.insert(db).get())
    }

    async fn open(&mut self, mut client: Client) -> Result<Streaming<ListenResponse>, End> {
        let ask = ListenRequest {
            database: self.shared.source.clone(),
            target_change: Some(Ask::AddTarget(target(self.shared, self.token.clone()))),
            ..ListenRequest::default()
        };
        // The request's side stays open for as long as the answers are read.
        let asking = futures::stream::once(async { ask }).chain(futures::stream::pending());
        let patience = self.shared.options.probe_patience;
        match timeout(patience, client.listen(Request::new(asking))).await {
            Ok(Ok(answers)) => Ok(answers.into_inner()),
            Ok(Err(status)) => Err(self.refused(&status)),
            Err(_) => Err(End::Broken(Fault::Unreachable(format!("no answer within {patience:.0?}")))),
        }
    }

    /// An invalid request that had a token is the token's fault.
    fn refused(&mut self, status: &Status) -> End {
        match status.code() {
            Code::InvalidArgument if self.token.take().is_some() => End::Resync,
            _ => End::Broken(Fault::of(status, self.shared.documents.place())),
        }
    }

    async fn follow(&mut self, mut answers: Streaming<ListenResponse>) -> End {
        let patience = self.shared.options.probe_patience;
        let mut next = match timeout(patience, answers.message()).await {
            Ok(next) => next,
            Err(_) => return End::Broken(Fault::Unreachable(format!("no answer within {patience:.0?}"))),
        };
        loop {
            match next {
                Ok(Some(answer)) => {
                    if let Some(end) = answer.response_type.and_then(|answer| self.heard(answer)) {
                        return end;
                    }
                }
                Ok(None) => return End::Broken(Fault::Unreachable("the server ended the stream".to_owned())),
                Err(status) => return self.refused(&status),
            }
            next = answers.message().await;
        }
    }

    fn heard(&mut self, answer: ResponseType) -> Option<End> {
        match answer {
            ResponseType::TargetChange(change) => return self.target_changed(change),
            ResponseType::DocumentChange(change) => {
                let document = change.document?;
                let left = change.target_ids.is_empty() && !change.removed_target_ids.is_empty();
                let document = RawDocument::from(document);
                self.shared.apply(match left {
                    true => Event::Gone { name: document.name, at: document.revision },
                    false => Event::Changed(document),
                });
            }
            ResponseType::DocumentDelete(gone) => self.gone(&gone.document, gone.read_time.as_ref().map_or(0, revision_of)),
            ResponseType::DocumentRemove(gone) => self.gone(&gone.document, gone.read_time.as_ref().map_or(0, revision_of)),
            ResponseType::Filter(filter) => {
                self.shared.apply(Event::Filter { count: usize::try_from(filter.count).unwrap_or(0) });
            }
        }
        None
    }

    fn gone(&self, path: &str, at: Revision) {
        let name = path.rsplit('/').next().unwrap_or_default().to_owned();
        self.shared.apply(Event::Gone { name, at });
    }

    fn target_changed(&mut self, change: TargetChange) -> Option<End> {
        let at = change.read_time.as_ref().map(revision_of);
        match TargetChangeType::try_from(change.target_change_type) {
            Ok(TargetChangeType::Add) => {
                self.heard = true;
                self.shared.link.live(std::time::Instant::now());
                self.shared.apply(Event::Added { resumed: self.token.is_some() });
            }
            Ok(TargetChangeType::Remove) => {
                self.token = None;
                let cause = change.cause.unwrap_or_default();
                let status = Status::new(Code::from(cause.code), cause.message);
                return Some(End::Broken(Fault::of(&status, self.shared.documents.place())));
            }
            Ok(TargetChangeType::Current) => self.shared.apply(Event::Current),
            Ok(TargetChangeType::Reset) => {
                self.token = None;
                self.shared.apply(Event::Reset);
            }
            Ok(TargetChangeType::NoChange) => {
                if let Some(at) = at {
                    self.shared.apply(Event::Consistent { at });
                }
            }
            Err(_) => {}
        }
        // A token from the midst of a change would lead past what the view does not have yet.
        if !change.resume_token.is_empty() && self.shared.ask(LiveView::is_settled) {
            self.token = Some(change.resume_token);
        }
        None
    }
}

fn target(shared: &Shared, token: Option<Vec<u8>>) -> Target {
    let query = QueryTarget { parent: shared.documents.place().documents(), query_type: Some(QueryType::StructuredQuery(all())) };
    Target {
        target_id: TARGET,
        target_type: Some(TargetType::Query(query)),
        resume_type: token.map(ResumeType::ResumeToken),
        ..Target::default()
    }
}

/// The whole collection.
fn all() -> StructuredQuery {
    let from = CollectionSelector { collection_id: super::USERS.to_owned(), all_descendants: false };
    StructuredQuery { from: vec![from], ..StructuredQuery::default() }
}

/// Reads a document that does not exist, again and again; returns when that goes without an answer.
async fn watch_over(shared: &Shared, mut client: Client) -> Fault {
    let patience = shared.options.probe_patience;
    let name = format!("{}/cluster/heartbeat", shared.documents.place().documents());
    loop {
        sleep(jittered(shared.options.probe_every)).await;
        let request = GetDocumentRequest { name: name.clone(), ..GetDocumentRequest::default() };
        match timeout(patience, client.get_document(request)).await {
            Ok(Ok(_)) => {}
            Ok(Err(status)) => match Fault::of(&status, shared.documents.place()) {
                Fault::Missing | Fault::Busy(_) => {}
                fault => return fault,
            },
            Err(_) => return Fault::Unreachable(format!("no answer within {patience:.0?}")),
        }
    }
}

/// Compares names and times of all documents with the view from time to time; returns when the stream missed something.
async fn compare(shared: &Shared, client: Client) {
    loop {
        sleep(jittered(shared.options.compare_every)).await;
        let listing = match list(shared, client.clone()).await {
            Ok(listing) => listing,
            Err(status) => {
                tracing::debug!(%status, "the users could not be listed for comparison");
                continue;
            }
        };
        if shared.ask(|view| view.differences(&listing)).is_empty() {
            continue;
        }
        sleep(shared.options.compare_settles).await;
        let again = match list(shared, client.clone()).await {
            Ok(again) => again,
            Err(_) => continue,
        };
        // What differs from both listings was not on its way.
        let missed = shared.ask(|view| {
            let first = view.differences(&listing);
            view.differences(&again).into_iter().filter(|name| first.contains(name)).count()
        });
        if missed > 0 {
            tracing::warn!(missed, "Firestore did not tell of some changes; all users are read again");
            return;
        }
    }
}

async fn list(shared: &Shared, mut client: Client) -> Result<HashMap<String, Revision>, Status> {
    let name_alone = Projection { fields: vec![FieldReference { field_path: "__name__".to_owned() }] };
    let query = StructuredQuery { select: Some(name_alone), ..all() };
    let request = RunQueryRequest {
        parent: shared.documents.place().documents(),
        query_type: Some(RunQuery::StructuredQuery(query)),
        ..RunQueryRequest::default()
    };
    let mut answers = client.run_query(request).await?.into_inner();
    let mut listing = HashMap::new();
    while let Some(answer) = answers.message().await? {
        listing.extend(answer.document.map(RawDocument::from).map(|document| (document.name, document.revision)));
    }
    Ok(listing)
}
