//! Users and records in memory, with faults on cue.

use async_trait::async_trait;
use callie_domain::record::{CallEvent, CallFact, Cdr, SipMessage, Turn};
use callie_domain::{CallId, User, UserId};
use callie_store::{
    CallFilter, CallPage, ConfigStore, DocFault, Entry, RecordEntry, RecordStore, Revision, StoreError, StoredUser, UserView,
};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use tokio::sync::watch;

pub struct MemoryStore {
    view: watch::Sender<Arc<UserView>>,
    calls: Mutex<BTreeMap<CallId, (Cdr, Vec<CallEvent>)>>,
    signalling: Mutex<BTreeMap<CallId, Vec<SipMessage>>>,
    /// So many of the next writes find that somebody else was quicker.
    pub conflicts: AtomicUsize,
    pub writes: AtomicUsize,
    pub down: AtomicBool,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self {
            view: watch::Sender::new(Arc::default()),
            calls: Mutex::default(),
            signalling: Mutex::default(),
            conflicts: AtomicUsize::default(),
            writes: AtomicUsize::default(),
            down: AtomicBool::default(),
        }
    }
}

impl MemoryStore {
    /// What somebody broke by hand.
    pub fn break_document(&self, id: &str, last_good: bool) {
        let id: UserId = id.parse().expect("valid");
        self.edit(|view| {
            let last_good = view.users.get(&id).and_then(Entry::usable).filter(|_| last_good).cloned();
            let fault = DocFault::Malformed("line 1 column 2".into());
            view.users.insert(id.clone(), Entry::Faulty { fault, last_good });
        });
    }

    pub fn user(&self, id: &str) -> Option<Arc<User>> {
        let id = id.parse().expect("valid");
        Some(self.view.borrow().users.get(&id)?.usable()?.user.clone())
    }

    fn edit<T>(&self, change: impl FnOnce(&mut UserView) -> T) -> T {
        let mut outcome = None;
        self.view.send_modify(|view| {
            let mut new = UserView::clone(view);
            outcome = Some(change(&mut new));
            *view = Arc::new(new);
        });
        outcome.expect("send_modify runs its closure")
    }

    fn up(&self) -> Result<(), StoreError> {
        if self.down.load(Relaxed) { Err(StoreError::Unavailable("disk on fire".into())) } else { Ok(()) }
    }
}

#[async_trait]
impl ConfigStore for MemoryStore {
    async fn create(&self, user: &User) -> Result<StoredUser, StoreError> {
        self.up()?;
        self.edit(|view| {
            if view.users.contains_key(&user.id) {
                return Err(StoreError::AlreadyExists(user.id.clone()));
            }
            let stored = StoredUser { user: Arc::new(user.clone()), revision: 1 };
            view.users.insert(user.id.clone(), Entry::Good(stored.clone()));
            Ok(stored)
        })
    }

    async fn get(&self, id: &UserId) -> Result<Option<StoredUser>, StoreError> {
        self.up()?;
        match self.view.borrow().users.get(id) {
            None => Ok(None),
            Some(Entry::Good(stored)) => Ok(Some(stored.clone())),
            Some(Entry::Faulty { fault, .. }) => Err(StoreError::Faulty { user: id.clone(), fault: fault.to_string() }),
        }
    }

    async fn put(&self, user: &User, expected: Revision) -> Result<StoredUser, StoreError> {
        self.up()?;
        if self.conflicts.fetch_update(Relaxed, Relaxed, |n| n.checked_sub(1)).is_ok() {
            return Err(StoreError::Conflict(user.id.clone()));
        }
        self.writes.fetch_add(1, Relaxed);
        let stored = StoredUser { user: Arc::new(user.clone()), revision: expected + 1 };
        self.edit(|view| view.users.insert(user.id.clone(), Entry::Good(stored.clone())));
        Ok(stored)
    }

    async fn delete(&self, id: &UserId) -> Result<bool, StoreError> {
        self.up()?;
        Ok(self.edit(|view| view.users.remove(id).is_some()))
    }

    async fn delete_at(&self, id: &UserId, expected: Revision) -> Result<(), StoreError> {
        self.up()?;
        self.edit(|view| match view.users.get(id).and_then(Entry::usable).map(|stored| stored.revision) {
            None => Err(StoreError::NotFound(id.clone())),
            Some(revision) if revision != expected => Err(StoreError::Conflict(id.clone())),
            Some(_) => {
                view.users.remove(id);
                Ok(())
            }
        })
    }

    fn watch(&self) -> watch::Receiver<Arc<UserView>> {
        self.view.subscribe()
    }

    async fn health(&self) -> Result<(), StoreError> {
        self.up()
    }
}

#[async_trait]
impl RecordStore for MemoryStore {
    async fn keep(&self, entries: Vec<RecordEntry>) -> Vec<(RecordEntry, StoreError)> {
        let mut calls = self.calls.lock().expect("not poisoned");
        let mut signalling = self.signalling.lock().expect("not poisoned");
        for entry in entries {
            match entry {
                RecordEntry::Begin(cdr) => drop(calls.insert(cdr.id, (*cdr, Vec::new()))),
                RecordEntry::Append(call, events) => drop(calls.entry(call).and_modify(|(_, kept)| kept.extend(events))),
                RecordEntry::Finish(cdr, events) => drop(calls.insert(cdr.id, (*cdr, events))),
                RecordEntry::Recording(_) => {}
                RecordEntry::Signalling(messages) => {
                    for (call, messages) in messages {
                        signalling.entry(call).or_default().extend(messages);
                    }
                }
            }
        }
        Vec::new()
    }

    async fn get(&self, call: CallId) -> Result<Option<Cdr>, StoreError> {
        self.up()?;
        Ok(self.calls.lock().expect("not poisoned").get(&call).map(|(cdr, _)| cdr.clone()))
    }

    async fn events(&self, call: CallId) -> Result<Vec<CallEvent>, StoreError> {
        Ok(self.calls.lock().expect("not poisoned").get(&call).map(|(_, events)| events.clone()).unwrap_or_default())
    }

    async fn turns(&self, call: CallId) -> Result<Vec<Turn>, StoreError> {
        self.up()?;
        Ok(self.calls.lock().expect("not poisoned").get(&call).map(|(_, events)| turns(events)).unwrap_or_default())
    }

    async fn signalling(&self, call: CallId) -> Result<Vec<SipMessage>, StoreError> {
        self.up()?;
        Ok(self.signalling.lock().expect("not poisoned").get(&call).cloned().unwrap_or_default())
    }

    async fn list(&self, filter: &CallFilter) -> Result<CallPage, StoreError> {
        self.up()?;
        let fits = |cdr: &&Cdr| {
            filter.user_id.as_ref().is_none_or(|user| *user == cdr.user_id)
                && filter.direction.is_none_or(|direction| direction == cdr.direction)
                && filter.result.is_none_or(|result| cdr.termination.as_ref().is_some_and(|t| t.result == result))
                && filter.from.is_none_or(|from| cdr.started_at >= from)
                && filter.until.is_none_or(|until| cdr.started_at < until)
                && filter.min_duration_ms.is_none_or(|ms| cdr.talk_ms().is_some_and(|talk| talk >= ms))
                && filter.max_duration_ms.is_none_or(|ms| cdr.talk_ms().is_some_and(|talk| talk <= ms))
                && filter.before.is_none_or(|before| cdr.id < before)
        };
        let limit = if filter.limit == 0 { 50 } else { filter.limit };
        let kept = self.calls.lock().expect("not poisoned");
        let said = |cdr: &&Cdr| filter.text.is_none() || !matches(filter, &kept[&cdr.id].1).is_empty();
        let mut calls: Vec<Cdr> =
            kept.values().rev().map(|(cdr, _)| cdr).filter(fits).filter(said).take(limit + 1).cloned().collect();
        let more = calls.len() > limit;
        calls.truncate(limit);
        let next = calls.last().filter(|_| more).map(|cdr| cdr.id);
        let found = calls.iter().map(|cdr| (cdr.id, matches(filter, &kept[&cdr.id].1)));
        Ok(CallPage { next, matches: found.filter(|(_, turns)| !turns.is_empty()).collect(), calls })
    }

    async fn close_orphans(&self, _: Timestamp) -> Result<Vec<Cdr>, StoreError> {
        Ok(Vec::new())
    }
}

/// The turns with the very text that is looked for: a poor relation of the real search.
fn matches(filter: &CallFilter, events: &[CallEvent]) -> Vec<Turn> {
    let Some(text) = &filter.text else { return Vec::new() };
    turns(events).into_iter().filter(|turn| turn.text.contains(text)).collect()
}

fn turns(events: &[CallEvent]) -> Vec<Turn> {
    let turns = events.iter().filter_map(|event| match &event.fact {
        CallFact::Turn { turn } => Some((turn.index, turn.clone())),
        _ => None,
    });
    turns.collect::<BTreeMap<_, _>>().into_values().collect()
}
