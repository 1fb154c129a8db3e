//! One conversation in several sessions.

use crate::caller::{Caller, brief, fake, ms, options, script, tone};
use callie_ai::{EngineCause, EngineEvent, OpenAiOptions};
use callie_lab::openai::{Act, Converse, Exchange, FakeOpenAi, FakeOpenAiOptions, Fault, Moment, Pace, Side};
use callie_lab::samples::Line;
use std::time::Duration;

#[tokio::test(start_paused = true)]
async fn a_lost_session_is_replaced_and_the_conversation_goes_on_where_it_was() {
    let fake = fake(script(&["First answer.", "Second answer."])).await;
    let mut caller = Caller::greeted(&fake).await;
    caller.say(Line::Maria1);
    caller.until("the first answer", |caller| caller.hears(700.0) > ms(700) && caller.is_quiet()).await;
    assert!(fake.latest().expect("a session").act(Act::Drop));
    caller.until("another session", |caller| caller.changes() == 1).await;
    caller.say(Line::Maria3);
    caller.until("the second answer", |caller| caller.hears(900.0) > ms(700)).await;
    assert!(caller.hears(500.0) <= ms(720), "nobody is greeted twice: {:?}", caller.hears(500.0));
    fake.latest().expect("a session").look(|log| {
        assert_eq!(log.told(), ["Hello, this is Alice.", Line::Maria1.words(), "First answer."]);
        assert!(log.errors().is_empty(), "{:?}", log.errors());
    });
}

#[tokio::test(start_paused = true)]
async fn what_the_caller_says_while_there_is_no_session_is_heard_afterwards() {
    let fake = fake(script(&["I heard you."])).await;
    let mut caller = Caller::greeted(&fake).await;
    fake.fault_once(Fault::new(Moment::Setup, Act::SlowSetup(ms(1_200))));
    assert!(fake.latest().expect("a session").act(Act::close(1011, "internal error")));
    caller.passes(ms(60)).await;
    caller.say(Line::Maria1);
    caller.until("the answer", |caller| caller.hears(700.0) > ms(700)).await;
    let whole = fake.latest().expect("a session").look(|log| log.uplink.contains(&Line::Maria1.samples()));
    assert!(whole, "nothing of it was lost");
    assert_eq!(caller.words_heard(), [Line::Maria1.words()]);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_broke_off_is_gone_on_with() {
    let go_on = Exchange::new("", tone("and the rest of it.", 1_100.0, 800));
    let mut script = script(&[""]);
    script.exchanges[0] =
        Exchange::new(Line::Maria1.words(), tone("One two three four five six seven eight nine.", 700.0, 4_000));
    let fake = fake(Converse { texts: vec![("Go on from where".into(), go_on)], pace: Pace::Every(ms(90)), ..script }).await;
    let mut caller = Caller::greeted(&fake).await;
    caller.say(Line::Maria1);
    caller.until("it speaks", |caller| caller.hears(700.0) > ms(1_500)).await;
    assert!(fake.latest().expect("a session").act(Act::Drop));
    caller.until("the rest", |caller| caller.hears(1_100.0) > ms(700)).await;
    let told = fake.latest().expect("a session").look(|log| log.told().into_iter().map(str::to_owned).collect::<Vec<_>>());
    assert!(told[2].starts_with("One two") && told[2].ends_with('…'), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn words_that_nobody_has_written_down_are_asked_for() {
    let again = Exchange::new("", tone("Sorry, could you say that again?", 1_100.0, 600));
    let mut script = script(&["Never said."]);
    script.exchanges[0] = script.exchanges[0].clone().hearing(callie_lab::openai::Hearing::Never);
    let fake = fake(Converse { texts: vec![("words were lost".into(), again)], ..script }).await;
    let mut caller = Caller::greeted(&fake).await;
    fake.fault_once(Fault::new(Moment::Committed, Act::Drop));
    caller.say(Line::Maria1);
    caller.until("they are asked", |caller| caller.hears(1_100.0) > ms(500)).await;
}

#[tokio::test(start_paused = true)]
async fn a_session_whose_time_is_nearly_over_is_replaced_beside_the_old_one_in_a_quiet_moment() {
    let options_of_fake = FakeOpenAiOptions {
        script: script(&["One.", "Two.", "Three."]),
        session_life: Duration::from_secs(3_600),
        ..FakeOpenAiOptions::default()
    };
    let fake = FakeOpenAi::start(options_of_fake).await.expect("a free port");
    let short_lived = OpenAiOptions { session_life: Some(Duration::from_secs(6)), ..options(&fake) };
    let mut caller = Caller::with(short_lived, brief()).await.expect("a session");
    caller.session.start();
    let mut largest_gap = Duration::ZERO;
    for (turn, line) in [Line::Maria1, Line::Maria3, Line::Tom2].into_iter().enumerate() {
        let hz = 700.0 + 200.0 * turn as f64;
        caller.passes(ms(2_000)).await;
        caller.say(line);
        caller.until("the answer", |caller| caller.hears(hz) > ms(700) && caller.is_quiet()).await;
        largest_gap = largest_gap.max(fake.latest().expect("a session").look(|log| log.uplink.largest_gap));
    }
    assert!(caller.changes() >= 2, "{:#?}", caller.story());
    assert!(caller.hears(500.0) <= ms(720), "nobody is greeted twice: {:?}", caller.hears(500.0));
    assert_eq!(caller.said(), "Hello, this is Alice.One.Two.Three.");
    assert_eq!(caller.words_heard(), [Line::Maria1.words(), Line::Maria3.words(), Line::Tom2.words()]);
    assert!(largest_gap < ms(300), "the caller's voice goes up without a gap: {largest_gap:?}");
    // Old ones are left by us, not ended by the service; there is the one that talks, and perhaps its successor.
    let few = fake.wait_until("the old ones are left", Duration::from_secs(5), |fake| fake.live_sockets() <= 2).await;
    few.expect("closed");
    for session in fake.sessions() {
        session
            .look(|log| assert!(log.closed.as_ref().is_none_or(|closed| closed.by == Side::Client) && log.errors().is_empty()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_that_cannot_be_reached_again_is_tried_for_its_budget() {
    let fake = fake(script(&[])).await;
    let impatient = OpenAiOptions { reconnect_budget: Duration::from_secs(3), ..options(&fake) };
    let mut caller = Caller::with(impatient, brief()).await.expect("a session");
    caller.session.start();
    caller.until("the greeting", |caller| caller.hears(500.0) > ms(600)).await;
    fake.fault(Fault::new(Moment::Upgrade, Act::refuse(503, "overloaded")));
    let before = fake.connections();
    assert!(fake.latest().expect("a session").act(Act::close(1011, "internal error")));
    caller.until("it gives up", |caller| caller.failure().is_some()).await;
    assert_eq!(caller.failure(), Some(EngineCause::ServiceFailed));
    assert!((3..8).contains(&(fake.connections() - before)), "{} tries", fake.connections() - before);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_comes_back_within_the_budget_talks_on() {
    let fake = fake(script(&["Back again."])).await;
    let mut caller = Caller::greeted(&fake).await;
    fake.fault_times(Fault::new(Moment::Upgrade, Act::refuse(503, "overloaded")), 3);
    assert!(fake.latest().expect("a session").act(Act::Drop));
    caller.until("another session", |caller| caller.changes() == 1).await;
    caller.say(Line::Maria1);
    caller.until("the answer", |caller| caller.hears(700.0) > ms(700)).await;
    assert_eq!(caller.failure(), None);
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_refused_in_mid_call_is_the_end_at_once() {
    let fake = fake(script(&[])).await;
    let mut caller = Caller::greeted(&fake).await;
    fake.fault(Fault::new(Moment::Upgrade, Act::refuse(401, "invalid_api_key")));
    assert!(fake.latest().expect("a session").act(Act::Drop));
    caller.until("it gives up", |caller| caller.failure().is_some()).await;
    assert_eq!(caller.failure(), Some(EngineCause::KeyRefused));
    assert_eq!(caller.count(|event| matches!(event, EngineEvent::SessionChanged { .. })), 0);
}
