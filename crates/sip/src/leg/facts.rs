//! What others may read of a leg: the name of its dialog, and what its peer has said that it can do.

use crate::header::scan::param;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The name of a dialog, from the side of one of its parties (RFC 3261 §12).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DialogId {
    pub call_id: String,
    pub local_tag: String,
    pub remote_tag: String,
}

impl DialogId {
    /// A `Replaces` header (RFC 3891 §6.1) that names this dialog to the other party of it: `local_tag` is `from-tag`.
    pub(crate) fn replaces(&self) -> String {
        format!("{};to-tag={};from-tag={}", self.call_id, self.remote_tag, self.local_tag)
    }

    /// Reads a `Replaces` header for whoever received it: `to-tag` is the local one. The flag is `early-only`.
    pub(crate) fn of_replaces(value: &str) -> Option<(Self, bool)> {
        let (call_id, params) = value.split_once(';')?;
        let tag = |name| param(params, name).filter(|tag| !tag.is_empty());
        let id = Self { call_id: call_id.trim().to_owned(), local_tag: tag("to-tag")?, remote_tag: tag("from-tag")? };
        (!id.call_id.is_empty()).then_some((id, param(params, "early-only").is_some()))
    }

    /// The same dialog from the other side.
    pub fn reversed(&self) -> Self {
        Self { call_id: self.call_id.clone(), local_tag: self.remote_tag.clone(), remote_tag: self.local_tag.clone() }
    }
}

impl fmt::Display for DialogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.call_id, self.local_tag, self.remote_tag)
    }
}

/// What a peer has said that it can do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PeerAbilities {
    /// Methods of its last `Allow`; `None` when it sent none.
    allow: Option<Vec<String>>,
    /// Option tags of its last `Supported`.
    supported: Vec<String>,
}

/// Entries kept of one list; nobody supports more than a few dozen things.
const ENTRIES: usize = 64;

impl PeerAbilities {
    /// Whether it takes this method; `None` when it has not said.
    pub fn allows(&self, method: &str) -> Option<bool> {
        self.allow.as_ref().map(|allow| allow.iter().any(|known| known.eq_ignore_ascii_case(method)))
    }

    /// Whether it knows this extension, such as `replaces`.
    pub fn supports(&self, tag: &str) -> bool {
        self.supported.iter().any(|known| known.eq_ignore_ascii_case(tag))
    }

    /// Takes in what a message says; a list that it does not have stays as it was.
    fn learn<'a>(&mut self, allow: impl Iterator<Item = &'a str>, supported: impl Iterator<Item = &'a str>) {
        let entries = |values: Vec<&str>| {
            let all = values.into_iter().flat_map(|value| value.split(','));
            all.map(str::trim).filter(|entry| !entry.is_empty()).take(ENTRIES).map(str::to_owned).collect::<Vec<_>>()
        };
        let (allow, supported): (Vec<_>, Vec<_>) = (allow.collect(), supported.collect());
        if !allow.is_empty() {
            self.allow = Some(entries(allow));
        }
        if !supported.is_empty() {
            self.supported = entries(supported);
        }
    }
}

/// See [`super::LegControl`]: written by the leg's task, read by anybody.
#[derive(Debug)]
pub(crate) struct Facts {
    call_id: String,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    id: Option<DialogId>,
    peer: PeerAbilities,
    confirmed: bool,
}

impl Facts {
    pub fn new(call_id: &str) -> Self {
        Self { call_id: call_id.to_owned(), known: Mutex::default() }
    }

    pub fn call_id(&self) -> &str {
        &self.call_id
    }

    pub fn dialog_id(&self) -> Option<DialogId> {
        self.known().id.clone()
    }

    pub fn peer(&self) -> PeerAbilities {
        self.known().peer.clone()
    }

    /// Whether a 200 has confirmed the dialog.
    pub fn is_confirmed(&self) -> bool {
        self.known().confirmed
    }

    pub fn confirm(&self) {
        self.known().confirmed = true;
    }

    pub fn name(&self, local_tag: &str, remote_tag: &str) {
        let (local_tag, remote_tag) = (local_tag.to_owned(), remote_tag.to_owned());
        self.known().id = Some(DialogId { call_id: self.call_id.clone(), local_tag, remote_tag });
    }

    /// Takes in `Allow` and `Supported` of a message of the peer.
    pub fn learn<'a>(&self, allow: impl Iterator<Item = &'a str>, supported: impl Iterator<Item = &'a str>) {
        self.known().peer.learn(allow, supported);
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_names_a_dialog_to_its_other_side() {
        let ours = DialogId { call_id: "c@h".into(), local_tag: "us".into(), remote_tag: "them".into() };
        assert_eq!(ours.replaces(), "c@h;to-tag=them;from-tag=us");
        assert_eq!(DialogId::of_replaces(&ours.replaces()), Some((ours.reversed(), false)));
        let early = DialogId::of_replaces(" c@h ;from-tag=us ; to-tag=them;early-only");
        assert_eq!(early, Some((ours.reversed(), true)));
        for bad in ["", "c", "c;to-tag=a", "c;from-tag=a", ";to-tag=a;from-tag=b", "c;to-tag=;from-tag=b"] {
            assert_eq!(DialogId::of_replaces(bad), None, "{bad}");
        }
    }

    #[test]
    fn lists_replace_what_was_known_only_where_they_are_there() {
        let mut peer = PeerAbilities::default();
        assert_eq!(peer.allows("REFER"), None);
        peer.learn(["INVITE, ACK", " REFER "].into_iter(), ["replaces,timer"].into_iter());
        assert_eq!((peer.allows("refer"), peer.allows("UPDATE")), (Some(true), Some(false)));
        assert!(peer.supports("Replaces") && !peer.supports("100rel"));
        peer.learn(std::iter::empty(), [""].into_iter());
        assert_eq!((peer.allows("REFER"), peer.supports("timer")), (Some(true), false));
    }
}
