//! What goes wrong on purpose goes wrong at its moment.

use super::client::PATH;
use super::*;
use crate::samples::Line;

fn script() -> Script {
    Script::Converse(Converse {
        greeting: Some(tone("Hello.", 400)),
        exchanges: vec![Exchange::new("one", tone("First.", 100)), Exchange::new("two", tone("Second.", 100))],
        ..Converse::default()
    })
}

/// With this fault a client that connects, asks for the greeting and speaks sees this end.
async fn check(at: Moment, act: Act, wanted: Event) {
    let fake = fake(script()).await;
    fake.fault_once(Fault::new(at, act));
    let mut client = Client::connect(&fake).await;
    client.send(setup()).await;
    if at != Moment::Setup {
        client.until("/setupComplete").await;
        client.text("Greet.").await;
    }
    if at == Moment::Utterance {
        client.turn().await;
        client.say(&caller(Line::Tom1)).await;
    }
    assert_eq!(client.end().await, wanted, "{at:?}");
    // Once only.
    Client::set_up(&fake, setup()).await;
    fake.stop().await;
}

#[tokio::test]
async fn sessions_end_at_any_moment_with_any_code() {
    let close = |code, reason: &str| (Act::close(code, reason), Event::Closed(code, reason.to_owned()));
    let soon = Moment::After(Duration::from_millis(30));
    for (at, (act, wanted)) in [
        (Moment::Setup, close(1011, "Internal error encountered.")),
        (Moment::Setup, (Act::Drop, Event::Lost)),
        (soon, close(1008, "Operation is not implemented, or supported, or enabled.")),
        (soon, close(1000, "")),
        (soon, (Act::Drop, Event::Lost)),
        (Moment::Answer, close(1011, "RESOURCE_EXHAUSTED")),
        (Moment::Utterance, close(1011, "Deadline expired before operation could complete.")),
    ] {
        check(at, act, wanted).await;
    }
}

#[tokio::test]
async fn the_upgrade_is_refused_or_dropped() {
    let fake = fake(script()).await;
    for status in [429, 503, 401] {
        fake.fault_once(Fault::new(Moment::Upgrade, Act::refuse(status)));
        assert_eq!(Client::upgrade(&fake, PATH, Some("lab-key")).await.err(), Some(status));
    }
    fake.fault_once(Fault::new(Moment::Upgrade, Act::Drop));
    assert_eq!(Client::upgrade(&fake, PATH, Some("lab-key")).await.err(), Some(0));
    fake.fault(Fault::new(Moment::Upgrade, Act::Stall));
    let connecting = Client::upgrade(&fake, PATH, Some("lab-key"));
    assert!(tokio::time::timeout(Duration::from_millis(100), connecting).await.is_err());
    fake.clear_faults();
    Client::connect(&fake).await;
    fake.stop().await;
}

#[tokio::test]
async fn a_stalled_session_hears_but_says_nothing() {
    let fake = fake(script()).await;
    for at in [Moment::Setup, Moment::Answer] {
        fake.fault_once(Fault::new(at, Act::Stall));
        let mut client = Client::connect(&fake).await;
        client.send(setup()).await;
        if at == Moment::Answer {
            client.until("/setupComplete").await;
            client.text("Greet.").await;
            client.until("/serverContent/modelTurn").await;
        }
        assert!(tokio::time::timeout(Duration::from_millis(200), client.next()).await.is_err());
        client.text("hello?").await;
        let texts = if at == Moment::Answer { 2 } else { 1 };
        fake.wait_latest("text", DEADLINE, |log| log.texts.len() == texts).await.expect("heard");
        assert_eq!(fake.latest().map(|session| session.look(|log| log.ready.is_some())), Some(at == Moment::Answer));
    }
    fake.stop().await;
}

#[tokio::test]
async fn go_away_is_followed_by_the_close() {
    let fake = fake(script()).await;
    let time_left = Duration::from_millis(50);
    fake.fault(Fault::new(Moment::After(time_left), Act::GoAway { time_left, code: 1001, reason: "bye".to_owned() }));
    let mut client = Client::set_up(&fake, setup()).await;
    assert_eq!(client.next().await, Event::Message(json!({"goAway": {"timeLeft": "0.05s"}})));
    assert_eq!(client.next().await, Event::Closed(1001, "bye".to_owned()));
    fake.stop().await;
}

#[tokio::test]
async fn empty_and_rejected_turns_are_made_good_when_asked_again() {
    let fake = fake(script()).await;
    for (act, reason) in [(Act::EmptyTurn, Value::Null), (Act::RejectTurn, json!("RESPONSE_REJECTED"))] {
        let mut client = Client::set_up(&fake, setup()).await;
        fake.fault_once(Fault::new(Moment::Utterance, act));
        client.say(&caller(Line::Tom2)).await;
        let empty = client.turn().await;
        assert_eq!((empty.samples().len(), empty.heard().as_str()), (0, "one"));
        assert_eq!(empty.get("/serverContent/turnCompleteReason"), reason);
        // The greeting trigger has not been used yet.
        client.text("Greet.").await;
        assert_eq!(client.turn().await.said(), "Hello.");
        client.text("Please answer the caller.").await;
        assert_eq!(client.turn().await.said(), "First.");
    }
    fake.stop().await;
}

#[tokio::test]
async fn strange_messages_come_on_cue() {
    let fake = fake(script()).await;
    let mut client = Client::set_up(&fake, setup()).await;
    let session = fake.latest().expect("a session");
    session.act(Act::Raw("{\"unknown\": 1}".to_owned()));
    assert_eq!(client.next().await, Event::Message(json!({"unknown": 1})));
    session.act(Act::Junk(vec![0xff, b'{']));
    assert_eq!(client.next().await, Event::Junk);
    session.act(Act::Huge { bytes: 3_000_000 });
    assert!(matches!(client.next().await, Event::Message(message) if message.to_string().len() > 3_000_000));
    session.act(Act::Ping);
    assert_eq!(client.next().await, Event::Ping);
    session.act(Act::Drip { frame_bytes: 1000, pause: Duration::from_millis(1) });
    session.act(Act::Speak(Box::new(Exchange::new("", tone("Slowly.", 100)))));
    assert_eq!(client.turn().await.samples().len(), 2400);
    session.act(Act::Speak(Box::new(Exchange::new("", tone("Cut me off.", 3000)))));
    session.act(Act::Interrupt);
    assert_eq!(client.turn().await.count("/serverContent/interrupted"), 1);
    fake.stop().await;
    assert!(!session.act(Act::Ping));
}

#[tokio::test]
async fn a_deaf_session_blocks_the_client() {
    let fake = fake(script()).await;
    fake.fault(Fault::new(Moment::Setup, Act::Deaf));
    let mut client = Client::set_up(&fake, setup()).await;
    // More than the kernel's buffers hold.
    let long = silence(900_000);
    assert!(tokio::time::timeout(Duration::from_millis(500), client.say(&long)).await.is_err());
    assert_eq!(fake.latest().map(|session| session.look(|log| log.uplink.messages)), Some(0));
    fake.stop().await;
}
