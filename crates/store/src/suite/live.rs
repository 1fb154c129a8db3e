//! The live view: complete, quick, and unshaken by faulty documents.

use super::{Backend, a_user, greeting, is_faulty, until, usable, user_id};
use crate::{DocFault, Entry, StoreError};
use serde_json::json;

pub async fn the_view_is_complete_from_the_first_value_on(mut backend: impl Backend) {
    assert!(backend.users().watch().borrow().users.is_empty());
    for name in ["alice", "bob"] {
        backend.users().create(&a_user(name)).await.expect("created");
    }
    backend.restart().await;
    let mut view = backend.users().watch();
    assert!(!view.has_changed().expect("open"), "nothing is left to wait for");
    let first = view.borrow_and_update().clone();
    assert!(usable(&first, "alice").is_some() && usable(&first, "bob").is_some());
}

pub async fn the_view_follows_our_own_writes_at_once(backend: impl Backend) {
    let store = backend.users();
    let mut view = store.watch();
    let created = store.create(&a_user("alice")).await.expect("created");
    assert_eq!(usable(&view.borrow_and_update(), "alice"), Some(&created));
    let mut user = (*created.user).clone();
    user.calls.default_greeting = "Two".to_owned();
    let written = store.put(&user, created.revision).await.expect("written");
    assert!(view.has_changed().expect("open"));
    assert_eq!(usable(&view.borrow_and_update(), "alice"), Some(&written));
    store.delete(&user.id).await.expect("deleted");
    assert!(view.borrow_and_update().users.is_empty());
}

pub async fn the_view_follows_other_processes(backend: impl Backend) {
    let store = backend.users();
    let created = store.create(&a_user("alice")).await.expect("created");
    let mut view = store.watch();
    let mut doc = backend.raw_get("alice").await.expect("there");
    doc["calls"]["default_greeting"] = json!("By another");
    backend.raw_put("alice", &doc).await;
    let seen = until(&mut view, "the edit", |v| usable(v, "alice").is_some_and(|u| greeting(u) == "By another")).await;
    assert!(usable(&seen, "alice").is_some_and(|u| u.revision > created.revision));

    doc["sip"]["user_id"] = json!("carol");
    doc["device"]["user_id"] = json!("carol");
    doc["calls"]["user_id"] = json!("carol");
    doc["sip"]["sip_password"] = json!("another");
    backend.raw_put("carol", &doc).await;
    until(&mut view, "the new user", |v| usable(v, "carol").is_some()).await;
    backend.raw_delete("alice").await;
    until(&mut view, "the deletion", |v| !v.users.contains_key(&user_id("alice"))).await;
}

pub async fn the_view_shows_the_latest_of_many_changes(backend: impl Backend) {
    let store = backend.users();
    let mut stored = store.create(&a_user("alice")).await.expect("created");
    let mut view = store.watch();
    for n in 1..=20 {
        let mut user = (*stored.user).clone();
        user.calls.default_greeting = format!("Greeting {n}");
        stored = store.put(&user, stored.revision).await.expect("written");
    }
    assert_eq!(usable(&view.borrow_and_update(), "alice"), Some(&stored), "the latest, and not one after the other");
    assert!(!view.has_changed().expect("open"));
}

pub async fn a_faulty_document_keeps_its_last_good_configuration(backend: impl Backend) {
    let store = backend.users();
    let good = store.create(&a_user("alice")).await.expect("created");
    let mut view = store.watch();
    let mut doc = backend.raw_get("alice").await.expect("there");
    doc["sip"]["sip_port"] = json!("many");
    doc["calls"] = json!([]);
    backend.raw_put("alice", &doc).await;
    let seen = until(&mut view, "the fault", |v| is_faulty(v, "alice")).await;
    assert_eq!(usable(&seen, "alice"), Some(&good));
    match seen.users.get(&good.user.id) {
        Some(Entry::Faulty { fault: DocFault::Fields(faults), .. }) => {
            let mut fields: Vec<_> = faults.0.iter().map(|f| f.field.as_str()).collect();
            fields.sort_unstable();
            assert_eq!(fields, ["calls", "sip.sip_port"]);
        }
        other => panic!("must name the fields: {other:?}"),
    }
    assert!(matches!(store.get(&good.user.id).await, Err(StoreError::Faulty { .. })), "read as it is stored now");

    doc["sip"]["sip_port"] = json!(5070);
    doc["calls"] = json!(null);
    backend.raw_put("alice", &doc).await;
    let mended = until(&mut view, "the mended document", |v| !is_faulty(v, "alice")).await;
    assert_eq!(usable(&mended, "alice").map(|u| u.user.sip.port), Some(5070));
}

pub async fn a_faulty_document_has_no_last_good_configuration_after_a_restart(mut backend: impl Backend) {
    backend.users().create(&a_user("alice")).await.expect("created");
    backend.raw_put("alice", &json!({"sip": "oops"})).await;
    backend.restart().await;
    let view = backend.users().watch().borrow().clone();
    assert!(is_faulty(&view, "alice") && usable(&view, "alice").is_none());
}

pub async fn a_faulty_document_harms_no_other(mut backend: impl Backend) {
    let store = backend.users();
    let mut view = store.watch();
    backend.raw_put("mallory", &json!({"sip": {"sip_username": ["x"]}})).await;
    backend.raw_put("empty", &json!({})).await;
    backend.raw_put("dad", &json!({"sip": {"sip_username": "dad_home_line", "sip_password": "family_pass"}})).await;
    store.create(&a_user("alice")).await.expect("created");
    let all = |v: &crate::UserView| is_faulty(v, "mallory") && is_faulty(v, "empty") && usable(v, "dad").is_some();
    let seen = until(&mut view, "all four", |v| all(v)).await;
    assert!(usable(&seen, "alice").is_some());
    drop(store);
    backend.restart().await;
    let after = backend.users().watch().borrow().clone();
    assert!(all(&after) && usable(&after, "alice").is_some());
}
