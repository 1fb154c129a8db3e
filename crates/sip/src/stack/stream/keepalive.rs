//! When a connection is pinged, and when its silence means that it is dead (RFC 5626 §4.4.1). Values only.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// How often, as the accounts that share the connection wish: the shortest wish counts.
#[derive(Debug, Default)]
pub(in crate::stack) struct Every {
    /// Milliseconds; 0 while nobody wishes any.
    shortest_ms: AtomicU64,
    changed: Notify,
}

impl Every {
    pub fn wish(&self, every: Duration) {
        let wished = u64::try_from(every.as_millis()).unwrap_or(u64::MAX);
        let shorter = |known: u64| (wished > 0 && (known == 0 || wished < known)).then_some(wished);
        if self.shortest_ms.fetch_update(Ordering::Relaxed, Ordering::Relaxed, shorter).is_ok() {
            self.changed.notify_one();
        }
    }

    /// Resolves when the next ping is due.
    pub async fn due(&self) {
        loop {
            let pause = async {
                match self.shortest() {
                    Some(every) => tokio::time::sleep(every).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = pause => return,
                () = self.changed.notified() => {}
            }
        }
    }

    fn shortest(&self) -> Option<Duration> {
        Some(self.shortest_ms.load(Ordering::Relaxed)).filter(|ms| *ms > 0).map(Duration::from_millis)
    }
}

/// Whether a peer that is known to answer pings still does.
#[derive(Debug)]
pub(super) struct Pongs {
    within: Duration,
    /// It has answered one, so that it has to answer all.
    known: bool,
    pinged: bool,
    due: Option<Instant>,
}

impl Pongs {
    pub fn new(within: Duration) -> Self {
        Self { within, known: false, pinged: false, due: None }
    }

    pub fn pinged(&mut self, now: Instant) {
        self.pinged = true;
        if self.known && self.due.is_none() {
            self.due = Some(now + self.within);
        }
    }

    /// A pong may come now: an empty line is one.
    pub fn is_awaited(&self) -> bool {
        self.pinged
    }

    pub fn ponged(&mut self) {
        (self.known, self.pinged) = (true, false);
    }

    /// Whatever it says, it is alive.
    pub fn heard(&mut self) {
        self.due = None;
    }

    /// When the peer counts as dead.
    pub fn dead_at(&self) -> Option<Instant> {
        self.due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_has_answered_once_must_answer_always() {
        let (now, within) = (Instant::now(), Duration::from_secs(10));
        let mut pongs = Pongs::new(within);
        pongs.pinged(now);
        assert_eq!(pongs.dead_at(), None, "it may never answer");
        assert!(pongs.is_awaited());
        pongs.heard();
        pongs.ponged();
        pongs.pinged(now);
        pongs.pinged(now + within / 2);
        assert_eq!(pongs.dead_at(), Some(now + within), "a second ping gives no more time");
        pongs.heard();
        assert_eq!(pongs.dead_at(), None, "a message is as good as a pong");
    }

    #[test]
    fn the_shortest_wish_counts() {
        let every = Every::default();
        for (wish_s, shortest_s) in [(0, 0), (60, 60), (0, 60), (25, 25), (40, 25)] {
            every.wish(Duration::from_secs(wish_s));
            let shortest = every.shortest().unwrap_or_default();
            assert_eq!(shortest.as_secs(), shortest_s, "after a wish of {wish_s} s");
        }
    }
}
