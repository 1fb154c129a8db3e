//! The API against its own description: thousands of requests, allowed and not, and no answer that is not described.

use callie_e2e::{Callie, peers::schemathesis};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_is_undescribed_and_none_is_a_fault_of_ours() {
    if !schemathesis::present() {
        return;
    }
    // Names that it makes up are asked of nobody.
    let setup = Callie::setup().env("CALLIE_DNS_SERVERS", "127.0.0.1:9").env("CALLIE_RATE_LIMIT", "100000");
    let callie = setup.start().await.expect("callie starts");
    callie.create_user("alice", ([127, 0, 0, 1], 9).into(), json!({})).await;
    let (status, key) = callie.post("/keys", json!({"name": "contract", "role": "admin"})).await;
    assert_eq!(status, 201, "{key}");
    let key = key["key"].as_str().expect("a key").to_owned();
    let (folder, api) = (tempfile::tempdir().expect("a folder"), callie.http());
    let tried = tokio::task::spawn_blocking(move || schemathesis::run(folder.path(), api, &key, 20)).await;
    let (is_clean, said) = tried.expect("it does not panic").expect("it runs");
    let tested = said.lines().find_map(|line| line.trim().strip_prefix("Tested: ")?.parse::<u32>().ok());
    assert!(is_clean && tested.is_some_and(|operations| operations > 50), "{said}\n{}", callie.log());
}
