//! What `callie doctor` says of a line: one finding for each thing that must hold for calls to work, with a remedy for each
//! that does not.

use crate::{CallId, UserId};
use jiff::Timestamp;
use serde::Serialize;

/// What was looked at, in the order of the examination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// The name of the provider's server leads to addresses.
    Dns,
    /// Something answers there.
    Transport,
    /// The registrar grants a binding, for how long.
    Registration,
    Authentication,
    /// Where the world sees us.
    Nat,
    /// Nobody rewrites our messages on the way.
    Alg,
    /// The account can call itself through its provider.
    SelfCall,
    /// Both ends of that call hear each other.
    Audio,
    Codec,
    Dtmf,
    Hold,
    SessionTimer,
}

impl Subject {
    pub const ALL: &[Self] = &[
        Self::Dns,
        Self::Transport,
        Self::Registration,
        Self::Authentication,
        Self::Nat,
        Self::Alg,
        Self::SelfCall,
        Self::Audio,
        Self::Codec,
        Self::Dtmf,
        Self::Hold,
        Self::SessionTimer,
    ];

    pub fn title(self) -> &'static str {
        match self {
            Self::Dns => "DNS",
            Self::Transport => "Transport",
            Self::Registration => "Registration",
            Self::Authentication => "Authentication",
            Self::Nat => "NAT",
            Self::Alg => "SIP ALG",
            Self::SelfCall => "A call to itself",
            Self::Audio => "Audio both ways",
            Self::Codec => "Codec",
            Self::Dtmf => "Keys (DTMF)",
            Self::Hold => "Hold",
            Self::SessionTimer => "Session timer",
        }
    }
}

/// How it stands; the later the worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Passed,
    /// It could not be looked at; the finding says why.
    Skipped,
    /// Calls work, and may not always.
    Warning,
    Failed,
}

impl Outcome {
    pub const ALL: &[Self] = &[Self::Passed, Self::Skipped, Self::Warning, Self::Failed];
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub subject: Subject,
    pub outcome: Outcome,
    /// What was seen, with its figures.
    pub text: String,
    /// What to do about it; nothing where nothing need be done.
    pub remedy: Option<String>,
}

impl Finding {
    pub fn passed(subject: Subject, text: impl Into<String>) -> Self {
        Self { subject, outcome: Outcome::Passed, text: text.into(), remedy: None }
    }

    pub fn skipped(subject: Subject, why: impl Into<String>) -> Self {
        Self { subject, outcome: Outcome::Skipped, text: why.into(), remedy: None }
    }

    pub fn warning(subject: Subject, text: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { subject, outcome: Outcome::Warning, text: text.into(), remedy: Some(remedy.into()) }
    }

    pub fn failed(subject: Subject, text: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { subject, outcome: Outcome::Failed, text: text.into(), remedy: Some(remedy.into()) }
    }
}

/// A dated report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    pub user_id: UserId,
    pub examined_at: Timestamp,
    pub took_ms: u64,
    /// The worst of the findings.
    pub outcome: Outcome,
    pub findings: Vec<Finding>,
    /// Both ends of the call to itself, for their records, recordings and SIP traces.
    pub calls: Vec<CallId>,
}

impl Report {
    pub fn new(user_id: UserId, examined_at: Timestamp, took_ms: u64, findings: Vec<Finding>, calls: Vec<CallId>) -> Self {
        let outcome = findings.iter().map(|finding| finding.outcome).max().unwrap_or(Outcome::Skipped);
        Self { user_id, examined_at, took_ms, outcome, findings, calls }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_as_good_as_its_worst_finding() {
        let report = |findings| Report::new("alice".parse().expect("valid"), Timestamp::UNIX_EPOCH, 0, findings, Vec::new());
        let passed = Finding::passed(Subject::Dns, "x");
        let warning = Finding::warning(Subject::Nat, "x", "y");
        assert_eq!(report(vec![passed.clone()]).outcome, Outcome::Passed);
        assert_eq!(report(vec![warning, passed]).outcome, Outcome::Warning);
        assert_eq!(report(Vec::new()).outcome, Outcome::Skipped);
    }
}
