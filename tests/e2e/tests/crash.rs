//! The end of the process: by SIGKILL in mid-call, and by SIGTERM in its proper order.

use callie_e2e::peers::{Kamailio, kamailio::Digest, present, sipp::Scenario};
use callie_e2e::voice::loud_seconds;
use callie_e2e::{Callie, eventually};
use serde_json::{Value, json};
use std::{path::PathBuf, time::Duration};

const WITHIN: Duration = Duration::from_secs(30);

/// Alice in a call that has lasted a few seconds.
async fn in_mid_call(scenario: &'static str) -> (Callie, Kamailio, callie_e2e::peers::Sipp, Value) {
    let mut callie = Callie::start().await;
    let kamailio = Kamailio::start(callie.ports(), Digest::Md5, 60).await;
    callie.create_user("alice", kamailio.address(), json!({})).await;
    callie.register("alice").await;
    let caller = Scenario::caller(scenario, "alice", kamailio.address()).pause(Duration::from_secs(8));
    let sipp = caller.start(callie.ports());
    let call = eventually("the call has lasted a while", WITHIN, || async {
        let call = callie.calls().await.first()?.clone();
        let path = recordings(&callie).into_iter().next()?;
        // Two seconds of two channels at 8 kHz.
        std::fs::metadata(path).is_ok_and(|file| file.len() > 2 * 8_000 * 2 * 2).then_some(call)
    })
    .await;
    (callie, kamailio, sipp, call)
}

/// Every recording below the data folder, finished or not.
fn recordings(callie: &Callie) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![callie.data_dir()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_string_lossy().contains(".sealed") {
                found.push(path);
            }
        }
    }
    found
}

#[tokio::test]
async fn a_killed_process_leaves_a_record_and_a_readable_recording() {
    if !present(&["kamailio", "sipp"]) {
        return;
    }
    let (callie, kamailio, _sipp, call) = in_mid_call("call_and_speak").await;
    let setup = callie.kill();

    let callie = setup.start().await.expect("it starts on what was left");
    let id = call["id"].as_str().expect("a call has an id");
    let (status, detail) = callie.get(&format!("/calls/{id}")).await;
    assert_eq!(status, 200, "{detail}");
    let end = &detail["termination"];
    assert_eq!((&end["result"], &end["reason"]), (&json!("lost"), &json!("process_lost")), "{detail}");
    assert!(!detail["ended_at"].is_null(), "{detail}");
    let wav = callie.recording(&detail).await;
    assert!(wav.seconds() > 1.0, "{} s are left", wav.seconds());
    assert!(loud_seconds(&wav.channels[0], wav.rate, 1_000.0) > 1.0, "the caller is on it");
    let lies = |path: &PathBuf| std::fs::read(path).expect("readable");
    assert!(recordings(&callie).iter().all(|path| lies(path).starts_with(b"callrec")), "nothing lies in clear");

    assert_eq!(callie.active_calls().await, 0);
    callie.await_registration("alice", true, WITHIN).await;
    kamailio.await_binding("alice", WITHIN).await;
}

#[tokio::test]
async fn sigterm_ends_calls_then_lines_then_the_process() {
    if !present(&["kamailio", "sipp"]) {
        return;
    }
    let (callie, kamailio, mut sipp, call) = in_mid_call("call_until_hung_up").await;
    let (status, log, setup) = callie.terminate(Duration::from_secs(20));
    assert!(status.success(), "{status}\n{log}");
    sipp.finish(WITHIN);
    assert_eq!(kamailio.bindings(), [], "the line was unregistered");

    let callie = setup.start().await.expect("it starts again");
    let (_, detail) = callie.get(&format!("/calls/{}", call["id"].as_str().unwrap_or_default())).await;
    let end = &detail["termination"];
    assert_eq!((&end["result"], &end["reason"]), (&json!("completed"), &json!("server_shutdown")), "{detail}");
    assert!(callie.recording(&detail).await.seconds() > 1.0);
}
