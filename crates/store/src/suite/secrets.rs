//! What lies at rest holds no password in clear.

use super::{Backend, PATIENCE, a_user, is_faulty, until, usable, user_id};
use crate::StoreError;
use callie_domain::Secret;
use serde_json::{Value, json};
use std::time::Duration;

/// What lies at rest tells nobody of its changes: it is looked at again.
const LOOK_EVERY: Duration = Duration::from_millis(20);

const CANARY: &str = "canary-pa55word-in-clear";
/// Stands in the middle of a client key.
const KEY_CANARY: &str = "MIGHcanary0fAKey";

fn a_key() -> String {
    format!("-----BEGIN PRIVATE KEY-----\n{KEY_CANARY}\n-----END PRIVATE KEY-----\n")
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

fn stored_password(doc: &Value) -> &str {
    doc["sip"]["sip_password"].as_str().expect("a text")
}

pub async fn a_password_is_never_at_rest_in_clear(mut backend: impl Backend) {
    let store = backend.users();
    let mut alice = a_user("alice");
    alice.sip.password = Secret::new(CANARY);
    alice.sip.tls.client_key = Some(Secret::new(a_key()));
    let created = store.create(&alice).await.expect("created");
    alice.sip.password = Secret::new(format!("{CANARY}-2"));
    store.put(&alice, created.revision).await.expect("written");
    let doc = backend.raw_get("alice").await.expect("there");
    assert!(stored_password(&doc).starts_with("callie-enc:v1:"), "{doc}");
    assert!(doc["sip"]["tls_client_key"].as_str().is_some_and(|key| key.starts_with("callie-enc:v1:")), "{doc}");
    let bytes = backend.at_rest().await;
    assert!(contains(&bytes, "alice@company.com"), "the search looks where the documents are");
    assert!(!contains(&bytes, CANARY) && !contains(&bytes, KEY_CANARY));
    drop(store);
    backend.restart().await;
    let bytes = backend.at_rest().await;
    assert!(!contains(&bytes, CANARY) && !contains(&bytes, KEY_CANARY));
    let read = backend.users().get(&user_id("alice")).await.expect("answered").expect("there");
    assert_eq!(read.user.sip.tls.client_key, Some(Secret::new(a_key())));
}

pub async fn a_typed_password_is_used_then_sealed(backend: impl Backend) {
    let store = backend.users();
    store.create(&a_user("alice")).await.expect("created");
    let mut view = store.watch();
    let mut doc = backend.raw_get("alice").await.expect("there");
    doc["sip"]["sip_password"] = json!(CANARY);
    doc["sip"]["tls_client_key"] = json!(a_key());
    backend.raw_put("alice", &doc).await;
    let uses_it = |v: &crate::UserView| {
        usable(v, "alice").is_some_and(|stored| {
            let sip = &stored.user.sip;
            sip.password == Secret::new(CANARY) && sip.tls.client_key == Some(Secret::new(a_key()))
        })
    };
    let seen = until(&mut view, "the typed password", |v| uses_it(v)).await;
    let user = usable(&seen, "alice").map(|u| u.user.clone());

    let sealed = eventually(&backend, "sealed", |doc| stored_password(doc).starts_with("callie-enc:v1:")).await;
    assert!(sealed["sip"]["password_encrypted_at"].is_string());
    let mut look = tokio::time::interval(LOOK_EVERY);
    let gone = async {
        loop {
            let bytes = backend.at_rest().await;
            if !contains(&bytes, CANARY) && !contains(&bytes, KEY_CANARY) {
                break;
            }
            look.tick().await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.expect("the clear text goes from the disk too");

    let now = store.get(&user_id("alice")).await.expect("answered").expect("there");
    assert_eq!(Some(&now.user), user.as_ref(), "sealing changes the form, not the user");
    until(&mut view, "the revision that now holds", |v| usable(v, "alice") == Some(&now)).await;
    store.put(&now.user, now.revision).await.expect("the view's revision can be written to");
}

pub async fn an_unchanged_password_keeps_its_sealed_form(backend: impl Backend) {
    let store = backend.users();
    let created = store.create(&a_user("alice")).await.expect("created");
    let before = backend.raw_get("alice").await.expect("there");
    let mut user = (*created.user).clone();
    user.display_name = "Alice".to_owned();
    let second = store.put(&user, created.revision).await.expect("written");
    let same = backend.raw_get("alice").await.expect("there");
    assert_eq!(stored_password(&before), stored_password(&same));
    user.sip.password = Secret::new("another");
    store.put(&user, second.revision).await.expect("written");
    let other = backend.raw_get("alice").await.expect("there");
    assert_ne!(stored_password(&before), stored_password(&other));
}

pub async fn a_moved_password_is_refused_and_kept(backend: impl Backend) {
    let store = backend.users();
    store.create(&a_user("alice")).await.expect("created");
    let bob = store.create(&a_user("bob")).await.expect("created");
    let mut view = store.watch();
    let alices = backend.raw_get("alice").await.expect("there");
    let mut doc = backend.raw_get("bob").await.expect("there");
    doc["sip"]["sip_password"] = json!(stored_password(&alices));
    backend.raw_put("bob", &doc).await;
    let seen = until(&mut view, "the fault", |v| is_faulty(v, "bob")).await;
    assert_eq!(usable(&seen, "bob"), Some(&bob), "the last good configuration goes on");
    let fault = store.get(&bob.user.id).await.expect_err("faulty").to_string();
    assert!(fault.contains("secret_undecryptable"), "{fault}");
    for revision in bob.revision..bob.revision + 5 {
        let refused = store.put(&bob.user, revision).await;
        assert!(matches!(refused, Err(StoreError::Conflict(_) | StoreError::Faulty { .. })), "{refused:?}");
    }
    assert_eq!(backend.raw_get("bob").await, Some(doc), "and nothing is written over it");
}

async fn eventually(backend: &impl Backend, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let mut look = tokio::time::interval(LOOK_EVERY);
    let found = tokio::time::timeout(PATIENCE, async {
        loop {
            look.tick().await;
            match backend.raw_get("alice").await {
                Some(doc) if is_so(&doc) => return doc,
                _ => {}
            }
        }
    });
    found.await.unwrap_or_else(|_| panic!("the document never was {what}"))
}
