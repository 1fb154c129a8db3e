//! `GET /users`: pages, searches, filters, orders and forms.

use super::world::World;
use callie_domain::registration::RegistrationState;
use callie_domain::user::input::UserInput;
use callie_domain::{MacAddress, User};
use callie_store::ConfigStore;
use serde_json::{Value, json};

fn user(n: usize, more: Value) -> User {
    let mut body = json!({"user_id": format!("user{n:04}"), "display_name": format!("User {n}"), "sip_username": format!("ext{n}"),
        "sip_password": "pass1001", "sip_server": "sip.example.com"});
    for (key, value) in more.as_object().cloned().unwrap_or_default() {
        body[key] = value;
    }
    let mac = MacAddress::generate([(n >> 16) as u8, (n >> 8) as u8, n as u8]);
    let now = super::world::NOW.parse().expect("a time");
    UserInput::from_json(&body).and_then(|input| input.create(now, mac)).expect("valid")
}

async fn with_users(users: impl IntoIterator<Item = User>) -> World {
    let world = World::new();
    for user in users {
        world.store.create(&user).await.expect("created");
    }
    world
}

/// Five who differ.
async fn town() -> World {
    with_users([
        user(1, json!({"user_id": "bea", "display_name": "Zoe Beck", "sip": {"connect": true}})),
        user(2, json!({"user_id": "Carl", "display_name": "anna Krüger", "sip": {"connect": true}, "is_active": false})),
        user(3, json!({"user_id": "dora", "display_name": "Anna Adler", "sip_server": "sip.other.net:5070"})),
        user(4, json!({"user_id": "emil", "display_name": "Emil", "caller_id": "+43123456", "account_label": "Shop"})),
        user(
            5,
            json!({"user_id": "fred", "display_name": "anna krüger", "webhooks": [
            {"url": "https://hooks.example/x", "secret": "secure_password_of_a_hook"}]}),
        ),
    ])
    .await
}

fn ids(list: &Value) -> Vec<String> {
    let users = list["users"].as_array().expect("a list");
    users.iter().map(|user| user["user_id"].as_str().expect("an id").to_owned()).collect()
}

/// All pages of a list, one after the other.
async fn pages(world: &World, query: &str) -> Vec<Vec<String>> {
    let (mut pages, mut after) = (Vec::new(), String::new());
    loop {
        let page = world.get(&format!("/users?{query}{after}")).await;
        assert_eq!(page.status, 200, "{}", page.text());
        let page = page.json();
        pages.push(ids(&page));
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => return pages,
        }
    }
}

#[tokio::test]
async fn without_parameters_it_is_all_of_them_whole() {
    let world = with_users((0..1_203).map(|n| user(n, json!({})))).await;
    let reply = world.get("/users").await;
    assert_eq!(reply.header("content-type"), "application/json");
    let list = reply.json();
    assert_eq!((&list["total_users"], &list["total_count"], &list["found"]), (&json!(1203), &json!(1203), &json!(1203)));
    assert_eq!(list["next"], Value::Null);
    assert_eq!(ids(&list), (0..1_203).map(|n| format!("user{n:04}")).collect::<Vec<_>>());
    assert_eq!(list["users"][1_202], world.get("/users/user1202").await.json(), "written part by part, each is whole");
}

#[tokio::test]
async fn pages_follow_one_another_in_either_order() {
    let world = town().await;
    for (query, want) in [
        ("limit=2", vec![vec!["Carl", "bea"], vec!["dora", "emil"], vec!["fred"]]),
        ("limit=5&form=short", vec![vec!["Carl", "bea", "dora", "emil", "fred"]]),
        ("sort=name&limit=2", vec![vec!["dora", "Carl"], vec!["fred", "emil"], vec!["bea"]]),
        ("sort=name&limit=1&q=anna+kr%C3%BC", vec![vec!["Carl"], vec!["fred"]]),
        ("q=nobody&limit=2", vec![vec![]]),
    ] {
        assert_eq!(pages(&world, query).await, want, "{query}");
    }
    // Whom the page before ended with may be gone meanwhile.
    let next = world.get("/users?sort=name&limit=2").await.json()["next"].as_str().expect("more").to_owned();
    assert_eq!(world.delete("/users/Carl").await.status, 200);
    assert_eq!(ids(&world.get(&format!("/users?sort=name&limit=2&after={next}")).await.json()), ["fred", "emil"]);
}

#[tokio::test]
async fn users_are_searched_and_filtered_and_counted() {
    let world = town().await;
    world.store.break_document("emil", true);
    for (query, want) in [
        ("q=ANNA", "Carl dora fred"),
        ("q=anna+adl", "dora"),
        ("q=other.net", "dora"),
        ("q=ext4", "emil"),
        ("q=43123", "emil"),
        ("q=shop", "emil"),
        ("q=pass1001", ""),
        ("q=+", "Carl bea dora emil fred"),
        ("line=registered", "bea"),
        ("line=off", "Carl dora emil fred"),
        ("line=failing", "emil"),
        ("line=registered&q=anna", ""),
        ("active=false", "Carl"),
        ("active=true&q=anna", "dora fred"),
        ("readable=false", "emil"),
        ("has_password=false", ""),
        ("has_webhooks=true", "fred"),
    ] {
        let list = world.get(&format!("/users?{query}")).await.json();
        assert_eq!(ids(&list).join(" "), want, "{query}");
        assert_eq!((&list["found"], &list["total_users"]), (&json!(ids(&list).len()), &json!(5)), "{query}");
    }
    let counts = world.get("/users?q=sip.example&line=off&limit=1").await.json()["counts"].clone();
    assert_eq!(
        counts,
        json!({"active": 3, "wanted": 1, "off": 3, "registering": 0, "registered": 1, "retrying": 0, "wrong_password": 0,
            "unregistering": 0, "failing": 1, "unreadable": 1, "without_password": 0, "with_webhooks": 1}),
        "of all that the words find"
    );
    for state in [RegistrationState::WrongPassword, RegistrationState::Retrying] {
        *world.exchange.registrar.lock().expect("not poisoned") = state;
        assert_eq!(ids(&world.get("/users?line=failing").await.json()), ["bea", "emil"], "{state:?}");
    }
}

#[tokio::test]
async fn the_short_form_is_a_part_of_the_whole() {
    let world = town().await;
    *world.exchange.registrar.lock().expect("not poisoned") = RegistrationState::WrongPassword;
    let whole = world.get("/users").await.json();
    let short = world.get("/users?form=short").await.json();
    assert_eq!(ids(&short), ids(&whole));
    for (short, whole) in short["users"].as_array().expect("a list").iter().zip(whole["users"].as_array().expect("a list")) {
        for field in ["user_id", "display_name", "sip_username", "is_active", "sip_status", "config_state", "updated_at"] {
            assert_eq!(short[field], whole[field], "{field}");
        }
        for (field, value) in short["registration"].as_object().expect("a map") {
            assert_eq!(*value, whole["registration"][field], "registration.{field}");
        }
        for field in ["sip_server", "connect", "has_password"] {
            assert_eq!(short[field], whole["sip"][field], "{field}");
        }
        assert_eq!(short["webhooks"], whole["webhooks"].as_array().map_or(0, Vec::len));
        for field in ["sip", "calls", "ai", "revision"] {
            assert!(short.get(field).is_none(), "{field}");
        }
    }
    let refused = &world.get("/users?form=short&q=bea").await.json()["users"][0]["registration"];
    assert_eq!((&refused["state"], &refused["reason"]), (&json!("wrong_password"), &json!("403 Forbidden")));
}

#[tokio::test]
async fn bad_parameters_are_named_all_at_once() {
    let world = town().await;
    for (query, want) in [
        ("limit=0", "limit"),
        ("limit=501", "limit"),
        ("limit=many&line=up&active=1&readable=yes&sort=age&form=tiny", "active form limit line readable sort"),
        ("has_password=&has_webhooks=TRUE", "has_password has_webhooks"),
        ("after=not%20an%20id", "after"),
        ("sort=name&after=bea", "after"),
        ("colour=red", "query"),
        (&format!("q={}", "x".repeat(201)), "q"),
        (&format!("q={}", "x+".repeat(17)), "q"),
    ] {
        let reply = world.get(&format!("/users?{query}")).await;
        assert_eq!((reply.status, reply.fields().join(" ").as_str()), (422, want), "{query}: {}", reply.text());
    }
}
