//! Who is told of a record. It runs in the transaction that writes the record: what was recorded is told, whatever dies
//! afterwards, and what was not is not.

use super::message::News;
use callie_domain::UserId;
use callie_domain::record::Cdr;
use callie_store::delivery::{Announcer, NewDelivery, Written};
use callie_store::{StoredUser, UserView};
use jiff::Timestamp;
use serde_json::Value;
use std::sync::Arc;
use tokio::sync::watch;

/// A record as the API shows it.
pub type Show = fn(&Cdr) -> Value;

/// See the module.
pub struct HookAnnouncer {
    view: watch::Receiver<Arc<UserView>>,
    show: Show,
}

impl HookAnnouncer {
    pub fn new(view: watch::Receiver<Arc<UserView>>, show: Show) -> Self {
        Self { view, show }
    }

    fn user(&self, id: &UserId) -> Option<StoredUser> {
        self.view.borrow().users.get(id)?.usable().cloned()
    }
}

impl Announcer for HookAnnouncer {
    fn is_wanted(&self, user: &UserId) -> bool {
        self.user(user).is_some_and(|stored| stored.user.webhooks.iter().any(|hook| hook.active))
    }

    fn announce(&self, written: Written<'_>) -> Vec<NewDelivery> {
        let (cdr, news) = match written {
            Written::Begun(cdr) => (cdr, vec![News::started(cdr)]),
            Written::Happened(cdr, events) => (cdr, events.iter().filter_map(|event| News::happened(cdr, event)).collect()),
            Written::Summarised(cdr) => (cdr, vec![News::summarised(cdr)]),
            Written::Ended(cdr, events) => {
                let happened = events.iter().filter_map(|event| News::happened(cdr, event));
                (cdr, happened.chain([News::ended(cdr, (self.show)(cdr))]).collect())
            }
        };
        let Some(stored) = self.user(&cdr.user_id) else { return Vec::new() };
        let now = Timestamp::now();
        news.iter().flat_map(|news| news.to_all(&stored.user, now, rand::random)).collect()
    }
}
