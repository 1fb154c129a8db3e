//! What was said, deleted on request: the receipt, the audit, the files; and what is recorded at all.

use super::calls;
use super::world::World;
use callie_domain::record::{Direction, EndReason};
use callie_store::retention::Which;
use callie_store::{RecordStore, VaultStore as _};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// A call of alice's in the database, with a file.
async fn keep(world: &World, n: u32) {
    let cdr = calls::cdr(n, "alice", Direction::Inbound, EndReason::RemoteHungUp);
    let file = world.recordings.path().join(cdr.recording.as_ref().expect("recorded"));
    std::fs::write(file, "RIFF").expect("writable");
    world.queue.finish(&cdr, &[]).await.expect("kept");
}

#[tokio::test]
async fn a_party_is_erased_with_a_receipt_that_names_nobody() {
    let world = World::with_alice().await;
    keep(&world, 1).await;
    keep(&world, 2).await;
    let reply = world.post("/users/alice/erasures", r#"{"party": "bob"}"#).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let receipt = reply.json();
    assert_eq!((&receipt["calls"], &receipt["recordings"]), (&json!(2), &json!(2)));
    let text = |name: &str| receipt[name].as_str().expect("text").to_owned();
    let hex = |text: &str| Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    assert_eq!(text("party_sha256"), hex("bob"));
    let lines = format!("alice\n{}\n{}\n2\n2\n0\nnone\n", text("erased_at"), text("party_sha256"));
    assert_eq!(text("receipt_sha256"), hex(&lines));
    assert!(!reply.text().contains("bob"), "{}", reply.text());
    let left: Vec<_> =
        std::fs::read_dir(world.recordings.path()).expect("a folder").map(|file| file.expect("a file").file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().ends_with(".wav")), "{left:?}");
    let audit = world.get("/audit?target=/users/alice/erasures").await.json();
    assert_eq!(audit["entries"][0]["detail"], receipt, "{audit}");

    let again = world.post("/users/alice/erasures", r#"{"everything": true}"#).await.json();
    assert_eq!((&again["calls"], &again["party_sha256"]), (&json!(0), &Value::Null), "nothing is left of them");
}

#[tokio::test]
async fn what_would_go_is_told_before_it_goes() {
    let world = World::with_alice().await;
    keep(&world, 1).await;
    keep(&world, 2).await;
    let preview = async |query: &str| world.get(&format!("/users/alice/erasures/preview?{query}")).await.json();
    let all = preview("everything=true").await;
    assert_eq!((&all["calls"], &all["recordings"], &all["calls_up"]), (&json!(2), &json!(2), &json!(0)), "{all}");
    assert!(all["oldest"].as_str() <= all["newest"].as_str() && all["oldest"].is_string(), "{all}");
    assert_eq!(preview("party=bob").await["calls"], 2);
    let nobody = preview("party=nobody").await;
    assert_eq!((&nobody["calls"], &nobody["oldest"]), (&json!(0), &Value::Null));
    assert_eq!(preview("everything=true").await["calls"], 2, "looking deletes nothing");
    world.post("/users/alice/erasures", r#"{"everything": true}"#).await;
    assert_eq!(preview("everything=true").await["calls"], 0);
    for (query, field) in
        [("", "party"), ("party=", "party"), ("party=a&everything=true", "party"), ("everything=yes", "everything")]
    {
        let reply = world.get(&format!("/users/alice/erasures/preview?{query}")).await;
        assert_eq!((reply.status, reply.fields()), (422, vec![field.to_owned()]), "{query}");
    }
}

#[tokio::test]
async fn receipts_are_kept_whatever_way_the_user_was_named() {
    let world = World::with_alice().await;
    assert_eq!(world.post("/users", &super::guide::ALICE.replacen("alice", "a@b", 1)).await.status, 201);
    world.post("/users/alice/erasures", r#"{"everything": true}"#).await;
    let encoded = world.post("/users/a%40b/erasures", r#"{"party": "bob"}"#).await.json();
    let plain = world.post("/users/a@b/erasures", r#"{"everything": true}"#).await.json();
    assert_eq!(world.post("/users/a@b/erasures", "{}").await.status, 422);
    let mut kept = [plain, encoded];
    for receipt in &mut kept {
        receipt["by"] = json!("this machine");
    }
    let list = world.get("/users/a%40b/erasures").await.json();
    assert_eq!(list, json!({"receipts": kept, "next": null}), "newest first, and none of alice's");
    assert_eq!(world.get("/users/a@b/erasures?before=x").await.fields(), ["before"]);
    assert_eq!(world.get("/users/nobody/erasures").await.status, 404);
}

#[tokio::test]
async fn erasing_a_user_destroys_its_key_and_copies_of_its_recordings_stay_shut() {
    let world = World::with_alice().await;
    let mut copies = Vec::new();
    for n in 1..=3 {
        let (file, _) = calls::record(&world, n, 64_000, true).await;
        let cdr = RecordStore::get(&*world.store, calls::call_id(n)).await.expect("read").expect("there");
        world.queue.finish(&cdr, &[]).await.expect("kept");
        copies.push((n, cdr, std::fs::read(&file).expect("there"), file));
    }
    assert_eq!(world.get(&format!("/calls/{}/recording", calls::call_id(1))).await.status, 200);
    assert_eq!(world.delete("/users/alice").await.status, 200);
    assert_eq!(
        world.get(&format!("/calls/{}/recording", calls::call_id(1))).await.status,
        200,
        "a deleted user's recordings stay"
    );
    let key_id = world.queue.tenant_key_id(&"alice".parse().expect("an id")).await.expect("asked");

    let receipt = world.post("/users/alice/erasures", r#"{"everything": true}"#).await;
    assert_eq!(receipt.status, 200, "{}", receipt.text());
    let receipt = receipt.json();
    assert_eq!((&receipt["recordings"], &receipt["recordings_unreadable"]), (&json!(3), &json!(3)));
    assert_eq!(receipt["key_id"].as_str(), key_id.as_deref());
    assert!(receipt["backups"].as_str().is_some_and(|text| text.contains("callie.db")), "{receipt}");
    let audit = world.get("/audit?target=/users/alice/erasures").await.json();
    assert_eq!(audit["entries"][0]["detail"]["key_id"], receipt["key_id"], "{audit}");
    for (n, cdr, copy, file) in copies {
        // Somebody puts the copy back, and the record that led to it.
        std::fs::write(&file, copy).expect("written");
        calls::keep(&world, &cdr).await;
        let reply = world.get(&format!("/calls/{}/recording", calls::call_id(n))).await;
        assert_eq!(reply.status, 404, "{}", reply.text());
    }
    assert_eq!(world.post("/users/alice/erasures", r#"{"everything": true}"#).await.status, 404, "nothing is left of alice");
}

#[tokio::test]
async fn wishes_that_are_none() {
    let world = World::with_alice().await;
    for (body, field) in [
        ("{}", "party"),
        (r#"{"party": ""}"#, "party"),
        (r#"{"party": 1}"#, "party"),
        (r#"{"everything": false}"#, "everything"),
        (r#"{"party": "bob", "everything": true}"#, "party"),
        (r#"{"number": "1"}"#, "number"),
    ] {
        let reply = world.post("/users/alice/erasures", body).await;
        assert_eq!((reply.status, reply.fields()), (422, vec![field.to_owned()]), "{body}");
    }
    assert_eq!(world.post("/users/nobody/erasures", r#"{"everything": true}"#).await.status, 404);
}

#[tokio::test]
async fn time_passes_for_users_who_want_it() {
    let world = World::with_alice().await;
    keep(&world, 1).await;
    let eraser = crate::records::erasure::Eraser::new(
        world.queue.clone(),
        crate::records::Recordings::new(world.queue.clone(), world.recordings.path()),
    );
    let ended = calls::at(4);
    let days = |days: i64| ended + jiff::SignedDuration::from_hours(24 * days);
    let left = async || {
        let which = Which::EndedBefore(days(1_000));
        callie_store::RetentionStore::to_erase(&*world.queue, &"alice".parse().expect("an id"), &which, 9)
            .await
            .expect("read")
            .len()
    };
    eraser.expire(&world.view(), days(1_000)).await;
    assert_eq!(left().await, 1, "for ever where nothing is said");
    assert_eq!(world.put("/users/alice", r#"{"calls": {"retention_days": 30}}"#).await.status, 200);
    eraser.expire(&world.view(), days(30)).await;
    assert_eq!(left().await, 1, "not yet");
    eraser.expire(&world.view(), days(31)).await;
    assert_eq!(left().await, 0);
}

#[tokio::test]
async fn what_is_recorded_is_the_users_to_say() {
    let world = World::with_alice().await;
    let calls = world.get("/users/alice").await.json()["calls"].clone();
    assert_eq!(
        (&calls["recording"], &calls["recording_notice"], &calls["retention_days"]),
        (&json!("on"), &Value::Null, &Value::Null)
    );
    let wanted = r#"{"calls": {"recording": "announce", "recording_notice": "We record.", "retention_days": 7}}"#;
    let calls = world.put("/users/alice", wanted).await.json()["calls"].clone();
    assert_eq!(
        (&calls["recording"], &calls["recording_notice"], &calls["retention_days"]),
        (&json!("announce"), &json!("We record."), &json!(7))
    );
    for (wrong, field) in [
        ("\"recording\": \"maybe\"", "recording"),
        ("\"retention_days\": 0", "retention_days"),
        ("\"retention_days\": 3651", "retention_days"),
    ] {
        let reply = world.put("/users/alice", &format!("{{\"calls\": {{{wrong}}}}}")).await;
        assert_eq!((reply.status, reply.fields()), (422, vec![format!("calls.{field}")]), "{wrong}");
    }
}
