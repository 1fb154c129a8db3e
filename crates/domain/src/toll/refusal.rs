//! Why something is not dialled: which limit, and what would have to change.

use crate::record::EndReason;
use serde::{Deserialize, Serialize};

/// A limit by the name of its field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    AllowedPrefixes,
    DeniedPrefixes,
    /// Of what costs more than a call: always there, lifted by an allowed prefix that is as long.
    CostlyDestinations,
    EmergencyNumbers,
    DoNotCall,
    CallingWindows,
    ConcurrentCalls,
    CallsPerHour,
    MinutesPerDay,
    SpendPerDay,
    SpendPerMonth,
}

impl Limit {
    pub const ALL: &[Self] = &[
        Self::AllowedPrefixes,
        Self::DeniedPrefixes,
        Self::CostlyDestinations,
        Self::EmergencyNumbers,
        Self::DoNotCall,
        Self::CallingWindows,
        Self::ConcurrentCalls,
        Self::CallsPerHour,
        Self::MinutesPerDay,
        Self::SpendPerDay,
        Self::SpendPerMonth,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::AllowedPrefixes => "allowed_prefixes",
            Self::DeniedPrefixes => "denied_prefixes",
            Self::CostlyDestinations => "costly_destinations",
            Self::EmergencyNumbers => "emergency_numbers",
            Self::DoNotCall => "do_not_call",
            Self::CallingWindows => "calling_windows",
            Self::ConcurrentCalls => "concurrent_calls",
            Self::CallsPerHour => "calls_per_hour",
            Self::MinutesPerDay => "minutes_per_day",
            Self::SpendPerDay => "spend_per_day",
            Self::SpendPerMonth => "spend_per_month",
        }
    }

    /// Waiting helps; otherwise only other settings do.
    pub fn passes(self) -> bool {
        matches!(self, Self::ConcurrentCalls | Self::CallsPerHour | Self::MinutesPerDay | Self::SpendPerDay | Self::SpendPerMonth)
    }

    /// The end of a call that was refused for it.
    pub fn reason(self) -> EndReason {
        match self {
            Self::DoNotCall => EndReason::DoNotCall,
            Self::CallingWindows => EndReason::OutsideCallingWindow,
            limit if limit.passes() => EndReason::LimitReached,
            _ => EndReason::DestinationNotAllowed,
        }
    }
}

/// Not dialled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {detail}", limit.as_str())]
pub struct Refusal {
    pub limit: Limit,
    /// A sentence without a full stop.
    pub detail: String,
}

impl Refusal {
    pub(super) fn new(limit: Limit, detail: impl Into<String>) -> Self {
        Self { limit, detail: detail.into() }
    }

    /// The number is on the user's do-not-call list.
    pub fn do_not_call() -> Self {
        Self::new(Limit::DoNotCall, "the number is on the do-not-call list of the user")
    }
}
