//! OpenAI's service fails in mid-call: the caller hears the answer within the bound of `docs/rfc-notes/engines.md`, or somebody else, and
//! the record says what was wrong.

use crate::openai::{GREETING_HZ, Scene, script, tone};
use crate::speech::tone_seconds;
use crate::world::{Ended, PATIENCE, listen, reason};
use callie_ai::EngineCause;
use callie_domain::record::{CallFact, EndReason, Speaker};
use callie_lab::analysis::voiced_seconds;
use callie_lab::openai::{Act, Exchange, FakeOpenAi, Fault, Moment};
use callie_lab::phone::Step;
use callie_lab::samples::Line;
use futures::{StreamExt, stream};

const ANSWER: &str = "Hello Maria, what is it about?";
const ANSWER_HZ: f64 = 700.0;
/// Servers, each with a call.
const AT_ONCE: usize = 4;
/// What a machine that is busy with other tests may add.
const BUSY_MS: u32 = 1_000;

async fn scene() -> Scene {
    Scene::of(script(vec![Exchange::new(Line::Maria1.words(), tone(ANSWER, ANSWER_HZ, 1_500))])).await
}

fn one_question() -> [Step; 5] {
    [Step::WaitAnswer, listen(), Step::Play(Line::Maria1.samples()), listen(), Step::HangUp]
}

/// What the record has to say.
#[derive(Clone, Copy)]
enum Told {
    Nothing,
    Warned(&'static str),
    Changed(&'static str),
}

pub async fn a_call_goes_on_whatever_the_service_does() {
    use Told::{Changed, Nothing, Warned};
    let at = Fault::new;
    let cases = [
        (at(Moment::Committed, Act::Drop), 2_500, Changed("connection_lost")),
        (at(Moment::Committed, Act::Expire), 2_500, Changed("session_expired")),
        (at(Moment::Committed, Act::close(1000, "")), 2_500, Changed("1000")),
        (at(Moment::Committed, Act::close(1001, "going away")), 2_500, Changed("1001")),
        (at(Moment::Committed, Act::close(1011, "internal error")), 2_500, Changed("1011")),
        (at(Moment::Committed, Act::error("server_error", "internal_error")), 2_500, Changed("internal_error")),
        (at(Moment::Committed, Act::Stall), 10_000, Changed("stalled")),
        (at(Moment::Response, Act::Empty), 1_500, Warned("empty")),
        (at(Moment::Response, Act::fail("server_error", "")), 1_500, Warned("failed to answer")),
        (at(Moment::Response, Act::fail("tokens", "rate_limit_exceeded")), 2_500, Warned("rate limit")),
        (at(Moment::Committed, Act::Raw("{\"type\":".into())), 1_500, Warned("no messages")),
        (at(Moment::Committed, Act::Junk(vec![0xff, 0, 0xfe])), 1_500, Warned("no messages")),
        (at(Moment::Committed, Act::Raw("{\"type\":\"response.smell.delta\"}".into())), 1_500, Nothing),
        (at(Moment::Committed, Act::error("invalid_request_error", "response_cancel_not_active")), 1_500, Nothing),
    ];
    let check = |(fault, bound_ms, told): (Fault, u32, Told)| async move {
        let what = format!("{fault:?}");
        let mut scene = scene().await;
        scene.fake.fault_once(fault);
        let ended = scene.call(one_question()).await;
        assert_eq!(reason(&ended.cdr), EndReason::RemoteHungUp, "{what}");
        let [greeted, answered] = [GREETING_HZ, ANSWER_HZ].map(|hz| tone_seconds(ended.report.heard(), hz));
        assert!((1.0..1.6).contains(&greeted) && (1.0..1.6).contains(&answered), "{what}: {greeted} s, {answered} s");
        let answer = ended.turns.iter().rfind(|turn| turn.speaker == Speaker::Agent).expect("an answer");
        let took = answer.latency.map(|latency| latency.total_ms);
        assert!(took.is_some_and(|took| took <= bound_ms + BUSY_MS), "{what}: {took:?} ms: {:#?}", ended.turns);
        is_told(&what, &ended, told);
        scene.world.nothing_is_held().await;
    };
    stream::iter(cases).map(|case| Box::pin(check(case))).buffer_unordered(AT_ONCE).collect::<()>().await;
}

fn is_told(what: &str, ended: &Ended, told: Told) {
    let changes: Vec<_> = ended
        .facts
        .iter()
        .filter_map(|fact| match fact {
            CallFact::SessionChanged { engine, reason, resumed: false } if engine == "openai" => Some(reason.as_str()),
            _ => None,
        })
        .collect();
    let warnings: Vec<_> = ended
        .facts
        .iter()
        .filter_map(|fact| if let CallFact::Warning { text } = fact { Some(text.as_str()) } else { None })
        .collect();
    match told {
        Told::Changed(why) => assert!(matches!(changes[..], [reason] if reason.contains(why)), "{what}: {changes:?}"),
        Told::Warned(why) => assert!(changes.is_empty() && warnings.concat().contains(why), "{what}: {changes:?} {warnings:?}"),
        Told::Nothing => assert!(changes.is_empty() && warnings.is_empty(), "{what}: {changes:?} {warnings:?}"),
    }
    assert!(!ended.facts.iter().any(|fact| matches!(fact, CallFact::EngineFailed { .. })), "{what}: {:#?}", ended.facts);
}

pub async fn another_engine_takes_over_what_cannot_be_mended() {
    use EngineCause::{KeyRefused, QuotaExceeded, ServiceFailed};
    let cases = [
        (Act::fail("insufficient_quota", "insufficient_quota"), QuotaExceeded),
        (Act::fail("tokens", "rate_limit_exceeded"), QuotaExceeded),
        (Act::fail("server_error", ""), ServiceFailed),
        (Act::error("invalid_request_error", "invalid_api_key"), KeyRefused),
        (Act::close(3000, "invalid_request_error.invalid_api_key"), KeyRefused),
    ];
    let check = |(act, cause): (Act, EngineCause)| async move {
        let mut scene = scene().await;
        scene.fake.fault(Fault::new(Moment::Response, act));
        // The greeting is a response, too.
        let ended = scene.call([Step::WaitAnswer, listen(), Step::HangUp]).await;
        assert_eq!(reason(&ended.cdr), EndReason::RemoteHungUp, "{cause}");
        let failed = ended.facts.iter().filter_map(|fact| match fact {
            CallFact::EngineFailed { engine, cause, remedy, .. } => Some((engine.as_str(), cause.as_str(), remedy.as_str())),
            _ => None,
        });
        assert_eq!(failed.collect::<Vec<_>>(), [("openai", cause.as_str(), cause.remedy())], "{:#?}", ended.facts);
        let spoken = voiced_seconds(ended.report.heard());
        assert!(spoken > 1.0, "{cause}: {spoken} s of somebody else");
        let freed = |fake: &FakeOpenAi| fake.live_sockets() == 0;
        scene.fake.wait_until("its sockets are closed", PATIENCE, freed).await.expect("hung up");
        scene.world.nothing_is_held().await;
    };
    stream::iter(cases).map(|case| Box::pin(check(case))).buffer_unordered(AT_ONCE).collect::<()>().await;
}
