//! The level-triggered loop: whatever changed, compare what should run with what runs, and close the difference.

use super::LineDirectory;
use crate::{exchange::LiveEvent, records::LiveFeed};
use callie_domain::UserId;
use callie_domain::account::{Account, Change, diff};
use callie_domain::registration::{RegistrationState, RegistrationStatus};
use callie_sip::{AccountHandle, SipStack};
use callie_store::{Entry, Revision, StoredUser, UserView};
use futures::{StreamExt, stream::SelectAll};
use std::{
    collections::{HashMap, HashSet},
    pin::Pin,
    sync::Arc,
};
use tokio::sync::watch;
use tokio_stream::wrappers::WatchStream;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

type StatusStream = Pin<Box<dyn futures::Stream<Item = (UserId, RegistrationStatus)> + Send>>;

/// A running line with the revision of the document that it runs by.
struct Line {
    revision: Revision,
    handle: AccountHandle,
}

/// Owns all running lines.
pub struct Reconciler {
    stack: Arc<SipStack>,
    directory: LineDirectory,
    feed: LiveFeed,
    tracker: TaskTracker,
    lines: HashMap<UserId, Line>,
    statuses: SelectAll<StatusStream>,
    /// Lines of which people have been told that they are down.
    alerted: HashSet<UserId>,
    /// Why a line is not registered, as it was told last.
    told: HashMap<UserId, String>,
}

impl Reconciler {
    pub fn new(stack: Arc<SipStack>, directory: LineDirectory, feed: LiveFeed, tracker: TaskTracker) -> Self {
        let (lines, statuses, alerted, told) = (HashMap::new(), SelectAll::new(), HashSet::new(), HashMap::new());
        Self { stack, directory, feed, tracker, lines, statuses, alerted, told }
    }

    /// Runs until `cancel`, then removes every binding and returns.
    pub async fn run(mut self, mut view: watch::Receiver<Arc<UserView>>, cancel: CancellationToken) {
        let mut known = Arc::new(UserView::default());
        loop {
            let desired = view.borrow_and_update().clone();
            self.announce(&known, &desired);
            self.reconcile(&desired);
            known = desired;
            loop {
                tokio::select! {
                    () = cancel.cancelled() => return self.stop_all().await,
                    changed = view.changed() => match changed {
                        Ok(()) => break,
                        Err(_) => return self.stop_all().await,
                    },
                    Some((user, status)) = self.statuses.next() => self.report(user, status),
                }
            }
        }
    }

    fn reconcile(&mut self, view: &UserView) {
        let gone: Vec<UserId> = self.lines.keys().filter(|user| wanted(view, user).is_none()).cloned().collect();
        for user in gone {
            self.stop(&user);
        }
        for user in view.users.keys() {
            let Some(stored) = wanted(view, user) else { continue };
            let running = self.lines.get(user);
            if running.is_some_and(|line| line.revision == stored.revision) {
                continue;
            }
            let desired = stored.user.account();
            let running = running.map(|line| line.handle.account());
            match diff(Some(&desired), running.as_deref()) {
                Change::Start => self.start(desired, stored.revision),
                Change::Reregister => self.update(desired, stored.revision),
                Change::Restart => {
                    self.stop(user);
                    self.start(desired, stored.revision);
                }
                Change::Idle | Change::Keep | Change::Stop => {}
            }
        }
    }

    fn start(&mut self, account: Account, revision: Revision) {
        tracing::info!(user.id = %account.user, server = %account.server, "line starts");
        let user = account.user.clone();
        let handle = self.stack.open_account(account);
        let name = user.clone();
        let status = WatchStream::from_changes(handle.status()).map(move |status| (name.clone(), status));
        self.statuses.push(Box::pin(status));
        self.directory.insert(user.clone(), handle.clone());
        self.lines.insert(user, Line { revision, handle });
    }

    fn update(&mut self, account: Account, revision: Revision) {
        if let Some(line) = self.lines.get_mut(&account.user) {
            tracing::info!(user.id = %account.user, "line registers again with its new settings");
            line.handle.update(account);
            line.revision = revision;
        }
    }

    /// Takes the line out at once; its binding is removed in the background.
    fn stop(&mut self, user: &UserId) {
        if let Some(line) = self.lines.remove(user) {
            tracing::info!(user.id = %user, "line stops");
            self.directory.remove(user);
            self.alerted.remove(user);
            self.told.remove(user);
            self.tracker.spawn(async move { line.handle.stop().await });
            self.feed.publish(LiveEvent::Registration { user_id: user.clone(), registration: RegistrationStatus::OFF });
        }
    }

    async fn stop_all(mut self) {
        let handles: Vec<_> = self.lines.drain().map(|(user, line)| (user, line.handle)).collect();
        tracing::info!(lines = handles.len(), "unregistering all lines");
        futures::future::join_all(handles.iter().map(|(_, handle)| handle.stop())).await;
        for (user, _) in handles {
            self.directory.remove(&user);
        }
    }

    fn report(&mut self, user: UserId, status: RegistrationStatus) {
        self.report_alert(&user, &status);
        let reason = status.reason.as_deref().unwrap_or_default();
        match status.state {
            RegistrationState::Registered => {
                self.told.remove(&user);
                tracing::info!(user.id = %user, "line is registered");
            }
            // Once for each reason, however often it is tried.
            RegistrationState::Retrying | RegistrationState::WrongPassword if self.is_news(&user, reason) => {
                tracing::warn!(user.id = %user, state = ?status.state, reason, next = ?status.next_attempt_at, "line is not registered");
            }
            _ => tracing::debug!(user.id = %user, state = ?status.state, "registration"),
        }
        self.feed.publish(LiveEvent::Registration { user_id: user, registration: status });
    }

    fn is_news(&mut self, user: &UserId, reason: &str) -> bool {
        self.told.insert(user.clone(), reason.to_owned()).is_none_or(|told| told != reason)
    }

    /// Once for each time that a line is down.
    fn report_alert(&mut self, user: &UserId, status: &RegistrationStatus) {
        if !status.alert {
            if self.alerted.remove(user) {
                tracing::info!(user.id = %user, "the line is up again");
            }
            return;
        }
        if self.alerted.insert(user.clone()) {
            let reason = status.reason.as_deref().unwrap_or_default();
            tracing::warn!(user.id = %user, since = ?status.down_since, reason, "alert: the line has been down for long");
            self.feed.publish(LiveEvent::RegistrationAlert { user_id: user.clone(), registration: status.clone() });
        }
    }

    /// Tells the live feed which documents are new, changed or gone.
    fn announce(&self, before: &UserView, after: &UserView) {
        for (user, entry) in &after.users {
            let change = match before.users.get(user) {
                None => "created",
                Some(old) if old != entry => "changed",
                Some(_) => continue,
            };
            if let Entry::Faulty { fault, .. } = entry {
                tracing::warn!(user.id = %user, %fault, "the user's document cannot be used; its last good configuration goes on");
            }
            self.feed.publish(LiveEvent::User { user_id: user.clone(), change });
        }
        for user in before.users.keys().filter(|user| !after.users.contains_key(*user)) {
            self.feed.publish(LiveEvent::User { user_id: user.clone(), change: "deleted" });
        }
    }
}

/// The user's configuration, if it asks for a line.
fn wanted<'v>(view: &'v UserView, user: &UserId) -> Option<&'v StoredUser> {
    view.users.get(user)?.usable().filter(|stored| stored.user.wants_line())
}
