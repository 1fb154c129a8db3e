//! Two servers beside each other, and two that want the same address.

use callie_e2e::peers::{Kamailio, kamailio::Digest, present};
use callie_e2e::{Callie, callie::command};
use serde_json::json;
use std::time::Duration;

#[tokio::test]
async fn two_servers_do_not_disturb_each_other() {
    if !present(&["kamailio"]) {
        return;
    }
    let (mut one, two) = (Callie::start().await, Callie::start().await);
    let kamailio = Kamailio::start(one.ports(), Digest::Md5, 60).await;
    one.create_user("alice", kamailio.address(), json!({})).await;
    two.create_user("bob", kamailio.address(), json!({})).await;
    one.register("alice").await;
    two.register("bob").await;
    assert_eq!(kamailio.bindings().len(), 2);
    assert_eq!(one.get("/users/bob").await.0, 404);
    assert_eq!(two.get("/users/alice").await.0, 404);
}

#[tokio::test]
async fn a_taken_address_is_named() {
    let one = Callie::start().await;
    let folder = tempfile::tempdir().expect("the temporary folder is writable");
    let output = command(folder.path())
        .expect("it is built")
        .arg("serve")
        .env("CALLIE_HTTP_LISTEN", one.http().to_string())
        .env("CALLIE_SIP_LISTEN", "127.0.0.1:0")
        .env("CALLIE_DATA_DIR", folder.path().join("data"))
        .output()
        .expect("it starts");
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert!(said.contains(&one.http().to_string()), "the message names the address: {said}");
}

#[tokio::test]
async fn a_data_folder_has_one_server() {
    let one = Callie::start().await;
    let folder = tempfile::tempdir().expect("the temporary folder is writable");
    let output = command(folder.path())
        .expect("it is built")
        .arg("serve")
        .env("CALLIE_HTTP_LISTEN", "127.0.0.1:0")
        .env("CALLIE_SIP_LISTEN", "127.0.0.1:0")
        .env("CALLIE_DATA_DIR", one.data_dir())
        .output()
        .expect("it starts");
    assert!(!output.status.success(), "it would take the calls of the first for lost");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("CALLIE_DATA_DIR"), "the message names the remedy: {said}");
}

#[tokio::test]
async fn a_second_start_keeps_the_users() {
    let callie = Callie::start().await;
    callie.create_user("alice", ([127, 0, 0, 1], 9).into(), json!({})).await;
    let setup = callie.kill();
    let callie = setup.start().await.expect("it starts again");
    let (status, user) = callie.get("/users/alice").await;
    assert_eq!((status, &user["display_name"]), (200, &json!("alice of the tests")));
    let (status, _, _) = callie.terminate(Duration::from_secs(10));
    assert!(status.success());
}
