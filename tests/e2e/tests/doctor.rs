//! `callie doctor` at a real provider: a line that works, one with a wrong password, one whose server does not exist.

use callie_e2e::peers::{Kamailio, kamailio::Digest, present};
use callie_e2e::{Callie, process::Process};
use serde_json::{Value, json};
use std::time::Duration;

const WITHIN: Duration = Duration::from_secs(120);

/// Runs the command in the server's folder: exit code and report.
fn examine(callie: &Callie, command: &str) -> (i32, Value, String) {
    let folder = tempfile::TempDir::new().expect("the temporary folder is writable");
    let mut shell = callie.shell(command).expect("bash is there");
    let mut process = Process::start("callie doctor", &mut shell, folder.path().join("log")).expect("it starts");
    let status = process.wait(WITHIN).expect("it ends");
    let log = process.log();
    let json = log.find('{').and_then(|at| serde_json::Deserializer::from_str(&log[at..]).into_iter::<Value>().next()?.ok());
    (status.code().unwrap_or(-1), json.unwrap_or(Value::Null), log)
}

fn outcome<'a>(report: &'a Value, subject: &str) -> &'a str {
    let findings = report["findings"].as_array().expect("a report has findings");
    findings.iter().find(|finding| finding["subject"] == subject).and_then(|f| f["outcome"].as_str()).unwrap_or("missing")
}

#[tokio::test]
async fn a_line_at_kamailio_is_proven() {
    if !present(&["kamailio"]) {
        return;
    }
    let mut callie = Callie::start().await;
    let kamailio = Kamailio::start(callie.ports(), Digest::Sha256, 600).await;
    callie.create_user("alice", kamailio.address(), json!({})).await;
    callie.register("alice").await;
    let (code, report, log) = examine(&callie, "callie doctor alice --json");
    for subject in
        ["dns", "transport", "registration", "authentication", "nat", "alg", "self_call", "audio", "codec", "dtmf", "hold"]
    {
        assert_eq!(outcome(&report, subject), "passed", "{subject}: {log}");
    }
    assert_eq!((code, report["outcome"].as_str()), (0, Some("passed")), "{log}");
    assert!(!log.contains("secret-alice"), "{log}");
    let (_, last) = callie.get("/users/alice/doctor").await;
    assert_eq!(last["examined_at"], report["examined_at"]);
    callie.await_idle(WITHIN).await;
}

#[tokio::test]
async fn what_is_wrong_is_named_with_its_remedy() {
    if !present(&["kamailio"]) {
        return;
    }
    let mut callie = Callie::start().await;
    let kamailio = Kamailio::start(callie.ports(), Digest::Md5, 600).await;
    callie.create_user("bob", kamailio.address(), json!({ "sip_password": "wrong" })).await;
    callie.create_user("carol", kamailio.address(), json!({ "sip_server": "no-such-host.invalid" })).await;
    let (code, _, log) = examine(&callie, "callie doctor bob");
    assert_eq!(code, 1, "{log}");
    assert!(log.contains("failed   Authentication") && log.contains("→ check sip_username"), "{log}");
    let (code, report, log) = examine(&callie, "callie doctor carol --json");
    assert_eq!((code, outcome(&report, "dns"), outcome(&report, "transport")), (1, "failed", "skipped"), "{log}");
    let (code, _, log) = examine(&callie, "callie doctor nobody");
    assert_eq!(code, 1, "{log}");
    assert!(log.contains("user nobody does not exist"), "{log}");
}
