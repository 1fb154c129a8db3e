//! Who answered a call that we placed.

use serde::{Deserialize, Serialize};

/// In one word. It may be told anew while the call goes on: a machine is often known by its beep alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnsweredBy {
    Human,
    /// An answering machine, or an announcement.
    Machine,
    /// It could be either, and is treated as a human.
    Unsure,
    Fax,
}

impl AnsweredBy {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Human => "human",
            Self::Machine => "machine",
            Self::Unsure => "unsure",
            Self::Fax => "fax",
        }
    }
}
