//! Contacts on a real database file.

use callie_domain::{Contact, UserId};
use callie_store::{ContactStore, Keyring, SqliteStore};
use std::sync::Arc;

fn maria() -> Contact {
    Contact { name: "Maria".into(), numbers: vec!["+43 1 2345678".into()], note: None }
}

#[tokio::test]
async fn a_list_is_kept_for_each_user_and_survives_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let keyring = Arc::new(Keyring::from_master_key("QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVowMTIzNDU=").expect("a key"));
    let open = || SqliteStore::open(&folder.path().join("callie.db"), keyring.clone()).expect("opens");
    let [alice, bob]: [UserId; 2] = ["alice", "bob"].map(|id| id.parse().expect("an id"));

    let store = open();
    assert_eq!(store.contacts(&alice).await.expect("read"), []);
    store.put_contacts(&alice, vec![maria()]).await.expect("written");
    store.put_contacts(&bob, vec![]).await.expect("written");
    store.close().await;

    let store = open();
    assert_eq!(store.contacts(&alice).await.expect("read"), [maria()]);
    assert_eq!(store.contacts(&bob).await.expect("read"), []);
    assert_eq!(store.owners().await.expect("read"), std::slice::from_ref(&alice));
    store.put_contacts(&alice, vec![]).await.expect("written");
    assert_eq!(store.contacts(&alice).await.expect("read"), []);
    store.close().await;
}
