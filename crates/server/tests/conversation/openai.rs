//! Conversations with OpenAI Realtime, which is the lab's strict one: G.711 from the telephone to the service and back.

use crate::speech::tone_seconds;
use crate::world::{Ended, PATIENCE, World, call, lines, listen, reason};
use callie_domain::Secret;
use callie_domain::record::{CallFact, EndReason, Speaker};
use callie_lab::mcp::McpServer;
use callie_lab::openai::{
    Act, Converse, Exchange, FakeOpenAi, FakeOpenAiOptions, Fault, Hearing, Moment, Speech, Step as Does, ToolCall,
};
use callie_lab::phone::{self, PhoneState, Step};
use callie_lab::receiver::{Manner, Receiver};
use callie_lab::samples::Line;
use callie_media::codec::G711;
use callie_server::config::PrivateTargets;
use callie_server::config::engines::{DefaultEngine, OpenAi};
use callie_server::engines::Talkers;
use serde_json::{Value, json};
use std::time::Duration;

pub const GREETING_HZ: f64 = 500.0;

pub struct Scene {
    pub world: World,
    pub fake: FakeOpenAi,
}

impl Scene {
    pub async fn of(script: Converse) -> Self {
        Self::with(FakeOpenAiOptions { script, ..FakeOpenAiOptions::default() }, "openai").await
    }

    async fn with(options: FakeOpenAiOptions, dialect: &str) -> Self {
        Self::start(options, dialect, json!({})).await
    }

    /// With settings of `alice`; her tools reach loopback.
    async fn start(options: FakeOpenAiOptions, dialect: &str, settings: Value) -> Self {
        let key = Secret::new(options.api_key.clone());
        let fake = FakeOpenAi::start(options).await.expect("a free port");
        let openai = OpenAi {
            api_key: Some(key),
            dialect: dialect.to_owned(),
            model: Some("gpt-realtime-2.1".to_owned()),
            base_url: Some(fake.base_url()),
            turn_detection: "server_vad".to_owned(),
        };
        let tune = |config: &mut callie_server::config::Config| {
            config.engines.default = DefaultEngine::OpenAi;
            config.engines.openai = Some(openai);
            config.engines.models_dir = None;
            let nets = vec!["127.0.0.0/8".parse().expect("a net")];
            config.private_targets = PrivateTargets { nets, hosts: Vec::new() };
        };
        let world = World::start(tune, |config| Talkers::start(&config.engines).expect("engines")).await;
        // The service's words are in µ-law, and so is the line.
        let mut all = json!({"sip": {"connect": true, "codecs": ["pcmu"]}});
        for (key, value) in settings.as_object().into_iter().flatten() {
            all[key] = value.clone();
        }
        world.add_alice(all).await;
        Self { world, fake }
    }

    pub async fn call(&mut self, steps: impl IntoIterator<Item = Step>) -> Ended {
        call(&mut self.world, steps).await
    }
}

pub fn tone(words: &str, hz: f64, ms: u64) -> Speech {
    Speech::tone(words, hz, Duration::from_millis(ms))
}

pub fn script(exchanges: Vec<Exchange>) -> Converse {
    Converse { greeting: Some(tone("Hello, this is Alice's assistant.", GREETING_HZ, 1_200)), exchanges, ..Converse::default() }
}

fn two_exchanges(hearing: Hearing) -> Converse {
    script(vec![
        Exchange::new(Line::Maria1.words(), tone("Hello Maria, what is it about?", 700.0, 1_500)).hearing(hearing),
        Exchange::new(Line::Maria3.words(), tone("Thank you, goodbye.", 900.0, 1_500)).hearing(hearing),
    ])
}

fn a_conversation() -> [Step; 7] {
    let (first, second) = (Step::Play(Line::Maria1.samples()), Step::Play(Line::Maria3.samples()));
    [Step::WaitAnswer, listen(), first, listen(), second, listen(), Step::HangUp]
}

fn is_whole(ended: &Ended) {
    assert_eq!(reason(&ended.cdr), EndReason::RemoteHungUp);
    for hz in [GREETING_HZ, 700.0, 900.0] {
        let heard = tone_seconds(ended.report.heard(), hz);
        assert!((1.0..1.6).contains(&heard), "{hz} Hz was heard for {heard} s");
    }
    let wanted = [
        (Speaker::Agent, "Hello, this is Alice's assistant."),
        (Speaker::Caller, Line::Maria1.words()),
        (Speaker::Agent, "Hello Maria, what is it about?"),
        (Speaker::Caller, Line::Maria3.words()),
        (Speaker::Agent, "Thank you, goodbye."),
    ];
    assert_eq!(lines(&ended.turns), wanted, "{:#?}", ended.turns);
}

pub async fn a_conversation_is_heard_and_written_down() {
    let mut scene = Scene::of(two_exchanges(Hearing::Early)).await;
    let ended = scene.call(a_conversation()).await;
    is_whole(&ended);
    assert_eq!(ended.cdr.engine.as_deref(), Some("openai"));
    for answer in ended.turns.iter().filter(|turn| turn.speaker == Speaker::Agent).skip(1) {
        let latency = answer.latency.expect("an answer has a latency");
        // The service waits for 500 ms of silence before it takes the caller's turn for over.
        assert!((400..1_400).contains(&latency.total_ms), "{answer:?}");
    }
    scene.fake.latest().expect("a session").look(|log| {
        assert!(log.errors().is_empty() && log.misread == 0, "{:?}", log.errors());
        for line in [Line::Maria1, Line::Maria3] {
            assert!(log.uplink.contains(&line.samples()), "{line:?} has come");
        }
        assert_eq!(codes_found(&log.raw, Line::Maria1), 1.0, "no code of the telephone's has changed on the way");
    });
    scene.world.nothing_is_held().await;
}

/// How much of what the telephone sent is in there, in stretches of 100 ms, as it was sent.
fn codes_found(raw: &[u8], line: Line) -> f64 {
    let samples = line.samples();
    let mut codes = vec![0; samples.len()];
    G711::Pcmu.encode_i16(&samples, &mut codes);
    // μ-law's negative zero is decoded to the same sample as its positive one.
    codes.iter_mut().filter(|code| **code == 0x7f).for_each(|code| *code = 0xff);
    let stretches: Vec<&[u8]> = codes.chunks_exact(800).collect();
    let found = stretches.iter().filter(|stretch| raw.windows(800).any(|window| window == **stretch)).count();
    found as f64 / stretches.len() as f64
}

pub async fn words_of_the_caller_that_come_late_stand_where_they_were_spoken() {
    let mut scene = Scene::of(two_exchanges(Hearing::Late(Duration::from_millis(1_200)))).await;
    is_whole(&scene.call(a_conversation()).await);
}

/// 24 kHz in both directions, for services that know no G.711.
pub async fn a_dialect_without_g711_is_served_at_its_rate() {
    let options = FakeOpenAiOptions { script: two_exchanges(Hearing::Early), ..FakeOpenAiOptions::default() };
    let mut scene = Scene::with(options, "generic").await;
    is_whole(&scene.call(a_conversation()).await);
    scene.fake.latest().expect("a session").look(|log| {
        assert_eq!(log.setup.pointer("/audio/input/format"), Some(&json!({"type": "audio/pcm", "rate": 24_000})));
        assert!(log.uplink.contains(&Line::Maria1.samples()));
    });
}

pub async fn what_was_heard_of_an_interrupted_answer_is_told_to_the_millisecond() {
    let long = tone("One two three four five six seven eight nine ten eleven twelve thirteen.", 700.0, 6_000);
    let mut scene = Scene::of(script(vec![
        Exchange::new(Line::Maria1.words(), long),
        Exchange::new(Line::Tom3.words(), tone("Of course.", 900.0, 1_000)),
    ]))
    .await;
    let interruption = [Step::Pause(Duration::from_millis(3_600)), Step::Play(Line::Tom3.samples()), listen(), Step::HangUp];
    let steps = [Step::WaitAnswer, listen(), Step::Play(Line::Maria1.samples())];
    let ended = scene.call(steps.into_iter().chain(interruption)).await;
    let heard = tone_seconds(ended.report.heard(), 700.0);
    // She pauses after the first word, and the line takes up to 1.5 s to be sure of her.
    assert!((0.5..5.3).contains(&heard), "{heard} s of the answer were heard");
    assert!(tone_seconds(ended.report.heard(), 900.0) > 0.8, "the next answer was heard");
    scene.fake.latest().expect("a session").look(|log| {
        assert!(log.errors().is_empty(), "{:?}", log.errors());
        let [(_, _, told_ms)] = log.truncated[..] else { panic!("truncated once: {:?}", log.truncated) };
        // Sent to the telephone, less 60 ms for the way and its jitter buffer, which this telephone has not; and a beat that
        // was under way.
        let difference = heard * 1_000.0 - told_ms as f64;
        assert!((0.0..=140.0).contains(&difference), "told {told_ms} ms, heard {heard} s");
    });
    let cut = ended.turns.iter().find(|turn| turn.speaker == Speaker::Agent && turn.interrupted).expect("marked");
    assert!(cut.text.starts_with("One two") && !cut.text.contains("thirteen"), "{cut:?}");
}

pub async fn a_session_that_breaks_in_mid_call_is_replaced_without_a_second_greeting() {
    let mut scene = Scene::of(two_exchanges(Hearing::Early)).await;
    // Between the caller's first turn and its answer.
    scene.fake.fault_once(Fault::new(Moment::Committed, Act::Drop));
    let ended = scene.call(a_conversation()).await;
    is_whole(&ended);
    let changes: Vec<_> =
        ended.facts.iter().filter(|fact| matches!(fact, CallFact::SessionChanged { resumed: false, .. })).collect();
    assert_eq!(changes.len(), 1, "{changes:?}");
    assert_eq!(scene.fake.connections(), 2);
    scene.world.nothing_is_held().await;
}

pub async fn the_offline_engine_takes_over_when_there_is_no_credit() {
    let mut scene = Scene::of(two_exchanges(Hearing::Early)).await;
    scene.fake.fault(Fault::new(Moment::Committed, Act::close(1008, "insufficient_quota")));
    let ended = scene.call(a_conversation()).await;
    let failure = ended.facts.iter().find_map(|fact| match fact {
        CallFact::EngineFailed { engine, cause, .. } => Some((engine.as_str(), cause.as_str())),
        _ => None,
    });
    assert_eq!(failure, Some(("openai", "quota_exceeded")), "{:#?}", ended.facts);
    let spoken = callie_lab::analysis::voiced_seconds(ended.report.heard());
    assert!(spoken > 3.0, "somebody went on talking: {spoken} s");
    scene.world.nothing_is_held().await;
}

pub async fn the_goodbye_is_heard_to_its_end() {
    let goodbye = Exchange::new(Line::Maria1.words(), tone("Goodbye.", 700.0, 2_000)).then_end_call();
    let mut scene = Scene::of(script(vec![goodbye])).await;
    let steps = [Step::WaitAnswer, listen(), Step::Play(Line::Maria1.samples()), Step::WaitHangUp];
    let ended = scene.call(steps).await;
    assert_eq!(reason(&ended.cdr), EndReason::AgentEnded);
    let heard = tone_seconds(ended.report.heard(), 700.0);
    assert!((1.9..2.1).contains(&heard), "{heard} s");
    let freed = |fake: &FakeOpenAi| fake.live_sockets() == 0;
    scene.fake.wait_until("the socket is closed", PATIENCE, freed).await.expect("hung up");
}

/// A web service, a server of tools, the user's time, and a caller who talks the agent into calling somebody.
pub async fn tools_are_used_and_nobody_is_reached_whom_the_user_has_not_named() {
    let (shop, cal) = (Receiver::start().await.expect("a receiver"), McpServer::start().await.expect("a server"));
    let headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
    shop.behave(Manner::Answer { status: 200, headers, body: json!({"state": "sent"}).to_string() });
    let find_order = json!({"name": "find_order", "description": "Finds an order.", "url": shop.url("/orders/{number}"),
        "parameters": {"type": "object", "properties": {"number": {"type": "string"}}, "required": ["number"]}});
    let settings = json!({
        "ai": {"time_zone": "Pacific/Auckland", "tools": {"http": [find_order], "mcp": [{"name": "cal", "url": cal.url()}]}},
        "routing": {"transfer_targets": [{"name": "sales", "target": "carol"}]},
    });
    let calls = vec![
        ToolCall::new("find_order", &json!({"number": "7"})),
        ToolCall::new("cal_list_events", &json!({"day": "Monday"})),
        ToolCall::new("current_time", &json!({})),
        ToolCall::new("transfer_call", &json!({"target": "+4990012345"})),
        ToolCall::new("transfer_call", &json!({"target": "carol"})),
    ];
    let exchange = Exchange::of(Line::Tom2.words(), vec![Does::Call(calls), Does::Say(tone("There it is.", 700.0, 1_000))]);
    let options = FakeOpenAiOptions { script: script(vec![exchange]), ..FakeOpenAiOptions::default() };
    let mut scene = Scene::start(options, "openai", settings).await;
    crate::support::until("the server was looked at ahead", async || cal.sessions() == 0 && cal.begun() == 1).await;
    let ended = scene.call([Step::WaitAnswer, listen(), Step::Play(Line::Tom2.samples()), listen(), Step::HangUp]).await;
    assert!(tone_seconds(ended.report.heard(), 700.0) > 0.8, "the answer is heard");
    let outputs: Vec<String> = scene.fake.latest().expect("a session").look(|log| {
        assert!(log.errors().is_empty(), "{:?}", log.errors());
        let items = log.messages("conversation.item.create").into_iter();
        items.filter_map(|message| message["item"]["output"].as_str().map(str::to_owned)).collect()
    });
    for words in ["sent", "Dentist at nine", "(Pacific/Auckland)", "nobody of that name", "nobody of that name"] {
        assert!(outputs.iter().any(|output| output.contains(words)), "{words}: {outputs:#?}");
    }
    assert_eq!(outputs.len(), 5);
    let transfers = |fact: &CallFact| matches!(fact, CallFact::TransferStarted { .. } | CallFact::Dialled { .. });
    assert!(!ended.facts.iter().any(transfers) && ended.cdr.legs.is_empty(), "{:#?}", ended.facts);
    assert_eq!(shop.received().len(), 1);
    crate::support::until("the session of the call is closed", async || cal.sessions() == 0).await;
    scene.world.nothing_is_held().await;
}

/// A supervisor's word is an item that nobody is asked to answer; a session that takes over is told it again.
pub async fn a_hint_is_heeded_in_the_next_session_too() {
    let scene = Scene::of(two_exchanges(Hearing::Early)).await;
    let maria = scene.world.call_alice(phone::Script::new([Step::WaitAnswer, listen(), Step::WaitHangUp])).await;
    maria.wait_for(PhoneState::Up, PATIENCE).await.expect("answered");
    let call = scene.world.app.active_calls().first().expect("it is up").id;
    let url = format!("http://{}/calls/{call}/hint", scene.world.app.http_address);
    let hinted = |fake: &FakeOpenAi| {
        fake.latest().is_some_and(|session| {
            session.look(|log| {
                let items = log.messages("conversation.item.create").into_iter();
                let hints = items.filter(|message| message.to_string().contains("Offer the discount."));
                hints.map(|message| message["item"]["role"].clone()).collect::<Vec<_>>() == ["system"]
            })
        })
    };
    let body = json!({"text": "Offer the discount."}).to_string();
    let answer = reqwest::Client::new().post(url).body(body).send().await.expect("an answer");
    assert_eq!(answer.status(), 202);
    scene.fake.wait_until("the agent was told", PATIENCE, hinted).await.expect("in time");
    assert!(scene.fake.latest().expect("a session").act(Act::Drop));
    let again = |fake: &FakeOpenAi| fake.connections() == 2 && hinted(fake);
    scene.fake.wait_until("its next session is told, too", PATIENCE, again).await.expect("in time");
    assert!(scene.world.app.hang_up(call));
    maria.finished().await.expect("a report");
    scene.world.nothing_is_held().await;
}
