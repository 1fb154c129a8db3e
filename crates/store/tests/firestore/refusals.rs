//! What is told when Firestore cannot be used: before anything runs, with the remedy.

use crate::bench::{LabBench, Node, access, keys, lab};
use callie_lab::firestore::{ListenStyle, Refusal};
use callie_store::StoreError;
use callie_store::firestore::{Credentials, FirestoreAccess};
use serde_json::json;
use std::fs;

async fn refusal(access: FirestoreAccess, kids: &[(&str, u8)]) -> String {
    match Node::open(access, keys(kids)).await {
        Err(StoreError::Setup(text)) => text,
        Err(other) => panic!("must be a fault of the setup: {other}"),
        Ok(_) => panic!("must be refused"),
    }
}

#[tokio::test]
async fn definite_refusals_name_the_remedy() {
    for (refused, remedies) in [
        (Refusal::PermissionDenied, ["Cloud Datastore User", "FIREBASE_PROJECT_ID"]),
        (Refusal::NoDatabase, ["Create database", "CALLIE_FIRESTORE_DATABASE"]),
        (Refusal::Unauthenticated, ["new key", "clock"]),
    ] {
        let server = lab(ListenStyle::Deltas).await;
        server.faults().refuse(refused);
        let text = refusal(access(server.address(), server.project()), &[("k2026a", 7)]).await;
        for remedy in remedies {
            assert!(text.contains(remedy), "{refused:?}: {text}");
        }
        assert!(text.contains(server.project()), "{text}");
    }
}

#[tokio::test]
async fn keys_that_are_not_the_other_servers_are_refused() {
    let bench = LabBench::start(ListenStyle::Deltas).await;
    let there = || access(bench.lab.address(), bench.lab.project());
    let another = refusal(there(), &[("k2026a", 8)]).await;
    assert!(another.contains("k2026a") && another.contains("the key file test.json"), "{another}");
    let none = refusal(there(), &[("env", 7)]).await;
    assert!(none.contains("none of the keys") && none.contains("k2026a"), "{none}");
    Node::open(there(), keys(&[("k2027a", 9), ("k2026a", 7)])).await.expect("the old key is among them");
    let other = refusal(there(), &[("k2026a", 7), ("k2027a", 8)]).await;
    assert!(other.contains("k2027a"), "and the new one is noted now: {other}");
}

fn with_key(text: &str) -> (tempfile::TempDir, FirestoreAccess) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("service-account.json");
    fs::write(&path, text).expect("written");
    (folder, FirestoreAccess { credentials: Credentials::ServiceAccount(path), project: None, database: None })
}

#[tokio::test]
async fn key_files_that_cannot_be_used_are_told_with_the_remedy() {
    let missing =
        FirestoreAccess { credentials: Credentials::ServiceAccount("/nowhere/key.json".into()), project: None, database: None };
    let text = refusal(missing, &[("k", 1)]).await;
    assert!(text.contains("/nowhere/key.json") && text.contains("FIREBASE_SERVICE_ACCOUNT_PATH"), "{text}");

    let damaged = json!({"type": "service_account", "project_id": "p", "private_key_id": "k", "client_email": "a@b",
        "private_key": "-----BEGIN PRIVATE KEY-----\nCANARY\n-----END PRIVATE KEY-----\n"});
    for (key, problem) in [
        ("{\"type\": CANARY".to_owned(), "not valid JSON (line 1"),
        ("[]".to_owned(), "no type"),
        (json!({"type": "authorized_user", "client_secret": "CANARY"}).to_string(), "its type is \"authorized_user\""),
        (
            json!({"type": "service_account", "project_id": "p", "client_email": "CANARY"}).to_string(),
            "no private_key_id, no private_key",
        ),
        (damaged.to_string(), "cannot be used"),
    ] {
        let (_folder, access) = with_key(&key);
        let text = refusal(access, &[("k", 1)]).await;
        assert!(text.contains(problem) && text.contains("make a new key"), "{problem}: {text}");
        assert!(!text.contains("CANARY"), "{text}");
    }
}
