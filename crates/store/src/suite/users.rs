//! Documents: written, read, revised, deleted.

use super::{Backend, a_user, greeting, usable, user_id};
use crate::{Entry, StoreError, doc};
use callie_domain::User;
use serde_json::json;

fn greeted(user: &User, text: &str) -> User {
    let mut user = user.clone();
    user.calls.default_greeting = text.to_owned();
    user
}

pub async fn a_user_is_created_once(backend: impl Backend) {
    let store = backend.users();
    let alice = a_user("alice");
    assert_eq!(store.get(&alice.id).await.expect("answered"), None);
    store.create(&alice).await.expect("created");
    let again = store.create(&greeted(&alice, "Another")).await;
    assert!(matches!(again, Err(StoreError::AlreadyExists(id)) if id == alice.id));
    let kept = store.get(&alice.id).await.expect("answered").expect("there");
    assert_eq!(greeting(&kept), "Hi!");
}

pub async fn what_is_read_is_what_was_written(mut backend: impl Backend) {
    let mut alice = a_user("alice.b@c-d_9");
    alice.sip.password = callie_domain::Secret::new("pä$$ \"wörd\" ☎");
    alice.ai.instructions = Some("Be brief.\nBe kind.".to_owned());
    alice.sip.outbound_proxy = "[2001:db8::1]:5080".parse().ok();
    alice.updated_at = "2026-03-01T08:00:00.123456Z".parse().expect("a time");
    let created = backend.users().create(&alice).await.expect("created");
    assert_eq!(*created.user, alice);
    assert_eq!(backend.users().get(&alice.id).await.expect("answered"), Some(created.clone()));
    backend.restart().await;
    assert_eq!(backend.users().get(&alice.id).await.expect("answered"), Some(created));
}

pub async fn a_write_needs_the_revision_it_read(backend: impl Backend) {
    let store = backend.users();
    let alice = a_user("alice");
    assert!(matches!(store.put(&alice, 0).await, Err(StoreError::NotFound(_))));
    let first = store.create(&alice).await.expect("created");
    let second = store.put(&greeted(&alice, "Two"), first.revision).await.expect("written");
    assert!(second.revision > first.revision);
    assert_eq!(greeting(&second), "Two");
    let stale = store.put(&greeted(&alice, "Three"), first.revision).await;
    assert!(matches!(stale, Err(StoreError::Conflict(id)) if id == alice.id));
    assert_eq!(store.get(&alice.id).await.expect("answered"), Some(second.clone()));

    let mut doc = backend.raw_get("alice").await.expect("there");
    doc["calls"]["default_greeting"] = json!("By another");
    backend.raw_put("alice", &doc).await;
    let stale = store.put(&greeted(&alice, "Four"), second.revision).await;
    assert!(matches!(stale, Err(StoreError::Conflict(_))), "another process's edit counts");
}

pub async fn of_writers_at_the_same_time_one_wins(backend: impl Backend) {
    let store = backend.users();
    let first = store.create(&a_user("alice")).await.expect("created");
    let writers: Vec<_> = (0..16)
        .map(|n| {
            let (store, user, revision) = (store.clone(), greeted(&first.user, &format!("Writer {n}")), first.revision);
            async move { store.put(&user, revision).await }
        })
        .collect();
    let mut won = 0;
    for outcome in join_all(writers).await {
        match outcome {
            Ok(_) => won += 1,
            Err(fault) => assert!(matches!(fault, StoreError::Conflict(_)), "{fault}"),
        }
    }
    assert_eq!(won, 1);
}

pub async fn a_revision_is_never_used_twice(backend: impl Backend) {
    let store = backend.users();
    let first = store.create(&a_user("alice")).await.expect("created");
    assert!(store.delete(&first.user.id).await.expect("answered"));
    let second = store.create(&a_user("alice")).await.expect("created");
    assert!(second.revision > first.revision, "a write that read the first must not hit the second");
}

pub async fn unknown_fields_are_kept(backend: impl Backend) {
    let store = backend.users();
    let created = store.create(&a_user("alice")).await.expect("created");
    let mut doc = backend.raw_get("alice").await.expect("there");
    doc["routing"] = json!({"weekend": ["voicemail", 1.5, null, true]});
    doc["sip"]["srtp"] = json!("optional");
    doc["ai"] = json!({"temperature": 0.7});
    backend.raw_put("alice", &doc).await;
    let read = store.get(&created.user.id).await.expect("answered").expect("there");
    store.put(&greeted(&read.user, "Two"), read.revision).await.expect("written");
    let kept = backend.raw_get("alice").await.expect("there");
    doc["calls"]["default_greeting"] = json!("Two");
    assert_eq!(kept, doc, "nothing but the greeting has changed");
}

pub async fn a_deleted_user_is_gone(mut backend: impl Backend) {
    let alice = a_user("alice");
    backend.users().create(&alice).await.expect("created");
    assert!(backend.users().delete(&alice.id).await.expect("answered"));
    assert!(!backend.users().delete(&alice.id).await.expect("answered"), "there was none");
    assert_eq!(backend.raw_get("alice").await, None);
    backend.restart().await;
    assert_eq!(backend.users().get(&alice.id).await.expect("answered"), None);
    assert!(backend.users().watch().borrow().users.is_empty());
}

pub async fn a_deletion_may_ask_for_the_revision_it_read(backend: impl Backend) {
    let store = backend.users();
    let first = store.create(&a_user("alice")).await.expect("created");
    let id = &first.user.id;
    let second = store.put(&greeted(&first.user, "Two"), first.revision).await.expect("written");
    let late = store.delete_at(id, first.revision).await;
    assert!(matches!(&late, Err(StoreError::Conflict(user)) if user == id), "{late:?}");
    assert_eq!(store.get(id).await.expect("answered"), Some(second.clone()), "it is still there");
    store.delete_at(id, second.revision).await.expect("deleted");
    assert_eq!(backend.raw_get("alice").await, None);
    assert!(store.watch().borrow().users.is_empty(), "our own deletion shows at once");
    let gone = store.delete_at(id, second.revision).await;
    assert!(matches!(gone, Err(StoreError::NotFound(_))), "{gone:?}");
}

pub async fn ten_thousand_users_are_loaded(mut backend: impl Backend) {
    const USERS: usize = 10_000;
    let keyring = backend.keyring();
    let sealed = |n: usize| {
        let user = a_user(&format!("user{n}"));
        let doc = doc::write(&user, None, &keyring, user.created_at).expect("sealed");
        (user.id.to_string(), doc)
    };
    backend.raw_put_all((0..USERS).map(sealed).collect()).await;
    backend.restart().await;
    let view = backend.users().watch().borrow().clone();
    assert_eq!(view.users.len(), USERS);
    assert!(view.users.values().all(|entry| matches!(entry, Entry::Good(_))));
    let last = backend.users().get(&user_id("user9999")).await.expect("answered").expect("there");
    assert_eq!(usable(&view, "user9999"), Some(&last));
}

pub async fn the_store_is_healthy(backend: impl Backend) {
    backend.users().health().await.expect("healthy");
}

/// Runs all of them at the same time.
async fn join_all<F>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output>
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    let mut tasks = tokio::task::JoinSet::new();
    for future in futures {
        tasks.spawn(future);
    }
    tasks.join_all().await
}
