//! Each check as it stands, and since when it does.

use jiff::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Passed,
    /// Calls are taken all the same.
    Warning,
    /// No calls should come here.
    Failed,
}

/// What a reading means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    pub status: Status,
    /// What was found.
    pub reason: Option<String>,
    /// What to do about it.
    pub remedy: Option<&'static str>,
}

impl Verdict {
    pub const PASSED: Self = Self { status: Status::Passed, reason: None, remedy: None };

    /// With something worth knowing.
    pub fn passed(reason: impl Into<String>) -> Self {
        Self { reason: Some(reason.into()), ..Self::PASSED }
    }

    pub fn warning(reason: impl Into<String>, remedy: &'static str) -> Self {
        Self { status: Status::Warning, reason: Some(reason.into()), remedy: Some(remedy) }
    }

    pub fn failed(reason: impl Into<String>, remedy: &'static str) -> Self {
        Self { status: Status::Failed, ..Self::warning(reason, remedy) }
    }
}

/// A check by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    pub name: &'static str,
    pub verdict: Verdict,
    /// When it came to stand like this.
    pub since: Timestamp,
}

/// Readings that are worth a line of their own in a diagram.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Figures {
    /// Bytes.
    pub disk_free: Option<f64>,
    /// Unix time.
    pub certificate_until: Option<f64>,
}

/// Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Board {
    checks: Arc<Mutex<BTreeMap<&'static str, Check>>>,
    figures: Arc<Mutex<Figures>>,
}

impl Board {
    /// A new reading; the time counts from when the status changed last.
    pub fn put(&self, name: &'static str, verdict: Verdict, now: Timestamp) {
        let mut checks = self.checks.lock().unwrap_or_else(PoisonError::into_inner);
        let known = checks.get(name).filter(|known| known.verdict.status == verdict.status);
        let since = known.map_or(now, |known| known.since);
        checks.insert(name, Check { name, verdict, since });
    }

    pub fn note(&self, change: impl FnOnce(&mut Figures)) {
        change(&mut self.figures.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub fn figures(&self) -> Figures {
        *self.figures.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// By name.
    pub fn checks(&self) -> Vec<Check> {
        self.checks.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_stands_since_its_status_changed() {
        let at = |second| Timestamp::from_second(second).expect("a time");
        let board = Board::default();
        let steps = [
            (1, Verdict::PASSED, 1),
            (2, Verdict::passed("well"), 1),
            (3, Verdict::warning("full", "delete"), 3),
            (4, Verdict::warning("fuller", "delete"), 3),
            (5, Verdict::failed("full", "delete"), 5),
            (6, Verdict::PASSED, 6),
        ];
        for (now, verdict, since) in steps {
            board.put("disk", verdict.clone(), at(now));
            assert_eq!(board.checks(), [Check { name: "disk", verdict, since: at(since) }]);
        }
    }
}
