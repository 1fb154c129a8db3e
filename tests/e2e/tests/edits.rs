//! Changes while it runs: through the API, and by another program in the database (the `sqlite3` shell). And a canary: a
//! password is found nowhere in clear.

use callie_e2e::peers::{Kamailio, kamailio::Digest, present, sipp::Scenario};
use callie_e2e::{Callie, eventually};
use serde_json::{Value, json};
use std::{path::Path, process::Command, time::Duration};

const WITHIN: Duration = Duration::from_secs(20);

async fn alice_at_kamailio(password: &str) -> (Callie, Kamailio) {
    let mut callie = Callie::start().await;
    let kamailio = Kamailio::start(callie.ports(), Digest::Md5, 60).await;
    callie.create_user("alice", kamailio.address(), json!({ "sip_password": password })).await;
    (callie, kamailio)
}

/// Another program's hand in the database.
fn sqlite3(callie: &Callie, statement: &str) {
    let output = Command::new("sqlite3").arg("-cmd").arg(".timeout 5000").arg(callie.database()).arg(statement).output();
    let output = output.expect("sqlite3 starts");
    assert!(output.status.success(), "{statement}: {}", String::from_utf8_lossy(&output.stderr));
}

async fn await_user(callie: &Callie, what: &str, is: impl Fn(&Value) -> bool) -> Value {
    eventually(what, WITHIN, || async {
        let user = callie.get("/users/alice").await.1;
        is(&user).then_some(user)
    })
    .await
}

#[tokio::test]
async fn another_programs_edit_takes_effect() {
    if !present(&["kamailio", "sqlite3"]) {
        return;
    }
    let (callie, kamailio) = alice_at_kamailio("secret-alice").await;
    callie.register("alice").await;

    sqlite3(
        &callie,
        "UPDATE user_configs SET doc = json_set(doc, '$.device.custom_user_agent', 'Edited/1') WHERE user_id = 'alice'",
    );
    eventually("the registrar sees the new telephone", WITHIN, || async {
        kamailio.bindings().iter().any(|b| b.user == "alice" && b.user_agent == "Edited/1").then_some(())
    })
    .await;

    sqlite3(&callie, "UPDATE user_configs SET doc = json_set(doc, '$.sip.is_active', json('false')) WHERE user_id = 'alice'");
    kamailio.await_no_binding("alice", WITHIN).await;
    sqlite3(&callie, "UPDATE user_configs SET doc = json_set(doc, '$.sip.is_active', json('true')) WHERE user_id = 'alice'");
    kamailio.await_binding("alice", WITHIN).await;

    sqlite3(&callie, "DELETE FROM user_configs WHERE user_id = 'alice'");
    kamailio.await_no_binding("alice", WITHIN).await;
    eventually("the user is gone", WITHIN, || async { (callie.get("/users/alice").await.0 == 404).then_some(()) }).await;
}

#[tokio::test]
async fn a_password_typed_into_the_database_works_and_is_sealed() {
    if !present(&["kamailio", "sqlite3"]) {
        return;
    }
    let (callie, kamailio) = alice_at_kamailio("not-it-at-all").await;
    callie.connect("alice").await;
    await_user(&callie, "the password is found wrong", |u| u["registration"]["state"] == "wrong_password").await;

    sqlite3(&callie, "UPDATE user_configs SET doc = json_set(doc, '$.sip.sip_password', 'secret-alice') WHERE user_id = 'alice'");
    kamailio.await_binding("alice", WITHIN).await;
    eventually("the password is sealed", WITHIN, || async {
        let output = Command::new("sqlite3").arg(callie.database()).arg("SELECT doc FROM user_configs").output().ok()?;
        (!String::from_utf8_lossy(&output.stdout).contains("secret-alice")).then_some(())
    })
    .await;
    callie.await_registration("alice", true, WITHIN).await;
}

#[tokio::test]
async fn a_document_that_cannot_be_read_leaves_the_line_as_it_was() {
    if !present(&["kamailio", "sqlite3"]) {
        return;
    }
    let (callie, kamailio) = alice_at_kamailio("secret-alice").await;
    callie.register("alice").await;
    sqlite3(&callie, "UPDATE user_configs SET doc = json_set(doc, '$.sip.sip_port', 'five thousand') WHERE user_id = 'alice'");
    let user = await_user(&callie, "the fault is told", |u| u["config_state"]["state"] == "faulty").await;
    assert!(user["config_state"]["problem"].as_str().is_some_and(|p| p.contains("sip_port")), "{user}");
    assert_eq!(user["sip_status"]["registered"], true, "the last good configuration goes on: {user}");
    kamailio.await_binding("alice", WITHIN).await;

    sqlite3(&callie, "UPDATE user_configs SET doc = json_set(doc, '$.sip.sip_port', 5060) WHERE user_id = 'alice'");
    await_user(&callie, "the document is mended", |u| u["config_state"]["state"] == "ok").await;
}

#[tokio::test]
async fn a_call_keeps_the_configuration_it_began_with() {
    if !present(&["kamailio", "sipp"]) {
        return;
    }
    let (mut callie, kamailio) = alice_at_kamailio("secret-alice").await;
    callie.register("alice").await;
    let before = callie.get("/users/alice").await.1["revision"].clone();
    let caller = Scenario::caller("call_and_echo", "alice", kamailio.address()).pause(Duration::from_secs(5));
    let mut sipp = caller.start(callie.ports());
    eventually("the call is up", WITHIN, || async { (callie.active_calls().await == 1).then_some(()) }).await;

    // Were it to hold for the running call, that would end at once.
    let (status, body) = callie.put("/users/alice", json!({ "max_call_duration": 1, "greeting": "Changed." })).await;
    assert_eq!(status, 200, "{body}");
    sipp.finish(WITHIN);
    let call = callie.ended_call("alice", WITHIN).await;
    assert_eq!(call["termination"]["reason"], "remote_hung_up", "{call}");
    assert_eq!(call["config_revision"], before, "{call}");
}

/// Every file below `folder` that holds `needle`.
fn files_with(folder: &Path, needle: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else if std::fs::read(&path).is_ok_and(|bytes| bytes.windows(needle.len()).any(|w| w == needle)) {
                found.push(path.display().to_string());
            }
        }
    }
    found
}

#[tokio::test]
async fn a_password_is_found_nowhere_in_clear() {
    if !present(&["kamailio"]) {
        return;
    }
    const CANARY: &str = "canary-7f3a9c5e";
    let setup = Callie::setup().env("CALLIE_LOG", "trace");
    let mut callie = setup.start().await.expect("callie starts");
    let kamailio = Kamailio::start(callie.ports(), Digest::Md5, 60).await;
    callie.create_user("alice", kamailio.address(), json!({ "sip_password": CANARY })).await;
    callie.connect("alice").await;
    await_user(&callie, "the password is found wrong", |u| u["registration"]["state"] == "wrong_password").await;
    for path in ["/users", "/users/alice", "/admin/status", "/openapi.json"] {
        assert!(!callie.get(path).await.1.to_string().contains(CANARY), "{path}");
    }
    let key_file = std::fs::metadata(callie.data_dir().join("keyring.json")).expect("there is a key file");
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&key_file.permissions()) & 0o777, 0o600);
    let data = callie.data_dir();
    let (_, log, _setup) = callie.terminate(WITHIN);
    assert!(!log.contains(CANARY), "the password stands in the log");
    assert_eq!(files_with(&data, CANARY.as_bytes()), Vec::<String>::new());
}
