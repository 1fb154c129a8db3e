//! Two servers on one Firestore, in this process: whoever writes the same user, no change is lost.

use crate::world::{PATIENCE, until};
use callie_lab::firestore::{Firestore, FirestoreOptions, Rpc};
use callie_server::{
    app::App,
    config::{self, FirestoreCredentials, StoreChoice, sources::Sources},
    engines::Talkers,
};
use futures::future::join_all;
use reqwest::{Client, Method};
use serde_json::{Value, json};
use std::path::Path;

/// What each server's clients write, and where it is shown.
const FIELDS: [[(&str, &str); 5]; 2] = [
    [
        ("greeting", "/calls/default_greeting"),
        ("account_label", "/sip/account_label"),
        ("model", "/device/model"),
        ("caller_id", "/sip/caller_id"),
        ("max_call_duration", "/calls/max_call_duration"),
    ],
    [
        ("display_name", "/sip/display_name"),
        ("firmware", "/device/firmware"),
        ("custom_user_agent", "/device/custom_user_agent"),
        ("from_user", "/sip/from_user"),
        ("answer_timeout", "/calls/answer_timeout"),
    ],
];
/// Of each field.
const WRITES: usize = 5;

/// What is written in this round.
fn value(field: &str, round: usize) -> Value {
    match field {
        "max_call_duration" | "answer_timeout" => json!(100 + round),
        "caller_id" => json!(format!("+49301234{round}")),
        _ => json!(format!("{}{round}", field.replace('_', "-"))),
    }
}

struct World {
    firestore: Firestore,
    servers: [App; 2],
    client: Client,
    _folders: [tempfile::TempDir; 2],
}

impl World {
    /// Alice is inactive: this is about documents.
    async fn start() -> Self {
        let firestore = Firestore::start(FirestoreOptions::default()).await.expect("a free port");
        let folders = [(); 2].map(|()| tempfile::tempdir().expect("a folder"));
        let keys = folders[0].path().join("keyring.json");
        // One after the other: the first one makes the keys.
        let first = serve(folders[0].path(), &keys, &firestore).await;
        let second = serve(folders[1].path(), &keys, &firestore).await;
        let world = Self { firestore, servers: [first, second], client: Client::new(), _folders: folders };
        let alice = json!({"user_id": "alice", "display_name": "Alice", "sip_username": "alice", "sip_password": "pw", "is_active": false});
        let (status, _, body) = world.ask(0, Method::POST, "/users", None, &alice).await;
        assert_eq!(status, 201, "{body}");
        let alice = "alice".parse().expect("valid");
        until("the other server has seen her", async || {
            world.servers[1].stores.users.watch().borrow().users.contains_key(&alice)
        })
        .await;
        world
    }

    /// Status, ETag and body.
    async fn ask(&self, server: usize, method: Method, path: &str, tag: Option<&str>, body: &Value) -> (u16, String, Value) {
        let url = format!("http://{}{path}", self.servers[server].http_address);
        let mut request = self.client.request(method, url).body(body.to_string()).timeout(PATIENCE);
        if let Some(tag) = tag {
            request = request.header("if-match", tag);
        }
        let response = request.send().await.expect("an answer");
        let tag = response.headers().get("etag").map(|tag| tag.to_str().expect("text").to_owned());
        (response.status().as_u16(), tag.unwrap_or_default(), response.json().await.expect("JSON"))
    }

    async fn read(&self, server: usize) -> (String, Value) {
        let (status, tag, body) = self.ask(server, Method::GET, "/users/alice", None, &Value::Null).await;
        assert_eq!(status, 200, "{body}");
        (tag, body)
    }

    /// Writes one field again and again, and repeats what lost; tells how often it did.
    async fn write_all(&self, server: usize, field: &str) -> usize {
        let mut lost = 0;
        for round in 1..=WRITES {
            loop {
                let body = json!({ field: value(field, round) });
                let (status, _, answer) = self.ask(server, Method::PUT, "/users/alice", None, &body).await;
                match status {
                    200 => break,
                    409 => lost += 1,
                    _ => panic!("{field}: {status} {answer}"),
                }
            }
        }
        lost
    }

    async fn stop(self) {
        for server in self.servers {
            server.stop().await;
        }
        self.firestore.stop().await;
    }
}

pub async fn serve(folder: &Path, keys: &Path, firestore: &Firestore) -> App {
    let mut config = config::resolve(Sources::default()).expect("the defaults are valid").config;
    config.data_dir = folder.to_owned();
    config.secrets.keyring_file = Some(keys.to_owned());
    config.http.listen = ([127, 0, 0, 1], 0).into();
    config.sip.listen = ([127, 0, 0, 1], 0).into();
    config.engines.models_dir = None;
    config.store = StoreChoice::Firestore(config::Firestore {
        credentials: FirestoreCredentials::Emulator { address: firestore.address().to_string() },
        project: Some(firestore.project().to_owned()),
        database: "(default)".to_owned(),
    });
    App::start(&config, Talkers::start(&config.engines).expect("engines")).await.expect("starts")
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_changes_through_two_servers_are_all_there() {
    let world = World::start().await;
    let writers = FIELDS.iter().enumerate().flat_map(|(server, fields)| fields.iter().map(move |(field, _)| (server, *field)));
    let (before, changes) = (world.firestore.count(Rpc::Commit), FIELDS.iter().flatten().count() * WRITES);
    let lost: usize = join_all(writers.map(|(server, field)| world.write_all(server, field))).await.into_iter().sum();
    let commits = world.firestore.count(Rpc::Commit) - before;
    println!("{changes} changes: {commits} commits, {lost} times a client was told of a conflict");
    assert!(commits > changes as u64, "they did write at the same time");
    for server in [0, 1] {
        let (_, shown) = world.read(server).await;
        for (field, place) in FIELDS.iter().flatten() {
            assert_eq!(
                shown.pointer(place),
                Some(&value(field, WRITES)),
                "{field}, seen by server {server}; {lost} were told of a conflict"
            );
        }
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_changes_of_the_same_revision_one_is_refused() {
    let world = World::start().await;
    for round in 0..25 {
        let (tag, _) = world.read(round % 2).await;
        let changes = [json!({"greeting": format!("Hi {round}")}), json!({"display_name": format!("Alice {round}")})];
        let put =
            async |server: usize, tag: &str| world.ask(server, Method::PUT, "/users/alice", Some(tag), &changes[server]).await;
        let (first, second) = tokio::join!(put(0, &tag), put(1, &tag));
        let loser = match (first.0, second.0) {
            (200, 412) => 1,
            (412, 200) => 0,
            _ => panic!("one is written and one refused: {first:?}, {second:?}"),
        };
        let (tag, _) = world.read(loser).await;
        let (status, tag, shown) = put(loser, &tag).await;
        assert_eq!(status, 200, "with what was read again it is written: {shown}");
        assert_eq!(
            (shown.pointer("/calls/default_greeting"), shown.pointer("/sip/display_name")),
            (changes[0].get("greeting"), changes[1].get("display_name")),
        );
        assert_eq!(world.read(1 - loser).await.0, tag, "both servers agree");
    }
    let (stale, current) =
        (world.read(0).await.0, world.ask(1, Method::PUT, "/users/alice", None, &json!({"greeting": "Ho"})).await.1);
    for (tag, want) in [(&stale, 412), (&current, 200)] {
        let (status, _, answer) = world.ask(0, Method::DELETE, "/users/alice", Some(tag), &Value::Null).await;
        assert_eq!(status, want, "{answer}");
    }
    world.stop().await;
}
