//! Webhooks of a user, and what became of what was told.

use super::world::World;
use crate::hooks::message::News;
use callie_domain::user::HookEvent;
use callie_store::DeliveryStore;
use jiff::Timestamp;
use serde_json::json;

const SECRET: &str = "secure_password_of_a_hook";

async fn with_hooks() -> World {
    let world = World::with_alice().await;
    let hooks = json!({"webhooks": [{"url": "https://a.example/x", "secret": SECRET, "events": ["call.ended"]},
        {"url": "http://b.example/", "secret": SECRET, "active": false}]});
    assert_eq!(world.put("/users/alice", &hooks.to_string()).await.status, 200);
    world
}

#[tokio::test]
async fn webhooks_are_part_of_the_document_and_their_secrets_are_not_shown() {
    let world = with_hooks().await;
    let shown = world.get("/users/alice").await.json();
    assert_eq!(
        shown["webhooks"],
        json!([{"url": "https://a.example/x", "events": ["call.ended"], "has_secret": true, "active": true},
            {"url": "http://b.example/", "events": [], "has_secret": true, "active": false}])
    );
    assert_eq!(shown["warnings"][0]["field"], "webhooks[1].url");
    let same = world.put("/users/alice", &json!({"webhooks": shown["webhooks"]}).to_string()).await;
    assert_eq!((same.status, same.json()["revision"].clone()), (200, shown["revision"].clone()), "what is shown is taken back");
    let bad = json!({"webhooks": [{"url": "https://new.example/"}, {"url": "x"}]}).to_string();
    assert_eq!(world.put("/users/alice", &bad).await.fields(), ["webhooks[1].url"]);
}

#[tokio::test]
async fn deliveries_are_listed_shown_and_sent_again() {
    let world = with_hooks().await;
    for n in 0..3 {
        let news = News { event: HookEvent::CallEnded, data: json!({ "n": n }), lane: "one call".to_owned() };
        let queued = news.to_all(&world.store.user("alice").expect("there"), Timestamp::UNIX_EPOCH, rand::random);
        assert_eq!(queued.len(), 1, "the other one is not active");
        world.queue.enqueue(&queued).await.expect("queued");
    }
    let page = world.get("/users/alice/webhooks/deliveries?limit=2&state=waiting&event=call.ended").await.json();
    let of_page = |n: usize| page["deliveries"][n].clone();
    assert_eq!((of_page(0)["state"].as_str(), of_page(0)["event"].as_str()), (Some("waiting"), Some("call.ended")));
    assert_eq!(of_page(0)["next_attempt_at"], json!(null), "it waits for the one before");
    let rest = world.get(&format!("/users/alice/webhooks/deliveries?before={}", page["next"])).await.json();
    assert_eq!((rest["deliveries"].as_array().map(Vec::len), rest["next"].clone()), (Some(1), json!(null)));
    let path = format!("/users/alice/webhooks/deliveries/{}", rest["deliveries"][0]["id"].as_str().expect("an id"));
    let detail = world.get(&path).await.json();
    assert_eq!((detail["body"]["data"]["n"].clone(), detail["body"]["id"].clone()), (json!(0), detail["id"].clone()));
    let resent = world.post(&format!("{path}/resend"), "").await;
    assert_eq!((resent.status, resent.json()["next_attempt_at"].as_str()), (202, Some(super::world::NOW)));
}

#[tokio::test]
async fn what_is_not_there_is_said() {
    let world = with_hooks().await;
    let nobody = "01JD3V6Q0X3N2Z7Y5W4T8R9P1M";
    for (method, path, status) in [
        ("GET", "/users/bob/webhooks/deliveries".to_owned(), 404),
        ("GET", "/users/alice/webhooks/deliveries?state=lost".to_owned(), 422),
        ("GET", "/users/alice/webhooks/deliveries?limit=0&before=x".to_owned(), 422),
        ("GET", format!("/users/alice/webhooks/deliveries/{nobody}"), 404),
        ("GET", "/users/alice/webhooks/deliveries/x".to_owned(), 404),
        ("POST", format!("/users/alice/webhooks/deliveries/{nobody}/resend"), 404),
        ("POST", "/users/bob/webhooks/test".to_owned(), 404),
    ] {
        assert_eq!(world.send(method, &path, &[], "").await.status, status, "{method} {path}");
    }
    for (body, status) in
        [(r#"{"url": "http://b.example/"}"#, 409), (r#"{"url": 5}"#, 422), (r#"{"colour": 5}"#, 422), ("[]", 422)]
    {
        assert_eq!(world.post("/users/alice/webhooks/test", body).await.status, status, "{body}");
    }
}
