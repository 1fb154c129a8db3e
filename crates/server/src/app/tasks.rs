//! What runs, in groups that end one after the other.

use std::time::Duration;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How long lines may take to unregister, and HTTP connections to end.
const WIND_DOWN_DEADLINE: Duration = Duration::from_secs(5);

/// In the order in which they end.
#[derive(Default)]
pub(super) struct Tasks {
    pub lines: TaskTracker,
    /// Ends when the phase is stopping.
    pub http: TaskTracker,
    /// SIP, and all that goes on beside the calls.
    pub stack: TaskTracker,
    /// Ends when nobody holds the record sink any more.
    pub records: TaskTracker,
    /// Cancelled when lines are to go, then when the SIP stack is.
    pub lines_end: CancellationToken,
    pub stack_end: CancellationToken,
}

impl Tasks {
    /// A task that goes on beside the calls until SIP ends, wherever it stands then.
    pub fn beside<T: Send>(&self, work: impl Future<Output = T> + Send + 'static) {
        let end = self.stack_end.clone();
        self.stack.spawn(async move { end.run_until_cancelled(work).await.map(drop) });
    }
}

/// Waits for tasks that have been told to end.
pub(super) async fn wind_down(what: &str, tasks: &TaskTracker) {
    tasks.close();
    if tokio::time::timeout(WIND_DOWN_DEADLINE, tasks.wait()).await.is_err() {
        tracing::warn!(what, left = tasks.len(), "not everything ended in time");
    }
}
