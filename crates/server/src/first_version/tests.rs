//! The overlay over a real store: what is promised of every store, and what is its own.

use super::FirstVersionUser;
use callie_domain::user::input::UserInput;
use callie_domain::{MacAddress, User, UserId};
use callie_store::{ConfigStore, Keyring, SqliteStore, StoreError};
use jiff::Timestamp;
use serde_json::json;
use std::{sync::Arc, time::Duration};
use tempfile::TempDir;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

struct World {
    below: Arc<SqliteStore>,
    store: FirstVersionUser,
    tasks: TaskTracker,
    cancel: CancellationToken,
    folder: TempDir,
}

fn user(id: &str, greeting: &str) -> User {
    let body = json!({"user_id": id, "display_name": id, "sip_username": id, "sip_password": "p", "greeting": greeting,
        "sip": {"connect": true}});
    let input = UserInput::from_json(&body).expect("valid");
    input.create(Timestamp::UNIX_EPOCH, MacAddress::generate([1, 2, 3])).expect("valid")
}

fn id(name: &str) -> UserId {
    name.parse().expect("valid")
}

fn open(folder: &TempDir) -> SqliteStore {
    let keyring = Keyring::load_or_create(&folder.path().join("k.json"), Timestamp::UNIX_EPOCH).expect("a key file");
    SqliteStore::open(&folder.path().join("callie.db"), Arc::new(keyring)).expect("a store")
}

impl World {
    fn new() -> Self {
        let folder = TempDir::new().expect("a folder");
        let below = Arc::new(open(&folder));
        let (tasks, cancel) = (TaskTracker::new(), CancellationToken::new());
        let store = FirstVersionUser::over(below.clone(), user("primary", "Of the environment"), &tasks, cancel.clone());
        Self { below, store, tasks, cancel, folder }
    }

    /// As the view shows it now.
    fn greeting(&self, name: &str) -> Option<String> {
        let view = self.store.watch().borrow().clone();
        Some(view.users.get(&id(name))?.usable()?.user.calls.default_greeting.clone())
    }

    async fn until_greeting(&self, want: &str) {
        let mut view = self.store.watch();
        let is = |view: &Arc<callie_store::UserView>| {
            view.users[&id("primary")].usable().is_some_and(|stored| stored.user.calls.default_greeting == want)
        };
        let waited = tokio::time::timeout(Duration::from_secs(10), view.wait_for(is)).await;
        assert!(waited.is_ok_and(|seen| seen.is_ok()), "the view shows {want:?}");
    }
}

#[tokio::test]
async fn the_user_is_there_from_the_first_view_on() {
    let world = World::new();
    assert_eq!(world.greeting("primary").as_deref(), Some("Of the environment"));
    let stored = world.store.get(&id("primary")).await.expect("readable").expect("there");
    assert!(stored.user.wants_line() && stored.revision == 0);
    assert_eq!(world.below.get(&id("primary")).await.expect("readable"), None, "nothing is written");
    assert!(world.store.health().await.is_ok());
}

#[tokio::test]
async fn others_are_the_stores() {
    let world = World::new();
    let alice = user("alice", "one");
    let created = world.store.create(&alice).await.expect("written");
    assert_eq!(world.greeting("alice").as_deref(), Some("one"), "at once");
    assert!(matches!(world.store.create(&alice).await, Err(StoreError::AlreadyExists(_))));
    world.store.put(&user("alice", "two"), created.revision).await.expect("written");
    assert_eq!(world.greeting("alice").as_deref(), Some("two"), "at once");
    assert!(matches!(world.store.put(&alice, created.revision).await, Err(StoreError::Conflict(_))));
    assert!(world.store.delete(&id("alice")).await.expect("deleted"));
    assert_eq!(world.greeting("alice"), None, "at once");
    assert!(!world.store.delete(&id("alice")).await.expect("nothing to delete"));
    assert_eq!(world.greeting("primary").as_deref(), Some("Of the environment"));
}

#[tokio::test]
async fn the_first_change_puts_it_into_the_store() {
    let world = World::new();
    let changed = user("primary", "Changed");
    let stored = world.store.put(&changed, 0).await.expect("written");
    assert!(stored.revision > 0);
    assert_eq!(world.greeting("primary").as_deref(), Some("Changed"), "at once");
    assert!(matches!(world.store.put(&changed, 0).await, Err(StoreError::Conflict(_))), "somebody was quicker");
    world.store.put(&user("primary", "Again"), stored.revision).await.expect("written");
    assert_eq!(world.greeting("primary").as_deref(), Some("Again"));
    let below = world.below.get(&id("primary")).await.expect("readable").expect("there");
    assert_eq!(below.user.calls.default_greeting, "Again");
}

#[tokio::test]
async fn it_can_neither_be_created_nor_deleted() {
    let world = World::new();
    assert!(matches!(world.store.create(&user("primary", "x")).await, Err(StoreError::AlreadyExists(_))));
    for round in ["of the environment", "of the store"] {
        let refusal = world.store.delete(&id("primary")).await.expect_err(round).to_string();
        assert!(refusal.contains("ZOHO_SIP_SERVER") && refusal.contains("remove"), "{refusal}");
        assert!(world.greeting("primary").is_some());
        let _ = world.store.put(&user("primary", "x"), 0).await;
    }
}

#[tokio::test]
async fn what_others_write_into_the_store_counts_and_what_they_delete_does_not() {
    let world = World::new();
    let other = open(&world.folder);
    other.create(&user("primary", "Of the store")).await.expect("written");
    world.until_greeting("Of the store").await;
    assert!(matches!(world.store.create(&user("primary", "x")).await, Err(StoreError::AlreadyExists(_))));
    other.delete(&id("primary")).await.expect("deleted");
    world.until_greeting("Of the environment").await;
}

#[tokio::test]
async fn a_stored_user_counts_from_the_start() {
    let world = World::new();
    world.below.create(&user("primary", "Of the store")).await.expect("written");
    let again = FirstVersionUser::over(world.below.clone(), user("primary", "x"), &world.tasks, world.cancel.clone());
    let view = again.watch().borrow().clone();
    assert_eq!(view.users[&id("primary")].usable().expect("usable").user.calls.default_greeting, "Of the store");
}

#[tokio::test]
async fn it_follows_until_it_is_told_to_stop() {
    let world = World::new();
    world.cancel.cancel();
    world.tasks.close();
    tokio::time::timeout(Duration::from_secs(10), world.tasks.wait()).await.expect("the task ends");
    assert_eq!(world.greeting("primary").as_deref(), Some("Of the environment"), "the view stays");
}
