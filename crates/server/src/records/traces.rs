//! The SIP messages of the calls that are up, on their way to the store: all calls' new ones together, twice a second. A crash loses
//! half a second of them, and a thousand calls cost two writes a second.

use super::SinkHandle;
use callie_domain::CallId;
use callie_domain::record::SipMessage;
use callie_sip::CallTrace;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const EVERY: Duration = Duration::from_millis(500);

/// The legs that are followed. Cheap to clone.
#[derive(Clone, Default)]
pub struct Traces(Arc<Mutex<Vec<(CallId, CallTrace)>>>);

impl Traces {
    /// Keeps a leg's messages with the call until the leg is over. The call's record must have been begun.
    pub fn follow(&self, call: CallId, leg: CallTrace) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((call, leg));
    }

    /// Runs until `end`, and once more after it.
    pub async fn write_down(self, sink: SinkHandle, end: CancellationToken) {
        loop {
            let is_last = tokio::select! {
                () = end.cancelled() => true,
                () = tokio::time::sleep(EVERY) => false,
            };
            let fresh = self.fresh();
            if !fresh.is_empty() {
                sink.signalling(fresh).await;
            }
            if is_last {
                return;
            }
        }
    }

    fn fresh(&self) -> Vec<(CallId, Vec<SipMessage>)> {
        let mut fresh = Vec::new();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|(call, leg)| {
            // In this order: what comes between the two is taken the next time.
            let is_over = leg.is_over();
            let messages = leg.take();
            if !messages.is_empty() {
                fresh.push((*call, messages));
            }
            !is_over
        });
        fresh
    }
}
