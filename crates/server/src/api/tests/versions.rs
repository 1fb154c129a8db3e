//! The versions of a user's document: kept without secrets, listed, shown, and sent back.

use super::guide::ALICE;
use super::world::World;
use crate::api::versions::kept_form;
use crate::versions::VersionKeeper;
use callie_store::{ConfigStore, VersionStore};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

/// Alice at three versions, which a keeper has seen.
async fn world() -> World {
    let world = World::new();
    let keeper = VersionKeeper { view: world.store.watch(), store: world.queue.clone(), show: kept_form };
    let end = CancellationToken::new();
    let steps = async {
        assert_eq!(world.post("/users", ALICE).await.status, 201);
        kept(&world, 1).await;
        let hook = json!([{"url": "https://a.example/", "secret": "secure_password_of_a_hook"}]);
        let change = json!({"ai": {"instructions": "Be kind."}, "webhooks": hook});
        assert_eq!(world.put("/users/alice", &change.to_string()).await.status, 200);
        kept(&world, 2).await;
        assert_eq!(world.put("/users/alice", r#"{"ai": {"instructions": "Be brief."}, "greeting": "Ho"}"#).await.status, 200);
        kept(&world, 3).await;
        end.cancel();
    };
    tokio::join!(keeper.run(end.clone()), steps);
    world
}

async fn kept(world: &World, count: usize) {
    let alice = "alice".parse().expect("valid");
    let look = async {
        while world.queue.versions(&alice, None, 50).await.expect("read").len() < count {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), look).await.expect("in time");
}

#[tokio::test]
async fn versions_are_listed_with_what_they_changed() {
    let world = world().await;
    let list = world.get("/users/alice/versions").await.json();
    let of = |n: usize, field: &str| list["versions"][n][field].clone();
    let revision = world.get("/users/alice").await.json()["revision"].clone();
    assert_eq!((of(0, "version"), of(0, "current"), of(1, "current")), (revision, json!(true), json!(false)));
    assert_eq!(of(0, "changed"), json!(["ai.instructions", "calls.default_greeting"]));
    assert_eq!(of(1, "changed"), json!(["ai.instructions", "webhooks"]));
    assert_eq!(of(2, "changed"), json!(null));
    let page = world.get("/users/alice/versions?limit=2").await.json();
    assert_eq!((page["versions"].as_array().map(Vec::len), page["next"].clone()), (Some(2), of(1, "version")));
    let rest = world.get(&format!("/users/alice/versions?limit=2&before={}", page["next"])).await.json();
    assert_eq!((rest["versions"].as_array().map(Vec::len), rest["next"].clone()), (Some(1), json!(null)));
}

#[tokio::test]
async fn a_version_is_sent_back_and_no_secret_is_in_it() {
    let world = world().await;
    let list = world.get("/users/alice/versions").await.json();
    let second = list["versions"][1]["version"].clone();
    let reply = world.get(&format!("/users/alice/versions/{second}")).await;
    let shown = reply.json();
    assert!(!String::from_utf8_lossy(&reply.bytes).contains("secure_password"));
    assert_eq!(shown["document"]["ai"]["instructions"], "Be kind.");
    let back = world.put("/users/alice", &shown["document"].to_string()).await;
    assert_eq!(back.status, 200, "{}", back.json());
    let now: Value = world.get("/users/alice").await.json();
    assert_eq!(
        (now["ai"]["instructions"].as_str(), now["greeting"].clone()),
        (Some("Be kind."), shown["document"]["greeting"].clone())
    );
    assert_eq!((now["sip"]["has_password"].clone(), now["webhooks"][0]["has_secret"].clone()), (json!(true), json!(true)));
}

#[tokio::test]
async fn what_is_not_there_is_said_so() {
    let world = world().await;
    for path in ["/users/bob/versions", "/users/bob/versions/1", "/users/alice/versions/999999", "/users/alice/versions/x"] {
        assert_eq!(world.get(path).await.status, 404, "{path}");
    }
    assert_eq!(world.get("/users/alice/versions?limit=0").await.fields(), ["limit"]);
}

#[tokio::test]
async fn versions_go_with_their_user() {
    let world = world().await;
    assert_eq!(world.delete("/users/alice").await.status, 200);
    let keeper = VersionKeeper { view: world.store.watch(), store: world.queue.clone(), show: kept_form };
    let end = CancellationToken::new();
    let alice = "alice".parse().expect("valid");
    let steps = async {
        let look = async {
            while !world.queue.versions(&alice, None, 50).await.expect("read").is_empty() {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(20), look).await.expect("in time");
        end.cancel();
    };
    tokio::join!(keeper.run(end.clone()), steps);
}
