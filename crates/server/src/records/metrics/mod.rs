//! What is counted since the server began: of calls from the live feed, never in a call's task; of the rest where it happens.
//!
//! | module | holds |
//! |---|---|
//! | [`catalogue`] | every metric there is |
//! | [`page`] | the text that Prometheus reads |

pub mod catalogue;
pub mod page;
#[cfg(test)]
mod tests;

use super::Latencies;
use super::latency::{Histogram, Part};
use crate::exchange::LiveEvent;
use callie_domain::record::{CallFact, Cdr, MediaSummary, ToolEnd, ToolRequest};
use catalogue::{Kind, Metric};
use jiff::Timestamp;
use page::{Buckets, Labels, Page};
use serde::Serialize;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::broadcast::{Receiver, error::RecvError};

#[derive(Debug, Default)]
struct Series {
    numbers: HashMap<(&'static str, Labels), (&'static Metric, f64)>,
    buckets: HashMap<(&'static str, Labels), (&'static Metric, Buckets)>,
}

/// Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    pub latencies: Latencies,
    series: Arc<Mutex<Series>>,
}

impl Metrics {
    /// Runs until the feed ends.
    pub async fn follow(self, mut feed: Receiver<Arc<LiveEvent>>) {
        loop {
            match feed.recv().await {
                Ok(event) => self.take(&event),
                Err(RecvError::Lagged(missed)) => self.count(&catalogue::MISSED_EVENTS, &[], missed),
                Err(RecvError::Closed) => return,
            }
        }
    }

    pub fn count(&self, metric: &'static Metric, labels: &[&str], by: u64) {
        self.add(metric, labels, by as f64);
    }

    pub fn observe(&self, metric: &'static Metric, labels: &[&str], value: f64) {
        let Kind::Histogram(bounds) = metric.kind else { return };
        let mut series = self.series();
        let (_, buckets) = series.buckets.entry(key(metric, labels)).or_insert_with(|| (metric, Buckets::default()));
        buckets.add(bounds, value);
    }

    fn add(&self, metric: &'static Metric, labels: &[&str], by: f64) {
        self.series().numbers.entry(key(metric, labels)).or_insert((metric, 0.0)).1 += by;
    }

    pub fn set(&self, metric: &'static Metric, labels: &[&str], value: f64) {
        self.series().numbers.insert(key(metric, labels), (metric, value));
    }

    /// What was counted so far; whoever asks adds what is only known at that moment.
    pub fn page(&self) -> Page {
        let mut page = Page::default();
        let series = self.series();
        for ((_, labels), (metric, value)) in &series.numbers {
            page.raw(metric, labels.clone(), *value);
        }
        for ((_, labels), (metric, buckets)) in &series.buckets {
            page.buckets(metric, labels.clone(), buckets.clone());
        }
        drop(series);
        for (engine, parts) in self.latencies.by_engine(None) {
            for (part, histogram) in Part::ALL.into_iter().zip(&parts) {
                page.buckets(&catalogue::ANSWER_LATENCY, vec![engine.clone(), part.as_str().to_owned()], in_seconds(histogram));
            }
        }
        page
    }

    fn take(&self, event: &LiveEvent) {
        match event {
            LiveEvent::Call { call_id, user_id, event, .. } => {
                self.latencies.take(*call_id, user_id, &event.fact);
                self.take_fact(&event.fact, event.at);
            }
            LiveEvent::CallRecorded { cdr } => self.take_record(cdr),
            LiveEvent::Registration { registration, .. } => {
                self.count(&catalogue::REGISTRATION_CHANGES, &[&word(&registration.state)], 1);
            }
            LiveEvent::RegistrationAlert { .. } => self.count(&catalogue::REGISTRATION_ALERTS, &[], 1),
            LiveEvent::CallSummarised { cdr } => {
                if let Some(report) = &cdr.after_call {
                    self.count(&catalogue::SUMMARIES, &[&word(&report.state)], 1);
                }
            }
            LiveEvent::User { .. } => {}
        }
    }

    fn take_record(&self, cdr: &Cdr) {
        let direction = word(&cdr.direction);
        let end = cdr.termination.as_ref();
        let (result, reason) = (end.map(|end| word(&end.result)), end.map(|end| word(&end.reason)));
        let labels = [direction.as_str(), result.as_deref().unwrap_or_default(), reason.as_deref().unwrap_or_default()];
        self.count(&catalogue::CALLS, &labels, 1);
        if let Some(ms) = cdr.talk_ms() {
            self.observe(&catalogue::CALL_DURATION, &[&direction], ms as f64 / 1e3);
        }
        if let Some(answered) = cdr.answered_at {
            let setup = answered.duration_since(cdr.started_at).as_secs_f64();
            self.observe(&catalogue::CALL_SETUP, &[&direction], setup.max(0.0));
        }
        for claim in &cdr.claims {
            self.count(&catalogue::CLAIMS, &[&word(&claim.kind), &word(&claim.standing)], 1);
        }
        if let Some(cost) = &cdr.cost {
            for line in &cost.lines {
                self.add(&catalogue::COST, &[&line.engine, &cost.currency], line.amount_micros.max(0) as f64 / 1e6);
            }
        }
        let legs = cdr.legs.iter().filter_map(|leg| leg.media.as_ref());
        cdr.media.iter().chain(legs).for_each(|media| self.take_media(media));
    }

    fn take_media(&self, media: &MediaSummary) {
        for (event, packets) in [
            ("received", media.packets_received),
            ("sent", media.packets_sent),
            ("lost", media.packets_lost),
            ("late", media.packets_late),
            ("rejected", media.packets_rejected),
            ("unauthentic", media.packets_unauthentic),
        ] {
            self.count(&catalogue::MEDIA_PACKETS, &[event], packets);
        }
        // Of what never came there is no quality.
        if media.packets_received == 0 {
            return;
        }
        let codec = [media.codec.as_str()];
        let due = (media.packets_received + media.packets_lost) as f64;
        self.observe(&catalogue::MEDIA_LOSS, &codec, media.packets_lost as f64 / due);
        self.observe(&catalogue::MEDIA_JITTER, &codec, f64::from(media.jitter_ms) / 1e3);
        if let Some(mos) = media.mos {
            self.observe(&catalogue::MEDIA_MOS, &codec, f64::from(mos));
        }
        if let Some(ms) = media.rtt_ms {
            self.observe(&catalogue::MEDIA_RTT, &codec, f64::from(ms) / 1e3);
        }
    }

    fn take_fact(&self, fact: &CallFact, at: Timestamp) {
        match fact {
            CallFact::AgentReady { engine, .. } => {
                self.count(&catalogue::ENGINE_READY, &[engine], 1);
                self.set(&catalogue::ENGINE_READY_AT, &[engine], at.as_second() as f64);
            }
            CallFact::DeadAir { step, .. } => self.count(&catalogue::DEAD_AIR, &[&word(step)], 1),
            CallFact::BargeIn { outcome, .. } => self.count(&catalogue::BARGE_INS, &[&word(outcome)], 1),
            CallFact::DialRefused { limit, .. } => self.count(&catalogue::DIAL_REFUSALS, &[&word(limit)], 1),
            CallFact::EngineFailed { engine, cause, .. } => {
                self.count(&catalogue::ENGINE_FAILURES, &[engine, cause], 1);
                self.set(&catalogue::ENGINE_FAILED_AT, &[engine], at.as_second() as f64);
            }
            CallFact::SessionChanged { engine, resumed, .. } => {
                self.count(&catalogue::ENGINE_CHANGES, &[engine, &resumed.to_string()], 1);
            }
            CallFact::ToolUsed { outcome, took_ms, requests, .. } => {
                let outcome = word(&outcome.unwrap_or(ToolEnd::Result));
                self.count(&catalogue::TOOL_USES, &[&outcome], 1);
                self.observe(&catalogue::TOOL_DURATION, &[&outcome], took_ms.unwrap_or(0) as f64 / 1e3);
                requests.iter().for_each(|request| self.take_request(request));
            }
            CallFact::TransferStarted { mode, .. } => self.count(&catalogue::TRANSFERS, &[mode.as_str()], 1),
            _ => {}
        }
    }

    fn take_request(&self, request: &ToolRequest) {
        let protocol = if request.method.contains('/') { "mcp" } else { "http" };
        let class = request.status.map(|status| format!("{}xx", status / 100));
        let result = request.error.as_deref().or(class.as_deref()).unwrap_or("ok");
        self.count(&catalogue::TOOL_REQUESTS, &[protocol, result], 1);
    }

    fn series(&self) -> MutexGuard<'_, Series> {
        self.series.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(metric: &'static Metric, labels: &[&str]) -> (&'static str, Labels) {
    (metric.name, labels.iter().map(|label| (*label).to_owned()).collect())
}

fn in_seconds(histogram: &Histogram) -> Buckets {
    Buckets { counts: histogram.counts.to_vec(), sum: histogram.sum_ms as f64 / 1e3 }
}

/// A word of a closed list, as it stands in JSON.
fn word(value: &impl Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}
