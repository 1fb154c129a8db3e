//! Whole calls in simulated time: the lab's Gemini without sockets, and a caller at the telephone who waits for answers.

mod breaks;
mod goaway;
mod hour;
mod line;
mod phone;
mod stalls;

use super::*;
use crate::gemini::conversation::tests::brief;
use callie_domain::Secret;
use callie_lab::gemini::{Converse, Exchange, FakeGeminiOptions, Script, Speech};
use phone::Phone;

/// A tone that can be heard, and the words that go with it.
fn speech(words: &str, milliseconds: u64) -> Speech {
    Speech::tone(words, 500.0, Duration::from_millis(milliseconds))
}

const GREETING: &str = "Hello.";
const ANSWERS: [&str; 4] = ["First.", "Second.", "Third.", "Fourth."];

/// A greeting, then four questions that are transcribed and answered in a second and a half each.
fn script() -> Converse {
    let questions = ["one", "two", "three", "four"];
    let exchanges = questions.into_iter().zip(ANSWERS).map(|(heard, words)| Exchange::new(heard, speech(words, 1_500)));
    Converse { greeting: Some(speech(GREETING, 1_000)), exchanges: exchanges.collect(), ..Converse::default() }
}

/// Connecting takes a third of a second.
fn service(script: Converse) -> FakeGeminiOptions {
    FakeGeminiOptions { script: Script::Converse(script), setup_time: Duration::from_millis(330), ..FakeGeminiOptions::default() }
}

fn options() -> GeminiOptions {
    GeminiOptions::new(Secret::new("lab-key"))
}

/// A call that has been answered, with this service.
fn call(script: Converse) -> Phone {
    Phone::call(service(script), options(), brief(false))
}

/// Why sessions were changed, and whether they were taken up.
fn changes(phone: &Phone) -> Vec<(String, bool)> {
    let change = |event: &EngineEvent| match event {
        EngineEvent::SessionChanged { reason, resumed } => Some((reason.clone(), *resumed)),
        _ => None,
    };
    phone.events().filter_map(change).collect()
}

/// The one change of session there was.
fn the_change(phone: &Phone) -> (String, bool) {
    let changes = changes(phone);
    assert_eq!(changes.len(), 1, "{}", phone.story());
    changes.into_iter().next().expect("one")
}

fn failure(phone: &Phone) -> Option<&EngineError> {
    phone.events().find_map(|event| if let EngineEvent::Failed(error) = event { Some(error) } else { None })
}
