//! How long callers wait for answers: a histogram of each part for each user and engine, since the server began, fed by the live
//! feed. Bounded: of users without end the first are kept apart, and the rest is one.

pub use callie_domain::record::{BOUNDS_MS, Histogram};
use callie_domain::record::{CallFact, TurnLatency};
use callie_domain::{CallId, UserId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Users whose figures are kept apart.
const USERS: usize = 10_000;
/// Calls whose engine is remembered.
const CALLS: usize = 20_000;

/// A part of an answer's latency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part {
    Total,
    Ear,
    Uplink,
    Engine,
    Playout,
}

impl Part {
    pub const ALL: [Self; 5] = [Self::Total, Self::Ear, Self::Uplink, Self::Engine, Self::Playout];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Total => "total",
            Self::Ear => "ear",
            Self::Uplink => "uplink",
            Self::Engine => "engine",
            Self::Playout => "playout",
        }
    }

    const fn of(self, latency: &TurnLatency) -> u32 {
        match self {
            Self::Total => latency.total_ms,
            Self::Ear => latency.ear_ms,
            Self::Uplink => latency.uplink_ms,
            Self::Engine => latency.engine_ms,
            Self::Playout => latency.playout_ms,
        }
    }
}

/// As [`Part::ALL`].
pub type Parts = [Histogram; 5];

#[derive(Debug, Default)]
struct State {
    /// The engine that talks in a call, and the last turn of it that was counted.
    calls: HashMap<CallId, (String, Option<u32>)>,
    by_user: HashMap<(Option<UserId>, String), Parts>,
}

/// Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Latencies(Arc<Mutex<State>>);

impl Latencies {
    /// An event of a call.
    pub fn take(&self, call: CallId, user: &UserId, fact: &CallFact) {
        let mut state = self.state();
        match fact {
            CallFact::AgentReady { engine, .. } => {
                if state.calls.len() >= CALLS {
                    state.calls.clear();
                }
                let counted = state.calls.get(&call).and_then(|(_, counted)| *counted);
                state.calls.insert(call, (engine.clone(), counted));
            }
            CallFact::Turn { turn } => {
                let Some(latency) = &turn.latency else { return };
                let Some((engine, counted)) = state.calls.get_mut(&call) else { return };
                // A turn is told again when words come late.
                if counted.is_none_or(|counted| turn.index > counted) {
                    *counted = Some(turn.index);
                    let engine = engine.clone();
                    state.add(user, engine, latency);
                }
            }
            CallFact::Ended { .. } => drop(state.calls.remove(&call)),
            _ => {}
        }
    }

    /// Of one user, or of all, by engine.
    pub fn by_engine(&self, user: Option<&UserId>) -> Vec<(String, Parts)> {
        let mut sums: HashMap<String, Parts> = HashMap::new();
        for ((of, engine), parts) in &self.state().by_user {
            if user.is_none_or(|user| of.as_ref() == Some(user)) {
                let sum = sums.entry(engine.clone()).or_default();
                sum.iter_mut().zip(parts).for_each(|(sum, part)| sum.merge(part));
            }
        }
        let mut list: Vec<_> = sums.into_iter().collect();
        list.sort_by(|a, b| a.0.cmp(&b.0));
        list
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn add(&mut self, user: &UserId, engine: String, latency: &TurnLatency) {
        let mut key = (Some(user.clone()), engine);
        if self.by_user.len() >= USERS && !self.by_user.contains_key(&key) {
            key.0 = None;
        }
        let parts = self.by_user.entry(key).or_default();
        parts.iter_mut().zip(Part::ALL).for_each(|(histogram, part)| histogram.add(part.of(latency)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use callie_domain::record::{Speaker, Turn};

    #[test]
    fn each_answer_counts_once_and_for_the_engine_that_gave_it() {
        let latencies = Latencies::default();
        let user: UserId = "alice".parse().expect("valid");
        let call = CallId::new(jiff::Timestamp::UNIX_EPOCH, 1);
        let turn = |index, total_ms| {
            let latency = Some(TurnLatency { total_ms, ear_ms: 30, uplink_ms: 10, engine_ms: total_ms - 60, playout_ms: 20 });
            let (started_ms, ended_ms) = (0, 0);
            CallFact::Turn {
                turn: Turn {
                    index,
                    speaker: Speaker::Agent,
                    started_ms,
                    ended_ms,
                    text: "Yes.".into(),
                    interrupted: false,
                    latency,
                },
            }
        };
        let ready = |engine: &str| CallFact::AgentReady { engine: engine.into(), model: None };
        for fact in [ready("gemini"), turn(1, 500), turn(1, 500), turn(3, 700), ready("local"), turn(3, 700), turn(5, 90)] {
            latencies.take(call, &user, &fact);
        }
        let counts = |user: Option<&UserId>| -> Vec<(String, u64, u64)> {
            let of = latencies.by_engine(user).into_iter();
            of.map(|(engine, parts)| (engine, parts[0].count(), parts[0].sum_ms)).collect()
        };
        assert_eq!(counts(Some(&user)), [("gemini".to_owned(), 2, 1_200), ("local".to_owned(), 1, 90)]);
        assert_eq!(counts(None), counts(Some(&user)));
        assert!(counts(Some(&"bob".parse().expect("valid"))).is_empty());
    }
}
