//! Somebody talks to the agent from a browser, which has no telephone; a supervisor listens to a call, and whispers to its agent.

use crate::speech::tone_seconds;
use crate::support::{PATIENCE, until};
use crate::world::{Scene, converse, lines, listen};
use callie_domain::record::{CallFact, EndReason, Speaker};
use callie_lab::analysis;
use callie_lab::gemini::{Exchange, FakeGeminiOptions, Script, Speech};
use callie_lab::phone::{self, PhoneState, Step};
use callie_lab::samples::Line;
use callie_store::RecordStore;
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

const GREETING_HZ: f64 = 500.0;
const ANSWER_HZ: f64 = 700.0;

fn script() -> Script {
    let greeting = Speech::tone("Hello.", GREETING_HZ, Duration::from_secs(1));
    let answer = Speech::tone("It is noon.", ANSWER_HZ, Duration::from_millis(1_500));
    Script::Converse(converse(greeting, vec![Exchange::new(Line::Maria1.words(), answer)]))
}

/// A browser that has a WebSocket open.
struct Browser {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// All that was heard, at the rate of the first text.
    heard: Vec<i16>,
    told: Vec<Value>,
}

impl Browser {
    async fn open(scene: &Scene, path: &str) -> Self {
        let address = scene.world.app.http_address;
        let mut request = format!("ws://{address}{path}").into_client_request().expect("valid");
        let origin = format!("http://{address}").parse().expect("valid");
        request.headers_mut().insert("origin", origin);
        let (socket, _) = connect_async(request).await.expect("upgraded");
        Self { socket, heard: Vec::new(), told: Vec::new() }
    }

    /// Takes what comes until it is enough, or over.
    async fn until(&mut self, what: &str, enough: impl Fn(&Self) -> bool) {
        let wait = async {
            while !enough(self) {
                let Some(Ok(message)) = self.socket.next().await else { return };
                self.take(message);
            }
        };
        timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("{what}: {:#?}", self.told));
        assert!(enough(self), "{what}: {:#?}", self.told);
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Binary(bytes) => self.heard.extend(bytes.as_chunks::<2>().0.iter().map(|pair| i16::from_le_bytes(*pair))),
            Message::Text(text) => self.told.push(serde_json::from_str(&text).expect("JSON")),
            _ => {}
        }
    }

    /// As a browser's microphone gives it: 16 kHz in lumps of 60 ms, as time goes by.
    async fn say(&mut self, samples: &[i16]) {
        let mut lumps = tokio::time::interval(Duration::from_millis(60));
        for lump in samples.chunks(480) {
            let bytes: Vec<u8> = lump.iter().flat_map(|sample| [*sample; 2]).flat_map(i16::to_le_bytes).collect();
            loop {
                tokio::select! {
                    _ = lumps.tick() => break,
                    message = self.socket.next() => self.take(message.expect("open").expect("a message")),
                }
            }
            self.socket.send(Message::Binary(bytes.into())).await.expect("sent");
        }
    }

    async fn write(&mut self, order: Value) {
        self.socket.send(Message::Text(order.to_string().into())).await.expect("sent");
    }

    /// Of one channel of so many, at 8 kHz.
    fn hears(&self, channel: usize, of: usize) -> Vec<i16> {
        self.heard.iter().skip(channel).step_by(of).copied().collect()
    }

    fn has(&self, event: &str) -> bool {
        self.told.iter().any(|told| told["event"] == event)
    }
}

/// What the audit says was done to this path.
async fn audited(scene: &Scene, target: &str) -> Vec<String> {
    let url = format!("http://{}/audit?target={target}", scene.world.app.http_address);
    let page: Value = reqwest::get(url).await.expect("an answer").json().await.expect("JSON");
    let entries = page["entries"].as_array().expect("entries");
    entries.iter().map(|entry| entry["action"].as_str().unwrap_or_default().to_owned()).collect()
}

pub async fn who_has_no_telephone_talks_to_the_agent() {
    // The line is not even connected.
    let options = FakeGeminiOptions { script: script(), ..FakeGeminiOptions::default() };
    let mut scene = Scene::start(options, json!({}), |_| ()).await;
    scene.world.add_user("bob", json!({"sip": {"connect": false, "srtp": "required"}})).await;
    until("bob is known", async || scene.world.app.stores.users.watch().borrow().users.len() == 2).await;

    let mut browser = Browser::open(&scene, "/users/bob/talk").await;
    browser.until("it is told how to listen", |browser| !browser.told.is_empty()).await;
    assert_eq!((&browser.told[0]["type"], &browser.told[0]["sample_rate"]), (&json!("talking"), &json!(16_000)));
    let tone = |hz: f64| move |browser: &Browser| tone_seconds(&browser.hears(0, 2), hz) > 0.9;
    browser.until("the greeting", tone(GREETING_HZ)).await;
    // It is quiet for a moment.
    browser.say(&[0; 8_000]).await;
    browser.write(json!({"type": "key", "key": "5"})).await;
    browser.say(&Line::Maria1.samples()).await;
    browser.until("the answer", tone(ANSWER_HZ)).await;
    browser.until("the answer's turn", |browser| browser.told.iter().any(|told| told["turn"]["text"] == "It is noon.")).await;
    for event in ["invited", "answered", "established", "agent_ready", "speech_started", "dtmf"] {
        assert!(browser.has(event), "{event}: {:#?}", browser.told);
    }
    let heard = scene.fake.latest().expect("a session").look(|log| log.uplink.contains(&Line::Maria1.samples()));
    assert!(heard, "the service has heard the whole sentence");

    browser.write(json!({"type": "hang_up"})).await;
    assert_eq!(audited(&scene, "/users/bob").await, ["GET /users/{user_id}/talk"]);
    let cdr = scene.world.next_record().await;
    assert_eq!((crate::world::reason(&cdr), cdr.from.as_str(), cdr.to.as_str()), (EndReason::RemoteHungUp, "browser", "bob"));
    assert_eq!(cdr.media.as_ref().map(|media| media.codec.as_str()), Some("G722"));
    let turns = RecordStore::turns(&*scene.world.app.stores.records, cdr.id).await.expect("read");
    let wanted = [(Speaker::Agent, "Hello."), (Speaker::Caller, Line::Maria1.words()), (Speaker::Agent, "It is noon.")];
    assert_eq!(lines(&turns), wanted);
    let latency = turns[2].latency.expect("an answer has a latency").total_ms;
    assert!((500..1_600).contains(&latency), "{latency} ms");
    let (theirs, ours) = scene.world.recording(&cdr).await;
    assert!(analysis::contains(&Line::Maria1.samples(), &theirs), "the caller is in the recording");
    assert!(tone_seconds(&ours, ANSWER_HZ) > 1.3, "and the agent");
    scene.everything_is_freed_at_once().await;
}

pub async fn who_closes_the_page_has_hung_up_and_who_is_not_ours_is_refused() {
    let options = FakeGeminiOptions { script: script(), ..FakeGeminiOptions::default() };
    let mut scene = Scene::start(options, json!({}), |_| ()).await;
    let mut browser = Browser::open(&scene, "/users/alice/talk").await;
    browser.until("the greeting", |browser| tone_seconds(&browser.hears(0, 2), GREETING_HZ) > 0.3).await;
    drop(browser);
    assert_eq!(crate::world::reason(&scene.world.next_record().await), EndReason::RemoteHungUp);
    scene.everything_is_freed_at_once().await;

    let address = scene.world.app.http_address;
    for (origin, path, status) in [
        ("https://evil.example".to_owned(), "/users/alice/talk", 403),
        (format!("http://{address}"), "/users/nobody/talk", 404),
        ("https://evil.example".to_owned(), "/calls/01JD3V6Q0X3N2Z7Y5W4T8R9P1M/listen", 403),
        (format!("http://{address}"), "/calls/01JD3V6Q0X3N2Z7Y5W4T8R9P1M/listen", 404),
    ] {
        let mut request = format!("ws://{address}{path}").into_client_request().expect("valid");
        request.headers_mut().insert("origin", origin.parse().expect("valid"));
        let refused = connect_async(request).await.expect_err("refused");
        let tokio_tungstenite::tungstenite::Error::Http(response) = refused else { panic!("{path}: {refused}") };
        assert_eq!(response.status().as_u16(), status, "{origin} {path}");
    }
    assert_eq!(scene.world.app.active_calls().len(), 0);
}

/// The agent hangs up: its words are heard, then the call's record is told and the socket closed.
pub async fn the_agent_hangs_up_on_a_browser() {
    let greeting = Speech::tone("Hello.", GREETING_HZ, Duration::from_secs(1));
    let goodbye = Speech::tone("Goodbye.", ANSWER_HZ, Duration::from_millis(1_500));
    let exchange = Exchange::new(Line::Maria1.words(), goodbye).then_end_call();
    let scene = Scene::of(converse(greeting, vec![exchange])).await;
    let mut browser = Browser::open(&scene, "/users/alice/talk").await;
    browser.until("the greeting", |browser| tone_seconds(&browser.hears(0, 2), GREETING_HZ) > 0.9).await;
    browser.say(&[0; 8_000]).await;
    browser.say(&Line::Maria1.samples()).await;
    browser.until("the record", |browser| browser.told.iter().any(|told| told["type"] == "call_recorded")).await;
    assert!(tone_seconds(&browser.hears(0, 2), ANSWER_HZ) > 1.3, "the goodbye is heard to its end");
    let last = browser.told.last().expect("the record");
    assert_eq!(last["call"]["termination"]["reason"], "agent_ended", "{last}");
    assert!(matches!(browser.socket.next().await, Some(Ok(Message::Close(_)))), "then it is closed");
    scene.everything_is_freed_at_once().await;
}

pub async fn a_supervisor_hears_both_sides_and_whispers_to_the_agent() {
    let options = FakeGeminiOptions { script: script(), ..FakeGeminiOptions::default() };
    let mut scene = Scene::start(options, json!({}), |_| ()).await;
    let steps = [
        Step::WaitAnswer,
        listen(),
        Step::Pause(Duration::from_millis(1_000)),
        Step::Play(Line::Maria1.samples()),
        listen(),
        Step::HangUp,
    ];
    let maria = scene.world.call_alice(phone::Script::new(steps)).await;
    maria.wait_for(PhoneState::Up, PATIENCE).await.expect("answered");
    let call = scene.world.app.active_calls().first().expect("it is up").id;
    let mut supervisor = Browser::open(&scene, &format!("/calls/{call}/listen")).await;
    // Another one never reads.
    let _deaf = Browser::open(&scene, &format!("/calls/{call}/listen")).await;
    let texts = |scene: &Scene| scene.fake.latest().expect("a session").look(|log| log.texts.len());
    until("the greeting was asked for", async || texts(&scene) == 1).await;
    let hint = json!({"text": "She is a (good) customer."}).to_string();
    let url = format!("http://{}/calls/{call}/hint", scene.world.app.http_address);
    let answer = reqwest::Client::new().post(url).body(hint).send().await.expect("an answer");
    assert_eq!(answer.status(), 202);
    let listened = "GET /calls/{call_id}/listen";
    let done = audited(&scene, &format!("/calls/{call}")).await;
    assert_eq!(done, ["POST /calls/{call_id}/hint", listened, listened]);
    until("the agent was told", async || texts(&scene) == 2).await;
    let told = scene.fake.latest().expect("a session").look(|log| log.texts.last().map(|(_, text)| text.clone()));
    assert!(told.as_deref().is_some_and(|text| text.starts_with('(') && text.contains("She is a  good  customer.")), "{told:?}");

    supervisor.until("the end", |supervisor| supervisor.told.iter().any(|told| told["type"] == "ended")).await;
    assert_eq!((&supervisor.told[0]["type"], &supervisor.told[0]["sample_rate"]), (&json!("listening"), &json!(8_000)));
    let (caller, agent) = (supervisor.hears(0, 2), supervisor.hears(1, 2));
    assert!(analysis::contains(&Line::Maria1.samples(), &caller), "the caller is on the left");
    assert!(tone_seconds(&agent, ANSWER_HZ) > 1.3, "the agent is on the right");
    assert!(!analysis::contains(&Line::Maria1.samples(), &agent));
    let report = maria.finished().await.expect("a report");
    assert!(tone_seconds(report.heard(), ANSWER_HZ) > 1.3, "the call went on as ever");
    let cdr = scene.world.next_record().await;
    let noted = async || {
        let facts: Vec<_> = scene.world.events_of(&cdr).await.into_iter().map(|event| event.fact).collect();
        facts.contains(&CallFact::ListenedIn)
            && facts.contains(&CallFact::HintGiven { text: "She is a (good) customer.".to_owned() })
    };
    until("the record tells of both", noted).await;
    scene.everything_is_freed_at_once().await;
}
