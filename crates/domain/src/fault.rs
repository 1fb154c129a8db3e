//! What is wrong with an input: one entry for each faulty field, so that a person can mend all of them at once.

use serde::{Deserialize, Serialize};

/// One faulty field: which, what is wrong, and how to mend it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldFault {
    /// Dotted path as the client wrote it, for example `sip.sip_port` or `sip_port`.
    pub field: String,
    /// What is wrong and what would be right, in a sentence without full stop.
    pub problem: String,
}

/// Collects faults while parsing goes on.
#[derive(Debug, Clone, Default, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(|f| format!("{}: {}", f.field, f.problem)).collect::<Vec<_>>().join("; "))]
pub struct Faults(pub Vec<FieldFault>);

impl Faults {
    pub fn add(&mut self, field: impl Into<String>, problem: impl Into<String>) {
        self.0.push(FieldFault { field: field.into(), problem: problem.into() });
    }

    pub fn one(field: impl Into<String>, problem: impl Into<String>) -> Self {
        let mut faults = Self::default();
        faults.add(field, problem);
        faults
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `Ok(value)` when nothing was found wrong.
    pub fn into_result<T>(self, value: T) -> Result<T, Faults> {
        if self.is_empty() { Ok(value) } else { Err(self) }
    }
}
