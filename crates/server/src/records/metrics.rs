//! What is counted of calls since the server began, fed by the live feed: for `/metrics` and `/latency`.

use super::Latencies;
use crate::exchange::LiveEvent;
use callie_domain::record::CallFact;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::broadcast::{Receiver, error::RecvError};

/// Name and labels of a series. Labels come from closed lists, so that there are few.
pub type Series = (&'static str, Vec<(&'static str, String)>);

/// Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    pub latencies: Latencies,
    counters: Arc<Mutex<BTreeMap<Series, u64>>>,
}

impl Metrics {
    /// Runs until the feed ends.
    pub async fn follow(self, mut feed: Receiver<Arc<LiveEvent>>) {
        loop {
            match feed.recv().await {
                Ok(event) => self.take(&event),
                Err(RecvError::Lagged(missed)) => self.count("callie_metrics_missed_events_total", vec![], missed),
                Err(RecvError::Closed) => return,
            }
        }
    }

    pub fn counters(&self) -> Vec<(Series, u64)> {
        let counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        counters.iter().map(|(series, count)| (series.clone(), *count)).collect()
    }

    fn take(&self, event: &LiveEvent) {
        match event {
            LiveEvent::Call { call_id, user_id, event, .. } => {
                self.latencies.take(*call_id, user_id, &event.fact);
                self.take_fact(&event.fact);
            }
            LiveEvent::CallRecorded { cdr } => {
                let end = cdr.termination.as_ref();
                let labels = vec![
                    ("direction", word(&cdr.direction)),
                    ("result", end.map(|end| word(&end.result)).unwrap_or_default()),
                    ("reason", end.map(|end| word(&end.reason)).unwrap_or_default()),
                ];
                self.count("callie_calls_total", labels, 1);
                for claim in &cdr.claims {
                    let labels = vec![("kind", word(&claim.kind)), ("standing", word(&claim.standing))];
                    self.count("callie_claims_total", labels, 1);
                }
            }
            LiveEvent::Registration { registration, .. } => {
                self.count("callie_registration_changes_total", vec![("state", word(&registration.state))], 1);
            }
            LiveEvent::RegistrationAlert { .. } => self.count("callie_registration_alerts_total", vec![], 1),
            LiveEvent::CallSummarised { cdr } => {
                if let Some(report) = &cdr.after_call {
                    self.count("callie_summaries_total", vec![("state", word(&report.state))], 1);
                }
            }
            LiveEvent::User { .. } => {}
        }
    }

    fn take_fact(&self, fact: &CallFact) {
        match fact {
            CallFact::DeadAir { step, .. } => self.count("callie_dead_air_steps_total", vec![("step", word(step))], 1),
            CallFact::EngineFailed { engine, cause, .. } => {
                let labels = vec![("engine", engine.clone()), ("cause", cause.clone())];
                self.count("callie_engine_failures_total", labels, 1);
            }
            CallFact::SessionChanged { engine, resumed, .. } => {
                let labels = vec![("engine", engine.clone()), ("resumed", resumed.to_string())];
                self.count("callie_engine_session_changes_total", labels, 1);
            }
            CallFact::TransferStarted { mode, .. } => {
                self.count("callie_transfers_total", vec![("mode", mode.as_str().to_owned())], 1);
            }
            _ => {}
        }
    }

    fn count(&self, name: &'static str, labels: Vec<(&'static str, String)>, by: u64) {
        let mut counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        *counters.entry((name, labels)).or_default() += by;
    }
}

/// A word of a closed list, as it stands in JSON.
fn word(value: &impl Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}
