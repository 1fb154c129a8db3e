//! What was turned away, by reason.

use std::sync::atomic::{AtomicU64, Ordering};

/// Why a message or a request was turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// More than the sender may.
    TooMany,
    /// From a stranger who knows no Contact of ours.
    Stranger,
    /// To a Contact, from an address that is none of its provider's.
    NotProvider,
    /// Too many calls wait for their ACK, or for the product.
    NoRoom,
    /// From a peer: an account or a dialog that we do not have, a method or an extension that we do not know.
    Other,
    /// It has been counted where it was found out.
    Counted,
}

/// Counts since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Refused {
    /// Messages beyond what their sender may send; dropped unread.
    pub too_many: u64,
    /// Requests of strangers to nobody: answered or not as [`crate::Strangers`] says.
    pub strangers: u64,
    /// INVITEs to a line's Contact from addresses that are none of its provider's.
    pub not_provider: u64,
    /// INVITEs for which there was no room.
    pub no_room: u64,
    /// Requests of peers that had to be refused.
    pub other: u64,
}

impl Refused {
    /// Requests and messages in all.
    pub fn total(&self) -> u64 {
        self.too_many + self.strangers + self.not_provider + self.no_room + self.other
    }
}

#[derive(Debug, Default)]
pub(crate) struct RefusedCounts {
    too_many: AtomicU64,
    strangers: AtomicU64,
    not_provider: AtomicU64,
    no_room: AtomicU64,
    other: AtomicU64,
}

impl RefusedCounts {
    pub fn count(&self, reason: Reason) {
        let counter = match reason {
            Reason::TooMany => &self.too_many,
            Reason::Stranger => &self.strangers,
            Reason::NotProvider => &self.not_provider,
            Reason::NoRoom => &self.no_room,
            Reason::Other => &self.other,
            Reason::Counted => return,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub fn snapshot(&self) -> Refused {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Refused {
            too_many: load(&self.too_many),
            strangers: load(&self.strangers),
            not_provider: load(&self.not_provider),
            no_room: load(&self.no_room),
            other: load(&self.other),
        }
    }
}
