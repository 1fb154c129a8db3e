//! Listening to the users' collection: the tasks behind the live view, and the handle that the store has on them.
//!
//! ```text
//!  stream ──events──▶ LiveView ──▶ watch channel
//!  our own writes ──▶    │ ├──▶ typed:     seal_typed
//!                        │ ├──▶ keep:      the local database
//!                        └─└──▶ questions: read again, where the server's word contradicts ours
//! ```
//!
//! When Firestore does not answer at the start, the view begins with what was kept locally, and converges when it does.

use super::client::Documents;
use super::fault::Fault;
use super::keep::{self, Keeping};
use super::link::{Link, State};
use super::pending::Pending;
use super::seal_typed;
use super::stream;
use super::value::RawDocument;
use super::view::{Event, LiveView};
use crate::{Keyring, Revision, SqliteStore, StoreError, UserView};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long a contradiction may last before the server is asked.
const DOUBT: Duration = Duration::from_millis(200);
/// How often a server that was out of reach at the start is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How long, and how often. The defaults are for production.
#[derive(Debug, Clone)]
pub struct ListenOptions {
    /// A cheap read on the listener's own connection tells whether that still answers.
    pub probe_every: Duration,
    /// How long such a read, or the first word on a new stream, may take.
    pub probe_patience: Duration,
    /// Names and times of all documents are compared with the view.
    pub compare_every: Duration,
    /// What is on its way when they differ has this long to arrive.
    pub compare_settles: Duration,
    /// The wait before the second attempt to reach the server; it doubles up to `longest_delay`.
    pub first_delay: Duration,
    pub longest_delay: Duration,
    /// How long the start waits for the first word of the server before it uses what was kept.
    pub start_patience: Duration,
    /// How long the start waits for the whole collection, once it is coming.
    pub load_patience: Duration,
    /// Changes of this time are kept locally together.
    pub keep_after: Duration,
    /// The wait before keeping is tried again.
    pub keep_again: Duration,
}

impl Default for ListenOptions {
    fn default() -> Self {
        Self {
            probe_every: Duration::from_secs(30),
            probe_patience: Duration::from_secs(5),
            compare_every: Duration::from_secs(60 * 60),
            compare_settles: Duration::from_secs(5),
            first_delay: Duration::from_millis(500),
            longest_delay: Duration::from_secs(30),
            start_patience: Duration::from_secs(8),
            load_patience: Duration::from_secs(120),
            keep_after: Duration::from_millis(250),
            keep_again: Duration::from_secs(5),
        }
    }
}

/// What the tasks have in common.
pub(super) struct Shared {
    pub documents: Arc<Documents>,
    pub keyring: Arc<Keyring>,
    pub local: SqliteStore,
    /// What the kept documents are filed under: `projects/…/databases/…`
    pub source: String,
    pub options: ListenOptions,
    pub link: Link,
    /// Held for parsing and publishing, never across an await.
    view: Mutex<LiveView>,
    published: watch::Sender<Arc<UserView>>,
    pub keep: Keeping,
    pub typed: Pending<RawDocument>,
    /// The revision that was held, and [`super::view::Outputs::asked`].
    questions: Pending<(Revision, u64)>,
    /// The stream is to begin anew, with the whole collection.
    pub resync: Notify,
    pub cancel: CancellationToken,
}

impl Shared {
    /// Feeds the view and carries out what follows.
    pub fn apply(&self, event: Event) {
        let mut view = self.view.lock().unwrap_or_else(PoisonError::into_inner);
        let out = view.handle(event);
        if let Some(shown) = out.view {
            // Under the lock, so that views are published in their order.
            self.published.send_replace(shown);
        }
        self.keep.add(out.keep);
        self.typed.add(out.typed.into_iter().map(|document| (document.name.clone(), document)));
        self.questions.add(out.verify.into_iter().map(|(name, held)| (name, (held, out.asked))));
        if out.resync {
            tracing::info!("Firestore counts other documents than were told of; all are read again");
            self.resync.notify_one();
        }
    }

    /// Looks at the view.
    pub fn ask<R>(&self, question: impl FnOnce(&LiveView) -> R) -> R {
        question(&self.view.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn adopt(&self, kept: Vec<RawDocument>) {
        let mut view = self.view.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(shown) = view.adopt(kept) {
            self.published.send_replace(shown);
        }
    }
}

/// The live view of one collection, and the tasks that keep it live.
pub(super) struct Listener {
    shared: Arc<Shared>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

impl Listener {
    /// Shows all users when it returns: as Firestore has them, or as they were kept when it does not answer.
    ///
    /// [`StoreError::Unavailable`], or [`StoreError::Setup`] where waiting does not help, when it does not and nothing is kept.
    pub async fn start(
        documents: Arc<Documents>,
        keyring: Arc<Keyring>,
        local: SqliteStore,
        options: ListenOptions,
        tracker: &TaskTracker,
        cancel: CancellationToken,
    ) -> Result<Self, StoreError> {
        let place = documents.place().clone();
        let shared = Arc::new(Shared {
            source: place.path(),
            link: Link::new(place),
            view: Mutex::new(LiveView::new(keyring.clone())),
            published: watch::Sender::new(Arc::default()),
            keep: Keeping::default(),
            typed: Pending::default(),
            questions: Pending::default(),
            resync: Notify::new(),
            documents,
            keyring,
            local,
            options,
            cancel,
        });
        let listener = Self { tasks: Mutex::new(spawn(&shared, tracker)), shared };
        match listener.first_view().await {
            Ok(()) => Ok(listener),
            Err(fault) => {
                listener.close().await;
                Err(fault)
            }
        }
    }

    async fn first_view(&self) -> Result<(), StoreError> {
        let Some(fault) = self.synced().await else { return Ok(()) };
        let shared = &self.shared;
        let Some(kept) = shared.local.kept(&shared.source).await? else { return self.without_anything(fault).await };
        tracing::warn!(users = kept.len(), "Firestore is out of reach: starting with the users as they were last seen");
        let kept = kept.into_iter().map(|(name, kept)| RawDocument { name, revision: kept.revision, body: kept.body });
        shared.adopt(kept.collect());
        Ok(())
    }

    /// There is nothing to start from: a server that is slow gets some more time, one that refuses does not.
    async fn without_anything(&self, fault: Fault) -> Result<(), StoreError> {
        let mut last = fault;
        let more = async {
            while !matches!(last, Fault::Refused(_)) {
                tokio::time::sleep(LOOK_EVERY).await;
                match self.synced().await {
                    None => return true,
                    Some(fault) => last = fault,
                }
            }
            false
        };
        match tokio::time::timeout(self.shared.options.start_patience, more).await {
            Ok(true) => Ok(()),
            _ => Err(match last {
                Fault::Refused(text) => StoreError::Setup(text),
                fault => fault.unavailable(self.shared.documents.place()),
            }),
        }
    }

    /// Waits until the view is the server's, or says why it is not.
    async fn synced(&self) -> Option<Fault> {
        let options = &self.shared.options;
        let mut state = self.shared.link.subscribe();
        let first = tokio::time::timeout(options.start_patience, state.wait_for(|state| !matches!(state, State::Connecting)));
        match first.await {
            Ok(Ok(heard)) => {
                if let State::Lost { fault, .. } = &*heard {
                    return Some(fault.clone());
                }
            }
            _ => return Some(Fault::Unreachable(format!("no answer within {:.0?}", options.start_patience))),
        }
        let mut published = self.shared.published.subscribe();
        let whole = async {
            // The view of an empty collection publishes nothing: the state is looked at again and again.
            while !self.shared.ask(LiveView::is_synced) {
                let _ = tokio::time::timeout(Duration::from_millis(5), published.changed()).await;
            }
        };
        let lost = state.wait_for(|state| matches!(state, State::Lost { .. }));
        tokio::select! {
            () = whole => None,
            lost = lost => Some(match lost.as_deref() {
                Ok(State::Lost { fault, .. }) => fault.clone(),
                _ => Fault::Unreachable("listening has ended".to_owned()),
            }),
            () = tokio::time::sleep(options.load_patience) => {
                Some(Fault::Unreachable(format!("the users did not arrive within {:.0?}", options.load_patience)))
            }
        }
    }

    /// Shows our own write.
    pub fn wrote(&self, document: RawDocument) {
        self.shared.apply(Event::Wrote(document));
    }

    /// Shows our own deletion. `at` is its time, 0 when that is not known.
    pub fn deleted(&self, name: &str, at: Revision) {
        self.shared.apply(Event::Deleted { name: name.to_owned(), at });
    }

    pub fn watch(&self) -> watch::Receiver<Arc<UserView>> {
        self.shared.published.subscribe()
    }

    pub fn health(&self) -> Result<(), StoreError> {
        self.shared.link.health()
    }

    /// Ends the tasks, and keeps the last changes.
    pub async fn close(&self) {
        self.shared.cancel.cancel();
        let tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        for task in tasks {
            // The error is a task's panic, which has been reported where it happened.
            let _ = task.await;
        }
    }
}

fn spawn(shared: &Arc<Shared>, tracker: &TaskTracker) -> Vec<JoinHandle<()>> {
    let until_cancelled = |task: futures::future::BoxFuture<'static, ()>| {
        let cancel = shared.cancel.clone();
        tracker.spawn(async move { cancel.run_until_cancelled(task).await.unwrap_or(()) })
    };
    let (listen, answer, seal, kept) = (shared.clone(), shared.clone(), shared.clone(), shared.clone());
    vec![
        until_cancelled(Box::pin(async move { stream::run(&listen).await })),
        until_cancelled(Box::pin(async move { answer_questions(&answer).await })),
        until_cancelled(Box::pin(async move { seal_typed::run(&seal).await })),
        // Not cut off: it puts down what is left.
        tracker.spawn(async move { keep::run(&kept).await }),
    ]
}

/// Reads the documents about which the server's word and our own writes differ.
async fn answer_questions(shared: &Shared) {
    loop {
        shared.questions.wait().await;
        // Most doubts end by themselves, with the server's next word.
        tokio::time::sleep(DOUBT).await;
        for (name, (held, asked)) in shared.questions.take_all() {
            if !shared.ask(|view| view.doubts(&name)) {
                continue;
            }
            match shared.documents.get(&format!("{}/{name}", super::USERS)).await {
                Ok(Some(document)) => shared.apply(Event::Found { document: document.into(), asked }),
                Ok(None) => shared.apply(Event::Missing { name, at: held, asked }),
                // Comparing finds it, if it is still so.
                Err(fault) => tracing::debug!(name, ?fault, "a document could not be read again"),
            }
        }
    }
}
