//! Patterns for measuring, many at once, and what the record says about time.

use super::*;
use crate::analysis;
use futures::future::join_all;
use std::time::Instant;

#[tokio::test]
async fn the_echo_sends_back_what_it_hears() {
    let fake = fake(Script::Echo).await;
    let mut client = Client::set_up(&fake, setup()).await;
    let tone: Vec<i16> = analysis::tone(400.0, 8000, 8000.0).into_iter().flat_map(|sample| [sample; 2]).collect();
    client.say(&tone).await;
    let mut samples = Vec::new();
    while samples.len() < 24_000 {
        samples.extend(client.until("/serverContent/modelTurn").await.samples());
    }
    let narrow: Vec<i16> = samples.into_iter().step_by(3).collect();
    assert!(analysis::tone_share(&narrow, 400.0) > 0.9);
    fake.stop().await;
}

#[tokio::test]
async fn turns_come_one_after_the_other() {
    let fake = fake(Script::Turns { every: Duration::from_millis(250), speech: tone("Tick.", 200) }).await;
    let mut client = Client::set_up(&fake, setup()).await;
    client.say(&silence(40)).await;
    for _ in 0..3 {
        assert_eq!(client.turn().await.samples().len(), 4800);
    }
    let session = fake.latest().expect("a session");
    let first_pieces = session.look(|log| {
        let mut at = log.sent.iter().filter(|(_, sent)| matches!(sent, Sent::Audio { .. })).map(|(at, _)| *at).step_by(2);
        (at.next(), at.next())
    });
    let (Some(first), Some(second)) = first_pieces else { panic!("{first_pieces:?}") };
    assert!(second - first > Duration::from_millis(200), "{:?}", second - first);
    fake.stop().await;
}

#[tokio::test]
async fn silence_is_silence() {
    let fake = fake(Script::Silent).await;
    let mut client = Client::set_up(&fake, setup()).await;
    client.text("Greet.").await;
    client.say(&caller(crate::samples::Line::Tom2)).await;
    client.text("Hello?").await;
    fake.wait_latest("texts", DEADLINE, |log| log.texts.len() == 2).await.expect("heard");
    fake.latest().expect("a session").act(Act::Raw("{\"marker\": 1}".to_owned()));
    assert_eq!(client.next().await, Event::Message(json!({"marker": 1})));
    fake.stop().await;
}

#[tokio::test]
async fn two_hundred_sessions_stay_ahead_of_real_time_and_leave_nothing_behind() {
    let fake = fake(Script::Continuous { lead_ms: 500 }).await;
    let calls = (0..200).map(async |_| {
        let mut client = Client::set_up(&fake, setup()).await;
        let began = Instant::now();
        client.say(&silence(40)).await;
        for _ in 0..8 {
            client.until("/serverContent/modelTurn").await;
        }
        // The first six come at once, the other two each 100 ms later.
        assert!(began.elapsed() >= Duration::from_millis(150));
        client.close().await;
    });
    join_all(calls).await;
    assert_eq!(fake.sessions().len(), 200);
    fake.wait_until("end of all sockets", DEADLINE, |fake| fake.live_sockets() == 0).await.expect("all closed");
    fake.stop().await;
}

#[tokio::test]
async fn the_uplink_is_timed() {
    let fake = fake(Script::Silent).await;
    let mut client = Client::set_up(&fake, setup()).await;
    client.say(&silence(40)).await;
    fake.wait_latest("audio", DEADLINE, |log| log.uplink.messages == 1).await.expect("heard");
    let pause = Instant::now();
    fake.wait_until("a pause", DEADLINE, |_| pause.elapsed() > Duration::from_millis(60)).await.expect("over");
    client.say(&silence(80)).await;
    fake.wait_latest("audio", DEADLINE, |log| log.uplink.messages == 3).await.expect("heard");
    fake.latest().expect("a session").look(|log| {
        assert!(log.uplink.largest_gap >= Duration::from_millis(60), "{:?}", log.uplink.largest_gap);
        assert!(log.uplink.elapsed() >= log.uplink.largest_gap);
        assert_eq!(log.uplink.duration(), Duration::from_millis(120));
        assert!(log.uplink.onsets.is_empty());
    });
    fake.stop().await;
}

#[tokio::test]
async fn a_running_session_can_be_given_another_script() {
    let fake = fake(Script::Silent).await;
    let mut client = Client::set_up(&fake, setup()).await;
    client.text("Greet.").await;
    let session = fake.latest().expect("a session");
    fake.wait_latest("text", DEADLINE, |log| log.texts.len() == 1).await.expect("heard");
    session.act(Act::Follow(Script::Continuous { lead_ms: 100 }));
    client.say(&silence(40)).await;
    client.until("/serverContent/modelTurn").await;
    fake.stop().await;
}
