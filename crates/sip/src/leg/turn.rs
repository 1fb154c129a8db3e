//! Whose offer is under way: at most one at a time in a dialog (RFC 3261 §14, RFC 3311 §5).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Ours,
    Theirs,
}

/// Why nobody else may offer now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Busy {
    Ours,
    Theirs,
    /// Theirs, and our final response is on its way: what the peer sends once it has that may be here before we are done.
    TheirsAnswered,
}

#[derive(Debug, Default)]
pub(super) struct Turns {
    busy: Mutex<Option<Busy>>,
    freed: Notify,
}

/// The right to offer, until dropped.
pub(super) struct Turn(Arc<Turns>);

impl Turns {
    /// Takes the turn, or says why it cannot be had.
    pub fn take(self: &Arc<Self>, side: Side) -> Result<Turn, Busy> {
        let mut busy = self.busy();
        match *busy {
            Some(other) => Err(other),
            None => {
                *busy = Some(if side == Side::Ours { Busy::Ours } else { Busy::Theirs });
                Ok(Turn(self.clone()))
            }
        }
    }

    /// Waits until the turn is free, and takes it.
    pub async fn wait(self: &Arc<Self>, side: Side) -> Turn {
        loop {
            let freed = self.freed.notified();
            tokio::pin!(freed);
            freed.as_mut().enable();
            if let Ok(turn) = self.take(side) {
                return turn;
            }
            freed.await;
        }
    }

    fn busy(&self) -> MutexGuard<'_, Option<Busy>> {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn {
    /// Our final response to the peer's offer is about to be sent.
    pub fn answered(&self) {
        *self.0.busy() = Some(Busy::TheirsAnswered);
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *self.0.busy() = None;
        self.0.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_offers_at_a_time_and_the_next_waits() {
        let turns = Arc::<Turns>::default();
        let theirs = turns.take(Side::Theirs);
        assert!(theirs.is_ok());
        assert_eq!(turns.take(Side::Ours).err(), Some(Busy::Theirs));
        theirs.as_ref().inspect(|turn| turn.answered()).ok();
        assert_eq!(turns.take(Side::Theirs).err(), Some(Busy::TheirsAnswered));
        let (ours, ()) = tokio::join!(turns.wait(Side::Ours), async { drop(theirs) });
        assert_eq!(turns.take(Side::Theirs).err(), Some(Busy::Ours));
        drop(ours);
        assert!(turns.take(Side::Theirs).is_ok());
    }
}
