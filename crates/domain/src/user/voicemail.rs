//! What becomes of a call that we placed and an answering machine has taken.

use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// Longest message that is left, characters.
pub const MAX_MESSAGE: usize = 2_000;

/// In one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VoicemailPolicy {
    /// The agent goes on as with anybody.
    #[default]
    Talk,
    HangUp,
    /// The message is spoken after the beep, then we hang up.
    Drop,
}

impl VoicemailPolicy {
    pub const ALL: &[Self] = &[Self::Talk, Self::HangUp, Self::Drop];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Talk => "talk",
            Self::HangUp => "hang_up",
            Self::Drop => "drop",
        }
    }
}

impl FromStr for VoicemailPolicy {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.iter().copied().find(|policy| policy.as_str() == text).ok_or("must be talk, hang_up or drop")
    }
}

/// The policy with what it needs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Voicemail {
    pub policy: VoicemailPolicy,
    /// What is left with [`VoicemailPolicy::Drop`].
    pub message: Option<String>,
}

impl Voicemail {
    /// What is to be left, if something is.
    pub fn to_leave(&self) -> Option<&str> {
        self.message.as_deref().filter(|_| self.policy == VoicemailPolicy::Drop)
    }

    /// Why it cannot be done.
    pub fn lack(&self) -> Option<&'static str> {
        let lacks = self.policy == VoicemailPolicy::Drop && self.message.is_none();
        lacks.then_some("is required where voicemail is drop")
    }
}

/// What is wished for one call; where it is silent, the user's settings count.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct VoicemailWish {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<VoicemailPolicy>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

impl VoicemailWish {
    /// What is done in the call of a user with these settings.
    pub fn over(&self, settings: &Voicemail) -> Voicemail {
        Voicemail {
            policy: self.policy.unwrap_or(settings.policy),
            message: self.message.clone().or_else(|| settings.message.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_goes_over_the_settings() {
        let settings = Voicemail { policy: VoicemailPolicy::Drop, message: Some("call us".into()) };
        assert_eq!(VoicemailWish::default().over(&settings), settings);
        let wish = VoicemailWish { policy: None, message: Some("today".into()) };
        assert_eq!(wish.over(&settings).to_leave(), Some("today"));
        let wish = VoicemailWish { policy: Some(VoicemailPolicy::HangUp), message: None };
        assert_eq!(wish.over(&settings).to_leave(), None);
        let wish = VoicemailWish { policy: Some(VoicemailPolicy::Drop), message: None };
        assert!(wish.over(&Voicemail::default()).lack().is_some());
    }
}
