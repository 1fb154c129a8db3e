//! The documents as they are, and a log of what changed: what a Listen stream needs to resume.
//!
//! Names are whole resource names (`projects/…/databases/…/documents/users/alice`), so several projects and databases lie beside
//! one another without knowing.

use gcloud_sdk::google::firestore::v1::Document;
use prost_types::Timestamp;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// How many changes are remembered. A resume token from before them is answered by RESET.
const LOG_LENGTH: usize = 50_000;

/// The time of a commit in microseconds since 1970. Every commit has its own: a later one is always greater.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version(u64);

impl Version {
    fn now() -> Self {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(since_1970.as_micros().try_into().unwrap_or(u64::MAX))
    }

    pub fn from_timestamp(time: &Timestamp) -> Self {
        let seconds = u64::try_from(time.seconds).unwrap_or(0);
        let micros = u64::try_from(time.nanos / 1000).unwrap_or(0);
        Self(seconds.saturating_mul(1_000_000).saturating_add(micros))
    }

    pub fn timestamp(self) -> Timestamp {
        let nanos = i32::try_from(self.0 % 1_000_000).unwrap_or(0) * 1000;
        Timestamp { seconds: i64::try_from(self.0 / 1_000_000).unwrap_or(i64::MAX), nanos }
    }

    /// What a server timestamp field gets: Firestore gives milliseconds.
    pub fn server_timestamp(self) -> Timestamp {
        Self(self.0 / 1000 * 1000).timestamp()
    }

    /// The version of a document: its update time.
    pub fn of(document: &Document) -> Self {
        document.update_time.as_ref().map(Self::from_timestamp).unwrap_or_default()
    }
}

/// One document changed in one commit.
#[derive(Clone, Debug)]
struct Change {
    at: Version,
    name: String,
    before: Option<Arc<Document>>,
}

pub(super) type Live = BTreeMap<String, Arc<Document>>;

#[derive(Debug)]
pub(super) struct Documents {
    live: Live,
    log: VecDeque<Change>,
    last: Version,
    /// Up to and with this version the log is not complete.
    forgotten: Version,
    /// Stands in every resume token; tokens of another epoch are unknown.
    epoch: u64,
}

impl Documents {
    pub fn new() -> Self {
        let now = Version::now();
        Self { live: Live::new(), log: VecDeque::new(), last: now, forgotten: Version::default(), epoch: now.0 }
    }

    /// Loses everything, the resume tokens as well.
    pub fn clear(&mut self) {
        self.live.clear();
        self.log.clear();
        self.last = self.next_version();
        self.forgotten = self.last;
        self.forget_tokens();
    }

    pub fn forget_tokens(&mut self) {
        self.epoch = self.next_version().0.max(self.epoch + 1);
    }

    pub fn get(&self, name: &str) -> Option<&Arc<Document>> {
        self.live.get(name)
    }

    pub fn version_of(&self, name: &str) -> Option<Version> {
        self.get(name).map(|document| Version::of(document))
    }

    pub fn len(&self) -> usize {
        self.live.len()
    }

    pub fn live(&self) -> &Live {
        &self.live
    }

    /// The last commit.
    pub fn version(&self) -> Version {
        self.last
    }

    /// The time of a read that happens now.
    pub fn read_time(&self) -> Timestamp {
        self.last.max(Version::now()).timestamp()
    }

    /// The version of a commit that happens now.
    pub fn next_version(&self) -> Version {
        Version::now().max(Version(self.last.0 + 1))
    }

    /// Carries out one commit. What is as it was leaves no trace.
    pub fn commit(&mut self, at: Version, changes: BTreeMap<String, Option<Document>>) {
        self.last = at;
        for (name, after) in changes {
            let after = after.map(Arc::new);
            let before = match &after {
                Some(document) => self.live.insert(name.clone(), Arc::clone(document)),
                None => self.live.remove(&name),
            };
            if before != after {
                self.log.push_back(Change { at, name, before });
            }
        }
        while self.log.len() > LOG_LENGTH {
            self.forgotten = self.log.pop_front().map_or(self.forgotten, |change| change.at);
        }
    }

    /// The names of what changed after that version, in the order of their last change. `None` if that is forgotten.
    pub fn changed_since(&self, version: Version) -> Option<Vec<&str>> {
        if version < self.forgotten {
            return None;
        }
        let mut names = Vec::new();
        let mut seen = std::collections::HashSet::new();
        for change in self.log.iter().rev().take_while(|change| change.at > version) {
            if seen.insert(change.name.as_str()) {
                names.push(change.name.as_str());
            }
        }
        names.reverse();
        Some(names)
    }

    /// Everything as it was right after that version. `None` if that is forgotten.
    pub fn as_of(&self, version: Version) -> Option<Live> {
        if version < self.forgotten {
            return None;
        }
        let mut past = self.live.clone();
        for change in self.log.iter().rev().take_while(|change| change.at > version) {
            match &change.before {
                Some(document) => past.insert(change.name.clone(), Arc::clone(document)),
                None => past.remove(&change.name),
            };
        }
        Some(past)
    }

    /// What a Listen stream resumes with, as of the last commit.
    pub fn token(&self) -> Vec<u8> {
        [self.epoch.to_be_bytes(), self.last.0.to_be_bytes()].concat()
    }

    /// The version of a token that was given out by this server in this epoch.
    pub fn version_of_token(&self, token: &[u8]) -> Option<Version> {
        let (epoch, version) = token.split_first_chunk::<8>()?;
        let version = u64::from_be_bytes(version.try_into().ok()?);
        (u64::from_be_bytes(*epoch) == self.epoch).then_some(Version(version))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commit(documents: &mut Documents, name: &str, exists: bool) -> Version {
        let at = documents.next_version();
        let update_time = Some(at.timestamp());
        let document = exists.then(|| Document { name: name.to_owned(), update_time, ..Document::default() });
        documents.commit(at, BTreeMap::from([(name.to_owned(), document)]));
        at
    }

    #[test]
    fn the_past_can_be_read() {
        let mut documents = Documents::new();
        let begin = documents.version();
        let one = commit(&mut documents, "a", true);
        let two = commit(&mut documents, "b", true);
        let three = commit(&mut documents, "a", false);
        assert!(begin < one && one < two && two < three);
        let names = |version| documents.as_of(version).map(|past| past.into_keys().collect::<Vec<_>>());
        assert_eq!(names(begin), Some(vec![]));
        assert_eq!(names(two), Some(vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!(names(three), Some(vec!["b".to_owned()]));
        assert_eq!(documents.changed_since(begin), Some(vec!["b", "a"]));
        assert_eq!(documents.changed_since(two), Some(vec!["a"]));
    }

    #[test]
    fn tokens_live_as_long_as_their_epoch() {
        let mut documents = Documents::new();
        let token = documents.token();
        assert_eq!(documents.version_of_token(&token), Some(documents.version()));
        assert_eq!(documents.version_of_token(b"strange"), None);
        documents.forget_tokens();
        assert_eq!(documents.version_of_token(&token), None);
        let token = documents.token();
        documents.clear();
        assert_eq!(documents.version_of_token(&token), None);
    }

    #[test]
    fn timestamps_are_exact_to_the_microsecond() {
        let version = Version(1_795_000_000_123_456);
        assert_eq!(Version::from_timestamp(&version.timestamp()), version);
        assert_eq!(version.server_timestamp().nanos, 123_000_000);
    }
}
