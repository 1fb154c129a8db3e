//! How often what came of sending, since the start.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counters; read one by one.
#[derive(Debug, Default)]
pub struct Meters {
    attempts: AtomicU64,
    delivered: AtomicU64,
    retried: AtomicU64,
    given_up: AtomicU64,
    dropped: AtomicU64,
    guarded: AtomicU64,
}

/// What the counters say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Metered {
    pub attempts: u64,
    pub delivered: u64,
    /// Attempts that failed and are repeated.
    pub retried: u64,
    pub given_up: u64,
    /// Their receiver is gone, or wants no more.
    pub dropped: u64,
    /// Attempts that the guard refused: the receiver is at an address that is not public.
    pub guarded: u64,
}

macro_rules! counting {
    ($($count:ident: $field:ident),*) => {$(
        pub(super) fn $count(&self) {
            self.$field.fetch_add(1, Ordering::Relaxed);
        }
    )*};
}

impl Meters {
    counting!(attempt: attempts, deliver: delivered, retry: retried, give_up: given_up, drop_one: dropped, guard: guarded);

    pub fn read(&self) -> Metered {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Metered {
            attempts: read(&self.attempts),
            delivered: read(&self.delivered),
            retried: read(&self.retried),
            given_up: read(&self.given_up),
            dropped: read(&self.dropped),
            guarded: read(&self.guarded),
        }
    }
}
