//! Who changed what, and who listened to what: a list that can be added to and not changed unnoticed.
//!
//! Each entry carries the SHA-256 of the one before it and of its own content. Whoever changes, removes or moves an entry in
//! the database breaks the chain there. Entries cut off its end are noticed by whoever has kept a later head.

use crate::StoreError;
use async_trait::async_trait;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

/// SHA-256 of an entry and, through it, of all before.
pub type Link = [u8; 32];

/// What the first entry names as the one before.
pub const BEGINNING: Link = [0; 32];

/// Something that somebody did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deed {
    pub at: Timestamp,
    /// The name of a key, of a person, `this machine`, or `command line`.
    pub actor: String,
    /// `admin`, `operator` or `user alice`.
    pub role: String,
    /// How it was proven: `key abcd1234`, `session`, `token`, `loopback`, `command line`.
    pub via: String,
    /// The address that it came from, where it came over the network.
    pub address: String,
    /// The operation: `PUT /users/{user_id}`.
    pub action: String,
    /// What it was done to: `/users/alice`.
    pub target: String,
    /// The HTTP status of the answer; 0 on the command line.
    pub status: u16,
    /// More about it as JSON, never a secret: which fields changed. Empty where there is nothing to say.
    pub detail: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// From 1, without a gap.
    pub seq: i64,
    pub deed: Deed,
    pub previous: Link,
    pub link: Link,
}

/// Which entries to read, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Those whose target is this path or lies below it.
    pub target: Option<String>,
    pub actor: Option<String>,
    /// Only entries older than this one.
    pub before: Option<i64>,
    pub limit: u32,
}

/// What a walk over the whole chain found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Every entry is as it was written.
    Whole {
        entries: i64,
        head: Link,
    },
    Broken {
        seq: i64,
        why: String,
    },
}

#[async_trait]
pub trait AuditStore: Send + Sync {
    /// Adds an entry at the end.
    async fn note(&self, deed: Deed) -> Result<AuditEntry, StoreError>;

    async fn audit(&self, filter: &AuditFilter) -> Result<Vec<AuditEntry>, StoreError>;

    /// Reads the chain from its beginning. With `head`, that one must be in it.
    async fn verify_audit(&self, head: Option<Link>) -> Result<Verdict, StoreError>;
}

/// The link of an entry: SHA-256 of the link before, the number, the time in ms, and each text after its length (all
/// numbers big-endian), so that no two different entries have the same bytes.
pub fn link(previous: &Link, seq: i64, deed: &Deed) -> Link {
    let mut hash = Sha256::new();
    hash.update(previous);
    hash.update(seq.to_be_bytes());
    hash.update(deed.at.as_millisecond().to_be_bytes());
    hash.update(deed.status.to_be_bytes());
    let Deed { actor, role, via, address, action, target, detail, .. } = deed;
    for text in [actor, role, via, address, action, target, detail] {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text.as_bytes());
    }
    hash.finalize().into()
}

/// Walks along the chain, entry by entry.
#[derive(Debug, Clone)]
pub struct Walk {
    entries: i64,
    head: Link,
    wanted: Option<Link>,
    seen: bool,
}

impl Walk {
    /// `wanted`: a head that somebody has kept.
    pub fn new(wanted: Option<Link>) -> Self {
        Self { entries: 0, head: BEGINNING, seen: wanted.is_none_or(|head| head == BEGINNING), wanted }
    }

    /// `Err`: the chain breaks here.
    pub fn step(&mut self, entry: &AuditEntry) -> Result<(), Verdict> {
        let broken = |why: String| Err(Verdict::Broken { seq: entry.seq, why });
        let due = self.entries + 1;
        if entry.seq != due {
            return broken(format!("entry {due} should stand here: it was removed or moved"));
        }
        if entry.previous != self.head {
            return broken("it does not follow from the entry before it".into());
        }
        if link(&entry.previous, entry.seq, &entry.deed) != entry.link {
            return broken("its content is not what was written".into());
        }
        self.entries = due;
        self.head = entry.link;
        self.seen |= self.wanted == Some(entry.link);
        Ok(())
    }

    pub fn end(self) -> Verdict {
        if !self.seen {
            let why = "the head that was kept is not in the chain: entries were cut off its end, or it was written anew".into();
            return Verdict::Broken { seq: self.entries, why };
        }
        Verdict::Whole { entries: self.entries, head: self.head }
    }
}

/// As people write it down: 64 hexadecimal digits.
pub fn hex(link: &Link) -> String {
    link.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The reverse of [`hex`].
pub fn from_hex(text: &str) -> Option<Link> {
    let mut link = BEGINNING;
    if text.len() != 2 * link.len() || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    for (byte, at) in link.iter_mut().zip((0..text.len()).step_by(2)) {
        *byte = u8::from_str_radix(text.get(at..at + 2)?, 16).ok()?;
    }
    Some(link)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deed(target: &str) -> Deed {
        Deed {
            at: "2026-01-15T10:30:00Z".parse().expect("a time"),
            actor: "eve".into(),
            role: "admin".into(),
            via: "key abcd1234".into(),
            address: "127.0.0.1".into(),
            action: "PUT /users/{user_id}".into(),
            target: target.into(),
            status: 200,
            detail: String::new(),
        }
    }

    fn chain(targets: &[&str]) -> Vec<AuditEntry> {
        let mut previous = BEGINNING;
        let entry = |(seq, target): (i64, &&str)| {
            let deed = deed(target);
            let entry = AuditEntry { seq, previous, link: link(&previous, seq, &deed), deed };
            previous = entry.link;
            entry
        };
        (1..).zip(targets).map(entry).collect()
    }

    fn verdict(entries: &[AuditEntry], wanted: Option<Link>) -> Verdict {
        let mut walk = Walk::new(wanted);
        for entry in entries {
            if let Err(verdict) = walk.step(entry) {
                return verdict;
            }
        }
        walk.end()
    }

    #[test]
    fn a_chain_is_whole_until_somebody_touches_it() {
        let entries = chain(&["/a", "/b", "/c"]);
        let head = entries[2].link;
        assert_eq!(verdict(&entries, None), Verdict::Whole { entries: 3, head });
        assert_eq!(verdict(&entries, Some(entries[1].link)), Verdict::Whole { entries: 3, head });
        assert_eq!(verdict(&[], None), Verdict::Whole { entries: 0, head: BEGINNING });

        let at = |verdict| match verdict {
            Verdict::Broken { seq, .. } => seq,
            Verdict::Whole { .. } => 0,
        };
        let mut changed = entries.clone();
        changed[1].deed.target = "/x".into();
        assert_eq!(at(verdict(&changed, None)), 2, "content");
        changed[1].link = link(&changed[1].previous, 2, &changed[1].deed);
        assert_eq!(at(verdict(&changed, None)), 3, "content with a new link of its own");
        let mut removed = entries.clone();
        removed.remove(1);
        assert_eq!(at(verdict(&removed, None)), 3, "removed");
        let mut moved = entries.clone();
        moved.swap(0, 1);
        assert_eq!(at(verdict(&moved, None)), 2, "moved");
        assert_eq!(at(verdict(&entries[..2], Some(head))), 2, "cut off");
        assert_eq!(verdict(&entries[..2], None), Verdict::Whole { entries: 2, head: entries[1].link }, "and who kept no head");
    }

    #[test]
    fn texts_that_run_together_differ() {
        let (mut one, mut other) = (deed("/a"), deed("/a"));
        (one.actor, one.role) = ("ab".into(), "c".into());
        (other.actor, other.role) = ("a".into(), "bc".into());
        assert_ne!(link(&BEGINNING, 1, &one), link(&BEGINNING, 1, &other));
    }

    #[test]
    fn links_are_written_down() {
        let link = link(&BEGINNING, 1, &deed("/a"));
        assert_eq!(from_hex(&hex(&link)), Some(link));
        for bad in ["", "00", &"0".repeat(63), &"g".repeat(64), &"é".repeat(32), &"+f".repeat(32)] {
            assert_eq!(from_hex(bad), None, "{bad}");
        }
    }
}
