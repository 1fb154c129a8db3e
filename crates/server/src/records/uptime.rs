//! How long lines are registered: the live feed says when that changes, and every minute it is put down how far it has come. What a crash
//! costs is the last minute; while the server is down nothing is watched, and nothing counted.

use crate::exchange::LiveEvent;
use callie_domain::UserId;
use callie_domain::registration::RegistrationState;
use callie_store::AnalyticsStore;
use callie_store::analytics::Watched;
use jiff::{SignedDuration, Timestamp};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::{Receiver, error::RecvError};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

const EVERY: Duration = Duration::from_secs(60);
const PRUNE_EVERY: u32 = 60;
/// Longer than anybody looks back.
const KEPT: SignedDuration = SignedDuration::from_hours(24 * 800);

/// The state of a line as it is now; `None` when none runs.
pub type Look = Arc<dyn Fn(&UserId) -> Option<RegistrationState> + Send + Sync>;

/// See the module.
pub struct LineWatch {
    pub store: Arc<dyn AnalyticsStore>,
    pub look: Look,
}

/// A line since its last change.
#[derive(Debug, Clone, Copy)]
struct Since {
    from: Timestamp,
    is_registered: bool,
}

#[derive(Default)]
struct Spans {
    lines: HashMap<UserId, Since>,
    /// Over, and not yet put down.
    over: Vec<Watched>,
}

impl Spans {
    fn take(&mut self, user: &UserId, state: Option<RegistrationState>, now: Timestamp) {
        let is_registered = match state {
            Some(RegistrationState::Registered) => Some(true),
            Some(RegistrationState::Registering | RegistrationState::Retrying | RegistrationState::WrongPassword) => Some(false),
            // Nobody wants it registered.
            Some(RegistrationState::Off | RegistrationState::Unregistering) | None => None,
        };
        let known = self.lines.get(user).copied();
        if known.map(|since| since.is_registered) == is_registered {
            return;
        }
        if let Some(Since { from, is_registered }) = known.filter(|since| since.from < now) {
            self.over.push(Watched { user_id: user.clone(), from, until: now, is_registered });
        }
        match is_registered {
            Some(is_registered) => drop(self.lines.insert(user.clone(), Since { from: now, is_registered })),
            None => drop(self.lines.remove(user)),
        }
    }

    /// All that is to be put down at this moment.
    fn up_to(&mut self, now: Timestamp) -> Vec<Watched> {
        let mut all = std::mem::take(&mut self.over);
        let open = self.lines.iter().filter(|(_, since)| since.from < now);
        all.extend(open.map(|(user, Since { from, is_registered })| Watched {
            user_id: user.clone(),
            from: *from,
            until: now,
            is_registered: *is_registered,
        }));
        all
    }
}

impl LineWatch {
    /// Runs until `end` or the end of the feed, and puts down the last once more.
    pub async fn run(self, mut feed: Receiver<Arc<LiveEvent>>, end: CancellationToken) {
        let mut spans = Spans::default();
        let mut rounds = 0;
        let mut wake = Instant::now() + EVERY;
        loop {
            let is_last = tokio::select! {
                () = end.cancelled() => true,
                event = feed.recv() => match event {
                    Ok(event) => {
                        self.take(&mut spans, &event);
                        continue;
                    }
                    Err(RecvError::Lagged(_)) => {
                        let users: Vec<UserId> = spans.lines.keys().cloned().collect();
                        users.iter().for_each(|user| spans.take(user, (self.look)(user), Timestamp::now()));
                        continue;
                    }
                    Err(RecvError::Closed) => true,
                },
                () = sleep_until(wake) => false,
            };
            self.put_down(&mut spans, rounds % PRUNE_EVERY == 0).await;
            if is_last {
                return;
            }
            rounds = rounds.wrapping_add(1);
            wake = Instant::now() + EVERY;
        }
    }

    fn take(&self, spans: &mut Spans, event: &LiveEvent) {
        match event {
            LiveEvent::Registration { user_id, registration } => {
                spans.take(user_id, Some(registration.state), Timestamp::now());
            }
            LiveEvent::User { user_id, change: "deleted" } => spans.take(user_id, None, Timestamp::now()),
            _ => {}
        }
    }

    async fn put_down(&self, spans: &mut Spans, prunes: bool) {
        let now = Timestamp::now();
        let all = spans.up_to(now);
        if !all.is_empty()
            && let Err(error) = self.store.keep_line_spans(all).await
        {
            tracing::warn!(%error, "how long lines were registered could not be put down");
        }
        if prunes && let Err(error) = self.store.prune_line_spans(now.saturating_sub(KEPT).unwrap_or(Timestamp::MIN)).await {
            tracing::warn!(%error, "old times of lines could not be deleted");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_watched_while_somebody_wants_it_registered() {
        use RegistrationState::{Off, Registered, Registering, Retrying, Unregistering, WrongPassword};
        let at = |second| Timestamp::from_second(second).expect("a time");
        let alice: UserId = "alice".parse().expect("valid");
        let mut spans = Spans::default();
        let steps = [(0, Off), (1, Registering), (3, Registered), (8, Registered), (10, Retrying), (12, WrongPassword)];
        steps.iter().for_each(|(second, state)| spans.take(&alice, Some(*state), at(*second)));
        let shown = |all: Vec<Watched>| -> Vec<(i64, i64, bool)> {
            all.iter().map(|w| (w.from.as_second(), w.until.as_second(), w.is_registered)).collect()
        };
        assert_eq!(shown(spans.up_to(at(15))), [(1, 3, false), (3, 10, true), (10, 15, false)]);
        spans.take(&alice, Some(Registered), at(20));
        assert_eq!(shown(spans.up_to(at(20))), [(10, 20, false)], "longer than before, from the same time");
        spans.take(&alice, Some(Unregistering), at(30));
        assert_eq!(shown(spans.up_to(at(40))), [(20, 30, true)]);
        assert_eq!(shown(spans.up_to(at(50))), []);
    }
}
