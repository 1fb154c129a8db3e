//! How a session comes about, and what it says when it does not.

use crate::caller::{Caller, brief, fake, options, script};
use callie_ai::{Brief, Engine, EngineCause, EngineError, OpenAiEngine, OpenAiOptions, Utterance};
use callie_domain::Secret;
use callie_lab::openai::{Act, Converse, FakeOpenAi, Fault, Moment};
use std::time::Duration;

async fn refused(options: OpenAiOptions) -> EngineError {
    match OpenAiEngine::new(options) {
        Ok(engine) => engine.open(brief()).await.err().expect("refused"),
        Err(error) => error,
    }
}

#[tokio::test(start_paused = true)]
async fn the_service_gets_the_session_that_the_user_wants() {
    let fake = fake(Converse::default()).await;
    let brief = Brief { voice: Some("cedar".into()), language: Some("de-DE".into()), ..brief() };
    let caller = Caller::with(options(&fake), brief).await.expect("a session");
    fake.latest().expect("a session").look(|log| {
        assert_eq!(log.model, "gpt-realtime-2.1");
        let at = |place: &str| log.setup.pointer(place).cloned().unwrap_or_default();
        assert!(at("/instructions").as_str().is_some_and(|text| text.ends_with("Be brief.")), "{}", log.setup);
        assert_eq!(at("/audio/output/voice"), "cedar");
        assert_eq!(at("/audio/input/transcription/language"), "de");
        assert_eq!((at("/audio/input/format/type"), at("/tools/0/name")), ("audio/pcmu".into(), "end_call".into()));
        assert!(!log.headers.iter().any(|(name, _)| name == "openai-beta"));
        assert!(log.errors().is_empty());
    });
    drop(caller);
    fake.wait_until("the socket is closed", Duration::from_secs(5), |fake| fake.live_sockets() == 0).await.expect("hung up");
}

#[tokio::test(start_paused = true)]
async fn refusals_at_the_door_have_their_causes_and_never_the_key() {
    let fake = fake(Converse::default()).await;
    let wrong_key = OpenAiOptions { api_key: Secret::new("sk-wrong"), ..options(&fake) };
    let wrong_model = OpenAiOptions { model: Some("gpt-9".into()), ..options(&fake) };
    for (options, cause) in [(wrong_key, EngineCause::KeyRefused), (wrong_model, EngineCause::ModelUnknown)] {
        let error = refused(options).await;
        assert_eq!(error.cause, cause, "{error}");
        assert!(!error.detail.contains("sk-wrong"), "{error}");
    }
    for (status, code, cause) in [
        (403, "unsupported_country_region_territory", EngineCause::KeyRefused),
        (429, "rate_limit_exceeded", EngineCause::QuotaExceeded),
        (429, "insufficient_quota", EngineCause::QuotaExceeded),
        (503, "overloaded", EngineCause::ServiceFailed),
        (400, "bad_request", EngineCause::SetupRefused),
    ] {
        fake.fault_once(Fault::new(Moment::Upgrade, Act::refuse(status, code)));
        let error = refused(options(&fake)).await;
        assert_eq!(error.cause, cause, "{error}");
        assert!(error.detail.starts_with(&format!("HTTP {status} {code}")), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_service_refuses_of_a_session_is_told_with_its_own_words() {
    let fake = fake(Converse::default()).await;
    let engine = OpenAiEngine::new(options(&fake)).expect("options");
    let error = engine.check(Brief { voice: Some("Kore".into()), ..brief() }).await.expect_err("no such voice");
    assert_eq!(error.cause, EngineCause::SetupRefused);
    assert!(error.detail.contains("invalid_value") && error.detail.contains("Kore"), "{error}");
    assert!(engine.check(brief()).await.is_ok());
    assert_eq!(engine.model(&brief()).as_deref(), Some("gpt-realtime-2.1"));
}

#[tokio::test(start_paused = true)]
async fn who_does_not_answer_is_given_up_in_time() {
    let fake = fake(Converse::default()).await;
    let short = || OpenAiOptions {
        connect_timeout: Duration::from_millis(300),
        setup_timeout: Duration::from_millis(300),
        ..options(&fake)
    };
    for (moment, cause) in [(Moment::Upgrade, EngineCause::Unreachable), (Moment::Setup, EngineCause::Stalled)] {
        fake.fault_once(Fault::new(moment, Act::Stall));
        assert_eq!(refused(short()).await.cause, cause, "{moment:?}");
    }
    let nobody = FakeOpenAi::start(callie_lab::openai::FakeOpenAiOptions::default()).await.expect("a port");
    let url = nobody.base_url();
    nobody.stop().await;
    assert_eq!(refused(OpenAiOptions { base_url: Some(url), ..options(&fake) }).await.cause, EngineCause::Unreachable);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_closed_while_it_is_set_up_tells_why() {
    let fake = fake(Converse::default()).await;
    for (act, cause) in [
        (Act::close(1011, "internal error"), EngineCause::ServiceFailed),
        (Act::close(1008, "insufficient_quota"), EngineCause::QuotaExceeded),
        (Act::Drop, EngineCause::ConnectionLost),
    ] {
        fake.fault_once(Fault::new(Moment::Setup, act));
        assert_eq!(refused(options(&fake)).await.cause, cause);
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_setup_is_waited_for_and_nothing_is_said_too_early() {
    let fake = fake(script(&[])).await;
    fake.fault_once(Fault::new(Moment::Setup, Act::SlowSetup(Duration::from_millis(700))));
    let caller = Caller::greeted(&fake).await;
    assert_eq!(caller.said(), "Hello, this is Alice.");
    assert!(fake.latest().expect("a session").look(|log| log.misread == 0 && log.errors().is_empty()));
}

#[tokio::test(start_paused = true)]
async fn options_that_cannot_be_right_are_told_at_once() {
    let base = || OpenAiOptions::new(Secret::new("k"));
    for (options, words) in [
        (OpenAiOptions { dialect: "klingon".into(), ..base() }, "azure, generic"),
        (OpenAiOptions { dialect: "azure".into(), ..base() }, "model"),
        (OpenAiOptions { turn_detection: "push_to_talk".into(), ..base() }, "server_vad"),
        (OpenAiOptions { uplink_ms: 5, ..base() }, "20 to 100"),
        (OpenAiOptions::new(Secret::new("")), "API key"),
    ] {
        let error = OpenAiEngine::new(options).expect_err("refused");
        assert!(error.cause == EngineCause::Config && error.detail.contains(words), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_takes_over_tells_the_service_what_was_said() {
    let take_over = Converse {
        texts: vec![(
            "You take over".into(),
            callie_lab::openai::Exchange::new("", crate::caller::tone("One moment.", 600.0, 400)),
        )],
        ..script(&[])
    };
    let fake = fake(take_over).await;
    let history =
        vec![Utterance { by_agent: true, text: "Hello.".into() }, Utterance { by_agent: false, text: "A table for two.".into() }];
    let mut caller =
        Caller::with(options(&fake), Brief { history, greeting: "One moment.".into(), ..brief() }).await.expect("a session");
    caller.session.start();
    caller.until("it speaks", |caller| caller.hears(600.0) > Duration::from_millis(300)).await;
    assert!(fake.latest().expect("a session").look(|log| log.told() == ["Hello.", "A table for two."]));
}
