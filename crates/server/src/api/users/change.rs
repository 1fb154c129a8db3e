//! A change of a stored user: read, decide, write under the revision that was read, and again if somebody was quicker.

use super::revision::IfMatch;
use crate::api::{error::Problem, state::Users};
use callie_domain::{User, UserId};
use callie_store::{StoreError, StoredUser};

/// How often a change is decided anew after somebody else wrote in between.
const RETRIES: usize = 3;

/// Writes what `decide` makes of the stored user, if that is at the revision that `wanted` names. Nothing is written when it
/// changes nothing.
pub async fn change(
    users: &Users,
    id: &UserId,
    wanted: &IfMatch,
    decide: impl Fn(&StoredUser) -> Result<User, Problem>,
) -> Result<StoredUser, Problem> {
    for _ in 0..=RETRIES {
        let old = users.get(id).await?.ok_or_else(|| Problem::no_such_user(id.as_str()))?;
        wanted.check(id, old.revision)?;
        let new = decide(&old)?;
        if new == *old.user {
            return Ok(old);
        }
        match users.put(&new, old.revision).await {
            Err(StoreError::Conflict(_)) => {}
            written => return Ok(written?),
        }
    }
    Err(StoreError::Conflict(id.clone()).into())
}
