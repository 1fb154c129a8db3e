//! Conversations with a scripted service and a clock that jumps.

mod ending;
mod incoming;
mod ladder;
mod opening;
mod renewal;
mod tools;

use super::*;
use crate::tools::Toolbox;
use serde_json::{Value, json};

const AUDIO: &str = r#"{"modelTurn":{"parts":[{"inlineData":{"mimeType":"audio/pcm;rate=24000","data":"QB/A4A=="}}]}}"#;

fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

pub fn brief(outbound: bool) -> Brief {
    Brief {
        greeting: "Hello, this is Alice.".into(),
        display_name: "Alice".into(),
        instructions: None,
        model: None,
        voice: None,
        language: None,
        remote_party: "bob".into(),
        outbound,
        transfer_targets: Vec::new(),
        tools: Toolbox::default(),
        temperature: None,
        history: Vec::new(),
    }
}

/// A conversation and its clock.
struct World {
    conversation: Conversation,
    now: Instant,
}

impl World {
    fn new(family: Family, outbound: bool) -> Self {
        Self::of(&brief(outbound), family)
    }

    fn of(brief: &Brief, family: Family) -> Self {
        Self { conversation: Conversation::new(brief, family), now: Instant::now() }
    }

    /// Answered, and the greeting has been asked for.
    fn answered() -> Self {
        let mut world = Self::new(Family::V38, false);
        world.conversation.start(world.now);
        assert_eq!(world.texts().len(), 1);
        world
    }

    /// Answered, greeted, and quiet.
    fn talking() -> Self {
        let mut world = Self::answered();
        world.content(AUDIO);
        world.content(r#"{"turnComplete":true}"#);
        assert_eq!(world.events().len(), 2);
        world
    }

    /// Talking, with these in reach.
    fn with_targets(targets: &[&str]) -> Self {
        let mut world = Self::talking();
        let targets: Vec<String> = targets.iter().map(|target| (*target).to_owned()).collect();
        world.conversation.tools = Bench::new(Toolbox::default().for_call(&targets));
        world
    }

    fn frame(&mut self, frame: impl AsRef<[u8]>) -> News {
        self.conversation.on_frame(frame.as_ref(), self.now)
    }

    /// Another session carries it on.
    fn change_session(&mut self, resumed: bool) {
        self.conversation.session_changed("broken", resumed, super::renewal::Replay::Nothing, self.now);
    }

    /// Something loud from the caller, as long as this.
    fn caller_is_loud(&mut self, length: Duration) {
        self.pass(length);
        self.conversation.caller_is_loud(length, false, self.now);
    }

    fn content(&mut self, content: &str) {
        self.frame(format!(r#"{{"serverContent":{content}}}"#));
    }

    fn heard(&mut self, words: &str) {
        self.content(&json!({"inputTranscription": {"text": words}}).to_string());
    }

    fn call(&mut self, name: &str) {
        self.frame(json!({"toolCall": {"functionCalls": [{"id": "f-1", "name": name, "args": {"reason": "done"}}]}}).to_string());
    }

    /// Lets time pass, with every deadline on the way.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(deadline) = self.conversation.deadline(true).filter(|deadline| *deadline <= end) {
            self.now = self.now.max(deadline);
            self.conversation.on_deadline(true, self.now);
        }
        self.now = end;
    }

    fn events(&mut self) -> Vec<EngineEvent> {
        std::iter::from_fn(|| self.conversation.next_event()).collect()
    }

    /// What was said to the service since.
    fn messages(&mut self) -> Vec<Value> {
        std::iter::from_fn(|| self.conversation.next_message()).map(|m| serde_json::from_str(&m).expect("JSON")).collect()
    }

    fn texts(&mut self) -> Vec<String> {
        let text = |message: Value| message["realtimeInput"]["text"].as_str().map(str::to_owned);
        self.messages().into_iter().filter_map(text).collect()
    }
}

fn audio() -> EngineEvent {
    EngineEvent::Audio(vec![8_000, -8_000])
}

fn said(text: &str) -> EngineEvent {
    EngineEvent::Said(text.into())
}

fn heard(text: &str) -> EngineEvent {
    EngineEvent::Heard(text.into())
}
