//! What a call costs, from the engine's words about it to the ceiling that keeps the next call from being dialled.

use crate::world::{Scene, converse, listen};
use callie_domain::record::{AfterCallState, Cdr, EndReason};
use callie_lab::gemini::{Exchange, FakeGeminiOptions, Script, Speech, Step as Act};
use callie_lab::phone::Step;
use callie_lab::samples::Line;
use callie_lab::text_model::TextModel;
use callie_server::config::Chat;
use callie_store::RecordStore;
use serde_json::{Value, json};
use std::time::Duration;

/// Whole numbers for whole tokens.
const PRICES: &str = r#"{"currency": "EUR",
    "models": [{"engine": "gemini", "models": ["*"], "date": "2026-01-01", "source": "test",
        "per_million": {"audio_input": 30, "audio_output": 60, "text_input": 4, "text_output": 16}},
      {"engine": "chat", "models": ["text-1"], "date": "2026-01-01", "source": "test",
        "per_million": {"text_input": 1, "text_output": 10}}],
    "carrier": [{"prefix": "+", "per_minute": 0.5, "date": "2026-01-01", "source": "test"}]}"#;

async fn json_of(scene: &Scene, path: &str) -> Value {
    serde_json::from_str(&scene.get(path).await).expect("JSON")
}

/// A call and its summary are priced and summed up, and once they have used up the day's money nothing more is dialled.
pub async fn what_a_call_costs_counts_for_the_ceiling() {
    let model = TextModel::start().await.expect("a free port");
    model.behave(TextModel::saying(r#"{"summary": "Tom asked for the time."}"#));
    let tone = |words| Speech::tone(words, 600.0, Duration::from_secs(1));
    let exchange = Exchange::of(Line::Tom2.words(), vec![Act::Say(tone("It is noon."))]);
    let options = FakeGeminiOptions { script: Script::Converse(converse(tone("Hello."), vec![exchange])), ..Default::default() };
    let settings = json!({"limits": {"spend_per_day": 0.002}, "ai": {"after_call": {"summary": true}}});
    let prices = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(prices.path(), PRICES).expect("written");
    let (file, url) = (prices.path().to_owned(), model.url());
    let mut scene = Scene::start(options, settings, |config| {
        config.prices_file = Some(file);
        config.engines.chat = Some(Chat { url, model: "text-1".to_owned(), key: None });
    })
    .await;
    let ended = scene.call([Step::WaitAnswer, listen(), Step::Play(Line::Tom2.samples()), listen(), Step::HangUp]).await;
    let id = ended.cdr.id;
    let at_end = ended.cdr.cost.as_ref().expect("the engine told what it used");
    assert!(
        at_end.total_micros > 0 && at_end.is_complete && at_end.lines.iter().all(|line| line.engine == "gemini"),
        "{at_end:?}"
    );

    let records = scene.world.app.stores.records.clone();
    let read = async || -> Cdr { RecordStore::get(&*records, id).await.expect("read").expect("there") };
    let done = |cdr: &Cdr| cdr.after_call.as_ref().is_some_and(|report| report.state == AfterCallState::Done);
    crate::support::until("the call is summed up", async || done(&read().await)).await;
    let cost = read().await.cost.expect("still there");
    assert_eq!(cost.total_micros, at_end.total_micros + 2_000, "1,000 and 100 tokens of the text model");

    let total = cost.total_micros as f64 / 1e6;
    let shown = json_of(&scene, &format!("/calls/{id}")).await;
    assert_eq!((shown["cost"]["total"].as_f64(), shown["cost"]["currency"].as_str()), (Some(total), Some("EUR")));
    assert_eq!(shown["after_call"]["summary"], "Tom asked for the time.");
    let version = json_of(&scene, shown["config_url"].as_str().expect("an address")).await;
    assert_eq!(version["document"]["ai"]["after_call"]["summary"], true, "the version that the call ran with");
    let costs = json_of(&scene, "/users/alice/costs").await;
    assert_eq!((costs["calls"].clone(), costs["totals"][0]["amount"].as_f64()), (json!(1), Some(total)), "{costs}");
    let engines: Vec<_> = costs["lines"].as_array().expect("lines").iter().map(|line| line["engine"].clone()).collect();
    assert!(engines.contains(&json!("chat")) && engines.contains(&json!("gemini")), "{costs}");

    let invites = scene.world.carrier.seen("INVITE");
    let refused = scene.post("/users/alice/call", &json!({"number": "+4312345678"})).await;
    assert!(refused.0.is_client_error() && refused.1.contains("spend_per_day"), "{refused:?}");
    let record = scene.world.next_record().await;
    assert_eq!(crate::support::reason(&record), EndReason::LimitReached);
    assert_eq!(scene.world.carrier.seen("INVITE"), invites, "nothing was dialled");
}
