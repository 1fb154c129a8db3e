//! Whoever stays after being let in. Feeds and WebSockets go on for as long as what opened the door to them would open it still.
//!
//! ```text
//! a key is revoked here, somebody signs out ─▶ look_round ─▶ one question for each proof, ─▶ the stays of
//! once a second, for keys that expire, and for  ─▶            however many stay by it        those are over
//! `callie api-keys revoke` in another process
//! ```

use super::{Door, Identity, Proof};
use callie_domain::Role;
use callie_domain::identity::KeyState;
use callie_store::StoreError;
use jiff::Timestamp;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

/// Why a stay is over, in words for whoever stayed.
pub type Why = &'static str;

/// All who stay, by who they are. Cheap to clone; the clones share everything.
#[derive(Debug, Clone, Default)]
pub struct Stays(Arc<Mutex<HashMap<Identity, watch::Sender<Option<Why>>>>>);

/// One of them; dropping it is leaving.
#[derive(Debug)]
pub struct Stay(watch::Receiver<Option<Why>>);

impl Stays {
    pub fn begin(&self, identity: &Identity) -> Stay {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, stays| stays.receiver_count() > 0);
        Stay(all.entry(identity.clone()).or_insert_with(|| watch::Sender::new(None)).subscribe())
    }

    fn all(&self) -> Vec<Identity> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, stays| stays.receiver_count() > 0);
        all.keys().cloned().collect()
    }

    fn end(&self, identity: &Identity, why: Why) {
        let ended = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(identity);
        if let Some(stays) = ended {
            tracing::info!(name = identity.name, via = identity.via(), stays = stays.receiver_count(), "feeds end: {why}");
            stays.send_replace(Some(why));
        }
    }
}

impl Stay {
    /// Returns when it is over. Nothing is lost when it is dropped before.
    pub async fn over(&mut self) -> Why {
        // Who is not asked about any more is no longer let in either.
        self.0.wait_for(Option::is_some).await.ok().and_then(|why| *why).unwrap_or("the server stops")
    }
}

impl Door {
    /// Ends the stays of those who would not be let in any more as what they are.
    pub async fn look_round(&self, now: Timestamp) {
        for identity in self.stays.all() {
            match self.ended(&identity, now).await {
                Ok(Some(why)) => self.stays.end(&identity, why),
                Ok(None) => {}
                // Nobody is thrown out because a disk is slow: the next round asks again.
                Err(error) => tracing::warn!(%error, name = identity.name, "whether feeds may go on is not known"),
            }
        }
    }

    pub(super) async fn ended(&self, identity: &Identity, now: Timestamp) -> Result<Option<Why>, StoreError> {
        match &identity.proof {
            Proof::ThisMachine => Ok((!self.is_open().await?).then_some("from now on a key is needed")),
            Proof::Key(id) => self.key_ended(id, Some(&identity.role), now).await,
            Proof::Token { until } => Ok((*until <= now).then_some("the token has expired")),
            Proof::Session { digest, .. } => {
                let Some(session) = self.access.session(*digest).await? else { return Ok(Some("the session has ended")) };
                if session.is_over(now) || session.role != identity.role {
                    return Ok(Some("the session has ended"));
                }
                match &session.key {
                    Some(id) => self.key_ended(id, None, now).await,
                    None => Ok(None),
                }
            }
        }
    }

    async fn key_ended(&self, id: &str, role: Option<&Role>, now: Timestamp) -> Result<Option<Why>, StoreError> {
        let Some((key, _)) = self.access.key(id).await? else { return Ok(Some("there is no such key any more")) };
        Ok(match key.state(now) {
            KeyState::Revoked => Some("the key was revoked"),
            KeyState::Expired => Some("the key has expired"),
            KeyState::Valid if role.is_some_and(|role| *role != key.role) => Some("the key has another role now"),
            KeyState::Valid => None,
        })
    }
}
