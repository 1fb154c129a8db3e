//! One Listen stream. It has no task of its own: it moves when the connection asks it for the next message.

use super::message;
use super::target::Target;
use crate::firestore::documents::Version;
use crate::firestore::faults::{ListenStyle, unavailable};
use crate::firestore::state::{State, Wake};
use futures::{Stream, StreamExt, stream};
use gcloud_sdk::google::firestore::v1::listen_request::TargetChange;
use gcloud_sdk::google::firestore::v1::{self as v1, ListenRequest, ListenResponse};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::watch;
use tonic::{Status, Streaming};

/// The answers to a client's Listen; `database` is `projects/P/databases/D`.
pub(in crate::firestore) fn open(
    state: Arc<State>,
    database: String,
    requests: Streaming<ListenRequest>,
) -> impl Stream<Item = Result<ListenResponse, Status>> + Send + use<> {
    let session = Session::new(state, database, requests);
    stream::unfold(session, |mut session| async move { session.next().await.map(|answer| (answer, session)) })
}

struct Session {
    state: Arc<State>,
    database: String,
    requests: Streaming<ListenRequest>,
    wake: watch::Receiver<Wake>,
    /// The bell as it was heeded last.
    heeded: Wake,
    targets: BTreeMap<i32, Target>,
    /// All changes up to this commit have been told.
    told: Version,
    /// What is to be sent. Filled only when it is empty: its bound is one answer, at most the results of all targets.
    outbox: VecDeque<ListenResponse>,
    ending: Ending,
}

enum Ending {
    No,
    With(Status),
    Over,
}

impl Session {
    fn new(state: Arc<State>, database: String, requests: Streaming<ListenRequest>) -> Self {
        state.counts.listening.fetch_add(1, Ordering::Relaxed);
        let mut wake = state.wake.subscribe();
        let heeded = *wake.borrow_and_update();
        let told = state.database().documents.version();
        let (targets, outbox) = (BTreeMap::new(), VecDeque::new());
        Self { state, database, requests, wake, heeded, targets, told, outbox, ending: Ending::No }
    }

    async fn next(&mut self) -> Option<Result<ListenResponse, Status>> {
        loop {
            if let Some(message) = self.outbox.pop_front() {
                return Some(Ok(message));
            }
            match std::mem::replace(&mut self.ending, Ending::Over) {
                Ending::Over => return None,
                Ending::With(status) => return Some(Err(status)),
                Ending::No => self.ending = Ending::No,
            }
            tokio::select! {
                request = self.requests.next() => match request {
                    Some(Ok(request)) => self.ask(request),
                    Some(Err(_)) | None => return None,
                },
                changed = self.wake.changed() => match changed {
                    Ok(()) => self.heed(),
                    Err(_) => return None,
                },
            }
        }
    }

    fn ask(&mut self, request: ListenRequest) {
        match request.target_change {
            Some(TargetChange::AddTarget(wanted)) => self.add(wanted),
            Some(TargetChange::RemoveTarget(id)) => {
                self.targets.remove(&id);
                self.outbox.push_back(message::removed(id));
            }
            None => self.ending = Ending::With(Status::invalid_argument("a Listen request names no target")),
        }
    }

    fn add(&mut self, mut wanted: v1::Target) {
        if wanted.target_id == 0 {
            wanted.target_id = self.targets.keys().next_back().map_or(1, |last| last.saturating_add(1));
        }
        let (id, once) = (wanted.target_id, wanted.once);
        let mut target = match Target::new(wanted) {
            Ok(target) => target,
            Err(status) => return self.ending = Ending::With(status),
        };
        // The targets that are there already come to the same moment first: what follows is consistent for all.
        self.catch_up();
        let style = self.state.plan().style;
        let database = self.state.database();
        self.outbox.extend(target.begin(&database.documents, style));
        self.outbox.push_back(message::consistent(&database.documents));
        if once {
            self.outbox.push_back(message::removed(id));
        } else {
            self.targets.insert(id, target);
        }
    }

    /// The bell rang: a commit, or a fault.
    fn heed(&mut self) {
        let wake = *self.wake.borrow_and_update();
        let heeded = std::mem::replace(&mut self.heeded, wake);
        let refusal = self.state.plan().refusal;
        if let Some(refusal) = refusal {
            self.ending = Ending::With(refusal.status(&self.database));
        } else if wake.drops != heeded.drops {
            self.ending = Ending::With(unavailable());
        } else {
            self.catch_up();
            if wake.resets != heeded.resets {
                self.reset_all();
            }
            if wake.filters != heeded.filters {
                self.filter_all();
            }
        }
    }

    fn catch_up(&mut self) {
        let plan = *self.state.plan();
        let database = self.state.database();
        let documents = &database.documents;
        if documents.version() == self.told {
            return;
        }
        let changed = documents.changed_since(self.told);
        let mut messages = Vec::new();
        for target in self.targets.values_mut() {
            messages.extend(match &changed {
                None => target.begin_again(documents, plan.style),
                Some(changed) if plan.style == ListenStyle::Deltas => target.follow(changed, documents),
                Some(changed) => target.repeat(changed, documents),
            });
        }
        self.told = documents.version();
        // Production gives the time also when nothing changed for these targets; Google's emulator is silent then.
        let is_news = plan.style == ListenStyle::Deltas || !messages.is_empty();
        if is_news && !plan.withholding {
            self.outbox.extend(messages);
            self.outbox.push_back(message::consistent(documents));
        }
    }

    fn reset_all(&mut self) {
        let style = self.state.plan().style;
        let database = self.state.database();
        for target in self.targets.values_mut() {
            self.outbox.extend(target.begin_again(&database.documents, style));
        }
        self.outbox.push_back(message::consistent(&database.documents));
    }

    fn filter_all(&mut self) {
        let database = self.state.database();
        self.outbox.extend(self.targets.values().map(Target::filter));
        self.outbox.push_back(message::consistent(&database.documents));
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.state.counts.listening.fetch_sub(1, Ordering::Relaxed);
    }
}
