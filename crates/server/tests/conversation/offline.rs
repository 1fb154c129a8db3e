//! The offline engine listens. Without the weights of its recogniser these tests are skipped, unless `CALLIE_REQUIRE_MODELS`
//! is 1.

use crate::speech::cough;
use crate::world::{Ended, World, call, reason};
use callie_ai::{LocalEngine, LocalOptions};
use callie_domain::record::{CallFact, EndReason, Speaker};
use callie_lab::phone::{Ending, Step};
use callie_lab::samples::Line;
use callie_server::call::Engines;
use serde_json::{Value, json};
use std::{io::Write, path::PathBuf, sync::Arc, time::Duration};

/// A world in which the offline engine understands; `None`, with a word about it, without weights.
pub async fn world(settings: Value) -> Option<World> {
    let folder = std::env::var_os("CALLIE_MODELS_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../models"), PathBuf::from);
    let engine = LocalEngine::start(LocalOptions { models_dir: Some(folder), ..LocalOptions::default() }).expect("it starts");
    if let Some(limitation) = engine.limitation() {
        assert!(std::env::var_os("CALLIE_REQUIRE_MODELS").is_none_or(|value| value != "1"), "{limitation}");
        // Past the test harness, which would swallow it.
        let _ = writeln!(std::io::stderr(), "skipped: {limitation}");
        return None;
    }
    let world = World::start(|_| (), |_| Engines::new(Arc::new(engine))).await;
    world.add_alice(settings).await;
    Some(world)
}

/// From the interruption to the last audible packet at the telephone, …
const MOST: Duration = Duration::from_millis(60);
/// … the time from dialling to the call's own clock, and what a busy machine adds.
const LOADED: Duration = Duration::from_millis(60);
/// The caller is still speaking.
const BEFORE_THE_ANSWER: Duration = Duration::from_millis(1_000);

fn listen() -> Step {
    Step::WaitSilence { after: Duration::from_millis(1_500) }
}

pub async fn a_message_is_taken() {
    let Some(mut world) = world(json!({})).await else { return };
    let mut steps = vec![Step::WaitAnswer];
    for line in [Line::Maria1, Line::Maria2, Line::Maria3] {
        steps.extend([listen(), Step::Play(line.samples())]);
    }
    steps.push(Step::WaitHangUp);
    let Ended { report, cdr, turns, facts, .. } = call(&mut world, steps).await;
    assert_eq!((report.ending, reason(&cdr)), (Ending::RemoteHungUp, EndReason::AgentEnded), "{turns:#?}");
    let heard: String = turns.iter().filter(|turn| turn.speaker == Speaker::Caller).map(|turn| turn.text.as_str()).collect();
    let taken = facts.iter().find_map(|fact| match fact {
        CallFact::MessageTaken { message } => Some(format!("{message:?}")),
        _ => None,
    });
    for words in ["Lopez", "invoice"] {
        assert!(heard.contains(words), "{turns:#?}");
        assert!(taken.as_ref().is_some_and(|taken| taken.contains(words)), "{taken:?}");
    }
    world.nothing_is_held().await;
}

const LONG_GREETING: &str =
    "Good morning, this is the assistant of Alice Johnson. She is in a meeting until noon. How can I help you today?";

/// Something is said, or is no speech, while the greeting is spoken.
async fn over_the_greeting(sound: Arc<[i16]>) -> Option<Ended> {
    let mut world = world(json!({ "greeting": LONG_GREETING })).await?;
    let steps = [Step::WaitAnswer, Step::Pause(Duration::from_millis(1_500)), Step::Play(sound), listen(), Step::HangUp];
    let ended = call(&mut world, steps).await;
    world.nothing_is_held().await;
    Some(ended)
}

pub async fn a_cough_does_not_interrupt() {
    let check = async |name: &str, sound| {
        let Some(ended) = over_the_greeting(sound).await else { return };
        assert!(ended.turns.iter().all(|turn| !turn.interrupted), "{name}: {:#?}", ended.turns);
        assert_eq!(ended.turns.first().map(|turn| turn.text.trim()), Some(LONG_GREETING), "{name}");
    };
    tokio::join!(check("a cough", cough()), check("hmm", Line::Hmm.samples()));
}

pub async fn speech_does() {
    let Some(ended) = over_the_greeting(Line::Tom3.samples()).await else { return };
    let first = ended.turns.first().expect("a turn");
    assert!(first.interrupted && first.text.trim().len() < LONG_GREETING.len(), "{:#?}", ended.turns);
    let cut = ended.dialled + Duration::from_millis(first.ended_ms);
    let still =
        ended.report.voiced.iter().rfind(|at| **at < cut + BEFORE_THE_ANSWER).map(|last| last.saturating_duration_since(cut));
    assert!(still.is_some_and(|still| still <= MOST + LOADED), "it was heard for another {still:?}");
}
