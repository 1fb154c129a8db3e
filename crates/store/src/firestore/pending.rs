//! Things to be done, one for each name, the latest counting: whoever adds never waits, and there are never more of them than
//! there are documents.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use tokio::sync::Notify;

pub(super) struct Pending<T> {
    things: Mutex<BTreeMap<String, T>>,
    news: Notify,
}

impl<T> Default for Pending<T> {
    fn default() -> Self {
        Self { things: Mutex::default(), news: Notify::new() }
    }
}

impl<T> Pending<T> {
    pub fn add(&self, things: impl IntoIterator<Item = (String, T)>) {
        let mut pending = self.things.lock().unwrap_or_else(PoisonError::into_inner);
        let before = pending.len();
        pending.extend(things);
        if !pending.is_empty() && (before == 0 || pending.len() > before) {
            self.news.notify_one();
        }
    }

    /// Puts back what could not be done, except where something newer has come; nobody is woken.
    pub fn put_back(&self, name: String, thing: T) {
        self.things.lock().unwrap_or_else(PoisonError::into_inner).entry(name).or_insert(thing);
    }

    /// Everything, without waiting.
    pub fn take_all(&self) -> BTreeMap<String, T> {
        std::mem::take(&mut *self.things.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn wake(&self) {
        self.news.notify_one();
    }

    /// Waits until something was added.
    pub async fn wait(&self) {
        self.news.notified().await;
    }
}
