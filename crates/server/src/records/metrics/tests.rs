//! What is counted of what happens, and that the documents speak of nothing else.

use super::*;
use callie_domain::prices::{Cost, bill::CostLine, bill::Unit};
use callie_domain::record::{
    BargeInOutcome, CallEvent, DeadAirStep, Direction, EndReason, Speaker, Termination, Turn, TurnLatency,
};
use callie_domain::toll::Limit;
use callie_domain::{CallId, UserId};
use catalogue::CATALOGUE;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).expect("a time")
}

fn happened(fact: CallFact) -> LiveEvent {
    let user_id: UserId = "alice".parse().expect("valid");
    let event = CallEvent { at: at(3), offset_ms: 0, fact };
    LiveEvent::Call { call_id: CallId::new(at(0), 7), user_id, direction: Direction::Inbound, event }
}

fn tool(outcome: ToolEnd, status: Option<u16>, error: Option<&str>) -> CallFact {
    let request = ToolRequest {
        span: "00000000000000aa".into(),
        method: if status.is_some() { "GET".into() } else { "tools/call".into() },
        host: "h".into(),
        port: 1,
        after_ms: 0,
        took_ms: 1,
        status,
        error: error.map(str::to_owned),
    };
    let (name, arguments, result) = ("t".to_owned(), String::new(), String::new());
    CallFact::ToolUsed { name, arguments, result, outcome: Some(outcome), took_ms: Some(400), requests: vec![request] }
}

/// A call with something of everything.
fn counted() -> Metrics {
    let metrics = Metrics::default();
    let latency = Some(TurnLatency { total_ms: 600, ear_ms: 30, uplink_ms: 20, engine_ms: 500, playout_ms: 50 });
    let turn =
        Turn { index: 1, speaker: Speaker::Agent, started_ms: 0, ended_ms: 1, text: String::new(), interrupted: false, latency };
    for fact in [
        CallFact::AgentReady { engine: "gemini".into(), model: None },
        CallFact::Turn { turn },
        CallFact::DeadAir { step: DeadAirStep::Nudge, silent_ms: 4_000 },
        CallFact::BargeIn { at_ms: 1, outcome: BargeInOutcome::Resumed },
        CallFact::DialRefused { to: "+43".into(), limit: Limit::DoNotCall, detail: String::new() },
        CallFact::EngineFailed { engine: "gemini".into(), cause: "stalled".into(), detail: String::new(), remedy: String::new() },
        CallFact::SessionChanged { engine: "gemini".into(), reason: String::new(), resumed: true },
        tool(ToolEnd::Result, Some(204), None),
        tool(ToolEnd::Error, Some(503), None),
        tool(ToolEnd::Timeout, None, Some("timeout")),
        tool(ToolEnd::Result, None, None),
    ] {
        metrics.take(&happened(fact));
    }
    let media = MediaSummary {
        codec: "PCMU".into(),
        packets_received: 980,
        packets_lost: 20,
        jitter_ms: 4.0,
        mos: Some(4.25),
        rtt_ms: Some(30.0),
        ..MediaSummary::default()
    };
    let line = |engine: &str, amount_micros| CostLine {
        engine: engine.into(),
        model: "m".into(),
        modality: None,
        quantity: 1,
        unit: Unit::Tokens,
        price: None,
        price_date: None,
        amount_micros,
    };
    let lines = vec![line("gemini", 20_000), line("gemini", 5_000), line("carrier", 10_000)];
    let cost = Cost { currency: "USD".into(), total_micros: 35_000, is_complete: true, lines };
    let cdr = Cdr {
        answered_at: Some(at(2)),
        ended_at: Some(at(62)),
        termination: Some(Termination::because(EndReason::RemoteHungUp, "")),
        media: Some(media),
        cost: Some(cost),
        ..Cdr::begun(CallId::new(at(0), 7), "alice".parse().expect("valid"), Direction::Inbound, at(0))
    };
    metrics.take(&LiveEvent::CallRecorded { cdr: Box::new(cdr) });
    metrics
}

#[test]
fn what_happens_in_a_call_is_counted_once_and_by_its_kind() {
    let text = counted().page().text();
    for line in [
        r#"callie_calls_total{direction="inbound",result="completed",reason="remote_hung_up"} 1"#,
        r#"callie_call_duration_seconds_bucket{direction="inbound",le="60"} 1"#,
        r#"callie_call_duration_seconds_bucket{direction="inbound",le="30"} 0"#,
        r#"callie_call_duration_seconds_sum{direction="inbound"} 60"#,
        r#"callie_call_setup_seconds_bucket{direction="inbound",le="2"} 1"#,
        r#"callie_answer_latency_seconds_sum{engine="gemini",part="total"} 0.6"#,
        r#"callie_answer_latency_seconds_count{engine="gemini",part="engine"} 1"#,
        r#"callie_dead_air_steps_total{step="nudge"} 1"#,
        r#"callie_barge_ins_total{outcome="resumed"} 1"#,
        r#"callie_dial_refusals_total{limit="do_not_call"} 1"#,
        r#"callie_engine_sessions_total{engine="gemini"} 1"#,
        r#"callie_engine_failures_total{engine="gemini",cause="stalled"} 1"#,
        r#"callie_engine_last_failure_timestamp_seconds{engine="gemini"} 1800000003"#,
        r#"callie_engine_session_changes_total{engine="gemini",resumed="true"} 1"#,
        r#"callie_tool_uses_total{outcome="result"} 2"#,
        r#"callie_tool_duration_seconds_bucket{outcome="timeout",le="0.5"} 1"#,
        r#"callie_tool_requests_total{protocol="http",result="2xx"} 1"#,
        r#"callie_tool_requests_total{protocol="http",result="5xx"} 1"#,
        r#"callie_tool_requests_total{protocol="mcp",result="timeout"} 1"#,
        r#"callie_tool_requests_total{protocol="mcp",result="ok"} 1"#,
        r#"callie_media_loss_ratio_bucket{codec="PCMU",le="0.02"} 1"#,
        r#"callie_media_loss_ratio_bucket{codec="PCMU",le="0.01"} 0"#,
        r#"callie_media_jitter_seconds_bucket{codec="PCMU",le="0.005"} 1"#,
        r#"callie_media_mos_sum{codec="PCMU"} 4.25"#,
        r#"callie_media_packets_total{event="lost"} 20"#,
        r#"callie_cost_total{engine="gemini",currency="USD"} 0.025"#,
        r#"callie_cost_total{engine="carrier",currency="USD"} 0.01"#,
    ] {
        assert!(text.lines().any(|found| found == line), "no {line} in\n{text}");
    }
    assert!(!text.contains("alice"), "no series is a user's");
}

#[test]
fn bounds_of_answers_are_those_of_the_records() {
    let Kind::Histogram(bounds) = catalogue::ANSWER_LATENCY.kind else { panic!("a histogram") };
    let wanted: Vec<f64> = crate::records::latency::BOUNDS_MS.iter().map(|ms| f64::from(*ms) / 1e3).collect();
    assert_eq!(bounds, wanted);
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

const INTRODUCTION: &str = "# Metrics

What `GET /metrics` tells Prometheus (text format 0.0.4). Everything is counted since the process began, calls when they end. Written from
`crates/server/src/records/metrics/catalogue.rs` by `UPDATE_METRICS=1 cargo test -p callie-server metrics`; a test keeps both the same.

Labels come from closed lists: engines, reasons, codecs, status codes. No series is a user's, a call's or a number's, so that ten thousand users make no more
of them than one; what one user's calls were like is told by `GET /analytics` and `GET /latency?user_id=`. Histograms have `_bucket`, `_sum` and `_count`. Units are in the names: seconds, bytes, shares of 1.

| metric | type | labels | what it is | when it moves |
|---|---|---|---|---|
";

fn document() -> String {
    CATALOGUE.iter().fold(INTRODUCTION.to_owned(), |mut text, metric| {
        let labels: Vec<_> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        // Writing to a String cannot fail.
        let (kind, labels) = (metric.kind.as_str(), labels.join(", "));
        let _ = writeln!(text, "| `{}` | {kind} | {labels} | {} | {} |", metric.name, metric.help, metric.advice);
        text
    })
}

#[test]
fn the_document_has_every_metric_and_no_other() {
    let path = root().join("docs/METRICS.md");
    if std::env::var_os("UPDATE_METRICS").is_some() {
        std::fs::write(&path, document()).expect("written");
    }
    let committed = std::fs::read_to_string(&path).expect("docs/METRICS.md is there");
    assert!(committed == document(), "docs/METRICS.md is out of date: UPDATE_METRICS=1 cargo test -p callie-server metrics");
}

/// Labels by series: those of a histogram under each of its three names.
fn series() -> BTreeMap<String, BTreeSet<&'static str>> {
    let mut all = BTreeMap::new();
    for metric in CATALOGUE {
        let labels: BTreeSet<_> = metric.labels.iter().copied().collect();
        match metric.kind {
            Kind::Histogram(_) => {
                all.insert(format!("{}_bucket", metric.name), labels.iter().copied().chain(["le"]).collect());
                for suffix in ["sum", "count"] {
                    all.insert(format!("{}_{suffix}", metric.name), labels.clone());
                }
            }
            Kind::Counter | Kind::Gauge => drop(all.insert(metric.name.to_owned(), labels)),
        }
    }
    all
}

/// Labels that Prometheus itself gives to what it scrapes.
const SCRAPED: [&str; 2] = ["instance", "job"];

/// What is wrong with the names in an expression of PromQL.
fn faults(expression: &str) -> Vec<String> {
    let series = series();
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = expression.split(|c| !is_word(c)).filter(|word| word.starts_with("callie_") || word.starts_with("process_"));
    let used: BTreeSet<&str> = words.collect();
    let mut faults: Vec<String> =
        used.iter().filter(|name| !series.contains_key(**name)).map(|name| format!("no metric {name}")).collect();
    if used.is_empty() && !expression.starts_with("up{") {
        faults.push("none of our metrics".to_owned());
    }
    let known: BTreeSet<&str> = used.iter().filter_map(|name| series.get(*name)).flatten().copied().chain(SCRAPED).collect();
    // `name{label="…", …}`: the labels of just that metric.
    for (at, _) in expression.match_indices('{') {
        let name: String =
            expression[..at].chars().rev().take_while(|c| is_word(*c)).collect::<Vec<_>>().into_iter().rev().collect();
        let matchers = expression[at + 1..].split('}').next().unwrap_or_default();
        for label in matchers.split(',').filter_map(|matcher| matcher.split(['=', '!']).next()).map(str::trim) {
            let fits = series.get(&name).is_none_or(|own| own.contains(label) || SCRAPED.contains(&label));
            if !fits {
                faults.push(format!("{name} has no label {label}"));
            }
        }
    }
    // `by (label, …)` and `on (label, …)`.
    for keyword in ["by (", "on (", "without ("] {
        for (at, _) in expression.match_indices(keyword) {
            let list = expression[at + keyword.len()..].split(')').next().unwrap_or_default();
            let unknown = list.split(',').map(str::trim).filter(|label| !known.contains(label));
            faults.extend(unknown.map(|label| format!("no metric here has a label {label}")));
        }
    }
    faults
}

fn dashboard() -> Vec<String> {
    fn expressions(value: &serde_json::Value, found: &mut Vec<String>) {
        match value {
            serde_json::Value::Object(map) => {
                found.extend(map.get("expr").and_then(|expr| expr.as_str()).map(str::to_owned));
                map.values().for_each(|value| expressions(value, found));
            }
            serde_json::Value::Array(list) => list.iter().for_each(|value| expressions(value, found)),
            _ => {}
        }
    }
    let text = std::fs::read_to_string(root().join("deploy/grafana/callie.json")).expect("it is there");
    let mut found = Vec::new();
    expressions(&serde_json::from_str(&text).expect("JSON"), &mut found);
    found
}

/// Of `expr:` in the file of alerts: the rest of the line, or the lines that are further in.
fn alerts() -> Vec<String> {
    let text = std::fs::read_to_string(root().join("deploy/prometheus/alerts.yml")).expect("it is there");
    let mut lines = text.lines().peekable();
    let mut found = Vec::new();
    while let Some(line) = lines.next() {
        let Some(rest) = line.trim_start().strip_prefix("expr: ") else { continue };
        let depth = line.len() - line.trim_start().len();
        let mut expression = rest.trim_start_matches('|').to_owned();
        while let Some(more) = lines.next_if(|next| next.len() - next.trim_start().len() > depth) {
            expression.push(' ');
            expression.push_str(more.trim());
        }
        found.push(expression.trim().to_owned());
    }
    found
}

#[test]
fn dashboard_and_alerts_speak_of_metrics_that_there_are() {
    let (dashboard, alerts) = (dashboard(), alerts());
    assert!(dashboard.len() > 40 && alerts.len() > 10, "{} and {}", dashboard.len(), alerts.len());
    for expression in dashboard.iter().chain(&alerts) {
        assert_eq!(faults(expression), Vec::<String>::new(), "{expression}");
    }
    let all = dashboard.join(" ") + &alerts.join(" ");
    // What an operator pages on must not be missing.
    for metric in [
        "callie_calls_total",
        "callie_record_lost_entries_total",
        "callie_lines_down",
        "callie_health_status",
        "callie_media_mos_bucket",
    ] {
        assert!(all.contains(metric), "{metric} is on no dashboard and in no alert");
    }
}

#[test]
fn an_expression_with_a_wrong_name_is_found() {
    for (expression, fault) in [
        ("sum(callie_cals_total)", "no metric callie_cals_total"),
        ("callie_calls_total{engine=\"x\"}", "callie_calls_total has no label engine"),
        ("sum by (engine) (callie_calls_total)", "no metric here has a label engine"),
        ("rate(callie_media_mos[5m])", "no metric callie_media_mos"),
        ("sum(up)", "none of our metrics"),
    ] {
        assert_eq!(faults(expression), [fault], "{expression}");
    }
    assert_eq!(
        faults("sum by (le, engine) (rate(callie_answer_latency_seconds_bucket{part!=\"total\",instance=~\"$instance\"}[5m]))"),
        [""; 0]
    );
}
