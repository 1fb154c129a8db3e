//! A user who is deleted in Firebase's console leaves nothing in the embedded database, whether the server runs meanwhile or not.

use crate::world::until;
use crate::writers::serve;
use callie_domain::{Contact, UserId};
use callie_lab::firestore::{Firestore, FirestoreOptions};
use callie_server::app::App;
use callie_store::ContactStore;
use serde_json::json;

async fn with_contacts(server: &App, name: &str) {
    let user = json!({"user_id": name, "display_name": name, "sip_username": name, "sip_password": "pw", "is_active": false});
    let url = format!("http://{}/users", server.http_address);
    let created = reqwest::Client::new().post(url).body(user.to_string()).send().await.expect("an answer");
    assert_eq!(created.status(), 201);
    let maria = Contact { name: "Maria".into(), numbers: Vec::new(), note: None };
    server.stores.records.put_contacts(&id(name), vec![maria]).await.expect("written");
}

fn id(name: &str) -> UserId {
    name.parse().expect("valid")
}

async fn contacts(server: &App, name: &str) -> usize {
    server.stores.records.contacts(&id(name)).await.expect("read").len()
}

#[tokio::test(flavor = "multi_thread")]
async fn contacts_go_with_their_user() {
    let firestore = Firestore::start(FirestoreOptions::default()).await.expect("a free port");
    let folder = tempfile::tempdir().expect("a folder");
    let keys = folder.path().join("keyring.json");
    let server = serve(folder.path(), &keys, &firestore).await;
    for name in ["alice", "bob", "carol"] {
        with_contacts(&server, name).await;
    }
    firestore.remove("user_configs/alice").expect("removed");
    until("alice's contacts are gone", async || contacts(&server, "alice").await == 0).await;
    assert_eq!(contacts(&server, "bob").await, 1);
    server.stop().await;

    firestore.remove("user_configs/bob").expect("removed");
    let server = serve(folder.path(), &keys, &firestore).await;
    until("bob's contacts are gone", async || contacts(&server, "bob").await == 0).await;
    assert_eq!(contacts(&server, "carol").await, 1, "she is still there");
    server.stop().await;
    firestore.stop().await;
}
