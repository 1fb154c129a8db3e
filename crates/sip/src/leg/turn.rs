//! Whose offer is under way: at most one at a time in a dialog (RFC 3261 §14, RFC 3311 §5).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Ours,
    Theirs,
}

#[derive(Debug, Default)]
pub(super) struct Turns {
    holder: Mutex<Option<Side>>,
    freed: Notify,
}

/// The right to offer, until dropped.
pub(super) struct Turn(Arc<Turns>);

impl Turns {
    /// Takes the turn, or says who has it.
    pub fn take(self: &Arc<Self>, side: Side) -> Result<Turn, Side> {
        let mut holder = self.holder();
        match *holder {
            Some(other) => Err(other),
            None => {
                *holder = Some(side);
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

    fn holder(&self) -> MutexGuard<'_, Option<Side>> {
        self.holder.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *self.0.holder() = None;
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
        assert_eq!(turns.take(Side::Ours).err(), Some(Side::Theirs));
        let (ours, ()) = tokio::join!(turns.wait(Side::Ours), async { drop(theirs) });
        assert_eq!(turns.take(Side::Theirs).err(), Some(Side::Ours));
        drop(ours);
        assert!(turns.take(Side::Theirs).is_ok());
    }
}
