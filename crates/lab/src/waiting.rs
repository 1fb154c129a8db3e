//! Waiting for a condition, with a deadline.

use std::time::Duration;

/// The condition waited for did not come true in time.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{what} did not happen within {waited:?}")]
pub struct TooLate {
    pub what: String,
    pub waited: Duration,
}

impl TooLate {
    pub(crate) fn new(what: impl Into<String>, waited: Duration) -> Self {
        Self { what: what.into(), waited }
    }
}

/// Waits until `condition` holds; it is asked every 5 ms.
pub(crate) async fn until(what: &str, deadline: Duration, condition: impl Fn() -> bool) -> Result<(), TooLate> {
    let waiting = async {
        let mut ticks = tokio::time::interval(Duration::from_millis(5));
        while !condition() {
            ticks.tick().await;
        }
    };
    tokio::time::timeout(deadline, waiting).await.map_err(|_| TooLate::new(what, deadline))
}
