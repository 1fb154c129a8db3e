//! Lists of calls as CSV: page after page of the store, as the reader takes them.

use super::document::CallDocument;
use crate::api::csv;
use crate::api::state::Records;
use axum::body::Body;
use axum::response::Response;
use callie_store::{CallFilter, CallPage, StoreError};
use futures::stream;
use serde::Serialize;

/// Calls that are read at once.
const PAGE: usize = 500;

const COLUMNS: [&str; 19] = [
    "id",
    "user_id",
    "direction",
    "from",
    "to",
    "started_at",
    "answered_at",
    "ended_at",
    "duration_seconds",
    "result",
    "reason",
    "engine",
    "turns",
    "agent_share",
    "latency_p50_ms",
    "latency_p95_ms",
    "cost",
    "currency",
    "summary",
];

/// Where the export stands.
enum Progress {
    Header(Box<CallFilter>, usize),
    Page(Box<CallFilter>, usize),
    Done,
}

/// All calls of the filter, or as many as its limit says.
pub fn answer(records: Records, filter: CallFilter) -> Response {
    let most = if filter.limit == 0 { usize::MAX } else { filter.limit };
    let rows = stream::unfold((Progress::Header(Box::new(filter), most), records), |(progress, records)| async move {
        match progress {
            Progress::Header(filter, most) => Some((Ok(csv::row(COLUMNS)), (Progress::Page(filter, most), records))),
            Progress::Page(mut filter, most) => {
                filter.limit = PAGE.min(most);
                let page = match records.list(&filter).await {
                    Ok(page) => page,
                    // The connection breaks off, so that half a list is not taken for a whole one.
                    Err(error) => return Some((Err(error), (Progress::Done, records))),
                };
                let CallPage { calls, next, .. } = page;
                let left = most - calls.len().min(most);
                let text: String = calls.into_iter().map(|cdr| row(&cdr.into())).collect();
                filter.before = next;
                let onward = if next.is_some() && left > 0 { Progress::Page(filter, left) } else { Progress::Done };
                Some((Ok::<_, StoreError>(text), (onward, records)))
            }
            Progress::Done => None,
        }
    });
    csv::answer("attachment; filename=\"calls.csv\"", Body::from_stream(rows))
}

fn row(call: &CallDocument) -> String {
    let time = |time: Option<jiff::Timestamp>| time.map(|time| time.to_string()).unwrap_or_default();
    let number = |number: Option<u32>| number.map(|number| number.to_string()).unwrap_or_default();
    let (end, talk, cost) = (call.termination.as_ref(), call.talk.as_ref(), call.cost.as_ref());
    let cells = [
        call.id.to_string(),
        call.user_id.to_string(),
        word(&call.direction),
        call.from.clone(),
        call.to.clone(),
        call.started_at.to_string(),
        time(call.answered_at),
        time(call.ended_at),
        call.talk_ms.map(|ms| format!("{:.3}", ms as f64 / 1_000.0)).unwrap_or_default(),
        end.map(|end| word(&end.result)).unwrap_or_default(),
        end.map(|end| word(&end.reason)).unwrap_or_default(),
        call.engine.clone().unwrap_or_default(),
        number(talk.map(|talk| talk.turns)),
        talk.and_then(|talk| talk.agent_share).map(|share| format!("{share:.4}")).unwrap_or_default(),
        number(talk.and_then(|talk| talk.latency_p50_ms)),
        number(talk.and_then(|talk| talk.latency_p95_ms)),
        cost.map(|cost| cost.total.to_string()).unwrap_or_default(),
        cost.map(|cost| cost.currency.clone()).unwrap_or_default(),
        call.after_call.as_ref().and_then(|report| report.summary.clone()).unwrap_or_default(),
    ];
    csv::row(cells.iter().map(String::as_str))
}

fn word(value: &impl Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}
