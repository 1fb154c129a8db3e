//! The figures of one group: as they are added up, as JSON and as a row of CSV.

use crate::api::csv;
use callie_domain::analytics::{Span, Uptime};
use callie_domain::record::{CallResult, Direction, Histogram};
use callie_domain::user::limits::Micros;
use callie_store::analytics::{CallSum, Sums};
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// Calls and lines, added up.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    pub sums: Sums,
    pub uptime: Uptime,
}

/// Calls and lines in figures.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct FiguresDocument {
    pub calls: i64,
    pub inbound: i64,
    pub outbound: i64,
    pub answered: i64,
    /// Of all calls, 0 to 1; null without calls.
    #[schema(example = 0.93)]
    pub answer_rate: Option<f64>,
    pub outcomes: Outcomes,
    /// From answer to end, of all calls together.
    pub talk_seconds: f64,
    /// Of the calls that were answered.
    pub average_duration_seconds: Option<f64>,
    pub speech: Speech,
    /// From the end of the caller's speech to the first audible packet of the answer; null without answers.
    pub latency: Option<LatencyFigures>,
    /// The same by the engine that gave the answers.
    pub engines: Vec<EngineFigures>,
    /// One for each currency that a price table had when calls ended.
    pub costs: Vec<CostFigures>,
    pub lines: LineFigures,
}

/// Calls by their outcome.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
pub struct Outcomes {
    pub completed: i64,
    pub cancelled: i64,
    pub rejected: i64,
    pub busy: i64,
    pub no_answer: i64,
    pub declined: i64,
    pub not_found: i64,
    pub failed: i64,
    pub lost: i64,
}

/// Who spoke.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Speech {
    pub caller_seconds: f64,
    pub agent_seconds: f64,
    /// The agent's part of all speech, 0 to 1.
    #[schema(example = 0.58)]
    pub agent_share: Option<f64>,
}

/// Milliseconds, interpolated within the buckets of `callie_answer_latency_seconds`.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LatencyFigures {
    /// Answers that were measured.
    pub answers: u64,
    pub p50_ms: u32,
    pub p95_ms: u32,
    pub p99_ms: u32,
    pub average_ms: u64,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct EngineFigures {
    #[schema(example = "gemini")]
    pub engine: String,
    #[serde(flatten)]
    pub latency: LatencyFigures,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CostFigures {
    #[schema(example = "USD")]
    pub currency: String,
    /// Of all that has a price.
    #[schema(example = 12.34)]
    pub amount: f64,
    /// Everything had a price.
    pub complete: bool,
}

/// Lines that somebody wanted registered.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LineFigures {
    /// While the server ran, of all lines together.
    pub watched_seconds: f64,
    pub registered_seconds: f64,
    /// Registered of watched, 0 to 1.
    #[schema(example = 0.9995)]
    pub uptime: Option<f64>,
}

impl Figures {
    #[must_use]
    pub fn plus(mut self, other: &Self) -> Self {
        for sum in &other.sums.calls {
            let same = |own: &&mut CallSum| own.direction == sum.direction && own.result == sum.result;
            match self.sums.calls.iter_mut().find(same) {
                Some(own) => {
                    own.calls += sum.calls;
                    own.answered += sum.answered;
                    own.duration_ms += sum.duration_ms;
                    own.caller_ms += sum.caller_ms;
                    own.agent_ms += sum.agent_ms;
                }
                None => self.sums.calls.push(*sum),
            }
        }
        for (engine, histogram) in &other.sums.answers {
            self.sums.answers.entry(engine.clone()).or_default().merge(histogram);
        }
        for (currency, spending) in &other.sums.costs {
            let own = self.sums.costs.entry(currency.clone()).or_default();
            own.amount_micros = own.amount_micros.saturating_add(spending.amount_micros);
            own.incomplete += spending.incomplete;
        }
        self.uptime.watched_ms += other.uptime.watched_ms;
        self.uptime.registered_ms += other.uptime.registered_ms;
        self
    }

    pub fn header() -> String {
        csv::row([
            "from",
            "to",
            "calls",
            "inbound",
            "outbound",
            "answered",
            "answer_rate",
            "completed",
            "cancelled",
            "rejected",
            "busy",
            "no_answer",
            "declined",
            "not_found",
            "failed",
            "lost",
            "talk_seconds",
            "average_duration_seconds",
            "agent_share",
            "answers",
            "latency_p50_ms",
            "latency_p95_ms",
            "latency_p99_ms",
            "uptime",
            "cost",
            "currency",
        ])
    }

    /// Where calls were priced in more than one currency, their amounts and names stand side by side.
    pub fn row(&self, (from, to): Span) -> String {
        let shown = FiguresDocument::from(self);
        let some = |number: Option<f64>| number.map(|number| format!("{number:.4}")).unwrap_or_default();
        let of_latency = |field: fn(&LatencyFigures) -> String| shown.latency.as_ref().map(field).unwrap_or_default();
        let Outcomes { completed, cancelled, rejected, busy, no_answer, declined, not_found, failed, lost } = &shown.outcomes;
        let counts = [completed, cancelled, rejected, busy, no_answer, declined, not_found, failed, lost];
        let joined = |text: fn(&CostFigures) -> String| shown.costs.iter().map(text).collect::<Vec<_>>().join(" ");
        let mut cells = vec![from.to_string(), to.to_string()];
        cells.extend([shown.calls, shown.inbound, shown.outbound, shown.answered].map(|count| count.to_string()));
        cells.push(some(shown.answer_rate));
        cells.extend(counts.map(ToString::to_string));
        cells.extend([
            format!("{:.3}", shown.talk_seconds),
            some(shown.average_duration_seconds),
            some(shown.speech.agent_share),
        ]);
        cells.push(of_latency(|l| l.answers.to_string()));
        cells.extend([
            of_latency(|l| l.p50_ms.to_string()),
            of_latency(|l| l.p95_ms.to_string()),
            of_latency(|l| l.p99_ms.to_string()),
        ]);
        cells.extend([some(shown.lines.uptime), joined(|cost| cost.amount.to_string()), joined(|cost| cost.currency.clone())]);
        csv::row(cells.iter().map(String::as_str))
    }
}

impl From<&Figures> for FiguresDocument {
    fn from(Figures { sums, uptime }: &Figures) -> Self {
        let add = |field: fn(&CallSum) -> i64| sums.calls.iter().map(field).sum::<i64>();
        let of = |direction| sums.calls.iter().filter(|sum| sum.direction == direction).map(|sum| sum.calls).sum();
        let (calls, answered) = (add(|sum| sum.calls), add(|sum| sum.answered));
        let talk_seconds = seconds(add(|sum| sum.duration_ms));
        let (caller_ms, agent_ms) = (add(|sum| sum.caller_ms), add(|sum| sum.agent_ms));
        let mut all = Histogram::default();
        sums.answers.values().for_each(|histogram| all.merge(histogram));
        Self {
            calls,
            inbound: of(Direction::Inbound),
            outbound: of(Direction::Outbound),
            answered,
            answer_rate: share(answered, calls),
            outcomes: Outcomes::of(&sums.calls),
            talk_seconds,
            average_duration_seconds: (answered > 0).then(|| talk_seconds / answered as f64),
            speech: Speech {
                caller_seconds: seconds(caller_ms),
                agent_seconds: seconds(agent_ms),
                agent_share: share(agent_ms, caller_ms + agent_ms),
            },
            latency: LatencyFigures::of(&all),
            engines: engines(&sums.answers),
            costs: sums
                .costs
                .iter()
                .map(|(currency, spending)| CostFigures {
                    currency: currency.clone(),
                    amount: Micros(spending.amount_micros).units(),
                    complete: spending.incomplete == 0,
                })
                .collect(),
            lines: LineFigures {
                watched_seconds: seconds(uptime.watched_ms),
                registered_seconds: seconds(uptime.registered_ms),
                uptime: uptime.share(),
            },
        }
    }
}

impl Outcomes {
    fn of(sums: &[CallSum]) -> Self {
        let mut outcomes = Self::default();
        for sum in sums {
            let count = match sum.result {
                CallResult::Completed => &mut outcomes.completed,
                CallResult::Cancelled => &mut outcomes.cancelled,
                CallResult::Rejected => &mut outcomes.rejected,
                CallResult::Busy => &mut outcomes.busy,
                CallResult::NoAnswer => &mut outcomes.no_answer,
                CallResult::Declined => &mut outcomes.declined,
                CallResult::NotFound => &mut outcomes.not_found,
                CallResult::Failed => &mut outcomes.failed,
                CallResult::Lost => &mut outcomes.lost,
            };
            *count += sum.calls;
        }
        outcomes
    }
}

impl LatencyFigures {
    fn of(histogram: &Histogram) -> Option<Self> {
        let answers = histogram.count();
        let quantile = |share| histogram.quantile(share).unwrap_or_default();
        let average_ms = histogram.sum_ms.checked_div(answers)?;
        Some(Self { answers, p50_ms: quantile(0.5), p95_ms: quantile(0.95), p99_ms: quantile(0.99), average_ms })
    }
}

fn engines(answers: &BTreeMap<String, Histogram>) -> Vec<EngineFigures> {
    let of = |(engine, histogram): (&String, &Histogram)| {
        Some(EngineFigures { engine: engine.clone(), latency: LatencyFigures::of(histogram)? })
    };
    answers.iter().filter_map(of).collect()
}

fn seconds(ms: i64) -> f64 {
    ms as f64 / 1_000.0
}

fn share(part: i64, whole: i64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}
