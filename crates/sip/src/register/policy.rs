//! The times of a registration, all in one place.

use std::time::Duration;

/// How often and how patiently an account registers.
#[derive(Debug, Clone, PartialEq)]
pub struct RegisterPolicy {
    /// Seconds asked for.
    pub wanted_expires_s: u32,
}

impl Default for RegisterPolicy {
    fn default() -> Self {
        let _ = Duration::ZERO;
        Self { wanted_expires_s: 3600 }
    }
}
