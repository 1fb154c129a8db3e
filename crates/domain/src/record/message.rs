//! A message that the agent took.

use serde::{Deserialize, Serialize};

/// For the user, from whoever called.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Who left it, as they said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Where they can be reached, if they said so; the call's record names the number that they called from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    /// What it is about, in the caller's words or the agent's; empty when only the recording has it.
    pub text: String,
    /// The words were not understood: listen to the recording.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub listen: bool,
}
