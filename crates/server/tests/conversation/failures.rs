//! The service fails: the caller always hears somebody, and the record says what was wrong and what to do.

use crate::speech::tone_seconds;
use crate::world::{Ended, Scene, converse, listen, reason};
use callie_ai::EngineCause;
use callie_domain::Secret;
use callie_domain::record::{CallFact, EndReason, Speaker};
use callie_lab::analysis::voiced_seconds;
use callie_lab::gemini::{Act, Exchange, FakeGeminiOptions, Fault, Moment, Script, Speech};
use callie_lab::phone::Step;
use callie_lab::samples::Line;
use callie_server::config::engines::{Gemini, GeminiAccess};
use futures::future::join_all;
use futures::{StreamExt, stream};
use std::time::Duration;

const GREETING_HZ: f64 = 500.0;
/// Servers, each with a call.
const AT_ONCE: usize = 4;
const WRONG_KEY: &str = "wrong-key-4711";
const UNKNOWN_FIELD: &str = "Invalid JSON payload received. Unknown name \"proactivity\" at 'setup': Cannot find field.";
const NOT_ENABLED: &str = "Operation is not implemented, or supported, or enabled.";
/// How the offline engine's first words begin when it is there from the beginning, …
const GREETING: &str = "Hello";
/// … and what it says when it takes over.
const APOLOGY: &str = "lost my connection";

/// What is wrong before the call is answered.
enum Wrong {
    /// The port is kept meanwhile.
    NobodyListens(tokio::net::TcpSocket),
    Key {
        is_http: bool,
    },
    Model,
    Service(Fault),
}

fn wrong_at(moment: Moment, act: Act) -> Wrong {
    Wrong::Service(Fault::new(moment, act))
}

pub async fn a_call_begins_without_the_service() {
    use EngineCause::*;
    let quota = "You exceeded your current quota, please check your plan and billing details.";
    let cases = [
        (Wrong::NobodyListens(nobody()), Unreachable),
        (Wrong::Key { is_http: true }, KeyRefused),
        (Wrong::Key { is_http: false }, KeyRefused),
        (Wrong::Model, ModelUnknown),
        (wrong_at(Moment::Upgrade, Act::refuse(429)), QuotaExceeded),
        (wrong_at(Moment::Upgrade, Act::refuse(503)), ServiceFailed),
        (wrong_at(Moment::Setup, Act::close(1011, quota)), QuotaExceeded),
        (wrong_at(Moment::Upgrade, Act::refuse(401)), KeyRefused),
        (wrong_at(Moment::Upgrade, Act::refuse(404)), ModelUnknown),
        (wrong_at(Moment::Setup, Act::close(1007, UNKNOWN_FIELD)), SetupRefused),
        (wrong_at(Moment::Setup, Act::close(1008, NOT_ENABLED)), SetupRefused),
        (wrong_at(Moment::Setup, Act::Drop), ConnectionLost),
        (wrong_at(Moment::Setup, Act::Stall), Stalled),
    ];
    let check = |(wrong, cause)| async move {
        let mut scene = without_service(&wrong).await;
        let ended = scene.call([Step::WaitAnswer, listen(), Step::HangUp]).await;
        check(&mut scene, &ended, cause).await;
        let spoken = voiced_seconds(ended.report.heard());
        assert!(spoken > 1.0, "{cause}: the caller is greeted: {spoken} s");
        let greeting = ended.turns.first().map(|turn| (turn.speaker, turn.text.trim().starts_with(GREETING)));
        assert_eq!(greeting, Some((Speaker::Agent, true)), "{cause}: {:#?}", ended.turns);
    };
    join_all(cases.map(check)).await;
}

async fn without_service(wrong: &Wrong) -> Scene {
    let is_http = !matches!(wrong, Wrong::Key { is_http: false });
    let options = FakeGeminiOptions { wrong_key_is_http: is_http, ..FakeGeminiOptions::default() };
    let change = |gemini: &mut Gemini| match wrong {
        Wrong::NobodyListens(port) => {
            gemini.base_url = format!("ws://{}", port.local_addr().expect("bound"));
        }
        Wrong::Key { .. } => gemini.access = GeminiAccess::Key(Secret::new(WRONG_KEY)),
        Wrong::Model => gemini.model = "gemini-of-yesterday".to_owned(),
        Wrong::Service(_) => {}
    };
    let scene = Scene::with(options, |config| config.engines.gemini.iter_mut().for_each(change)).await;
    if let Wrong::Service(fault) = wrong {
        scene.fake.fault(fault.clone());
    }
    scene
}

/// A port of ours at which connections are refused, as long as it lives: nobody listens there, and nobody else gets it.
fn nobody() -> tokio::net::TcpSocket {
    let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
    socket.bind(std::net::SocketAddr::from(([127, 0, 0, 1], 0))).expect("a free port");
    socket
}

/// A tone, so that it is told from an answer.
async fn scene_of_one_question() -> Scene {
    scene_of_question("").await
}

/// The same, with the caller's words as the service writes them down.
async fn scene_of_question(words: &str) -> Scene {
    let greeting = Speech::tone("Hello.", GREETING_HZ, Duration::from_secs(1));
    let script = converse(greeting, vec![Exchange::new(words, Speech::line(Line::Long))]);
    let options = FakeGeminiOptions { script: Script::Converse(script), ..FakeGeminiOptions::default() };
    Scene::with(options, |_| ()).await
}

fn one_question() -> [Step; 5] {
    [Step::WaitAnswer, listen(), Step::Play(Line::Maria1.samples()), listen(), Step::HangUp]
}

/// What breaks is mended: the answer is Gemini's, and the record tells of the second session.
pub async fn a_call_goes_on_in_another_session() {
    let cases = [
        (Act::close(1000, ""), "1000"),
        (Act::close(1001, ""), "1001"),
        (Act::Drop, "connection_lost"),
        (Act::close(1008, NOT_ENABLED), NOT_ENABLED),
        (Act::close(1011, "Internal error encountered."), "Internal error"),
        (Act::close(1011, "Deadline expired before operation could complete."), "Deadline expired"),
        (Act::GoAway { time_left: Duration::from_millis(300), code: 1011, reason: String::new() }, ""),
        (Act::GoAway { time_left: Duration::from_secs(4), code: 1011, reason: String::new() }, "announced"),
        (Act::Stall, "stalled"),
    ];
    let check = |(act, wanted): (Act, &'static str)| async move {
        let mut scene = scene_of_one_question().await;
        scene.fake.fault_once(Fault::new(Moment::Utterance, act));
        let ended = scene.call(one_question()).await;
        assert_eq!(reason(&ended.cdr), EndReason::RemoteHungUp, "{wanted}");
        let told: Vec<_> = ended.facts.iter().filter(|fact| matches!(fact, CallFact::SessionChanged { .. })).collect();
        let [CallFact::SessionChanged { engine, reason, .. }] = told.as_slice() else { panic!("{wanted}: {:#?}", ended.facts) };
        assert!(engine == "gemini" && reason.contains(wanted), "{reason}");
        let said = ended.turns.iter().rfind(|turn| turn.speaker == Speaker::Agent).map(|turn| turn.text.trim());
        assert_eq!(said, Some(Line::Long.words()), "{wanted}: {:#?}", ended.turns);
        let answered = voiced_seconds(ended.report.heard()) - tone_seconds(ended.report.heard(), GREETING_HZ);
        assert!(answered > 1.5, "{wanted}: {answered} s of answer");
        assert!(!ended.facts.iter().any(|fact| matches!(fact, CallFact::EngineFailed { .. })), "{wanted}: {:#?}", ended.facts);
        assert_eq!(scene.fake.complaints(), [""; 0], "{wanted}");
        scene.everything_is_freed_at_once().await;
    };
    join_all(cases.map(check)).await;
}

/// What is strange but no end: the answer comes in the same session, asked for once more where there was none.
pub async fn a_call_goes_on_in_the_same_session() {
    let cases = [
        (Act::EmptyTurn, "the model's turn was empty"),
        (Act::RejectTurn, "the model's turn was rejected"),
        (Act::Raw("{\"serverContent\": 7}".into()), "a form we do not know"),
        (Act::Raw("{\"smellOfNextYear\": {}}".into()), ""),
        (Act::Junk(vec![0xff, b'{', 0]), "no messages"),
        (Act::Huge { bytes: 3_000_000 }, ""),
        (Act::Ping, ""),
        (Act::Drip { frame_bytes: 500, pause: Duration::from_micros(200) }, ""),
    ];
    let check = |(act, wanted): (Act, &'static str)| async move {
        let what = format!("{act:?}").chars().take(60).collect::<String>();
        let mut scene = scene_of_question(Line::Maria1.words()).await;
        scene.fake.fault_once(Fault::new(Moment::Utterance, act));
        let ended = scene.call(one_question()).await;
        assert_eq!(reason(&ended.cdr), EndReason::RemoteHungUp, "{what}");
        let answer = ended.turns.iter().rfind(|turn| turn.speaker == Speaker::Agent).expect("an answer");
        assert_eq!(answer.text.trim(), Line::Long.words(), "{what}: {:#?}", ended.turns);
        // The pause that ends a turn, being asked once more, and a machine that is busy with other tests.
        let took = answer.latency.map(|latency| latency.total_ms);
        assert!(took.is_some_and(|took| took < 2_500), "{what}: {took:?} ms");
        // A machine that is busy takes the caller's audio late, and says so.
        let warns = |fact: &&CallFact| matches!(fact, CallFact::Warning { text } if !text.contains("too slowly"));
        let warnings: Vec<_> = ended.facts.iter().filter(warns).collect();
        assert_eq!(warnings.len(), usize::from(!wanted.is_empty()), "{what}: {warnings:?}");
        assert!(format!("{warnings:?}").contains(wanted), "{what}: {warnings:?}");
        assert_eq!(scene.fake.connections(), 1, "{what}");
        scene.everything_is_freed_at_once().await;
    };
    stream::iter(cases).map(|case| Box::pin(check(case))).buffer_unordered(AT_ONCE).collect::<()>().await;
}

/// What cannot be mended is not waited for: the offline engine takes over.
pub async fn a_call_goes_on_when_the_service_fails() {
    use EngineCause::*;
    let cases = [
        (Act::close(1007, "Request contains an invalid argument."), SetupRefused),
        (Act::close(1007, "API key expired. Please renew the API key."), KeyRefused),
        (Act::close(1011, "Resource has been exhausted (e.g. check quota)."), QuotaExceeded),
    ];
    let check = |(act, cause)| async move {
        let mut scene = scene_of_one_question().await;
        scene.fake.fault(Fault::new(Moment::Utterance, act));
        let ended = scene.call(one_question()).await;
        check(&mut scene, &ended, cause).await;
        let greeted = tone_seconds(ended.report.heard(), GREETING_HZ);
        let apology = voiced_seconds(ended.report.heard()) - greeted;
        assert!(greeted > 0.8 && apology > 1.5, "{cause}: greeting {greeted} s, apology {apology} s");
        let said = ended.turns.iter().rfind(|turn| turn.speaker == Speaker::Agent).map(|turn| turn.text.as_str());
        assert!(said.is_some_and(|said| said.contains(APOLOGY)), "{cause}: {:#?}", ended.turns);
    };
    join_all(cases.map(check)).await;
}

/// The record names the cause and the remedy, once and without a key; then the offline engine speaks.
async fn check(scene: &mut Scene, ended: &Ended, wanted: EngineCause) {
    let Ended { facts, cdr, .. } = ended;
    assert_eq!(reason(cdr), EndReason::RemoteHungUp, "{wanted}");
    let failures: Vec<_> = facts.iter().filter(|fact| matches!(fact, CallFact::EngineFailed { .. })).collect();
    let [failure @ CallFact::EngineFailed { engine, cause, detail, remedy }] = failures.as_slice() else {
        panic!("{wanted}: {facts:#?}");
    };
    assert_eq!((engine.as_str(), cause.as_str(), remedy.as_str()), ("gemini", wanted.as_str(), wanted.remedy()), "{detail}");
    assert!(!detail.is_empty(), "{failure:?}");
    assert!(!format!("{facts:?} {cdr:?}").contains(WRONG_KEY), "{facts:#?}");
    let after: Vec<_> = facts.iter().skip_while(|fact| fact != failure).collect();
    let takes_over = |fact: &&CallFact| matches!(fact, CallFact::AgentReady { engine, .. } if engine == "local");
    assert!(after.iter().any(takes_over), "{wanted}: {after:#?}");
    assert!(after.contains(&&CallFact::SpeechStarted { speaker: Speaker::Agent }), "{wanted}: {after:#?}");
    scene.everything_is_freed_at_once().await;
}
