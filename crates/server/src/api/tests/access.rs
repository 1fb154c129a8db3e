//! Who may do what: every operation with every role, and the doors between users.

use super::calls;
use super::guide::ALICE;
use super::world::{Reply, World};
use crate::api::access::{TABLE, need};
use crate::api::openapi::document_text;
use axum::http::Method;
use callie_domain::Need;
use callie_domain::record::{Direction, EndReason};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const CALL: &str = "01JD3V6Q0X3N2Z7Y5W4T8R9P1M";

/// A world with alice, a call of hers, and a key of each role.
struct Town {
    world: World,
    admin: String,
    operator: String,
    alice: String,
    bob: String,
}

impl Town {
    async fn new() -> Self {
        let world = World::with_alice().await;
        assert_eq!(world.post("/users", &ALICE.replace("alice", "bob")).await.status, 201);
        let mut call = calls::cdr(1, "alice", Direction::Inbound, EndReason::RemoteHungUp);
        call.id = CALL.parse().expect("an id");
        call.recording = Some("a.wav".into());
        std::fs::write(world.recordings.path().join("a.wav"), "RIFF").expect("writable");
        calls::keep(&world, &call).await;
        let admin = world.key(None, json!({"name": "head", "role": "admin"})).await;
        let operator = world.key(Some(&admin), json!({"name": "desk", "role": "operator"})).await;
        let alice = world.key(Some(&admin), json!({"name": "alice", "role": "user", "user_id": "alice"})).await;
        let bob = world.key(Some(&admin), json!({"name": "bob", "role": "user", "user_id": "bob"})).await;
        Self { world, admin, operator, alice, bob }
    }

    /// Without a body.
    async fn ask(&self, key: Option<&str>, method: &str, path: &str) -> Reply {
        self.world.send_as(key, method, path, "").await
    }
}

impl World {
    async fn key(&self, by: Option<&str>, wanted: Value) -> String {
        let made = self.send_as(by, "POST", "/keys", &wanted.to_string()).await;
        assert_eq!(made.status, 201, "{}", made.text());
        made.json()["key"].as_str().expect("a key").to_owned()
    }

    async fn send_as(&self, key: Option<&str>, method: &str, path: &str, body: &str) -> Reply {
        let bearer = key.map(|key| format!("Bearer {key}"));
        let headers: Vec<(&str, &str)> = bearer.iter().map(|bearer| ("authorization", bearer.as_str())).collect();
        // The live feed never ends.
        if path.starts_with("/events") {
            let response = self.response(method, path, &headers, "").await;
            let status = response.status().as_u16();
            return Reply { status, headers: response.headers().clone(), bytes: Vec::new() };
        }
        self.send(method, path, &headers, body.to_owned()).await
    }
}

/// Each operation of the description: method and path.
fn operations() -> BTreeSet<(String, String)> {
    let document: Value = serde_json::from_str(&document_text()).expect("json");
    let paths = document["paths"].as_object().expect("paths").clone();
    let of = |(path, item): (String, Value)| {
        let methods: Vec<String> = item.as_object().expect("operations").keys().map(|method| method.to_uppercase()).collect();
        methods.into_iter().map(move |method| (method, path.clone()))
    };
    paths.into_iter().flat_map(of).collect()
}

#[test]
fn the_table_has_every_operation_and_no_other() {
    let row = |(path, needs): &(&str, &[(&str, Need)])| {
        let path = (*path).to_owned();
        needs.iter().map(move |(method, _)| ((*method).to_owned(), path.clone())).collect::<Vec<_>>()
    };
    let table: BTreeSet<_> = TABLE.iter().flat_map(row).collect();
    assert_eq!(table, operations());
}

/// What a refusal for want of a role looks like: nobody known, the role too small, or nothing there for whoever asks.
const TURNED_AWAY: [u16; 2] = [401, 403];

#[tokio::test]
async fn every_role_at_every_operation() {
    let town = Town::new().await;
    for (method, declared) in operations() {
        let need = need(&method.parse::<Method>().expect("a method"), Some(&declared)).expect("in the table");
        let path = declared
            .replace("{user_id}", "alice")
            .replace("{call_id}", CALL)
            .replace("{key_id}", "none")
            .replace("{order_id}", CALL)
            .replace("{delivery_id}", CALL);
        // (whose key, whether it is let in)
        let (nobody, any, of_alice, of_all) = match need {
            Need::Nobody => (true, true, true, true),
            Need::AnyRole | Need::Narrowed => (false, true, true, true),
            Need::OwnUser | Need::OwnCall => (false, false, true, true),
            Need::Operator => (false, false, false, true),
            Need::Admin => (false, false, false, false),
        };
        let rows = [
            (None, nobody),
            (Some(&town.bob), any),
            (Some(&town.alice), of_alice),
            (Some(&town.operator), of_all),
            // Last: it may delete alice.
            (Some(&town.admin), true),
        ];
        // Deleting a user is tried by those who may not.
        let deletes = (method.as_str(), declared.as_str()) == ("DELETE", "/users/{user_id}");
        for (key, let_in) in rows.into_iter().filter(|(_, let_in)| !(deletes && *let_in)) {
            let reply = town.ask(key.map(String::as_str), &method, &path).await;
            let is_owned = matches!(need, Need::OwnUser | Need::OwnCall) && key == Some(&town.bob);
            let what = format!("{method} {path} ({need:?}) gave {} to {key:?}: {}", reply.status, reply.text());
            if declared.starts_with("/session") {
                continue;
            }
            match let_in {
                true => assert!(!TURNED_AWAY.contains(&reply.status), "{what}"),
                false if is_owned => assert_eq!(reply.status, 404, "{what}"),
                false => assert_eq!(reply.status, if key.is_none() { 401 } else { 403 }, "{what}"),
            }
        }
    }
}

#[tokio::test]
async fn nobody_sees_what_is_anothers() {
    let town = Town::new().await;
    let (alice, bob) = (Some(town.alice.as_str()), Some(town.bob.as_str()));
    let names = |reply: &Reply, list: &str, field: &str| {
        let all = reply.json()[list].as_array().expect("a list").clone();
        all.iter().map(|item| item[field].as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(&town.ask(alice, "GET", "/users").await, "users", "user_id"), ["alice"]);
    assert!(names(&town.ask(alice, "GET", "/users?q=bob&form=short").await, "users", "user_id").is_empty());
    let counted = town.ask(alice, "GET", "/users?limit=1").await.json();
    assert_eq!((&counted["total_users"], &counted["found"], &counted["counts"]["active"]), (&json!(1), &json!(1), &json!(1)));
    assert_eq!(names(&town.ask(alice, "GET", "/calls").await, "calls", "user_id"), ["alice"]);
    assert!(names(&town.ask(bob, "GET", "/calls").await, "calls", "user_id").is_empty());
    for path in ["/calls?user_id=alice", "/events?user_id=alice", "/latency?user_id=alice"] {
        assert_eq!(town.ask(bob, "GET", path).await.status, 403, "{path}");
        assert_eq!(town.ask(alice, "GET", path).await.status, 200, "{path}");
    }
    for path in [
        "/users/alice",
        "/users/ALICE",
        "/users/alice/",
        "/users/%61lice",
        "/users/bob%2F..%2Falice",
        "/users/alice/contacts",
        "/users/nobody",
        &format!("/calls/{CALL}"),
        &format!("/calls/{}", CALL.to_lowercase()),
        &format!("/calls/{CALL}/recording"),
        &format!("/calls/{CALL}/transcript"),
        "/calls/01JD3V6Q0X3N2Z7Y5W4T8R9P1N",
    ] {
        assert_eq!(town.ask(bob, "GET", path).await.status, 404, "{path}");
    }
    assert_eq!(town.ask(alice, "GET", "/users/%61lice").await.status, 200, "it is the same name");
}

#[tokio::test]
async fn a_user_does_not_raise_its_own_limits() {
    let town = Town::new().await;
    let raised = r#"{"limits": {"spend_per_day": 1000}}"#;
    let refused = town.world.send_as(Some(&town.alice), "PUT", "/users/alice", raised).await;
    assert_eq!((refused.status, refused.json()["type"].clone()), (403, json!("urn:callie:problem:forbidden")));
    let greeting = r#"{"greeting": "Hello"}"#;
    assert_eq!(town.world.send_as(Some(&town.alice), "PUT", "/users/alice", greeting).await.status, 200);
    assert_eq!(town.world.send_as(Some(&town.operator), "PUT", "/users/alice", raised).await.status, 200);
}

#[tokio::test]
async fn keys_that_are_no_keys() {
    let town = Town::new().await;
    let (id, _) = town.alice.trim_start_matches("callie_").split_once('_').expect("a key");
    let spoilt = format!("callie_{id}_{}", "A".repeat(43));
    for (value, want) in [
        (format!("Bearer {}", town.admin), 200),
        (format!("bearer  {}", town.admin), 200),
        (format!("Bearer {spoilt}"), 401),
        ("Bearer callie_aaaaaaaa_x".to_owned(), 401),
        ("Bearer".to_owned(), 401),
        (format!("Basic {}", town.admin), 401),
        (town.admin.clone(), 401),
        ("Bearer eyJhbGciOiJub25lIn0.e30.".to_owned(), 401),
    ] {
        let reply = town.world.send("GET", "/users", &[("authorization", &value)], "").await;
        assert_eq!(reply.status, want, "{value}");
        if want == 401 {
            assert!(reply.header("www-authenticate").starts_with("Bearer"), "{value}");
            assert!(!reply.text().contains(&town.admin), "what was shown is not repeated");
        }
    }
    assert_eq!(town.world.send("GET", "/users", &[("x-api-key", &town.admin)], "").await.status, 200);
    // Revoked, and then expired.
    assert_eq!(town.ask(Some(&town.operator), "DELETE", &format!("/keys/{id}")).await.status, 403);
    assert_eq!(town.ask(Some(&town.admin), "DELETE", &format!("/keys/{id}")).await.status, 200);
    assert_eq!(town.ask(Some(&town.admin), "DELETE", &format!("/keys/{id}")).await.status, 404);
    let revoked = town.ask(Some(&town.alice), "GET", "/users").await;
    assert!(revoked.status == 401 && revoked.text().contains("revoked"), "{}", revoked.text());
    let list = town.ask(Some(&town.admin), "GET", "/keys").await;
    assert!(!list.text().contains(&town.alice) && list.text().contains(id), "keys are listed by their ids");
}

#[tokio::test]
async fn wishes_for_keys_that_cannot_be() {
    let world = World::with_alice().await;
    for (body, fields) in [
        (json!({}), vec!["name", "role"]),
        (json!({"name": "x", "role": "root"}), vec!["role"]),
        (json!({"name": "x", "role": "user"}), vec!["role"]),
        (json!({"name": "x", "role": "user", "user_id": "nobody"}), vec!["user_id"]),
        (json!({"name": "x", "role": "user", "user_id": "a b"}), vec!["role", "user_id"]),
        (json!({"name": "x", "role": "admin", "expires_at": "2020-01-01T00:00:00Z"}), vec!["expires_at"]),
        (json!({"name": "x", "role": "admin", "expires_at": "soon", "scope": 1}), vec!["expires_at", "scope"]),
    ] {
        let reply = world.post("/keys", &body.to_string()).await;
        assert_eq!((reply.status, reply.fields()), (422, fields.into_iter().map(str::to_owned).collect()), "{body}");
    }
    let first = world.post("/keys", r#"{"name": "x", "role": "operator"}"#).await;
    assert_eq!((first.status, first.json()["type"].clone()), (409, json!("urn:callie:problem:first-key")));
}

#[tokio::test]
async fn the_first_key_closes_the_door_and_the_last_one_opens_it() {
    let world = World::with_alice().await;
    assert_eq!(world.get("/session").await.json()["authentication"], "open");
    assert_eq!(world.get("/session").await.json()["identity"]["via"], "loopback");
    let made = world.post("/keys", r#"{"name": "head", "role": "admin"}"#).await;
    assert!(made.header("set-cookie").starts_with("callie_session="), "whoever closes the door stays inside");
    let admin = made.json()["key"].as_str().expect("a key").to_owned();
    assert_eq!(world.get("/users").await.status, 401);
    assert_eq!(world.get("/session").await.json()["authentication"], "required");
    assert_eq!(world.get("/health/live").await.status, 200);
    let operator = world.key(Some(&admin), json!({"name": "desk", "role": "operator"})).await;
    let id = |key: &str| key.trim_start_matches("callie_").split('_').next().unwrap_or_default().to_owned();
    let last = world.send_as(Some(&admin), "DELETE", &format!("/keys/{}", id(&admin)), "").await;
    assert_eq!((last.status, last.json()["type"].clone()), (409, json!("urn:callie:problem:last-admin-key")));
    for key in [&operator, &admin] {
        assert_eq!(world.send_as(Some(&admin), "DELETE", &format!("/keys/{}", id(key)), "").await.status, 200);
    }
    assert_eq!(world.get("/users").await.status, 200);
}

#[tokio::test]
async fn a_browser_signs_in_and_out() {
    let town = Town::new().await;
    let world = &town.world;
    let sign_in = |key: &str| json!({ "key": key }).to_string();
    assert_eq!(world.post("/session", &sign_in("callie_aaaaaaaa_x")).await.status, 401);
    assert_eq!(world.post("/session", r#"{"first_run": "x"}"#).await.status, 401);
    assert_eq!(world.post("/session", r#"{"key": 1, "user": 2}"#).await.status, 422);
    let signed_in = world.post("/session", &sign_in(&town.alice)).await;
    assert_eq!(signed_in.status, 200, "{}", signed_in.text());
    let cookie = signed_in.header("set-cookie").split(';').next().expect("a cookie").to_owned();
    let identity = signed_in.json()["identity"].clone();
    assert_eq!((&identity["role"], &identity["user_id"], &identity["via"]), (&json!("user"), &json!("alice"), &json!("session")));
    let csrf = identity["csrf_token"].as_str().expect("a token").to_owned();

    let with = |extra: Vec<(&'static str, String)>| {
        let headers: Vec<(&str, String)> = [vec![("cookie", cookie.clone())], extra].concat();
        headers
    };
    let send = async |method: &str, path: &str, headers: Vec<(&str, String)>, body: &str| {
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        world.send(method, path, &headers, body.to_owned()).await
    };
    let change = r#"{"greeting": "Hello"}"#;
    assert_eq!(send("GET", "/users/alice", with(vec![]), "").await.status, 200);
    assert_eq!(send("GET", "/users/bob", with(vec![]), "").await.status, 404);
    let forged = send("PUT", "/users/alice", with(vec![]), change).await;
    assert_eq!((forged.status, forged.json()["type"].clone()), (403, json!("urn:callie:problem:csrf")));
    assert_eq!(send("PUT", "/users/alice", with(vec![("x-csrf-token", "x".into())]), change).await.status, 403);
    assert_eq!(send("PUT", "/users/alice", with(vec![("x-csrf-token", csrf.clone())]), change).await.status, 200);
    let elsewhere = with(vec![("x-csrf-token", csrf.clone()), ("origin", "https://evil.example".into())]);
    assert_eq!(send("PUT", "/users/alice", elsewhere, change).await.status, 403);

    let out = send("DELETE", "/session", with(vec![("x-csrf-token", csrf)]), "").await;
    assert!(out.status == 200 && out.header("set-cookie").contains("Max-Age=0"), "{}", out.text());
    assert_eq!(send("GET", "/users/alice", with(vec![]), "").await.status, 401);

    // A session ends with the key that opened it.
    let again = world.post("/session", &sign_in(&town.alice)).await;
    let cookie = again.header("set-cookie").split(';').next().expect("a cookie").to_owned();
    let id = town.alice.trim_start_matches("callie_").split('_').next().expect("an id");
    assert_eq!(town.ask(Some(&town.admin), "DELETE", &format!("/keys/{id}")).await.status, 200);
    assert_eq!(world.send("GET", "/users/alice", &[("cookie", &cookie)], "").await.status, 401);
}

#[tokio::test]
async fn guesses_run_out() {
    let town = Town::new().await;
    let mut statuses = Vec::new();
    for _ in 0..12 {
        let reply = town.ask(Some("callie_aaaaaaaa_x"), "GET", "/users").await;
        if reply.status == 429 {
            assert!(reply.header("retry-after").parse::<u64>().is_ok_and(|wait| (1..=6).contains(&wait)));
        }
        statuses.push(reply.status);
    }
    assert_eq!((statuses[9], statuses[11]), (401, 429), "{statuses:?}");
    assert_eq!(town.ask(Some(&town.admin), "GET", "/users").await.status, 200, "who knows a key is not held up");
}

#[tokio::test]
async fn wrong_keys_at_the_login_run_out_too() {
    let town = Town::new().await;
    let mut statuses = Vec::new();
    for _ in 0..12 {
        statuses.push(town.world.post("/session", r#"{"key": "callie_aaaaaaaa_x"}"#).await.status);
    }
    assert_eq!((statuses[9], statuses[11]), (401, 429), "{statuses:?}");
}

/// Budgets hold four seconds' worth: 4 of a key, 8 of an address.
#[tokio::test]
async fn budgets_are_of_each_key_and_of_each_address() {
    let world = World::with_rate(1);
    let made = async |by: Option<&str>, name: &str| {
        let made = world.send_as(by, "POST", "/keys", &json!({"name": name, "role": "admin"}).to_string()).await;
        made.json()["key"].as_str().expect("a key").to_owned()
    };
    for _ in 0..20 {
        assert_eq!(world.get("/users").await.status, 200, "who needs no key has no budget");
    }
    let head = made(None, "head").await;
    let desk = made(Some(&head), "desk").await;
    let mut of_head = Vec::new();
    for _ in 0..4 {
        of_head.push(world.send_as(Some(&head), "GET", "/users", "").await.status);
    }
    assert_eq!(of_head, [200, 200, 200, 429], "the key's is used up");
    assert_eq!(world.send_as(Some(&desk), "GET", "/users", "").await.status, 200, "another's is not");
    let mut of_nobody = Vec::new();
    for _ in 0..4 {
        of_nobody.push(world.get("/users").await.status);
    }
    assert!(of_nobody.starts_with(&[401]) && of_nobody.ends_with(&[429]), "the address's is: {of_nobody:?}");
    let late = world.send_as(Some(&desk), "GET", "/users", "").await;
    assert!(late.status == 429 && late.header("retry-after").parse::<u64>().is_ok_and(|wait| wait <= 2), "{}", late.text());
}

#[tokio::test]
async fn a_call_that_has_just_begun_is_its_users_before_it_is_written_down() {
    let town = Town::new().await;
    let call = crate::exchange::ActiveCall {
        id: calls::call_id(77),
        user_id: "alice".parse().expect("an id"),
        direction: Direction::Inbound,
        remote_party: "bob".into(),
        started_at: calls::at(77),
        answered: true,
    };
    town.world.exchange.active.lock().expect("not poisoned").push(call);
    let path = format!("/calls/{}/hangup", calls::call_id(77));
    assert_eq!(town.ask(Some(&town.bob), "POST", &path).await.status, 404);
    assert_eq!(town.ask(Some(&town.alice), "POST", &path).await.status, 202);
}

#[tokio::test]
async fn nobody_hears_a_recording_that_the_audit_cannot_tell_of() {
    let town = Town::new().await;
    let path = format!("/calls/{CALL}/recording");
    assert_eq!(town.ask(Some(&town.alice), "GET", &path).await.status, 200);
    let database = rusqlite::Connection::open(town.world.recordings.path().join("queue.db")).expect("opened");
    database.execute_batch("DROP TABLE audit").expect("dropped");
    let refused = town.ask(Some(&town.alice), "GET", &path).await;
    assert!(refused.status == 503 && !refused.text().contains("RIFF"), "{}", refused.text());
    assert_eq!(town.ask(Some(&town.alice), "GET", "/users/alice").await.status, 200, "what is not audited goes on");
}

#[tokio::test]
async fn what_was_done_is_written_down_in_a_chain() {
    let town = Town::new().await;
    let world = &town.world;
    world
        .send_as(
            Some(&town.operator),
            "PUT",
            "/users/alice",
            r#"{"greeting": "Hi", "sip": {"sip_password": "new_secure_password"}}"#,
        )
        .await;
    world.send_as(Some(&town.operator), "PUT", "/users/alice", r#"{"greeting": 1}"#).await;
    world.send_as(Some(&town.bob), "DELETE", "/users/bob", "").await;
    world.send_as(Some(&town.operator), "GET", "/users/alice", "").await;
    let listened = world.send_as(Some(&town.alice), "GET", &format!("/calls/{CALL}/recording"), "").await;
    assert_eq!(listened.status, 200, "{}", listened.text());
    world.post("/session", &json!({ "key": town.bob }).to_string()).await;

    let page = world.send_as(Some(&town.admin), "GET", "/audit?limit=4", "").await.json();
    let rows: Vec<String> = page["entries"]
        .as_array()
        .expect("entries")
        .iter()
        .map(|entry| format!("{} {} {} {}", entry["actor"], entry["action"], entry["target"], entry["status"]).replace('"', ""))
        .collect();
    assert_eq!(
        rows,
        [
            "bob POST /session /session 200".to_owned(),
            format!("alice GET /calls/{{call_id}}/recording /calls/{CALL}/recording 200"),
            "bob DELETE /users/{user_id} /users/bob 403".to_owned(),
            "desk PUT /users/{user_id} /users/alice 200".to_owned(),
        ]
    );
    assert_eq!(page["entries"][3]["detail"], json!({"fields": ["greeting", "sip.sip_password"]}));
    let older = world.send_as(Some(&town.admin), "GET", &format!("/audit?before={}&target=/keys", page["next"]), "").await.json();
    assert_eq!(older["entries"].as_array().map(Vec::len), Some(4), "the keys: {older}");
    let verdict = callie_store::AuditStore::verify_audit(&*world.queue, None).await.expect("read");
    assert!(matches!(verdict, callie_store::audit::Verdict::Whole { .. }), "{verdict:?}");
}

#[tokio::test]
async fn browsers_are_told_what_to_take_and_what_not() {
    let world = World::with_alice().await;
    for path in ["/users", "/nowhere", "/docs/"] {
        let reply = world.get(path).await;
        assert_eq!(reply.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(reply.header("x-frame-options"), "DENY", "{path}");
        assert!(reply.header("content-security-policy").starts_with("default-src 'none'"), "{path}");
        assert_eq!(reply.header("strict-transport-security"), "", "only over TLS: {path}");
    }
    assert_eq!(world.get("/users").await.header("cache-control"), "no-store");
}
