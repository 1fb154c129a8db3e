//! Versions of the users' documents are kept, up to a bound, and go with their users.

use callie_domain::UserId;
use callie_store::version::{MOST_VERSIONS, Version};
use callie_store::{Keyring, SqliteStore, VersionStore};
use jiff::Timestamp;
use serde_json::json;
use std::sync::Arc;

fn user(name: &str) -> UserId {
    name.parse().expect("valid")
}

fn version(n: u64) -> Version {
    Version { version: n, seen_at: Timestamp::UNIX_EPOCH, document: json!({ "n": n }) }
}

#[tokio::test]
async fn versions_are_kept_in_order_and_the_oldest_go_first() {
    let folder = tempfile::tempdir().expect("a folder");
    let keyring = Keyring::load_or_create(&folder.path().join("keyring.json"), Timestamp::UNIX_EPOCH).expect("keys");
    let store = SqliteStore::open(&folder.path().join("callie.db"), Arc::new(keyring)).expect("opened");
    let (alice, bob) = (user("alice"), user("bob"));
    let most = u64::from(MOST_VERSIONS);
    let all = (1..=most + 5).map(|n| (alice.clone(), version(n)));
    store.keep_versions(all.chain([(bob.clone(), version(7))]).collect()).await.expect("kept");
    // What is kept is not written again.
    let other = Version { document: json!("other"), ..version(100) };
    store.keep_versions(vec![(alice.clone(), other)]).await.expect("kept");

    let newest = store.versions(&alice, None, 3).await.expect("read");
    assert_eq!(newest, [version(most + 5), version(most + 4), version(most + 3)]);
    assert_eq!(store.versions(&alice, Some(8), 9).await.expect("read"), [version(7), version(6)]);
    assert_eq!(store.versions(&alice, None, 1_000).await.expect("read").len(), MOST_VERSIONS as usize);
    assert_eq!(store.version(&alice, 100).await.expect("read"), Some(version(100)));
    assert_eq!(store.version(&alice, 5).await.expect("read"), None);
    assert_eq!(store.version(&bob, 100).await.expect("read"), None);

    assert_eq!(store.forget_versions_except(std::slice::from_ref(&alice)).await.expect("written"), 1);
    assert_eq!(store.versions(&bob, None, 9).await.expect("read"), []);
    assert_eq!(store.version(&alice, 100).await.expect("read"), Some(version(100)));
}
