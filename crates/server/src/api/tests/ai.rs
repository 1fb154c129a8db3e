//! A user's engine, tried.

use super::world::World;
use crate::exchange::EngineFault;
use serde_json::json;

#[tokio::test]
async fn an_engine_that_could_hold_a_call_is_named() {
    let world = World::with_alice().await;
    world.put("/users/alice", r#"{"ai": {"engine": "openai", "voice": "Kore"}}"#).await;
    let reply = world.post("/users/alice/ai/check", "").await;
    assert_eq!(reply.status, 200);
    assert_eq!(
        reply.json(),
        json!({
            "user_id": "alice", "ok": true, "engine": "gemini", "model": "gemini-x-live", "voice": "Kore",
            "warning": "openai is not here", "cause": null, "detail": null, "remedy": null, "took_ms": 410,
        })
    );
}

#[tokio::test]
async fn one_that_could_not_says_why_and_what_to_do() {
    let world = World::with_alice().await;
    let fault = EngineFault { cause: "model_unknown", detail: "closed with 1008: not found".into(), remedy: "check the model" };
    *world.exchange.engine_fault.lock().expect("not poisoned") = Some(fault);
    let reply = world.post("/users/alice/ai/check", "").await;
    // The check itself has gone well.
    assert_eq!(reply.status, 200);
    let answer = reply.json();
    assert_eq!(
        (&answer["ok"], &answer["cause"], &answer["remedy"]),
        (&json!(false), &json!("model_unknown"), &json!("check the model"))
    );
    assert_eq!(answer["detail"], "closed with 1008: not found");
}

#[tokio::test]
async fn nobody_has_no_engine() {
    let world = World::new();
    assert_eq!(world.post("/users/nobody/ai/check", "").await.status, 404);
    assert_eq!(world.get("/users/nobody/ai/check").await.status, 405);
}

#[tokio::test]
async fn every_engine_says_what_there_is_to_choose() {
    let world = World::with_gemini();
    let list = world.get("/engines").await.json();
    let of = |name: &str| {
        list["engines"].as_array().expect("a list").iter().find(|engine| engine["name"] == name).expect(name).clone()
    };
    let (gemini, openai, local) = (of("gemini"), of("openai"), of("local"));
    assert_eq!((&gemini["available"], &gemini["default"], &gemini["needs"]), (&json!(true), &json!(true), &json!(null)));
    // Forms are filled in before there is a key, too.
    assert_eq!((&openai["available"], &openai["needs"]), (&json!(false), &json!("OPENAI_API_KEY")));
    for (engine, name) in [(&gemini, "gemini"), (&openai, "openai")] {
        assert_eq!((&engine["title"], &engine["takes_hints"]), (&json!(name.to_uppercase()), &json!(true)));
        assert_eq!(engine["voices"], json!([format!("voice of {name}")]));
    }
    assert_eq!((&local["default"], &local["voices"], &local["needs"]), (&json!(false), &json!([]), &json!(null)));
}
