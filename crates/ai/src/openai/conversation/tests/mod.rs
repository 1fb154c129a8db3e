//! Conversations with a scripted service and a clock that jumps.

use super::*;
use crate::{
    Utterance,
    openai::{conversation::link::LinkStep, refusal::Refusals},
    tools::Toolbox,
};
use callie_domain::Secret;
use serde_json::{Value, json};

mod barge_in;
mod failures;
mod sessions;
mod talk;
mod tools;

const SECOND: Duration = Duration::from_secs(1);

fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

fn brief() -> Brief {
    Brief {
        greeting: "Hello, this is Alice.".into(),
        display_name: "Alice".into(),
        instructions: None,
        model: None,
        voice: None,
        language: None,
        remote_party: "bob".into(),
        outbound: false,
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
    fn of(dialect: &str, brief: &Brief) -> Self {
        let (now, dialect) = (Instant::now(), Dialect::named(dialect).expect("known"));
        let terms = Terms {
            dialect: &dialect,
            brief,
            instructions: "You answer the phone.".into(),
            refusals: Arc::new(Refusals::new(Secret::new("sk-of-ours"))),
            reconnect_budget: 30 * SECOND,
            life: Some(3_600 * SECOND),
        };
        Self { conversation: Conversation::new(terms, now), now }
    }

    /// Answered, and the greeting has been asked for.
    fn answered() -> Self {
        let mut world = Self::of("openai", &brief());
        world.conversation.start(world.now);
        assert_eq!(kinds(&world.messages()), ["response.create"]);
        world
    }

    /// Answered, greeted, and quiet.
    fn talking() -> Self {
        let mut world = Self::answered();
        world.speaks("r0", "a0", 800);
        world.done("r0", "completed");
        world.conversation.playout_drained();
        world.events();
        world
    }

    /// Talking, and the caller has asked something.
    fn asked() -> Self {
        let mut world = Self::talking();
        world.caller_speaks("u1", "a0");
        assert_eq!(world.messages(), [] as [Value; 0], "the service answers by itself");
        world
    }

    fn event(&mut self, event: Value) {
        self.conversation.on_frame(event.to_string().as_bytes(), self.now);
    }

    /// An utterance of the caller.
    fn caller_speaks(&mut self, item: &str, previous: &str) {
        self.event(json!({"type": "input_audio_buffer.speech_started", "audio_start_ms": 0, "item_id": item}));
        self.event(json!({"type": "input_audio_buffer.speech_stopped", "audio_end_ms": 900, "item_id": item}));
        self.event(json!({"type": "input_audio_buffer.committed", "item_id": item, "previous_item_id": previous}));
    }

    fn transcribed(&mut self, item: &str, words: &str) {
        self.event(
            json!({"type": "conversation.item.input_audio_transcription.completed", "item_id": item, "transcript": words}),
        );
    }

    /// So much speech, in one delta.
    fn speaks(&mut self, response: &str, item: &str, ms: usize) {
        self.event(json!({"type": "response.created", "response": {"id": response, "status": "in_progress"}}));
        self.delta(response, item, ms);
    }

    fn delta(&mut self, response: &str, item: &str, ms: usize) {
        let audio = base64_simd::STANDARD.encode_to_string(vec![0x80; ms * 8]);
        self.event(json!({"type": "response.output_audio.delta", "response_id": response, "item_id": item, "delta": audio}));
    }

    fn words(&mut self, response: &str, item: &str, words: &str) {
        let event = "response.output_audio_transcript.delta";
        self.event(json!({"type": event, "response_id": response, "item_id": item, "delta": words}));
    }

    fn done(&mut self, response: &str, status: &str) {
        self.event(json!({"type": "response.done", "response": {"id": response, "status": status}}));
    }

    fn done_with_calls(&mut self, response: &str, calls: &[(&str, &str, &str)]) {
        let calls: Vec<_> = calls
            .iter()
            .map(|(id, name, arguments)| {
                json!({"type": "function_call", "status": "completed", "call_id": id, "name": name, "arguments": arguments})
            })
            .collect();
        self.event(json!({"type": "response.done", "response": {"id": response, "status": "completed", "output": calls}}));
    }

    fn failed(&mut self, response: &str, kind: &str, code: &str) {
        let error = json!({"type": kind, "code": code, "message": "no"});
        let details = json!({"type": "failed", "error": error});
        self.event(json!({"type": "response.done", "response": {"id": response, "status": "failed", "status_details": details}}));
    }

    fn error(&mut self, kind: &str, code: &str, event_id: &str) {
        self.event(json!({"type": "error", "error": {"type": kind, "code": code, "message": "no", "event_id": event_id}}));
    }

    /// Lets time pass, with every deadline on the way.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        for _ in 0..10_000 {
            let Some(deadline) = self.conversation.deadline().filter(|deadline| *deadline <= end) else { break };
            self.now = self.now.max(deadline);
            self.conversation.on_deadline(self.now);
            if self.conversation.is_over() || self.conversation.renewal.deadline().is_some_and(|due| due <= self.now) {
                break;
            }
        }
        self.now = self.now.max(end);
    }

    /// What was told since; of audio, only how many samples.
    fn events(&mut self) -> Vec<EngineEvent> {
        let told = std::iter::from_fn(|| self.conversation.next_event());
        told.map(|event| match event {
            EngineEvent::Audio(samples) => EngineEvent::Audio(vec![samples.len() as i16]),
            other => other,
        })
        .collect()
    }

    fn notices(&mut self) -> Vec<String> {
        let notice = |event| if let EngineEvent::Notice(text) = event { Some(text) } else { None };
        self.events().into_iter().filter_map(notice).collect()
    }

    /// What was said to the service since.
    fn messages(&mut self) -> Vec<Value> {
        std::iter::from_fn(|| self.conversation.next_message()).map(|m| serde_json::from_str(&m).expect("JSON")).collect()
    }

    fn step(&mut self) -> Option<LinkStep> {
        self.conversation.next_step(self.now)
    }

    /// The other session is opened at once, and talks.
    fn reconnects(&mut self) {
        assert_eq!(self.step(), Some(LinkStep::Connect));
        self.conversation.link_is_ready();
        assert_eq!(self.step(), Some(LinkStep::Switch));
        self.conversation.switched(None, self.now);
        assert_eq!(self.step(), None);
    }

    fn loses_its_link(&mut self) {
        self.conversation.link_is_lost(EngineError::new(EngineCause::ConnectionLost, "closed with 1006"), self.now);
    }
}

fn audio(ms: usize) -> EngineEvent {
    EngineEvent::Audio(vec![(ms * 8) as i16])
}

fn said(text: &str) -> EngineEvent {
    EngineEvent::Said(text.into())
}

fn heard(text: &str) -> EngineEvent {
    EngineEvent::Heard(text.into())
}

fn kinds(messages: &[Value]) -> Vec<&str> {
    messages.iter().filter_map(|message| message["type"].as_str()).collect()
}

/// What the model is told by items, without who says so.
fn texts(messages: &[Value]) -> Vec<&str> {
    messages.iter().filter_map(|message| message["item"]["content"][0]["text"].as_str()).collect()
}

fn cause(events: &[EngineEvent]) -> Option<EngineCause> {
    events.iter().find_map(|event| if let EngineEvent::Failed(error) = event { Some(error.cause) } else { None })
}
