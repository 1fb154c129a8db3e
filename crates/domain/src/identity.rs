//! Who asks, and what they may do. How somebody proves who they are is the server's matter.

use crate::UserId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What somebody is let in as.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Role {
    /// Everything; alone with keys, the audit and erasure.
    Admin,
    /// All users and their calls.
    Operator,
    /// One user with its calls, recordings and events.
    User(UserId),
}

/// What an operation asks of whoever wants it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Need {
    /// Nothing: it tells nothing that is not public.
    Nobody,
    /// Any role.
    AnyRole,
    /// Any role; a user's sees its own alone, and the operation sees to it.
    Narrowed,
    /// The user named in the path, or an operator.
    OwnUser,
    /// The user whose call is named in the path, or an operator.
    OwnCall,
    Operator,
    Admin,
}

impl Role {
    /// `owner`: whom the thing belongs to that is named in the path.
    pub fn may(&self, need: Need, owner: Option<&UserId>) -> bool {
        match (self, need) {
            (_, Need::Nobody | Need::AnyRole | Need::Narrowed) | (Self::Admin, _) => true,
            (Self::Operator, _) => need != Need::Admin,
            (Self::User(own), Need::OwnUser | Need::OwnCall) => owner == Some(own),
            (Self::User(_), Need::Operator | Need::Admin) => false,
        }
    }

    /// `admin`, `operator` or `user`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Operator => "operator",
            Self::User(_) => "user",
        }
    }

    /// The one user that it is about.
    pub fn user(&self) -> Option<&UserId> {
        match self {
            Self::User(user) => Some(user),
            Self::Admin | Self::Operator => None,
        }
    }

    /// Out of its word and its user.
    pub fn read(word: &str, user: Option<UserId>) -> Result<Self, BadRole> {
        match (word, user) {
            ("admin", None) => Ok(Self::Admin),
            ("operator", None) => Ok(Self::Operator),
            ("user", Some(user)) => Ok(Self::User(user)),
            ("user", None) => Err(BadRole::WithoutUser),
            ("admin" | "operator", Some(_)) => Err(BadRole::OfAllUsers),
            _ => Err(BadRole::Unknown),
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(user) => write!(f, "user {user}"),
            role => f.write_str(role.word()),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadRole {
    #[error("must be admin, operator or user")]
    Unknown,
    #[error("user goes with the id of the user whom it is for")]
    WithoutUser,
    #[error("is for all users: leave the user out, or make it user")]
    OfAllUsers,
}

/// An API key as it is kept and shown: without the part that proves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Eight letters and digits; they stand in the key itself, so that one that is found somewhere can be named.
    pub id: String,
    /// Whom or what it is for, in the words of whoever made it.
    pub name: String,
    pub role: Role,
    pub created_at: Timestamp,
    pub created_by: String,
    pub expires_at: Option<Timestamp>,
    /// To the minute.
    pub last_used_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
}

/// Why a key that is known does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyState {
    Valid,
    Expired,
    Revoked,
}

impl ApiKey {
    pub fn state(&self, now: Timestamp) -> KeyState {
        match (self.revoked_at, self.expires_at) {
            (Some(_), _) => KeyState::Revoked,
            (None, Some(end)) if end <= now => KeyState::Expired,
            _ => KeyState::Valid,
        }
    }
}

/// Somebody who signed in with a browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// As shown to people: a key's name, or what the identity provider says.
    pub name: String,
    pub role: Role,
    /// The key that it was opened with; it ends with the key.
    pub key: Option<String>,
    pub created_at: Timestamp,
    pub last_used_at: Timestamp,
}

impl Session {
    /// Unused for so long it is over.
    pub const IDLE: std::time::Duration = std::time::Duration::from_secs(12 * 3600);
    /// Over in any case.
    pub const LONGEST: std::time::Duration = std::time::Duration::from_secs(7 * 24 * 3600);

    pub fn is_over(&self, now: Timestamp) -> bool {
        let since = |at: Timestamp| now.duration_since(at).unsigned_abs();
        since(self.last_used_at) > Self::IDLE || since(self.created_at) > Self::LONGEST
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> UserId {
        text.parse().expect("an id")
    }

    #[test]
    fn roles_and_needs() {
        use Need::{Admin, AnyRole, Narrowed, Nobody, Operator, OwnCall, OwnUser};
        let alice = Role::User(id("alice"));
        let rows = [
            // need, owner, admin, operator, alice
            (Nobody, None, true, true, true),
            (AnyRole, None, true, true, true),
            (Narrowed, None, true, true, true),
            (OwnUser, Some("alice"), true, true, true),
            (OwnUser, Some("bob"), true, true, false),
            (OwnUser, None, true, true, false),
            (OwnCall, Some("alice"), true, true, true),
            (OwnCall, Some("Alice"), true, true, false),
            (OwnCall, None, true, true, false),
            (Operator, Some("alice"), true, true, false),
            (Operator, None, true, true, false),
            (Admin, Some("alice"), true, false, false),
            (Admin, None, true, false, false),
        ];
        for (need, owner, admin, operator, user) in rows {
            let owner = owner.map(id);
            let verdicts = [Role::Admin, Role::Operator, alice.clone()].map(|role| role.may(need, owner.as_ref()));
            assert_eq!(verdicts, [admin, operator, user], "{need:?} {owner:?}");
        }
    }

    #[test]
    fn roles_are_read() {
        for (word, user, want) in [
            ("admin", None, Ok(Role::Admin)),
            ("operator", None, Ok(Role::Operator)),
            ("user", Some("a"), Ok(Role::User(id("a")))),
            ("user", None, Err(BadRole::WithoutUser)),
            ("admin", Some("a"), Err(BadRole::OfAllUsers)),
            ("root", None, Err(BadRole::Unknown)),
        ] {
            assert_eq!(Role::read(word, user.map(id)), want, "{word} {user:?}");
        }
    }

    #[test]
    fn keys_and_sessions_end() {
        let at = |text: &str| text.parse::<Timestamp>().expect("a time");
        let key = |expires: Option<&str>, revoked: Option<&str>| ApiKey {
            id: "abcd1234".into(),
            name: "test".into(),
            role: Role::Admin,
            created_at: at("2026-01-01T00:00:00Z"),
            created_by: "test".into(),
            expires_at: expires.map(at),
            last_used_at: None,
            revoked_at: revoked.map(at),
        };
        let now = at("2026-02-01T00:00:00Z");
        assert_eq!(key(None, None).state(now), KeyState::Valid);
        assert_eq!(key(Some("2026-02-01T00:00:00Z"), None).state(now), KeyState::Expired);
        assert_eq!(key(Some("2026-02-01T00:00:01Z"), None).state(now), KeyState::Valid);
        assert_eq!(key(Some("2026-01-01T00:00:00Z"), Some("2026-01-02T00:00:00Z")).state(now), KeyState::Revoked);
        let session = |created: &str, used: &str| Session {
            name: "test".into(),
            role: Role::Admin,
            key: None,
            created_at: at(created),
            last_used_at: at(used),
        };
        assert!(!session("2026-01-26T00:00:00Z", "2026-01-31T13:00:00Z").is_over(now));
        assert!(session("2026-01-31T00:00:00Z", "2026-01-31T11:00:00Z").is_over(now), "idle");
        assert!(session("2026-01-24T00:00:00Z", "2026-01-31T23:00:00Z").is_over(now), "old");
    }
}
