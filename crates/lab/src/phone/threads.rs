//! The threads on which all telephones of this process run.
//!
//! A telephone is no part of what it calls, even where both are in one process: a product whose threads are busy must not make
//! the telephone's packets late, or what is measured of the product is what the telephone did to it. What a busy machine does
//! to these threads, [`Promptness`] tells.

use std::future::Future;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};

static THREADS: LazyLock<io::Result<Runtime>> =
    LazyLock::new(|| Builder::new_multi_thread().thread_name("telephones").enable_all().build());

fn threads() -> io::Result<&'static Runtime> {
    THREADS.as_ref().map_err(|error| io::Error::new(error.kind(), format!("no threads for telephones: {error}")))
}

/// Does this there; what it spawns stays there.
///
/// # Errors
/// Those of `work`, or the system gave no threads.
pub(super) async fn on_own_threads<T: Send + 'static>(
    work: impl Future<Output = io::Result<T>> + Send + 'static,
) -> io::Result<T> {
    threads()?.spawn(work).await.map_err(io::Error::other)?
}

/// Watches how late the telephones' threads come to what is due, until it is dropped. A telephone that calls meanwhile is as
/// late with its packets.
#[derive(Debug)]
pub struct Promptness {
    latest_us: Arc<AtomicU64>,
}

impl Promptness {
    const EVERY: Duration = Duration::from_millis(5);

    /// # Errors
    /// The system gave no threads.
    pub fn watch() -> io::Result<Self> {
        let latest_us = Arc::new(AtomicU64::new(0));
        let latest = Arc::downgrade(&latest_us);
        // It ends by itself, a beat after it is dropped.
        drop(threads()?.spawn(async move {
            let mut beats = tokio::time::interval(Self::EVERY);
            while let Some(latest_us) = latest.upgrade() {
                let due = beats.tick().await.into_std();
                let late = Instant::now().saturating_duration_since(due);
                latest_us.fetch_max(late.as_micros().try_into().unwrap_or(u64::MAX), Ordering::Relaxed);
            }
        }));
        Ok(Self { latest_us })
    }

    /// The latest so far.
    #[must_use]
    pub fn lateness(&self) -> Duration {
        Duration::from_micros(self.latest_us.load(Ordering::Relaxed))
    }
}
