//! Whether Firestore answers: what health says, and one line in the log when an outage begins and one when it ends.

use super::fault::{Fault, Place};
use crate::StoreError;
use std::time::Instant;
use tokio::sync::watch;

/// The connection as it is now.
#[derive(Debug, Clone)]
pub(super) enum State {
    Connecting,
    Live,
    Lost { since: Instant, fault: Fault },
}

/// The state of the connection, written by the listener and read by everybody.
pub(super) struct Link {
    place: Place,
    state: watch::Sender<State>,
}

impl Link {
    pub fn new(place: Place) -> Self {
        Self { place, state: watch::Sender::new(State::Connecting) }
    }

    pub fn subscribe(&self) -> watch::Receiver<State> {
        self.state.subscribe()
    }

    /// It answers.
    pub fn live(&self, now: Instant) {
        let before = self.state.send_replace(State::Live);
        if let State::Lost { since, .. } = before {
            let seconds = now.saturating_duration_since(since).as_secs_f32();
            tracing::info!(outage_seconds = seconds, "{} answers again after {seconds:.1} s", self.place);
        }
    }

    /// It does not. Later causes of the same outage take the place of the first and are not logged again.
    pub fn lost(&self, fault: Fault, now: Instant) {
        self.state.send_modify(|state| {
            let since = match state {
                State::Lost { since, .. } => *since,
                _ => {
                    let cause = fault.unavailable(&self.place);
                    tracing::warn!(%cause, "Firestore is out of reach; users stay as they were last seen, and it is tried again");
                    now
                }
            };
            *state = State::Lost { since, fault };
        });
    }

    /// [`StoreError::Unavailable`] says why it does not answer.
    pub fn health(&self) -> Result<(), StoreError> {
        match &*self.state.borrow() {
            State::Live => Ok(()),
            State::Connecting => Err(StoreError::Unavailable(format!("{} has not answered yet", self.place))),
            State::Lost { fault, .. } => Err(fault.unavailable(&self.place)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_lasts_from_its_first_fault_to_the_next_answer() {
        let link =
            Link::new(Place { project: "p".to_owned(), database: "(default)".to_owned(), server: "http://there".to_owned() });
        let fault = |text: &str| Fault::Unreachable(text.to_owned());
        assert!(link.health().is_err(), "nothing was heard yet");
        let began = Instant::now();
        link.live(began);
        assert!(link.health().is_ok());
        link.lost(fault("first"), began);
        link.lost(fault("second"), Instant::now());
        assert!(matches!(&*link.state.borrow(), State::Lost { since, .. } if *since == began));
        let cause = link.health().expect_err("lost").to_string();
        assert!(cause.contains("second") && cause.contains("http://there"), "{cause}");
        link.live(Instant::now());
        assert!(link.health().is_ok());
    }
}
