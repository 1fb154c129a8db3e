//! A call that was refused before it was dialled leaves a record all the same: who wanted what, and which limit was in the way.

use super::registry::Registry;
use crate::records::Journal;
use callie_domain::record::{CallFact, Cdr, Direction, Termination};
use callie_domain::toll::Refusal;
use callie_domain::{CallId, DialTarget};
use callie_store::StoredUser;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::time::Instant;

/// What the API is told, and the record.
pub(super) fn fact(target: &DialTarget, refusal: &Refusal) -> CallFact {
    CallFact::DialRefused { to: target.to_string(), limit: refusal.limit, detail: refusal.detail.clone() }
}

impl Registry {
    /// Writes the record in the background; its name.
    pub(super) fn record_refusal(
        &self,
        stored: &StoredUser,
        target: &DialTarget,
        metadata: BTreeMap<String, String>,
        refusal: &Refusal,
    ) -> CallId {
        let started_at = Timestamp::now();
        let id = CallId::new(started_at, rand::random());
        let cdr = Cdr {
            from: stored.user.sip.username.clone(),
            to: target.to_string(),
            config_revision: stored.revision,
            metadata,
            ..Cdr::begun(id, stored.user.id.clone(), Direction::Outbound, started_at)
        };
        let limit = refusal.limit.as_str();
        tracing::warn!(user.id = %cdr.user_id, call.id = %id, limit, "a call was refused: {}", refusal.limit.reason().text());
        let (user, context, fact) = (stored.user.clone(), self.context().clone(), fact(target, refusal));
        let end = Termination::because(refusal.limit.reason(), refusal.to_string());
        self.spawn(async move {
            let mut journal = Journal::begin(cdr, None, Instant::now(), context.sink.clone(), context.feed.clone()).await;
            journal.note(fact);
            journal.finish(end, &user, &context.prices).await;
        });
        id
    }
}
