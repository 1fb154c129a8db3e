//! What the service does instead of answering: the caller hears speech again within the bound, or the next engine is told why.

use crate::caller::{Caller, fake, ms, script, tone};
use callie_ai::{EngineCause, EngineEvent};
use callie_lab::openai::{Act, Converse, Exchange, Fault, Moment, Sent, Session};
use callie_lab::samples::Line;
use std::time::Duration;
use tokio::time::Instant;

/// One fault at one moment of a call of one exchange; how long after the caller's last word the answer was heard.
async fn answered_despite(at: Moment, act: Act, bound: Duration) -> Caller {
    let fake = fake(script(&["Here is the answer."])).await;
    let mut caller = Caller::greeted(&fake).await;
    fake.fault_once(Fault::new(at, act.clone()));
    caller.say(Line::Maria1);
    caller.until("they have spoken", Caller::is_quiet).await;
    let asked = Instant::now();
    caller.until("the answer", |caller| caller.hears(700.0) > ms(60) || caller.failure().is_some()).await;
    let waited = asked.elapsed();
    assert_eq!(caller.failure(), None, "{act:?}: {:#?}", caller.story());
    assert!(waited <= bound, "{act:?}: {waited:?}");
    caller.until("the whole answer", |caller| caller.hears(700.0) > ms(700)).await;
    let is_told_of = matches!(act, Act::Error { .. } | Act::Expire);
    let refused = |session: &Session| session.look(|log| !is_told_of && !log.errors().is_empty());
    assert!(!fake.sessions().iter().any(refused), "{act:?}: something that we sent was refused");
    caller
}

#[tokio::test(start_paused = true)]
async fn an_empty_response_is_asked_for_again() {
    let caller = answered_despite(Moment::Response, Act::Empty, ms(1_500)).await;
    assert!(caller.notices()[0].contains("empty"), "{:?}", caller.notices());
}

#[tokio::test(start_paused = true)]
async fn a_failed_response_is_asked_for_again() {
    let caller = answered_despite(Moment::Response, Act::fail("server_error", ""), ms(1_500)).await;
    assert!(caller.notices()[0].contains("failed to answer"), "{:?}", caller.notices());
}

#[tokio::test(start_paused = true)]
async fn a_rate_limit_is_waited_for() {
    let caller = answered_despite(Moment::Response, Act::fail("tokens", "rate_limit_exceeded"), ms(2_500)).await;
    assert!(caller.notices()[0].contains("rate limit"), "{:?}", caller.notices());
}

#[tokio::test(start_paused = true)]
async fn unknown_events_and_malformed_frames_are_passed_over() {
    for act in [
        Act::Raw(r#"{"type":"response.smell.delta","event_id":"e","strength":{"a":[1]}}"#.into()),
        Act::Raw(r#"{"type":"response.output_audio.delta","delta":{"new":"form"},"response_id":7}"#.into()),
        Act::Raw(r#"{"type":"response.output_audio.delta","delta":"no base64!"}"#.into()),
        Act::Raw("{\"type\":".into()),
        Act::Raw(String::new()),
        Act::Junk(vec![0xff, 0x00, 0xfe]),
    ] {
        answered_despite(Moment::Committed, act, ms(1_500)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_that_falls_silent_is_left_for_another_session() {
    let caller = answered_despite(Moment::Committed, Act::Stall, Duration::from_secs(10)).await;
    assert!(caller.notices()[0].contains("silent though an answer was due"), "{:?}", caller.notices());
    assert_eq!(caller.changes(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_ends_while_an_answer_is_owed_is_replaced() {
    for act in [
        Act::close(1011, "internal error"),
        Act::close(1001, "going away"),
        Act::Drop,
        Act::Expire,
        Act::error("server_error", "internal_error"),
    ] {
        let caller = answered_despite(Moment::Committed, act, ms(2_500)).await;
        assert_eq!(caller.changes(), 1);
        assert!(caller.hears(500.0) <= ms(720), "no second greeting");
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_that_reads_no_more_is_left_and_the_caller_asked_what_they_said() {
    let again = Exchange::new("", tone("Could you say that again, please?", 1_100.0, 600));
    let fake = fake(Converse { texts: vec![("words were lost".into(), again)], ..script(&["Never said."]) }).await;
    let mut caller = Caller::greeted(&fake).await;
    fake.fault_once(Fault::new(Moment::Utterance, Act::Deaf));
    caller.say(Line::Maria1);
    caller.until("they have spoken", Caller::is_quiet).await;
    let asked = Instant::now();
    caller.until("they are asked", |caller| caller.hears(1_100.0) > ms(60)).await;
    assert!(asked.elapsed() < Duration::from_secs(12), "{:?}", asked.elapsed());
}

/// What is the end of this engine, and why.
async fn fails(act: Act, times: u32, cause: EngineCause) {
    let fake = fake(script(&["Never said."])).await;
    let mut caller = Caller::greeted(&fake).await;
    fake.fault_times(Fault::new(Moment::Response, act), times);
    caller.say(Line::Maria1);
    caller.until("it fails", |caller| caller.failure().is_some()).await;
    assert_eq!(caller.failure(), Some(cause), "{:#?}", caller.story());
    fake.wait_until("its sockets are closed", Duration::from_secs(5), |fake| fake.live_sockets() == 0).await.expect("hung up");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_cured_is_the_end_with_its_cause() {
    fails(Act::fail("insufficient_quota", "insufficient_quota"), 1, EngineCause::QuotaExceeded).await;
    fails(Act::fail("tokens", "rate_limit_exceeded"), 2, EngineCause::QuotaExceeded).await;
    fails(Act::error("invalid_request_error", "invalid_api_key"), 1, EngineCause::KeyRefused).await;
    fails(Act::close(3000, "invalid_request_error.invalid_api_key"), 1, EngineCause::KeyRefused).await;
}

#[tokio::test(start_paused = true)]
async fn a_service_that_fails_again_and_again_is_given_up() {
    let fake = fake(script(&["Never said."])).await;
    let mut caller = Caller::greeted(&fake).await;
    fake.fault(Fault::new(Moment::Response, Act::fail("server_error", "")));
    caller.say(Line::Maria1);
    caller.until("it fails", |caller| caller.failure().is_some()).await;
    assert_eq!(caller.failure(), Some(EngineCause::ServiceFailed), "{:#?}", caller.story());
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_the_service_cuts_off_is_heard_as_far_as_it_goes() {
    let fake = fake(script(&["One two three four five six."])).await;
    let mut caller = Caller::greeted(&fake).await;
    fake.fault_once(Fault::new(Moment::Response, Act::Incomplete("max_output_tokens".into())));
    caller.say(Line::Maria1);
    caller.until("its end", |caller| caller.count(|event| *event == EngineEvent::TurnComplete) == 2).await;
    assert!(caller.notices()[0].contains("max_output_tokens"));
}

#[tokio::test(start_paused = true)]
async fn a_greeting_that_comes_to_nothing_is_asked_for_again() {
    for act in [Act::Empty, Act::fail("server_error", "")] {
        let fake = fake(Converse { beyond: Some(crate::caller::tone("Hello!", 500.0, 700)), ..script(&[]) }).await;
        fake.fault_once(Fault::new(Moment::Response, act));
        let caller = Caller::greeted(&fake).await;
        assert_eq!(caller.notices().len(), 1, "{:?}", caller.notices());
        let asked = fake.latest().expect("a session").look(|log| log.count_sent(|sent| *sent == Sent::ResponseCreated));
        assert_eq!(asked, 2);
    }
}
