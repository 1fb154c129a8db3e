//! Conversations with a scripted service and a clock that jumps.

use super::*;
use crate::{
    Usage,
    tools::{Behaviour, Outcome, Toolbox, testkit::Slow},
};
use callie_domain::record::ToolEnd;
use serde_json::{Value, json};
use std::task::{Context, Waker};

const AUDIO: &str = r#"{"modelTurn":{"parts":[{"inlineData":{"mimeType":"audio/pcm;rate=24000","data":"AQACAA=="}}]}}"#;

fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

fn brief(outbound: bool) -> Brief {
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
        Self { conversation: Conversation::new(&brief(outbound), family), now: Instant::now() }
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

    fn frame(&mut self, frame: impl AsRef<[u8]>) {
        self.conversation.on_frame(frame.as_ref(), self.now);
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
        while let Some(deadline) = self.conversation.deadline().filter(|deadline| *deadline <= end) {
            self.now = self.now.max(deadline);
            self.conversation.on_deadline(self.now);
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
    EngineEvent::Audio(vec![1, 2])
}

fn said(text: &str) -> EngineEvent {
    EngineEvent::Said(text.into())
}

fn heard(text: &str) -> EngineEvent {
    EngineEvent::Heard(text.into())
}

/// Frames of `serverContent` after the greeting, and the events they make.
fn check(contents: &[&str], expected: &[EngineEvent]) {
    let mut world = World::talking();
    contents.iter().for_each(|content| world.content(content));
    assert_eq!(world.events(), expected, "{contents:?}");
}

#[test]
fn contents_become_events_in_order() {
    let complete = EngineEvent::TurnComplete;
    let two_parts = r#"{"modelTurn":{"parts":[
        {"inlineData":{"mimeType":"audio/pcm;rate=24000","data":"AQACAA=="}}, {"text":"a thought","thought":true},
        {"inlineData":{"mimeType":"audio/pcm","data":"AQACAA=="}}]},
        "outputTranscription":{"text":"Good "},"inputTranscription":{"text":"Hi"},"turnComplete":true}"#;
    check(&[two_parts], &[audio(), audio(), said("Good "), heard("Hi"), complete.clone()]);
    check(&[AUDIO, r#"{"generationComplete":true}"#, r#"{"turnComplete":true}"#], &[audio(), complete.clone()]);
    check(
        &[AUDIO, r#"{"generationComplete":true}"#, AUDIO, r#"{"turnComplete":true}"#],
        &[audio(), complete.clone(), audio(), complete],
    );
    check(&[r#"{"inputTranscription":{"text":"<noise>"}}"#, r#"{"interimInputTranscription":{"text":"bo"}}"#], &[]);
    check(&[r#"{"modelTurn":{"parts":[{"text":"only thoughts","thought":true}]}}"#, r#"{"generationComplete":true}"#], &[]);
}

#[test]
fn an_interrupted_turn_is_cut_at_once_and_its_late_audio_dropped() {
    let interrupted = || EngineEvent::Interrupted;
    let late_words = r#"{"outputTranscription":{"text":"unheard"}}"#;
    // The end of the turn ends it …
    check(
        &[AUDIO, r#"{"interrupted":true}"#, AUDIO, late_words, r#"{"turnComplete":true}"#, AUDIO],
        &[audio(), interrupted(), audio()],
    );
    // … also when all of it is in one message, …
    check(
        &[&AUDIO.replace("{\"modelTurn", "{\"interrupted\":true,\"turnComplete\":true,\"modelTurn"), AUDIO],
        &[interrupted(), audio()],
    );
    // … and when it is missing a second does.
    let mut world = World::talking();
    world.content(r#"{"interrupted":true}"#);
    world.pass(ms(999));
    world.content(AUDIO);
    assert_eq!(world.events(), [interrupted()]);
    world.pass(ms(1));
    world.content(AUDIO);
    world.content(r#"{"turnComplete":true}"#);
    assert_eq!(world.events(), [audio(), EngineEvent::TurnComplete]);
}

#[test]
fn the_greeting_is_asked_for_in_the_familys_way_and_once_more_after_three_seconds() {
    let mut world = World::new(Family::V25, false);
    world.conversation.start(world.now);
    let first = &world.messages()[0]["clientContent"];
    assert!(first["turns"][0]["parts"][0]["text"].as_str().is_some_and(|text| text.contains("Hello, this is Alice.")));

    let mut world = World::answered();
    world.pass(ms(2_999));
    assert_eq!(world.texts(), [""; 0]);
    world.pass(ms(1));
    let again = world.texts();
    assert!(again.len() == 1 && again[0].contains("Hello, this is Alice."), "{again:?}");
    world.content(AUDIO);
    world.pass(ms(60_000));
    assert_eq!(world.texts(), [""; 0]);
}

#[test]
fn a_called_side_says_hello_first() {
    let mut world = World::new(Family::V38, true);
    world.conversation.start(world.now);
    world.pass(ms(1_000));
    world.conversation.caller_is_loud(world.now);
    world.heard("Hello?");
    world.pass(ms(600));
    world.content(AUDIO);
    world.pass(ms(7_000));
    assert_eq!(world.texts(), [""; 0], "the model answered the hello");

    let mut world = World::new(Family::V38, true);
    world.conversation.start(world.now);
    world.pass(ms(1_500));
    assert!(world.texts()[0].contains("picked up"));
}

#[test]
fn tools_are_answered_in_parallel_also_unknown_ones_but_not_cancelled_ones() {
    let mut world = World::talking();
    world.frame(
        r#"{"toolCall":{"functionCalls":[
            {"id":"a","name":"current_time","args":{"time_zone":"UTC"}}, {"id":"b","name":"fly"},
            {"id":"c","name":"current_time"}, {"name":"fly","args":null}]},
            "toolCallCancellation":{"ids":["c"]}}"#,
    );
    let messages = world.messages();
    let responses = messages[0]["toolResponse"]["functionResponses"].as_array().expect("responses");
    let ids: Vec<_> = responses.iter().map(|r| (r["id"].as_str(), r["name"].as_str())).collect();
    assert_eq!(messages.len(), 1);
    assert_eq!(ids, [(Some("a"), Some("current_time")), (Some("b"), Some("fly")), (None, Some("fly"))]);
    assert!(responses[0]["response"]["output"].as_str().is_some_and(|text| text.ends_with("(UTC)")));
    assert!(responses[1]["response"]["error"].is_string());
    let used: Vec<_> = world
        .events()
        .into_iter()
        .map(|event| match event {
            EngineEvent::ToolUsed(tool) => (tool.name, tool.arguments),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(used[0], ("current_time".into(), r#"{"time_zone":"UTC"}"#.into()));
    assert_eq!(used[1], ("fly".into(), "{}".into()));

    world.frame(r#"{"toolCallCancellation":{"ids":["a"]}}"#);
    world.content(r#"{"turnComplete":true}"#);
    assert_eq!((world.messages().len(), world.events()), (0, vec![]), "too late to take back, and no empty turn");
}

/// What happens after the greeting, and how long after it Goodbye comes.
#[test]
fn a_transfer_is_the_calls_to_make() {
    let mut world = World::with_targets(&["sales"]);
    let call = |target: &str| {
        format!(r#"{{"toolCall":{{"functionCalls":[{{"id":"1","name":"transfer_call","args":{{"target":"{target}"}}}}]}}}}"#)
    };
    world.frame(call("+4990012345"));
    assert!(!world.events().iter().any(|event| matches!(event, EngineEvent::Transfer { .. })));
    assert!(world.messages()[0].to_string().contains("nobody of that name"));
    world.frame(call("Sales"));
    assert!(world.events().contains(&EngineEvent::Transfer { target: "sales".into() }));
    assert_eq!(world.messages().len(), 1, "the tool is answered");
    world.pass(ms(60_000));
    assert!(world.texts().is_empty(), "who waits to be connected is not nudged");
    world.conversation.prompt(Prompt::BriefHuman { target: "sales".into(), message: None }, world.now);
    assert!(world.texts()[0].contains("speaking with \"sales\""));
    world.frame(r#"{"toolCall":{"functionCalls":[{"id":"2","name":"complete_transfer","args":{"accepted":true}}]}}"#);
    assert!(world.events().contains(&EngineEvent::TransferDecision { accepted: true }));
}

fn check_goodbye(happens: fn(&mut World), expected: Option<u64>) {
    let mut world = World::talking();
    let start = world.now;
    happens(&mut world);
    let goodbye_after = (0..20_000).step_by(100).find(|_| {
        let is_goodbye = world.events().contains(&EngineEvent::Goodbye);
        if !is_goodbye {
            world.pass(ms(100));
        }
        is_goodbye
    });
    assert_eq!(goodbye_after.map(|_| (world.now - start).as_millis() as u64), expected);
    world.content(AUDIO);
    assert_eq!(world.events().contains(&audio()), expected.is_none(), "after the goodbye nothing is played");
}

#[test]
fn goodbye_comes_once_the_last_words_are_here() {
    // Goodbye, then the tool, then an empty rest of the turn.
    check_goodbye(
        |world| {
            world.content(AUDIO);
            world.call("end_call");
            world.content(r#"{"turnComplete":true}"#);
        },
        Some(0),
    );
    // The tool first, then the goodbye; what counts is that all of it is here, not that it has been spoken.
    check_goodbye(
        |world| {
            world.call("end_call");
            world.pass(ms(500));
            world.content(AUDIO);
            assert!(!world.events().contains(&EngineEvent::Goodbye));
            world.content(r#"{"generationComplete":true}"#);
        },
        Some(500),
    );
    // The tool, and then nothing.
    check_goodbye(|world| world.call("end_call"), Some(3_000));
    // The caller's own bye over it changes nothing, and cuts nothing.
    check_goodbye(
        |world| {
            world.call("end_call");
            world.content(AUDIO);
            world.content(r#"{"interrupted":true}"#);
            let events = world.conversation.events.clone();
            assert!(!events.contains(&EngineEvent::Interrupted), "{events:?}");
        },
        Some(0),
    );
    // The line asks for it, and the model says it without the tool.
    check_goodbye(
        |world| {
            world.conversation.prompt(Prompt::SilenceGoodbye, world.now);
            world.content(AUDIO);
            world.content(r#"{"turnComplete":true}"#);
        },
        Some(0),
    );
    // The line asks for it, and the model says nothing.
    check_goodbye(|world| world.conversation.prompt(Prompt::SilenceGoodbye, world.now), Some(10_000));
    // The caller is back.
    check_goodbye(
        |world| {
            world.conversation.prompt(Prompt::SilenceGoodbye, world.now);
            world.heard("I am here");
            world.content(AUDIO);
            world.content(r#"{"turnComplete":true}"#);
        },
        None,
    );
}

#[test]
fn more_to_come_is_not_the_end() {
    let mut world = World::talking();
    world.call("end_call");
    world.content(r#"{"turnComplete":true,"interactionStatus":"IN_PROGRESS"}"#);
    assert!(!world.events().contains(&EngineEvent::Goodbye));
    world.content(r#"{"turnComplete":true,"interactionStatus":"IDLE"}"#);
    assert!(world.events().contains(&EngineEvent::Goodbye));
}

/// Ends of turns after `heard` words, how often the model is asked again, and how many notices are given.
fn check_empty(words: &str, endings: &[&str], asked: usize, notices: usize) {
    let mut world = World::talking();
    if !words.is_empty() {
        world.heard(words);
    }
    endings.iter().for_each(|ending| world.content(ending));
    assert_eq!(world.texts(), vec![instruction::ANSWER; asked], "{endings:?}");
    let told = world.events().into_iter().filter(|event| matches!(event, EngineEvent::Notice(_))).count();
    assert_eq!(told, notices, "{endings:?}");
}

#[test]
fn an_empty_turn_is_asked_about_once() {
    const EMPTY: &str = r#"{"turnComplete":true}"#;
    const REJECTED: &str = r#"{"turnComplete":true,"turnCompleteReason":"RESPONSE_REJECTED"}"#;
    check_empty("A table, please", &[EMPTY], 1, 1);
    check_empty("A table, please", &[EMPTY, EMPTY], 1, 2);
    check_empty("", &[REJECTED, REJECTED], 1, 2);
    check_empty("A table, please", &[EMPTY, AUDIO, EMPTY], 1, 1);
    // A cough is not answered, nor is what the model wants to hear more of, or what it goes on thinking about.
    check_empty("", &[EMPTY], 0, 0);
    check_empty("<noise>", &[EMPTY], 0, 0);
    check_empty("A table", &[r#"{"turnComplete":true,"turnCompleteReason":"NEED_MORE_INPUT"}"#], 0, 0);
    check_empty("A table", &[r#"{"turnComplete":true,"interactionStatus":"IN_PROGRESS"}"#], 0, 0);
    check_empty("A table", &[r#"{"interrupted":true}"#, EMPTY], 0, 0);
}

#[test]
fn an_empty_greeting_is_asked_for_again_at_once() {
    let mut world = World::answered();
    world.content(r#"{"turnComplete":true}"#);
    assert!(world.texts()[0].contains("Hello, this is Alice."));
    world.content(r#"{"turnComplete":true}"#);
    world.pass(ms(30_000));
    assert_eq!(world.texts(), [""; 0]);
}

#[test]
fn a_stall_is_nudged_and_then_given_up() {
    let mut world = World::talking();
    world.heard("Are you open?");
    world.pass(ms(8_000));
    assert_eq!(world.texts(), [instruction::NUDGE]);
    world.pass(ms(5_999));
    assert!(matches!(world.events()[..], [EngineEvent::Heard(_), EngineEvent::Notice(_)]));
    world.pass(ms(1));
    match &world.events()[..] {
        [EngineEvent::Failed(error)] => assert_eq!(error.cause, EngineCause::Stalled),
        other => panic!("{other:?}"),
    }
    assert_eq!(world.conversation.deadline(), None);
    world.content(AUDIO);
    assert_eq!(world.events(), [], "nothing comes after the end");
}

#[test]
fn a_dead_service_is_given_up_soon_after_the_answer() {
    let mut world = World::answered();
    world.pass(ms(9_000));
    assert!(matches!(world.events().last(), Some(EngineEvent::Failed(error)) if error.cause == EngineCause::Stalled));
}

#[test]
fn silence_after_an_answer_is_no_stall() {
    let mut world = World::talking();
    world.heard("Are you open?");
    world.content(AUDIO);
    world.heard(" today");
    world.content(r#"{"turnComplete":true}"#);
    world.events();
    world.pass(Duration::from_secs(600));
    assert_eq!((world.events(), world.texts().len()), (vec![], 0));
}

/// It has been silent for long when the line asks.
#[test]
fn who_does_not_even_ask_whether_somebody_is_there_has_stalled() {
    let mut world = World::talking();
    world.conversation.prompt(Prompt::StillThere, world.now);
    world.pass(Duration::from_millis(5_900));
    assert_eq!(world.events(), []);
    world.pass(Duration::from_millis(200));
    assert!(matches!(world.events().as_slice(), [EngineEvent::Failed(error)] if error.cause == EngineCause::Stalled));
    assert_eq!(world.texts(), [instruction::STILL_THERE]);
}

#[test]
fn prompts_and_keys_are_told_as_texts() {
    let mut world = World::talking();
    world.conversation.prompt(Prompt::StillThere, world.now);
    world.conversation.prompt(Prompt::SilenceGoodbye, world.now);
    world.conversation.dtmf('5');
    world.conversation.dtmf('\u{7}');
    assert_eq!(world.texts(), [instruction::STILL_THERE, instruction::SILENCE_GOODBYE, "(The caller pressed 5.)"]);
}

#[test]
fn usage_handle_and_the_announced_end_are_kept() {
    let mut world = World::talking();
    world.frame(
        r#"{"usageMetadata":{"promptTokenCount":10,"responseTokenCount":5,"totalTokenCount":15},
            "sessionResumptionUpdate":{"newHandle":"h-1","resumable":true},"goAway":{"timeLeft":"50s\r\n"}}"#,
    );
    world.frame(r#"{"sessionResumptionUpdate":{}}"#);
    world.frame(r#"{"sessionResumptionUpdate":{"newHandle":"h-2","resumable":false}}"#);
    assert_eq!(
        world.events(),
        [
            EngineEvent::Usage(Usage { input_tokens: 10, output_tokens: 5, total_tokens: 15, ..Usage::default() }),
            EngineEvent::Notice("the service will end this session in 50s".into()),
        ]
    );
    assert_eq!(world.conversation.resumption_handle(), Some("h-1"));
    assert!(world.conversation.is_going_away());
}

#[test]
fn junk_is_noted_once_and_survived() {
    let mut world = World::talking();
    for _ in 0..3 {
        world.frame("nonsense");
        world.frame(b"\xff\x00");
        world.content(r#"{"interrupted":"perhaps","outputTranscription":{"text":"Yes."}}"#);
        world.content(&AUDIO.replace("24000", "44100"));
        world.content(&AUDIO.replace("AQACAA==", "?"));
    }
    let (notices, others): (Vec<_>, Vec<_>) =
        world.events().into_iter().partition(|event| matches!(event, EngineEvent::Notice(_)));
    assert_eq!((notices.len(), others), (3, vec![said("Yes."), said("Yes."), said("Yes.")]));
}

proptest::proptest! {
    #[test]
    fn no_frame_makes_it_panic(frame in r#"\{"(serverContent|toolCall|goAway|usageMetadata|setupComplete)":[ -~]{0,60}\}"#) {
        World::talking().frame(frame);
    }
}

/// The model has called the tool that takes its time.
fn looking_up() -> (World, Slow) {
    let slow = Slow::new(Behaviour::TalksOn);
    let mut world = World::talking();
    world.conversation.tools = Bench::new(slow.toolbox());
    world.frame(r#"{"toolCall":{"functionCalls":[{"id":"q","name":"current_time"},{"id":"a","name":"lookup"}]}}"#);
    let messages = world.messages();
    assert!(messages.len() == 1 && messages[0].to_string().contains(r#""id":"q""#), "{messages:?}");
    assert_eq!(world.events().len(), 1);
    (world, slow)
}

fn poll_tools(world: &mut World) -> bool {
    world.conversation.poll_tools(world.now, &mut Context::from_waker(Waker::noop()))
}

#[test]
fn a_slow_tool_is_answered_when_it_is_done_and_the_wait_is_covered() {
    let (mut world, slow) = looking_up();
    world.pass(ms(1_000));
    assert!(world.texts().is_empty() && !poll_tools(&mut world));
    world.pass(ms(500));
    assert!(world.texts()[0].contains("Say exactly: One moment, please."));
    world.content(AUDIO);
    world.content(r#"{"turnComplete":true}"#);
    world.heard("okay");
    assert!(slow.end_first(Outcome::output("table 7")));
    assert!(poll_tools(&mut world) && !poll_tools(&mut world));
    let response = world.messages()[0]["toolResponse"]["functionResponses"][0].clone();
    assert_eq!(response, json!({"id": "a", "name": "lookup", "response": {"output": "table 7"}}));
    let used =
        world.events().into_iter().find_map(|event| if let EngineEvent::ToolUsed(tool) = event { Some(tool) } else { None });
    assert_eq!(used.map(|tool| (tool.end, tool.took)), Some((ToolEnd::Result, ms(1_500))));
    world.pass(ms(9_000));
    assert_eq!(world.texts(), [instruction::NUDGE], "the result wants an answer");
}

#[test]
fn a_slow_tool_may_take_too_long_or_be_taken_back() {
    let (mut world, slow) = looking_up();
    world.pass(ms(10_000));
    let response = world.messages().into_iter().find(|message| message["toolResponse"].is_object()).expect("answered");
    assert!(response.to_string().contains("no answer within 10 s"), "{response}");
    assert!(!slow.end_first(Outcome::output("too late")) && !poll_tools(&mut world));

    let (mut world, slow) = looking_up();
    world.frame(r#"{"toolCallCancellation":{"ids":["a"]}}"#);
    assert!(!slow.end_first(Outcome::output("too late")) && world.messages().is_empty());
    let ends: Vec<_> =
        world.events().iter().map(|e| if let EngineEvent::ToolUsed(tool) = e { Some(tool.end) } else { None }).collect();
    assert_eq!(ends, [Some(ToolEnd::Cancelled)]);
    world.pass(ms(30_000));
    assert!(world.texts().is_empty(), "nobody waits for it");
}
