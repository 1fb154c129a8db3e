//! News of lines: told once for each state that lasts. What passes (registering, unregistering) is not news.

use super::message::News;
use crate::exchange::LiveEvent;
use callie_domain::UserId;
use callie_domain::registration::{RegistrationState, RegistrationStatus};
use callie_domain::user::HookEvent;
use callie_store::{DeliveryStore, UserView};
use jiff::Timestamp;
use serde_json::json;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, watch};
use tokio_util::sync::CancellationToken;

/// Follows the live feed.
pub struct LineNews {
    pub feed: broadcast::Receiver<Arc<LiveEvent>>,
    pub view: watch::Receiver<Arc<UserView>>,
    pub queue: Arc<dyn DeliveryStore>,
}

/// What was told last of each line.
#[derive(Debug, Default)]
struct Told(HashMap<UserId, RegistrationState>);

impl LineNews {
    /// Runs until `end`, and then as far as the feed has come.
    pub async fn run(mut self, end: CancellationToken) {
        let mut told = Told::default();
        loop {
            let event = tokio::select! {
                biased;
                event = self.feed.recv() => event,
                () = end.cancelled() => return,
            };
            match event {
                Ok(event) => self.take(&mut told, &event).await,
                // The state that a line is in comes again with its next change.
                Err(RecvError::Lagged(lost)) => tracing::warn!(lost, "news of lines came too fast for the webhooks"),
                Err(RecvError::Closed) => return,
            }
        }
    }

    async fn take(&self, told: &mut Told, event: &LiveEvent) {
        let LiveEvent::Registration { user_id, registration } = event else { return };
        let Some(before) = told.change(user_id, registration.state) else { return };
        let stored = self.view.borrow().users.get(user_id).and_then(|entry| entry.usable().cloned());
        let Some(stored) = stored else { return };
        let deliveries = news(registration, before).to_all(&stored.user, Timestamp::now(), rand::random);
        if deliveries.is_empty() {
            return;
        }
        if let Err(error) = self.queue.enqueue(&deliveries).await {
            tracing::error!(user.id = %user_id, %error, "news of a line could not be queued for the webhooks");
        }
    }
}

fn news(registration: &RegistrationStatus, before: Option<RegistrationState>) -> News {
    News {
        event: HookEvent::RegistrationChanged,
        data: json!({"registration": registration, "before": before}),
        lane: "registration".to_owned(),
    }
}

impl Told {
    /// What it was before, when that is news.
    fn change(&mut self, user: &UserId, state: RegistrationState) -> Option<Option<RegistrationState>> {
        if matches!(state, RegistrationState::Registering | RegistrationState::Unregistering) {
            return None;
        }
        let before = self.0.insert(user.clone(), state);
        (before != Some(state)).then_some(before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_lasting_state_is_news_once() {
        use RegistrationState::{Off, Registered, Registering, Retrying, Unregistering};
        let mut told = Told::default();
        let alice: UserId = "alice".parse().expect("valid");
        for (state, want) in [
            (Registering, None),
            (Registered, Some(None)),
            (Registering, None),
            (Registered, None),
            (Retrying, Some(Some(Registered))),
            (Retrying, None),
            (Registered, Some(Some(Retrying))),
            (Unregistering, None),
            (Off, Some(Some(Registered))),
        ] {
            assert_eq!(told.change(&alice, state), want, "{state:?}");
        }
    }
}
