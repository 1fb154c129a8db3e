//! Who listens: keeps the documents of a query as a Listen stream tells them, and a list of what came.

use super::client::{SOON, USERS, User};
use firestore::{
    FirestoreDb, FirestoreListenEvent, FirestoreListener, FirestoreListenerParams, FirestoreListenerTarget,
    FirestoreMemListenStateStorage,
};
use gcloud_sdk::google::firestore::v1::target_change::TargetChangeType;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub const TARGET: FirestoreListenerTarget = FirestoreListenerTarget::new(7);

/// Visits by id.
pub type Visits = BTreeMap<String, i64>;

#[derive(Debug, Default)]
struct Heard {
    visits: Visits,
    /// As it was when the server last said that all is told.
    complete: Option<Visits>,
    kinds: Vec<String>,
}

/// A listener on all users.
pub struct Ear {
    listener: FirestoreListener<FirestoreDb, FirestoreMemListenStateStorage>,
    heard: Arc<Mutex<Heard>>,
}

impl Ear {
    pub async fn open(db: &FirestoreDb) -> Self {
        let params = FirestoreListenerParams::new().with_retry_delay(Duration::from_millis(20));
        let storage = FirestoreMemListenStateStorage::new();
        let mut listener = db.create_listener_with_params(storage, params).await.unwrap();
        db.fluent().select().from(USERS).listen().add_target(TARGET, &mut listener).unwrap();
        let heard = Arc::new(Mutex::new(Heard::default()));
        let hearing = Arc::clone(&heard);
        let start = listener.start(move |event| {
            hearing.lock().unwrap().take(event);
            async { Ok(()) }
        });
        start.await.unwrap();
        Self { listener, heard }
    }

    /// Waits until the server has told exactly this.
    pub async fn wait(&self, wanted: &[(&str, i64)]) {
        let wanted: Visits = wanted.iter().map(|(id, visits)| ((*id).to_owned(), *visits)).collect();
        self.until(&format!("{wanted:?}"), |heard| heard.complete.as_ref() == Some(&wanted)).await;
    }

    /// Waits until so many messages of this kind have come.
    pub async fn wait_kind(&self, kind: &str, count: usize) {
        self.until(&format!("{count} times {kind}"), |heard| heard.count(kind) >= count).await;
    }

    pub fn count(&self, kind: &str) -> usize {
        self.heard.lock().unwrap().count(kind)
    }

    pub fn resync(&self) {
        self.listener.control_handle().resync_target(TARGET);
    }

    async fn until(&self, what: &str, condition: impl Fn(&Heard) -> bool) {
        let waiting = async {
            let mut ticks = tokio::time::interval(Duration::from_millis(5));
            while !condition(&self.heard.lock().unwrap()) {
                ticks.tick().await;
            }
        };
        if tokio::time::timeout(SOON, waiting).await.is_err() {
            panic!("not heard in time: {what}; heard {:?}", self.heard.lock().unwrap());
        }
    }

    pub async fn close(mut self) {
        self.listener.shutdown_with_timeout(SOON).await.unwrap();
    }
}

impl Heard {
    fn count(&self, kind: &str) -> usize {
        self.kinds.iter().filter(|one| *one == kind).count()
    }

    fn take(&mut self, event: FirestoreListenEvent) {
        let kind = match event {
            FirestoreListenEvent::TargetChange(change) => {
                let kind = change.target_change_type();
                match kind {
                    TargetChangeType::Reset => self.visits.clear(),
                    TargetChangeType::NoChange if change.read_time.is_some() => self.complete = Some(self.visits.clone()),
                    _ => {}
                }
                kind.as_str_name()
            }
            FirestoreListenEvent::DocumentChange(change) => {
                let document = change.document.unwrap();
                let id = id_of(&document.name);
                if change.target_ids.is_empty() {
                    self.visits.remove(&id);
                } else {
                    let user: User = FirestoreDb::deserialize_doc_to(&document).unwrap();
                    self.visits.insert(id, user.visits);
                }
                "CHANGE"
            }
            FirestoreListenEvent::DocumentDelete(gone) => {
                self.visits.remove(&id_of(&gone.document));
                "DELETE"
            }
            FirestoreListenEvent::DocumentRemove(gone) => {
                self.visits.remove(&id_of(&gone.document));
                "REMOVE_DOCUMENT"
            }
            FirestoreListenEvent::Filter(_) => "FILTER",
        };
        self.kinds.push(kind.to_owned());
    }
}

fn id_of(name: &str) -> String {
    name.rsplit('/').next().unwrap_or_default().to_owned()
}
