//! The live view of a Firestore collection, as a value: events in, what follows from them out. It opens no connection, reads no
//! clock and awaits nothing; `listen` feeds it from the server, `documents` with our own writes.
//!
//! ```text
//!  unresumed ADD, RESET ──▶ staging ◀── changes        CURRENT: staging becomes the view, what it lacks is gone
//!  (in sync)                dirty   ◀── changes        CURRENT, NO_CHANGE with a time: dirty goes into the view
//!  our own writes ────────▶ view, at once
//! ```
//!
//! Production sends differences; Google's emulator answers every change with RESET and the whole set, and a deletion is
//! there no event at all. Both give the same view here. A stream may tell what we know to be over: a document older than
//! the one shown is passed over, and so is one that was deleted since. Where a whole set contradicts what we did ourselves,
//! [`Outputs::verify`] asks the server instead of guessing.

mod event;
#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;

pub(super) use event::{Event, Keep, Outputs};

use super::value::RawDocument;
use crate::{Entry, Keyring, Revision, StoredUser, UserView, doc};
use callie_domain::UserId;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// How long it is remembered that a document was deleted, on the server's clock: longer than any event takes to arrive.
const TOMBSTONE_MICROS: u64 = 600_000_000;

/// What is known of a document that exists.
struct Held {
    revision: Revision,
    /// From the last run; not yet seen at the server in this one.
    kept: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Source {
    /// It is in the server's word on the collection.
    Server,
    /// It was written, or read, beside that.
    Ours,
    Kept,
}

struct Tombstone {
    at: Revision,
    noted: u64,
}

enum Change {
    Put(RawDocument),
    Gone(Revision),
}

/// The view and what is on its way into it.
pub(super) struct LiveView {
    keyring: Arc<Keyring>,
    view: Arc<UserView>,
    held: HashMap<String, Held>,
    /// Our own writes, of which the server has not told yet.
    unconfirmed: BTreeSet<String>,
    staging: Option<HashMap<String, RawDocument>>,
    dirty: BTreeMap<String, Change>,
    tombstones: HashMap<String, Tombstone>,
    /// The view has all that happened up to here.
    consistent_at: Revision,
    /// Counts events, to tell answers that were overtaken.
    seq: u64,
    synced: bool,
    moved: bool,
}

impl LiveView {
    /// An empty view.
    pub fn new(keyring: Arc<Keyring>) -> Self {
        Self {
            keyring,
            view: Arc::default(),
            held: HashMap::new(),
            unconfirmed: BTreeSet::new(),
            staging: None,
            dirty: BTreeMap::new(),
            tombstones: HashMap::new(),
            consistent_at: 0,
            seq: 0,
            synced: false,
            moved: false,
        }
    }

    /// Takes in what was kept from the last run, unless the server has told by now.
    pub fn adopt(&mut self, kept: Vec<RawDocument>) -> Option<Arc<UserView>> {
        if !self.synced {
            kept.into_iter().for_each(|document| self.show(document, Source::Kept, &mut Outputs::default()));
        }
        std::mem::take(&mut self.moved).then(|| self.view.clone())
    }

    /// Whether the view has been the server's whole set at some time.
    pub fn is_synced(&self) -> bool {
        self.synced
    }

    /// Whether nothing is on its way: a token that came with this state leads on from the view.
    pub fn is_settled(&self) -> bool {
        self.synced && self.staging.is_none() && self.dirty.is_empty()
    }

    /// Whether a question about the document still stands.
    pub fn doubts(&self, name: &str) -> bool {
        self.unconfirmed.contains(name) || self.tombstones.contains_key(name)
    }

    pub fn handle(&mut self, event: Event) -> Outputs {
        self.seq += 1;
        let mut out = Outputs { asked: self.seq, ..Outputs::default() };
        match event {
            Event::Added { resumed } => self.begin(resumed && self.synced),
            Event::Reset => self.begin(false),
            Event::Changed(document) => self.stage(document),
            Event::Gone { name, at } => self.stage_gone(name, at),
            Event::Current => self.complete(&mut out),
            Event::Consistent { at } => self.consistent(at, &mut out),
            Event::Filter { count } => out.resync = self.miscounts(count),
            Event::Wrote(document) => self.wrote(document, &mut out),
            Event::Deleted { name, at } => self.gone(&name, at, &mut out),
            Event::Found { document, asked } => self.found(document, asked, &mut out),
            Event::Missing { name, at, asked } => self.missing(&name, at, asked, &mut out),
        }
        out.view = std::mem::take(&mut self.moved).then(|| self.view.clone());
        out
    }

    /// Names whose listed revision is not the one held, in either direction; `listing` is the whole collection.
    pub fn differences(&self, listing: &HashMap<String, Revision>) -> Vec<String> {
        let newer = listing.iter().filter(|(name, revision)| {
            let buried = self.tombstones.get(*name).is_some_and(|tombstone| tombstone.at >= **revision);
            !buried && self.held.get(*name).is_none_or(|held| held.revision < **revision)
        });
        let vanished = self.held.keys().filter(|name| !listing.contains_key(*name));
        newer.map(|(name, _)| name).chain(vanished).cloned().collect()
    }

    fn begin(&mut self, resumed: bool) {
        self.dirty.clear();
        self.staging = (!resumed).then(HashMap::new);
    }

    fn stage(&mut self, document: RawDocument) {
        match &mut self.staging {
            Some(staging) => put_newer(staging, document),
            None => drop(self.dirty.insert(document.name.clone(), Change::Put(document))),
        }
    }

    fn stage_gone(&mut self, name: String, at: Revision) {
        match &mut self.staging {
            Some(staging) => drop(staging.remove(&name)),
            None => drop(self.dirty.insert(name, Change::Gone(at))),
        }
    }

    fn complete(&mut self, out: &mut Outputs) {
        if let Some(staging) = self.staging.take() {
            self.swap(staging, out);
        }
        self.flush(out);
    }

    fn consistent(&mut self, at: Revision, out: &mut Outputs) {
        if self.staging.is_none() {
            self.flush(out);
            self.consistent_at = self.consistent_at.max(at);
            // The server's word is newer than these writes and does not have them: somebody deleted them again.
            let untold = self.unconfirmed.iter().filter_map(|name| Some((name.clone(), self.held.get(name)?.revision)));
            out.verify.extend(untold.filter(|(_, revision)| *revision <= at));
        }
        self.tombstones.retain(|_, tombstone| tombstone.at.saturating_add(TOMBSTONE_MICROS) > at);
    }

    /// The whole set takes the view's place. It has no time to go by: Google's emulator says one that its documents do not
    /// bear out when many are written at once.
    fn swap(&mut self, staging: HashMap<String, RawDocument>, out: &mut Outputs) {
        let absent = self.held.iter().filter(|(name, _)| !staging.contains_key(*name));
        let absent: Vec<_> = absent.map(|(name, held)| (name.clone(), held.revision)).collect();
        for (name, revision) in absent {
            match self.unconfirmed.contains(&name) {
                true => out.verify.push((name, revision)),
                false => self.remove(&name, revision, out),
            }
        }
        for (name, document) in staging {
            match self.is_buried(&document) {
                true => out.verify.push((name, 0)),
                false => self.show(document, Source::Server, out),
            }
        }
        if !self.synced {
            self.synced = true;
            out.keep.push(Keep::Only(self.held.keys().cloned().collect()));
        }
    }

    fn flush(&mut self, out: &mut Outputs) {
        for (name, change) in std::mem::take(&mut self.dirty) {
            match change {
                Change::Put(document) if self.is_buried(&document) => {}
                Change::Put(document) => self.show(document, Source::Server, out),
                Change::Gone(at) => self.gone(&name, at, out),
            }
        }
    }

    /// Gone as of `at`, unless we know it to be younger. A time that the server did not say is that of what we hold.
    fn gone(&mut self, name: &str, at: Revision, out: &mut Outputs) {
        if self.held.get(name).is_none_or(|held| at == 0 || held.revision <= at) {
            self.remove(name, at, out);
        }
    }

    fn wrote(&mut self, document: RawDocument, out: &mut Outputs) {
        if !self.is_buried(&document) {
            self.show_ours(document, out);
        }
    }

    fn found(&mut self, document: RawDocument, asked: u64, out: &mut Outputs) {
        if self.tombstones.get(&document.name).is_some_and(|tombstone| tombstone.noted > asked) {
            return;
        }
        self.tombstones.remove(&document.name);
        self.show_ours(document, out);
    }

    /// What came beside the server's word on the collection. Where that word is newer already and lacked it, somebody may have
    /// deleted it since: so it is asked for.
    fn show_ours(&mut self, document: RawDocument, out: &mut Outputs) {
        let is_news = self.held.get(&document.name).is_none_or(|held| held.revision < document.revision);
        if is_news && document.revision <= self.consistent_at {
            out.verify.push((document.name.clone(), document.revision));
        }
        // Not into a set that is on its way: whether that one is from before or after is settled when it is whole.
        self.show(document, Source::Ours, out);
    }

    fn missing(&mut self, name: &str, at: Revision, asked: u64, out: &mut Outputs) {
        // What was written or deleted since is the newer word.
        let overtaken = self.tombstones.get(name).is_some_and(|tombstone| tombstone.noted > asked);
        if !overtaken && self.held.get(name).is_none_or(|held| held.revision <= at) {
            self.remove(name, at, out);
        }
    }

    /// Takes the document into the view, unless what is there is newer.
    fn show(&mut self, document: RawDocument, source: Source, out: &mut Outputs) {
        let revision = document.revision;
        let old = self.held.get(&document.name);
        if old.is_some_and(|old| old.revision > revision) {
            return;
        }
        if source == Source::Server {
            self.unconfirmed.remove(&document.name);
        }
        if old.is_some_and(|old| old.revision == revision && !old.kept) {
            return;
        }
        if source == Source::Ours {
            self.unconfirmed.insert(document.name.clone());
        }
        self.tombstones.remove(&document.name);
        self.held.insert(document.name.clone(), Held { revision, kept: source == Source::Kept });
        self.read(document, out);
    }

    fn remove(&mut self, name: &str, at: Revision, out: &mut Outputs) {
        let revision = self.held.remove(name).map(|held| held.revision);
        self.unconfirmed.remove(name);
        let at = at.max(revision.unwrap_or(0));
        let tombstone = self.tombstones.entry(name.to_owned()).or_insert(Tombstone { at, noted: self.seq });
        *tombstone = Tombstone { at: tombstone.at.max(at), noted: self.seq };
        if revision.is_none() {
            return;
        }
        out.keep.push(Keep::Drop(name.to_owned()));
        if let Ok(id) = name.parse::<UserId>() {
            Arc::make_mut(&mut self.view).users.remove(&id);
            self.moved = true;
        }
    }

    /// Parses the document by itself: a fault in it is this one user's.
    fn read(&mut self, document: RawDocument, out: &mut Outputs) {
        let Ok(id) = document.name.parse::<UserId>() else {
            tracing::warn!(name = document.name, "a document is passed over, because its name is not one of a user");
            return;
        };
        let old = self.view.users.get(&id);
        let entry = match doc::read(&id, &document.body, &self.keyring) {
            Ok(user) => {
                // An unchanged user stays the same value: whoever compares sees that nothing happened but a new revision.
                let same = old.and_then(Entry::usable).filter(|old| *old.user == user).map(|old| old.user.clone());
                if doc::holds_typed_secret(&document.body) {
                    out.typed.push(document.clone());
                }
                let revision = document.revision;
                out.keep.push(Keep::Put(document));
                Entry::Good(StoredUser { user: same.unwrap_or_else(|| Arc::new(user)), revision })
            }
            Err(fault) => {
                tracing::warn!(user.id = %id, %fault, "a document cannot be used; the last good configuration goes on");
                Entry::Faulty { fault, last_good: old.and_then(Entry::usable).cloned() }
            }
        };
        if old != Some(&entry) {
            Arc::make_mut(&mut self.view).users.insert(id, entry);
            self.moved = true;
        }
    }

    /// Whether we know of a deletion that came after this document.
    fn is_buried(&self, document: &RawDocument) -> bool {
        self.tombstones.get(&document.name).is_some_and(|tombstone| tombstone.at >= document.revision)
    }

    fn miscounts(&self, count: usize) -> bool {
        if self.staging.is_some() {
            return false; // The whole set is on its way.
        }
        let coming =
            self.dirty.iter().filter(|(name, change)| matches!(change, Change::Put(_)) && !self.held.contains_key(*name));
        let going = self.dirty.iter().filter(|(name, change)| matches!(change, Change::Gone(_)) && self.held.contains_key(*name));
        self.held.len() + coming.count() != count + going.count()
    }
}

fn put_newer(staging: &mut HashMap<String, RawDocument>, document: RawDocument) {
    if staging.get(&document.name).is_none_or(|staged| staged.revision <= document.revision) {
        staging.insert(document.name.clone(), document);
    }
}
