//! What the view is told, and what it says to that.

use crate::firestore::value::RawDocument;
use crate::{Revision, UserView};
use std::collections::HashSet;
use std::sync::Arc;

/// What happened. Times are the server's, in µs like revisions.
#[derive(Debug, Clone)]
pub(in crate::firestore) enum Event {
    /// Listening began on a new stream; unless resumed from where the view stands, the whole set follows.
    Added {
        resumed: bool,
    },
    /// The server starts over: the whole set follows.
    Reset,
    Changed(RawDocument),
    /// Deleted, or left what is listened to.
    Gone {
        name: String,
        at: Revision,
    },
    /// All that existed when listening began (or began anew) has been sent.
    Current,
    /// What was sent up to here is the collection as it was at this time.
    Consistent {
        at: Revision,
    },
    /// How many documents the server counts.
    Filter {
        count: usize,
    },
    /// We wrote it.
    Wrote(RawDocument),
    /// We deleted it. `at` is the time of the deletion, or at least the revision that was deleted.
    Deleted {
        name: String,
        at: Revision,
    },
    /// Answer to [`Outputs::verify`]: it is there. `asked` is [`Outputs::asked`] of then.
    Found {
        document: RawDocument,
        asked: u64,
    },
    /// Answer to [`Outputs::verify`]: it is not there. `at` is the revision that was held then.
    Missing {
        name: String,
        at: Revision,
        asked: u64,
    },
}

/// A change to what is kept locally.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::firestore) enum Keep {
    Put(RawDocument),
    Drop(String),
    /// Everything but these is gone.
    Only(HashSet<String>),
}

/// What follows from an event.
#[derive(Debug, Default)]
pub(in crate::firestore) struct Outputs {
    /// Only when it differs from the one before.
    pub view: Option<Arc<UserView>>,
    pub keep: Vec<Keep>,
    /// Documents with a password in clear, to be sealed.
    pub typed: Vec<RawDocument>,
    /// Documents to be read, because the server's word and our own writes contradict one another, with the revision held.
    pub verify: Vec<(String, Revision)>,
    pub asked: u64,
    /// The view is not the server's: listen again from the beginning.
    pub resync: bool,
}
