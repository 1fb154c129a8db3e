//! `callie doctor`: has a running server examine a user's line, and prints the report.

use super::{CliError, terminal};
use crate::config::{self, Http};
use anyhow::{Context, bail};
use serde_json::{Value, json};
use std::{fmt::Write, path::Path, time::Duration};

/// The longest examination: nothing answers anywhere.
const PATIENCE: Duration = Duration::from_secs(150);

#[derive(Debug, clap::Args)]
pub struct DoctorCommand {
    /// Whose line.
    user: String,
    /// Call this number of the line instead of the account's own name.
    #[arg(long, value_name = "NUMBER")]
    number: Option<String>,
    /// Print the report as JSON.
    #[arg(long)]
    json: bool,
}

/// A line that does not work is an error.
pub fn run(file: Option<&Path>, command: &DoctorCommand) -> Result<(), CliError> {
    let http = config::load(file)?.config.http;
    let report = super::serve::runtime()?.block_on(ask(&http, command))?;
    let text = if command.json { format!("{report:#}\n") } else { shown(&report) };
    terminal::say(&text)?;
    if report["outcome"] == "failed" {
        return Err(anyhow::anyhow!("the line of {} does not work: see the report", command.user).into());
    }
    Ok(())
}

async fn ask(http: &Http, command: &DoctorCommand) -> anyhow::Result<Value> {
    terminal::complain(&format!("examining the line of {}; it takes about ten seconds …", command.user));
    let client = reqwest::Client::builder().timeout(PATIENCE).build()?;
    let server = http.own_address();
    let url = format!("{server}/users/{}/doctor", command.user);
    let asked = client.post(&url).json(&json!({ "number": command.number }));
    let asked = match &http.api_key {
        Some(key) => asked.bearer_auth(key.expose()),
        None => asked,
    };
    let answer = asked
        .send()
        .await
        .with_context(|| format!("no server answers at {server}: start `callie serve` with these settings, then ask again"))?;
    let status = answer.status();
    let body: Value = answer.json().await.with_context(|| format!("{url} does not answer as Callie does ({status})"))?;
    if !status.is_success() {
        bail!("{}", body["detail"].as_str().unwrap_or("the server refuses"));
    }
    Ok(body)
}

fn shown(report: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let seconds = report["took_ms"].as_f64().unwrap_or_default() / 1_000.0;
    let mut out = format!(
        "{}, examined at {} in {seconds:.1} s: {}\n\n",
        text(&report["user_id"]),
        text(&report["examined_at"]),
        text(&report["outcome"])
    );
    for finding in report["findings"].as_array().into_iter().flatten() {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "  {:7}  {:16}  {}", text(&finding["outcome"]), text(&finding["title"]), text(&finding["text"]));
        if let Some(remedy) = finding["remedy"].as_str() {
            let _ = writeln!(out, "  {:7}  {:16}  → {remedy}", "", "");
        }
    }
    if let Some(calls) = report["calls"].as_array().filter(|calls| !calls.is_empty()) {
        let list: Vec<String> = calls.iter().map(text).collect();
        let _ = writeln!(out, "\n  The call's two ends: {} (GET /calls/{{id}}, …/sip, …/pcap, …/recording)", list.join(", "));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_shown_line_by_line() {
        let report = json!({
            "user_id": "alice", "examined_at": "2026-11-28T12:00:00Z", "took_ms": 9_800, "outcome": "warning", "calls": ["01A", "01B"],
            "findings": [
                {"subject": "dns", "title": "DNS", "outcome": "passed", "text": "leads somewhere", "remedy": null},
                {"subject": "nat", "title": "NAT", "outcome": "warning", "text": "private", "remedy": "set external_address"},
            ],
        });
        insta::assert_snapshot!(shown(&report), @r"
        alice, examined at 2026-11-28T12:00:00Z in 9.8 s: warning

          passed   DNS               leads somewhere
          warning  NAT               private
                                     → set external_address

          The call's two ends: 01A, 01B (GET /calls/{id}, …/sip, …/pcap, …/recording)
        ");
    }
}
