//! The back door: documents as they lie there, carried and sealed anew.

use super::{Backend, a_user, until, usable, user_id};
use crate::seal::classify;
use crate::{Adopted, Resealed, StoreError};
use serde_json::{Value, json};

fn document(greeting: &str) -> Value {
    json!({
        "sip": {"sip_username": "a", "sip_password": "callie-enc:v1:elsewhere:AAAA", "created_at": "2026-01-15T10:30:00.5Z", "x": {"deep": [1]}},
        "calls": {"default_greeting": greeting},
        "seen": {"$timestamp": "2026-01-15T10:30:00Z"},
        "picture": {"$bytes": "AAEC"},
        "place": {"$geo": [48.2, 16.37]},
        "ratio": 1.0,
        "nothing": null,
    })
}

pub async fn documents_are_listed_page_by_page(backend: impl Backend) {
    let store = backend.documents();
    assert!(store.documents(None, 10).await.expect("listed").is_empty());
    for name in ["bob", "alice", "Zoe", "dan.b@x", "carol"] {
        backend.users().create(&a_user(name)).await.expect("created");
    }
    backend.raw_put("faulty", &json!({"sip": 5})).await;
    let (mut names, mut after) = (Vec::new(), None);
    loop {
        let page = store.documents(after.as_deref(), 4).await.expect("listed");
        let Some(last) = page.last() else { break };
        after = Some(last.name.clone());
        for document in page {
            assert_eq!(document.body, backend.raw_get(&document.name).await, "as it lies there");
            names.push(document.name);
        }
    }
    assert_eq!(names, ["Zoe", "alice", "bob", "carol", "dan.b@x", "faulty"], "each once, in the order of their names");
}

pub async fn a_document_is_adopted_once(backend: impl Backend) {
    let store = backend.documents();
    let alice = user_id("alice");
    let there = || async { backend.raw_get("alice").await };
    assert_eq!(store.adopt(&alice, &document("Hi!")).await.expect("answered"), Adopted::Written);
    assert_eq!(there().await, Some(document("Hi!")), "as it is, with what does not open and what nobody knows");
    assert_eq!(store.adopt(&alice, &document("Hi!")).await.expect("answered"), Adopted::Same);
    assert_eq!(store.adopt(&alice, &document("Hello!")).await.expect("answered"), Adopted::Different);
    assert_eq!(there().await, Some(document("Hi!")));
}

pub async fn an_adopted_user_is_in_the_view(backend: impl Backend) {
    let mut view = backend.users().watch();
    let body = json!({"sip": {"sip_username": "a", "sip_password": "typed"}});
    backend.documents().adopt(&user_id("alice"), &body).await.expect("adopted");
    until(&mut view, "the user", |v| usable(v, "alice").is_some_and(|u| u.user.sip.username == "a")).await;
}

pub async fn what_is_sealed_with_the_primary_key_stays(backend: impl Backend) {
    let created = backend.users().create(&a_user("alice")).await.expect("created");
    let before = backend.raw_get("alice").await;
    assert_eq!(backend.documents().reseal(&created.user.id).await.expect("answered"), Resealed::Current);
    assert_eq!(backend.raw_get("alice").await, before);
    let bob = user_id("bob");
    let missing = backend.documents().reseal(&bob).await;
    assert!(matches!(missing, Err(StoreError::NotFound(id)) if id == bob));
}

/// The view seals typed passwords of usable documents by itself; this one is not usable.
pub async fn a_password_in_clear_is_sealed_in_a_faulty_document_too(backend: impl Backend) {
    let body = json!({"sip": {"sip_username": ["x"], "sip_password": "typed"}, "kept": 1});
    backend.raw_put("alice", &body).await;
    assert_eq!(backend.documents().reseal(&user_id("alice")).await.expect("answered"), Resealed::Done);
    let mut after = backend.raw_get("alice").await.expect("there");
    let sealed = after["sip"]["sip_password"].take();
    assert_ne!(classify(sealed.as_str().expect("a text")), crate::seal::AtRest::Plain);
    assert!(after["sip"]["password_encrypted_at"].take().is_string());
    assert_eq!(after, json!({"sip": {"sip_username": ["x"], "sip_password": null, "password_encrypted_at": null}, "kept": 1}));
}

pub async fn what_does_not_open_stays_as_it_is(backend: impl Backend) {
    let alice = user_id("alice");
    backend.documents().adopt(&alice, &document("Hi!")).await.expect("adopted");
    let outcome = backend.documents().reseal(&alice).await.expect("answered");
    assert!(matches!(&outcome, Resealed::Undecryptable(why) if !why.is_empty()), "{outcome:?}");
    assert_eq!(backend.raw_get("alice").await, Some(document("Hi!")));
}
