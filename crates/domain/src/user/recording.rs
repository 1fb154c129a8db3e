//! Whether a user's calls are recorded, whether that is announced, and how long what was said is kept.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::str::FromStr;
use std::time::Duration;

/// Longest notice, characters.
pub const MAX_NOTICE: usize = 500;
/// Days.
pub const LONGEST_RETENTION: u64 = 3_650;
/// Said where the user has no words of their own for it.
pub const USUAL_NOTICE: &str = "This call is recorded.";

/// In one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordingPolicy {
    #[default]
    On,
    Off,
    /// The agent says it before the greeting.
    Announce,
}

impl RecordingPolicy {
    pub const ALL: &[Self] = &[Self::On, Self::Off, Self::Announce];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Off => "off",
            Self::Announce => "announce",
        }
    }
}

impl FromStr for RecordingPolicy {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.iter().copied().find(|policy| policy.as_str() == text).ok_or("must be on, off or announce")
    }
}

/// The policy with what belongs to it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recording {
    pub policy: RecordingPolicy,
    /// Said before the greeting with [`RecordingPolicy::Announce`].
    pub notice: Option<String>,
    /// Days after which recording, transcript and signalling of a call are deleted; for ever without it.
    pub retention_days: Option<u32>,
}

impl Recording {
    pub fn is_wanted(&self) -> bool {
        self.policy != RecordingPolicy::Off
    }

    /// What the agent says first.
    pub fn opening<'a>(&self, greeting: &'a str) -> Cow<'a, str> {
        match self.policy {
            RecordingPolicy::Announce => format!("{} {greeting}", self.notice.as_deref().unwrap_or(USUAL_NOTICE)).into(),
            RecordingPolicy::On | RecordingPolicy::Off => greeting.into(),
        }
    }

    pub fn retention(&self) -> Option<Duration> {
        Some(Duration::from_secs(u64::from(self.retention_days?) * 24 * 3_600))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_first() {
        let with = |policy, notice: Option<&str>| Recording { policy, notice: notice.map(str::to_owned), retention_days: None };
        for (recording, want) in [
            (with(RecordingPolicy::On, Some("We record.")), "Hello."),
            (with(RecordingPolicy::Off, Some("We record.")), "Hello."),
            (with(RecordingPolicy::Announce, Some("We record.")), "We record. Hello."),
            (with(RecordingPolicy::Announce, None), "This call is recorded. Hello."),
        ] {
            assert_eq!(recording.opening("Hello."), want, "{recording:?}");
        }
    }

    #[test]
    fn words_are_read() {
        for policy in RecordingPolicy::ALL {
            assert_eq!(policy.as_str().parse(), Ok(*policy));
        }
        assert!("maybe".parse::<RecordingPolicy>().is_err());
    }
}
