//! Until listening is there: the view of our own writes.

use super::client::Documents;
use super::value::RawDocument;
use super::view::{Event, LiveView};
use crate::{Keyring, Revision, SqliteStore, StoreError, UserView};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(super) struct Listener {
    view: Mutex<LiveView>,
    published: watch::Sender<Arc<UserView>>,
}

impl Listener {
    pub async fn start(
        documents: Arc<Documents>,
        keyring: Arc<Keyring>,
        _local: SqliteStore,
        _tracker: &TaskTracker,
        _cancel: CancellationToken,
    ) -> Result<Self, StoreError> {
        let listener = Self { view: Mutex::new(LiveView::new(keyring, Vec::new())), published: watch::channel(Arc::default()).0 };
        let page = documents.page(super::USERS, None, 100_000).await;
        for document in page.map_err(|fault| fault.unavailable(documents.place()))? {
            listener.wrote(document).await;
        }
        Ok(listener)
    }

    pub async fn wrote(&self, document: RawDocument) {
        self.handle(Event::Wrote(document));
    }

    pub async fn deleted(&self, name: &str, at: Revision) {
        self.handle(Event::Deleted { name: name.to_owned(), at });
    }

    fn handle(&self, event: Event) {
        let outputs = self.view.lock().unwrap_or_else(PoisonError::into_inner).handle(event);
        if let Some(view) = outputs.view {
            self.published.send_replace(view);
        }
    }

    pub fn watch(&self) -> watch::Receiver<Arc<UserView>> {
        self.published.subscribe()
    }

    pub fn health(&self) -> Result<(), StoreError> {
        Ok(())
    }

    pub async fn close(&self) {}
}
