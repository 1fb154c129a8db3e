//! Waiting for a condition with a deadline: the only form of waiting the tests know.

use std::{
    future::Future,
    time::{Duration, Instant},
};

/// How often a condition is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Looks until `look` yields something, and panics with `what` once `within` has passed.
pub async fn eventually<T, F>(what: &str, within: Duration, mut look: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let deadline = Instant::now() + within;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "not within {within:?}: {what}");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Watches for a whole `span` that `holds` stays true.
pub async fn throughout<F>(what: &str, span: Duration, mut holds: impl FnMut() -> F)
where
    F: Future<Output = bool>,
{
    let end = Instant::now() + span;
    while Instant::now() < end {
        assert!(holds().await, "did not last {span:?}: {what}");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
