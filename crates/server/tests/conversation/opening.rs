//! How a call begins: the service is connected to while the telephone rings, and asked to speak once it is answered.

use crate::world::{PATIENCE, Scene, converse};
use callie_lab::carrier::Destination;
use callie_lab::gemini::{FakeGemini, FakeGeminiOptions, Script, SessionLog, Speech};
use callie_lab::phone::{self, Phone, PhoneOptions, PhoneState, Step};
use callie_server::exchange::DialRequest;
use std::time::{Duration, Instant};

/// From the answer to the request for a greeting, on a machine busy with other tests.
const SOON: Duration = Duration::from_millis(300);

fn options(setup_time: Duration) -> FakeGeminiOptions {
    let script = converse(Speech::tone("Hello.", 500.0, Duration::from_secs(1)), Vec::new());
    FakeGeminiOptions { script: Script::Converse(script), setup_time, ..FakeGeminiOptions::default() }
}

fn look<T>(scene: &Scene, look: impl FnOnce(&SessionLog) -> T) -> T {
    scene.fake.latest().expect("a session").look(look)
}

pub async fn the_socket_opens_while_the_telephone_rings() {
    let scene = Scene::with(options(Duration::from_millis(700)), |_| ()).await;
    let call = scene.world.call_alice([Step::WaitAnswer, Step::Pause(Duration::from_secs(2)), Step::HangUp]).await;
    call.wait_for(PhoneState::Ringing, PATIENCE).await.expect("it rings");
    let connected = |fake: &FakeGemini| fake.latest().is_some_and(|session| session.look(|log| !log.setup.is_null()));
    scene.fake.wait_until("the setup has come", Duration::from_millis(500), connected).await.expect("at once");
    assert_eq!((call.state(), look(&scene, |log| log.ready)), (PhoneState::Ringing, None));

    call.wait_for(PhoneState::Up, PATIENCE).await.expect("it is answered");
    let answered = Instant::now();
    scene.fake.wait_latest("the greeting is asked for", SOON, |log| !log.texts.is_empty()).await.expect("at once");
    look(&scene, |log| {
        let ready = log.ready.expect("set up");
        assert!(ready <= answered, "it is answered once the agent can speak");
        let (asked, words) = &log.texts[0];
        assert!(*asked >= ready && words.contains("assistant. How can I help you today?"), "{words}");
        assert!(log.uplink.first.is_none_or(|first| first >= ready), "nothing is said before");
    });
    call.finished().await.expect("a report");
    look(&scene, |log| assert_eq!(log.texts.len(), 1, "it is asked for once: {:?}", log.texts));
    scene.everything_is_freed_at_once().await;
}

pub async fn a_called_side_is_greeted_once_it_has_answered() {
    let scene = Scene::with(options(Duration::from_millis(20)), |_| ()).await;
    let ringing = Duration::from_millis(1_500);
    let steps = [Step::Ring(ringing), Step::Answer, Step::WaitSilence { after: Duration::from_millis(500) }, Step::HangUp];
    let here = PhoneOptions::new(scene.world.carrier.address(), "carol");
    let mut carol = Phone::listen(&here, phone::Script::new(steps)).await.expect("a telephone");
    scene.world.carrier.add_number("carol", Destination::Line(carol.address()));
    let (user, target) = ("alice".parse().expect("valid"), "carol".parse().expect("valid"));
    scene.world.app.dial(DialRequest::new(user, target)).expect("dialled");

    let ready = |log: &SessionLog| log.ready.is_some();
    scene.fake.wait_latest("the service is ready", ringing / 2, ready).await.expect("while it rings");
    let is_answered = || scene.world.app.active_calls().iter().any(|call| call.answered);
    assert!(!is_answered() && look(&scene, |log| log.texts.is_empty() && log.uplink.messages == 0));
    crate::support::until("it is answered", async || is_answered()).await;
    let answered = Instant::now();
    let report = carol.next_report(PATIENCE).await.expect("a report");
    assert!(!report.voiced.is_empty(), "she is greeted");
    // She may say hello first: there is a pause of 1.5 s for it.
    let asked = look(&scene, |log| log.texts.first().expect("the greeting is asked for").0);
    assert!((1_400..2_000).contains(&(asked - answered).as_millis()), "{:?} after the answer", asked - answered);
    scene.everything_is_freed_at_once().await;
}
