//! What Prometheus makes of us: its own checker reads a scrape of the real server, the rules and the configuration that we ship.

use callie_e2e::{Callie, peers::present};
use serde_json::json;
use std::path::Path;
use std::process::{Command, Stdio};

/// What `promtool` says of it, and whether it is content.
fn promtool(arguments: &[&str], input: Option<&Path>) -> (bool, String) {
    let input = input.map_or(Stdio::null(), |path| std::fs::File::open(path).expect("it is there").into());
    let output = Command::new("promtool").args(arguments).stdin(input).output().expect("promtool runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.success(), said)
}

#[tokio::test(flavor = "multi_thread")]
async fn prometheus_reads_a_scrape_and_finds_nothing_to_say_about_it() {
    if !present(&["promtool"]) {
        return;
    }
    let callie = Callie::start().await;
    callie.create_user("alice", ([127, 0, 0, 1], 9).into(), json!({})).await;
    let file = callie.download("/metrics", "metrics.txt").await.expect("it answers");
    let scrape = std::fs::read_to_string(&file).expect("it is text");
    for line in [
        "callie_users{state=\"good\"} 1",
        "callie_health_status{check=\"store\"} 0",
        "callie_http_responses_total{code=\"201\"} 1",
    ] {
        assert!(scrape.contains(line), "no {line} in\n{scrape}");
    }
    let (is_content, said) = promtool(&["check", "metrics"], Some(&file));
    assert!(is_content && said.trim().is_empty(), "{said}");
}

#[test]
fn prometheus_takes_the_rules_and_the_configuration() {
    if !present(&["promtool"]) {
        return;
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/prometheus");
    for (what, file) in [("rules", "alerts.yml"), ("config", "prometheus.yml")] {
        let path = folder.join(file).display().to_string();
        let (is_content, said) = promtool(&["check", what, &path], None);
        assert!(is_content, "{file}: {said}");
    }
}
