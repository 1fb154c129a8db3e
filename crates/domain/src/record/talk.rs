//! How a call went, in figures: who spoke for how long, and how quickly the agent answered. From its events as they come.

use super::{CallFact, Histogram, Speaker, Turn};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Turns of a call that are counted: a day of talk.
const MOST_TURNS: usize = 20_000;

/// Of one call.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TalkSummary {
    pub turns: u32,
    /// Speech of the caller, milliseconds.
    pub caller_ms: u64,
    pub agent_ms: u64,
    /// Answers that were measured.
    pub answers: u32,
    /// Of these: what half of them do not exceed, and what 95 of a hundred do not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_p50_ms: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_p95_ms: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_max_ms: Option<u32>,
    /// The same by the engine that gave them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub engines: Vec<EngineAnswers>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EngineAnswers {
    pub engine: String,
    pub latency: Histogram,
}

/// Counts while the call goes on.
#[derive(Debug, Clone, Default)]
pub struct TalkTally {
    engine: Option<String>,
    /// A turn that is told again replaces what it was; the engine is that of the first time.
    turns: BTreeMap<u32, (Option<String>, Figures)>,
}

#[derive(Debug, Clone, Copy)]
struct Figures {
    speaker: Speaker,
    ms: u64,
    latency_ms: Option<u32>,
}

impl TalkTally {
    pub fn take(&mut self, fact: &CallFact) {
        match fact {
            CallFact::AgentReady { engine, .. } => self.engine = Some(engine.clone()),
            CallFact::Turn { turn } => self.take_turn(turn),
            _ => {}
        }
    }

    fn take_turn(&mut self, turn: &Turn) {
        if self.turns.len() >= MOST_TURNS && !self.turns.contains_key(&turn.index) {
            return;
        }
        let ms = turn.ended_ms.saturating_sub(turn.started_ms);
        let latency_ms = turn.latency.map(|latency| latency.total_ms);
        let (_, figures) = self
            .turns
            .entry(turn.index)
            .or_insert_with(|| (self.engine.clone(), Figures { speaker: turn.speaker, ms, latency_ms }));
        *figures = Figures { speaker: turn.speaker, ms, latency_ms };
    }

    /// `None` when nobody spoke.
    pub fn close(self) -> Option<TalkSummary> {
        if self.turns.is_empty() {
            return None;
        }
        let mut summary = TalkSummary { turns: u32::try_from(self.turns.len()).unwrap_or(u32::MAX), ..TalkSummary::default() };
        let mut latencies = Vec::new();
        let mut engines: BTreeMap<String, Histogram> = BTreeMap::new();
        for (engine, figures) in self.turns.into_values() {
            let side = if figures.speaker == Speaker::Caller { &mut summary.caller_ms } else { &mut summary.agent_ms };
            *side = side.saturating_add(figures.ms);
            if let Some(ms) = figures.latency_ms {
                latencies.push(ms);
                engines.entry(engine.unwrap_or_default()).or_default().add(ms);
            }
        }
        latencies.sort_unstable();
        summary.answers = u32::try_from(latencies.len()).unwrap_or(u32::MAX);
        summary.latency_p50_ms = percentile(&latencies, 50);
        summary.latency_p95_ms = percentile(&latencies, 95);
        summary.latency_max_ms = latencies.last().copied();
        summary.engines = engines.into_iter().map(|(engine, latency)| EngineAnswers { engine, latency }).collect();
        Some(summary)
    }
}

/// The smallest value that `percent` of the sorted values do not exceed (nearest rank).
fn percentile(sorted: &[u32], percent: usize) -> Option<u32> {
    sorted.get((sorted.len() * percent).div_ceil(100).saturating_sub(1)).copied()
}

#[cfg(test)]
mod tests {
    use super::super::TurnLatency;
    use super::*;

    fn turn(index: u32, speaker: Speaker, (started_ms, ended_ms): (u64, u64), total_ms: Option<u32>) -> CallFact {
        let latency =
            total_ms.map(|total_ms| TurnLatency { total_ms, ear_ms: 0, uplink_ms: 0, engine_ms: total_ms, playout_ms: 0 });
        CallFact::Turn { turn: Turn { index, speaker, started_ms, ended_ms, text: String::new(), interrupted: false, latency } }
    }

    fn ready(engine: &str) -> CallFact {
        CallFact::AgentReady { engine: engine.to_owned(), model: None }
    }

    #[test]
    fn speech_and_answers_are_counted_by_who_gave_them() {
        let facts = [
            ready("gemini"),
            turn(0, Speaker::Agent, (0, 2_000), None),
            turn(1, Speaker::Caller, (2_500, 4_000), None),
            turn(2, Speaker::Agent, (4_700, 6_000), Some(700)),
            // Told again, with its end.
            turn(2, Speaker::Agent, (4_700, 7_700), Some(700)),
            ready("local"),
            turn(2, Speaker::Agent, (4_700, 7_700), Some(700)),
            turn(4, Speaker::Agent, (9_000, 9_500), Some(100)),
        ];
        let mut tally = TalkTally::default();
        facts.iter().for_each(|fact| tally.take(fact));
        let summary = tally.close().expect("somebody spoke");
        assert_eq!((summary.turns, summary.caller_ms, summary.agent_ms), (4, 1_500, 5_500));
        let latency = (summary.answers, summary.latency_p50_ms, summary.latency_p95_ms, summary.latency_max_ms);
        assert_eq!(latency, (2, Some(100), Some(700), Some(700)));
        let engines: Vec<_> = summary.engines.iter().map(|e| (e.engine.as_str(), e.latency.count(), e.latency.sum_ms)).collect();
        assert_eq!(engines, [("gemini", 1, 700), ("local", 1, 100)]);
        assert_eq!(TalkTally::default().close(), None);
    }

    #[test]
    fn a_call_without_end_is_counted_up_to_a_bound() {
        let mut tally = TalkTally::default();
        let index = |n: usize| u32::try_from(n).expect("small");
        (0..MOST_TURNS + 5).for_each(|n| tally.take(&turn(index(n), Speaker::Caller, (0, 1), None)));
        assert_eq!(tally.close().map(|summary| summary.turns), Some(index(MOST_TURNS)));
    }
}
