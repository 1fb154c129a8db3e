//! What became of a call's summary and its fields, which a text model writes when the call is over.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AfterCallState {
    /// To be written, or to be tried again.
    Waiting,
    Done,
    /// There was nothing to write, or nobody to write it; the note says which.
    Skipped,
    /// Given up.
    Failed,
}

impl AfterCallState {
    pub const ALL: &[Self] = &[Self::Waiting, Self::Done, Self::Skipped, Self::Failed];
}

/// As it stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AfterCallReport {
    pub state: AfterCallState,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// By the user's schema.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fields: Option<Value>,
    /// The model that was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    #[serde(default)]
    pub attempts: u32,
    /// Why it was skipped, or what went wrong last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// When this was put down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
}

impl AfterCallReport {
    pub fn waiting() -> Self {
        Self { state: AfterCallState::Waiting, summary: None, fields: None, model: None, attempts: 0, note: None, at: None }
    }
}
