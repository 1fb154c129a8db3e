//! A conversation: greeting, answers, interruption, transcripts, resumption.

use super::*;
use crate::samples::Line;

fn conversation() -> Script {
    Script::Converse(Converse {
        greeting: Some(tone("Hello, who is there?", 250)),
        exchanges: vec![
            Exchange::new(Line::Maria1.words(), tone("And what is it about, Maria?", 320)),
            Exchange::new(Line::Maria2.words(), tone("I see.", 100)).heard_late(Duration::from_millis(50)),
        ],
        beyond: Some(tone("Goodbye.", 100)),
        texts: vec![("weather".to_owned(), Exchange::new("", tone("Sunny.", 100)))],
        ..Converse::default()
    })
}

#[tokio::test]
async fn the_caller_is_heard_and_answered() {
    let fake = fake(conversation()).await;
    let mut client = Client::set_up(&fake, setup()).await;
    client.text("Greet the caller.").await;
    let greeting = client.turn().await;
    assert_eq!((greeting.samples().len(), greeting.said().as_str()), (6000, "Hello, who is there?"));
    assert!(greeting.place("/serverContent/generationComplete") < greeting.place("/serverContent/turnComplete"));
    assert!(greeting.get("/usageMetadata/totalTokenCount").as_u64() > Some(0));

    client.say(&caller(Line::Maria1)).await;
    let answer = client.turn().await;
    assert_eq!((answer.heard().as_str(), answer.said().as_str()), (Line::Maria1.words(), "And what is it about, Maria?"));
    assert!(answer.count("/serverContent/inputTranscription") > 2);

    client.say(&caller(Line::Maria2)).await;
    let answer = client.turn().await;
    assert!(answer.place("/serverContent/modelTurn") < answer.place("/serverContent/inputTranscription"));
    assert_eq!(answer.heard(), Line::Maria2.words());

    client.text("How is the weather?").await;
    assert_eq!(client.turn().await.said(), "Sunny.");
    client.say(&caller(Line::Maria3)).await;
    assert_eq!(client.turn().await.said(), "Goodbye.");
    client.close().await;

    let session = fake.latest().expect("a session");
    session.look(|log| {
        assert_eq!((log.model.as_str(), log.texts.len()), ("gemini-3.8-live", 2));
        assert!(log.uplink.contains(&Line::Maria2.samples()) && !log.uplink.contains(&Line::Tom1.samples()));
        let found = log.uplink.find(&Line::Maria1.samples()).expect("found");
        assert!(found.at < 40 && log.uplink.arrival_of(found.at * 2) == log.uplink.first, "{found:?}");
        assert_eq!((log.uplink.onsets.len(), log.uplink.utterances(Duration::from_millis(500))), (3, 3));
        assert_eq!(log.uplink.audio.len() as u64, log.uplink.samples);
        assert!(log.first_sent(log.opened, |sent| matches!(sent, Sent::Audio { .. })) > log.ready);
    });
    fake.wait_latest("close", DEADLINE, |log| log.closed.as_ref().is_some_and(|closed| closed.by == Side::Client))
        .await
        .expect("noted");
    fake.stop().await;
}

#[tokio::test]
async fn messages_have_many_forms_and_transcripts_only_where_asked_for() {
    let fake = fake(conversation()).await;
    let mut setup = setup();
    for name in ["inputAudioTranscription", "outputAudioTranscription"] {
        setup["setup"].as_object_mut().expect("an object").remove(name);
    }
    let mut client = Client::set_up(&fake, setup).await;
    client.say(&caller(Line::Maria1)).await;
    let answer = client.turn().await;
    assert_eq!((answer.heard(), answer.said()), (String::new(), String::new()));
    assert_eq!(answer.samples().len(), 24 * 320);
    assert_eq!(answer.count("/serverContent/modelTurn/parts/0/thought"), 1);
    assert_eq!(answer.count("/fieldOfNextYear"), 1);
    assert_eq!(answer.count("/serverContent/modelTurn/parts/1"), 2);
    fake.stop().await;
}

/// The caller speaks during a long answer: so many pieces come after `interrupted`, and perhaps the end of the turn.
async fn check_interruption(late_pieces: usize, turn_complete: bool) {
    let script = Script::Converse(Converse {
        greeting: Some(tone("This will take a while, please listen to all of it", 4000)),
        exchanges: vec![Exchange::new("", tone("Yes?", 100))],
        interruption: Interruption { late_pieces, turn_complete },
        ..Converse::default()
    });
    let fake = fake(script).await;
    let mut client = Client::set_up(&fake, setup()).await;
    client.text("Greet.").await;
    client.until("/serverContent/modelTurn").await;
    client.say(&caller(Line::Tom1)).await;
    let cut = client.until("/serverContent/interrupted").await;
    assert_eq!(cut.count("/serverContent/generationComplete"), 0);
    let rest = client.until("/serverContent/generationComplete").await;
    // The answer is one piece.
    assert_eq!(rest.count("/serverContent/modelTurn"), late_pieces + 1);
    assert_eq!(rest.count("/serverContent/turnComplete"), usize::from(turn_complete));
    assert_eq!(fake.latest().map(|session| session.look(|log| log.count_sent(|sent| *sent == Sent::Interrupted))), Some(1));
    fake.stop().await;
}

#[tokio::test]
async fn an_answer_is_interrupted_when_the_caller_speaks() {
    check_interruption(0, true).await;
    check_interruption(3, true).await;
    check_interruption(2, false).await;
}

#[tokio::test]
async fn an_answer_that_is_sent_but_not_played_is_interrupted_too_unless_it_must_not_be() {
    let script = Script::Converse(Converse {
        greeting: Some(tone("A notice that everybody has to hear.", 700)),
        exchanges: vec![Exchange::new("", tone("Yes?", 100))],
        ..Converse::default()
    });
    let fake = fake(script).await;
    for (handling, interrupted) in [("START_OF_ACTIVITY_INTERRUPTS", 1), ("NO_INTERRUPTION", 0)] {
        let mut setup = setup();
        setup["setup"]["realtimeInputConfig"]["activityHandling"] = json!(handling);
        let mut client = Client::set_up(&fake, setup).await;
        client.text("Greet.").await;
        client.until("/serverContent/generationComplete").await;
        client.say(&caller(Line::Hmm)).await;
        assert_eq!(client.turn().await.count("/serverContent/interrupted"), interrupted, "{handling}");
        assert_eq!(client.turn().await.said(), "Yes?");
    }
    fake.stop().await;
}

#[tokio::test]
async fn explicit_activity_replaces_the_ear() {
    let fake = fake(conversation()).await;
    let mut setup = setup();
    setup["setup"]["realtimeInputConfig"] = json!({"automaticActivityDetection": {"disabled": true}});
    let mut client = Client::set_up(&fake, setup).await;
    client.send(json!({"realtimeInput": {"activityStart": {}}})).await;
    client.say(&silence(100)).await;
    client.send(json!({"realtimeInput": {"activityEnd": {}}})).await;
    assert_eq!(client.turn().await.said(), "And what is it about, Maria?");
    fake.stop().await;
}

#[tokio::test]
async fn a_session_is_resumed_where_it_was() {
    let fake = fake(conversation()).await;
    let mut first_setup = setup();
    first_setup["setup"]["sessionResumption"] = json!({});
    let mut client = Client::set_up(&fake, first_setup).await;
    client.text("Greet.").await;
    client.turn().await;
    client.until("/sessionResumptionUpdate/newHandle").await;
    client.say(&caller(Line::Maria1)).await;
    client.turn().await;
    let handle = client.until("/sessionResumptionUpdate/newHandle").await.get("/sessionResumptionUpdate/newHandle");

    let mut second_setup = setup();
    second_setup["setup"]["sessionResumption"] = json!({"handle": handle});
    let mut resumed = Client::set_up(&fake, second_setup.clone()).await;
    resumed.say(&caller(Line::Maria2)).await;
    assert_eq!(resumed.turn().await.heard(), Line::Maria2.words());
    assert_eq!(fake.live_sockets(), 2);

    fake.forget_handles();
    let mut late = Client::connect(&fake).await;
    late.send(second_setup).await;
    let end = late.end().await;
    assert!(matches!(&end, Event::Closed(1007, reason) if reason.contains("handle")), "{end:?}");
    fake.stop().await;
}

#[tokio::test]
async fn a_seeded_session_answers_to_the_caller_not_to_its_history() {
    let fake = fake(conversation()).await;
    let mut setup = setup();
    setup["setup"]["historyConfig"] = json!({"initialHistoryInClientContent": true});
    let mut client = Client::set_up(&fake, setup).await;
    let turn = json!({"role": "user", "parts": [{"text": "We have talked before."}]});
    client.send(json!({"clientContent": {"turns": [turn], "turnComplete": true}})).await;
    client.say(&caller(Line::Maria1)).await;
    assert_eq!(client.turn().await.said(), "And what is it about, Maria?");
    assert_eq!(fake.latest().map(|session| session.look(|log| log.contents.len())), Some(1));
    fake.stop().await;
}
