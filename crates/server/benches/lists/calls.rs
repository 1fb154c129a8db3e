//! Calls of a year, as the product itself writes them: records with turns, words, sums and costs; and how long lines were registered.

use crate::{Size, users};
use callie_domain::prices::{Cost, CostLine, Unit};
use callie_domain::record::{
    CallEvent, CallFact, Cdr, Direction, EndReason, EngineAnswers, Histogram, Speaker, TalkSummary, Termination, Turn,
};
use callie_domain::{CallId, UserId};
use callie_store::analytics::Watched;
use callie_store::{AnalyticsStore, RecordEntry, RecordStore, SqliteStore};
use jiff::{SignedDuration, Timestamp};

/// When the year begins.
const FIRST_S: i64 = 1_750_000_000;
pub const YEAR_S: i64 = 365 * 24 * 3_600;
/// In one transaction.
const AT_ONCE: usize = 5_000;
/// Each line was interrupted so often in the year.
const INTERRUPTIONS: i64 = 12;

/// When the `n`th of so many calls began.
pub fn begun(n: usize, calls: usize) -> Timestamp {
    let second = FIRST_S + i64::try_from(n).expect("small") * YEAR_S / i64::try_from(calls).expect("small");
    Timestamp::from_second(second).expect("a time")
}

pub fn id(n: usize, calls: usize) -> CallId {
    CallId::new(begun(n, calls), n as u128)
}

fn user(n: usize, users: usize) -> UserId {
    users::name(n * 7_919 % users).parse().expect("an id")
}

pub async fn write(store: &SqliteStore, size: Size) {
    for first in (0..size.calls).step_by(AT_ONCE) {
        let some = first..(first + AT_ONCE).min(size.calls);
        let faults = store.keep(some.map(|n| entry(n, size)).collect()).await;
        assert!(faults.is_empty(), "{:?}", faults.first());
    }
    for n in 0..size.users {
        store.keep_line_spans(spans(n)).await.expect("written");
    }
}

fn entry(n: usize, size: Size) -> RecordEntry {
    let at = begun(n, size.calls);
    let (user, reason) = (user(n, size.users), reason(n));
    // Some few are much longer, and much slower, than all others.
    let length_s = if n % 50_000 == 17 { 7_200 } else { (n * 31 % 900) as i64 };
    let latency_ms = if n % 20_000 == 23 { 9_000 } else { 400 + (n * 17 % 1_200) as u32 };
    let direction = if n.is_multiple_of(3) { Direction::Outbound } else { Direction::Inbound };
    let is_answered = reason == EndReason::RemoteHungUp || reason == EndReason::RtpLost;
    let cdr = Cdr {
        from: format!("+43{n}"),
        to: user.to_string(),
        answered_at: is_answered.then_some(at),
        ended_at: Some(at + SignedDuration::from_secs(length_s)),
        termination: Some(Termination::new(reason)),
        engine: Some("gemini".to_owned()),
        talk: is_answered.then(|| talk(latency_ms)),
        cost: is_answered.then(|| cost(length_s)),
        ..Cdr::begun(id(n, size.calls), user, direction, at)
    };
    // A word that is in every call, one that is in few, and one that only old calls have.
    let text = match n {
        _ if n % 10_000 == 5 => "My boiler leaks, hello",
        _ if n < size.calls / 2 => "Hello, I would like an appointment",
        _ => "Hello, I would like a visit",
    };
    let text = text.to_owned();
    let turn = Turn { index: 1, speaker: Speaker::Caller, started_ms: 0, ended_ms: 900, text, interrupted: false, latency: None };
    RecordEntry::Finish(Box::new(cdr), vec![CallEvent { at, offset_ms: 900, fact: CallFact::Turn { turn } }])
}

fn reason(n: usize) -> EndReason {
    match n % 100 {
        0..=79 => EndReason::RemoteHungUp,
        80..=89 => EndReason::NoAnswer,
        90..=98 => EndReason::CalleeBusy,
        _ => EndReason::RtpLost,
    }
}

fn talk(latency_ms: u32) -> TalkSummary {
    let mut latency = Histogram::default();
    latency.add(latency_ms / 2);
    latency.add(latency_ms);
    TalkSummary {
        turns: 4,
        caller_ms: 4_000,
        agent_ms: 9_000,
        answers: 2,
        latency_p50_ms: Some(latency_ms / 2),
        latency_p95_ms: Some(latency_ms),
        engines: vec![EngineAnswers { engine: "gemini".to_owned(), latency }],
        ..TalkSummary::default()
    }
}

fn cost(length_s: i64) -> Cost {
    let (engine, model) = ("gemini".to_owned(), "gemini-x-live".to_owned());
    let amount_micros = length_s * 100;
    let line = CostLine {
        engine,
        model,
        modality: None,
        quantity: u64::try_from(length_s).expect("positive"),
        unit: Unit::Tokens,
        price: Some(1.0),
        price_date: None,
        amount_micros,
    };
    Cost { currency: "EUR".to_owned(), total_micros: amount_micros, is_complete: true, lines: vec![line] }
}

fn spans(n: usize) -> Vec<Watched> {
    let user_id: UserId = users::name(n).parse().expect("an id");
    let at = |second: i64| Timestamp::from_second(FIRST_S + second).expect("a time");
    let each = YEAR_S / INTERRUPTIONS;
    // Not all at the same time.
    let shift = (n % 1_000) as i64;
    let of = |k: i64| {
        let (from, until, again) = (k * each + shift, (k + 1) * each + shift - 300, (k + 1) * each + shift);
        [(from, until, true), (until, again, false)]
    };
    let spans = (0..INTERRUPTIONS).flat_map(of);
    spans
        .map(|(from, until, is_registered)| Watched { user_id: user_id.clone(), from: at(from), until: at(until), is_registered })
        .collect()
}
