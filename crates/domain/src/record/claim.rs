//! Something that the agent said it did, and whether a tool of the call did it.

use serde::{Deserialize, Serialize};

/// What is claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClaimKind {
    /// The caller is being put through.
    Transfer,
    /// A message was taken, left or passed on.
    Message,
    /// Something was written down.
    Note,
    /// A mail, a text, a confirmation was sent; somebody was notified.
    Sent,
    /// An appointment, a table, an order was made.
    Booked,
    /// Something that was there was changed or cancelled.
    Changed,
    /// Somebody else was called.
    Called,
    /// Money was moved.
    Paid,
    /// A calendar, an account, an order was looked at.
    LookedUp,
    /// Keys were pressed.
    Keys,
}

impl ClaimKind {
    pub const ALL: &[Self] = &[
        Self::Transfer,
        Self::Message,
        Self::Note,
        Self::Sent,
        Self::Booked,
        Self::Changed,
        Self::Called,
        Self::Paid,
        Self::LookedUp,
        Self::Keys,
    ];
}

/// How a claim stands against what was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClaimStanding {
    /// A tool that could have done it gave its result.
    Supported,
    /// Such a tool was used, and did not do it.
    Failed,
    /// No such tool was used.
    Unsupported,
}

impl ClaimStanding {
    pub const ALL: &[Self] = &[Self::Supported, Self::Failed, Self::Unsupported];
}

/// One claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    pub kind: ClaimKind,
    pub standing: ClaimStanding,
    /// Index of the agent's turn.
    pub turn: u32,
    /// The sentence, shortened.
    pub text: String,
    /// The tool that did it, or failed to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
}
