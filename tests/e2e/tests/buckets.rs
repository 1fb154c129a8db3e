//! Recordings in a bucket of somebody else's S3 (moto), with outages, restarts and erasure.

use callie_e2e::callie::Setup;
use callie_e2e::peers::moto::Moto;
use callie_e2e::peers::present;
use callie_e2e::voice::loud_seconds;
use callie_e2e::wav::Wav;
use callie_e2e::{Callie, eventually};
use callie_lab::carrier::{Carrier, CarrierOptions, Subscriber};
use callie_lab::phone::{Phone, PhoneOptions, Script, Step};
use callie_lab::samples::Line;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

const WITHIN: Duration = Duration::from_secs(90);

fn setup(moto: &Moto, setup: Setup) -> Setup {
    setup
        .env("CALLIE_RECORDINGS", "s3://calls/here")
        .env("CALLIE_RECORDINGS_ENDPOINT", moto.url())
        .env("AWS_ACCESS_KEY_ID", "somebody")
        .env("AWS_SECRET_ACCESS_KEY", "a canary of a secret")
}

async fn carrier() -> Carrier {
    let subscribers = vec![Subscriber::new("alice", "secret-alice")];
    Carrier::start(CarrierOptions { subscribers, ..CarrierOptions::default() }).await.expect("a carrier")
}

/// Maria rings alice and says a sentence; gives the record.
async fn call(callie: &Callie, carrier: &Carrier) -> Value {
    let before = callie.calls().await.len();
    let steps = [Step::WaitAnswer, Step::Play(Line::Maria1.samples()), Step::HangUp];
    let options = PhoneOptions::new(carrier.address(), "maria");
    let call = Phone::call(&options, "alice", Script::new(steps)).await.expect("a telephone");
    call.finished().await.expect("a report");
    eventually("the call has ended", WITHIN, || async {
        let calls = callie.calls().await;
        (calls.len() > before).then(|| calls[0].clone()).filter(|call| !call["ended_at"].is_null())
    })
    .await
}

fn is_heard(wav: &Wav) {
    assert!(loud_seconds(&wav.channels[0], wav.rate, 300.0) > 1.0, "the caller is on it");
}

/// The recording's name in its record, and where it lies on the disk until it is in the bucket.
fn names(callie: &Callie, call: &Value) -> (String, PathBuf) {
    let name = call["recording"].as_str().expect("recorded");
    (format!("here/{name}"), callie.data_dir().join("recordings").join(name))
}

async fn state(callie: &Callie) -> Value {
    callie.get("/admin/status").await.1["recordings"].clone()
}

#[tokio::test]
async fn recordings_move_into_a_bucket_and_outlive_its_outages_until_they_are_erased() {
    if !Moto::present() || !present(&["sqlite3"]) {
        return;
    }
    let mut prepared = Callie::setup();
    let moto = Moto::start(prepared.ports()).await;
    moto.put("calls", Vec::new()).await;
    let carrier = carrier().await;
    let callie = setup(&moto, prepared).start().await.expect("callie starts");
    callie.create_user("alice", carrier.address(), json!({"sip_username": "alice"})).await;
    callie.register("alice").await;
    assert!(moto.objects("calls").await.is_empty(), "nothing is left of the probe");

    let first = call(&callie, &carrier).await;
    let (object, file) = names(&callie, &first);
    let moved = || async { (moto.objects("calls").await == [object.clone()] && !file.exists()).then_some(()) };
    eventually("the recording is in the bucket alone", WITHIN, moved).await;
    let copy = moto.get(&format!("calls/{object}")).await.expect("it is there");
    assert!(copy.starts_with(b"callrec"), "sealed");
    is_heard(&callie.recording(&first).await);
    assert_eq!(state(&callie).await["uploaded"], 1);

    let port = moto.kill();
    let second = call(&callie, &carrier).await;
    let waits = || async {
        let state = state(&callie).await;
        (state["pending_uploads"] == 1 && state["problem"].as_str()?.contains("CALLIE_RECORDINGS")).then_some(())
    };
    eventually("it is told that a recording waits", WITHIN, waits).await;
    is_heard(&callie.recording(&second).await);
    let status = callie.get("/admin/status").await.1;
    assert_eq!(status["system_status"], "degraded", "{status}");
    assert!(!status.to_string().contains("canary") && !callie.log().contains("canary"), "no secret is told");

    let callie = callie.kill().start().await.expect("it starts without the bucket");
    is_heard(&callie.recording(&second).await);
    let moto = Moto::start_at(port).await;
    moto.put("calls", Vec::new()).await;
    let (object, file) = names(&callie, &second);
    let moved = || async { (moto.objects("calls").await == [object.clone()] && !file.exists()).then_some(()) };
    eventually("what waited is in the bucket", WITHIN, moved).await;
    is_heard(&callie.recording(&second).await);

    let copy = moto.get(&format!("calls/{object}")).await.expect("it is there");
    let id = second["id"].as_str().expect("an id");
    moto.put(&format!("calls/{object}"), copy[..copy.len() / 2].to_vec()).await;
    let half = callie.recording(&second).await;
    let whole = (copy.len() / 2 / 3_216 * 3_200 / 4) as f64 / 8_000.0;
    assert!((half.seconds() - whole).abs() < 0.2, "what is whole of a recording that was cut is heard: {} s", half.seconds());
    moto.put(&format!("calls/{object}"), copy.clone()).await;

    let (status, receipt) = callie.post("/users/alice/erasures", json!({"everything": true})).await;
    assert_eq!((status, &receipt["recordings_unreadable"]), (200, &json!(2)), "{receipt}");
    assert!(receipt["key_id"].is_string(), "{receipt}");
    let gone =
        || async { (moto.objects("calls").await.is_empty() && state(&callie).await["pending_deletions"] == 0).then_some(()) };
    eventually("it is deleted in the bucket", WITHIN, gone).await;
    // As it would come out of an old version of the bucket, with a record that leads to it.
    moto.put(&format!("calls/{object}"), copy).await;
    let name = object.trim_start_matches("here/");
    let sql = format!("UPDATE calls SET cdr = json_set(cdr, '$.recording', '{name}') WHERE id = '{id}'");
    let done = Command::new("sqlite3").args(["-cmd", ".timeout 10000"]).arg(callie.database()).arg(sql).status();
    assert!(done.is_ok_and(|status| status.success()));
    let (status, refused) = callie.get(&format!("/calls/{id}/recording")).await;
    assert_eq!(status, 404, "{refused}");
    assert!(refused["detail"].as_str().is_some_and(|text| text.contains("destroyed")), "{refused}");
}

#[tokio::test]
async fn a_bucket_that_is_not_there_is_told_at_the_start() {
    if !Moto::present() {
        return;
    }
    let mut prepared = Callie::setup();
    let moto = Moto::start(prepared.ports()).await;
    let refused = setup(&moto, prepared).start().await.expect_err("refused").to_string();
    for word in ["s3://calls/here", "CALLIE_RECORDINGS", "no such bucket", "make it, or name another one"] {
        assert!(refused.contains(word), "{word}: {refused}");
    }
}
