//! What the record of one call shows beside itself: how quickly the agent answered, and which engines failed.

use callie_domain::record::{CallEvent, CallFact, Turn};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

/// How long the caller waited for an answer: end of speech to first audible packet, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct LatencySummary {
    /// Answers that were measured.
    pub turns: usize,
    /// Half of them came within this time.
    #[schema(example = 720)]
    pub p50_ms: u32,
    /// 95 of a hundred came within this time.
    #[schema(example = 1100)]
    pub p95_ms: u32,
    #[schema(example = 1240)]
    pub max_ms: u32,
}

/// A conversation engine that failed in a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct EngineFailure {
    pub at: Timestamp,
    /// Milliseconds since the call began.
    pub offset_ms: u64,
    #[schema(example = "gemini")]
    pub engine: String,
    /// In one word, for programs.
    #[schema(example = "key_refused")]
    pub cause: String,
    /// The evidence: a close code, an error text.
    pub detail: String,
    /// What to do about it.
    pub remedy: String,
}

impl LatencySummary {
    /// `None` when no answer was measured.
    pub fn of(turns: &[Turn]) -> Option<Self> {
        let mut totals: Vec<u32> = turns.iter().filter_map(|turn| Some(turn.latency?.total_ms)).collect();
        totals.sort_unstable();
        let max_ms = *totals.last()?;
        Some(Self { turns: totals.len(), p50_ms: percentile(&totals, 50), p95_ms: percentile(&totals, 95), max_ms })
    }
}

/// The smallest value that `percent` of the sorted values do not exceed (nearest rank).
fn percentile(sorted: &[u32], percent: usize) -> u32 {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

impl EngineFailure {
    pub fn all(events: &[CallEvent]) -> Vec<Self> {
        events.iter().filter_map(Self::of).collect()
    }

    fn of(event: &CallEvent) -> Option<Self> {
        let CallFact::EngineFailed { engine, cause, detail, remedy } = event.fact.clone() else { return None };
        Some(Self { at: event.at, offset_ms: event.offset_ms, engine, cause, detail, remedy })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use callie_domain::record::{Speaker, TurnLatency};

    fn turn(total_ms: Option<u32>) -> Turn {
        let latency =
            total_ms.map(|total_ms| TurnLatency { total_ms, ear_ms: 0, uplink_ms: 0, engine_ms: total_ms, playout_ms: 0 });
        Turn { index: 0, speaker: Speaker::Agent, started_ms: 0, ended_ms: 0, text: String::new(), interrupted: false, latency }
    }

    #[test]
    fn latency_is_summed_up_by_nearest_rank() {
        for (totals, want) in [
            (vec![], None),
            (vec![None], None),
            (vec![Some(700), None], Some((1, 700, 700, 700))),
            (vec![Some(900), Some(100), Some(500), Some(300)], Some((4, 300, 900, 900))),
            ((1..=100).rev().map(Some).collect(), Some((100, 50, 95, 100))),
        ] {
            let turns: Vec<_> = totals.iter().copied().map(turn).collect();
            let got = LatencySummary::of(&turns).map(|s| (s.turns, s.p50_ms, s.p95_ms, s.max_ms));
            assert_eq!(got, want, "{totals:?}");
        }
    }
}
