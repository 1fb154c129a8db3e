//! Services that are there and cannot be heard: silent, empty, deaf to what they asked for, strange.

use super::*;
use crate::gemini::conversation::ladder::Rung;
use callie_lab::gemini::{Act, Fault, Hearing, Interruption, Moment, Step, ToolCall, TurnEnd};
use serde_json::json;

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

fn notices(phone: &Phone) -> usize {
    phone.events().filter(|event| matches!(event, EngineEvent::Notice(_))).count()
}

/// A greeted caller asks, and the session falls silent at `moment`. The answer comes within `bound`, from another session.
fn check_silence(moment: Moment, bound: Duration) {
    let mut phone = call(script());
    phone.listen();
    phone.wait_ms(500);
    phone.ask();
    phone.line.gemini.fault_once(Fault::new(moment, Act::Stall));
    let took = phone.ask();
    assert!(took <= bound && took > seconds(6), "{moment:?}: {took:?}");
    let (reason, resumed) = the_change(&phone);
    assert!(reason.starts_with("stalled: ") && resumed, "{moment:?}: {reason}");
    assert_eq!((notices(&phone), failure(&phone)), (1, None), "{moment:?}: asked again first");
    assert!(phone.said().starts_with("Hello.First."), "{moment:?}");
    assert!(phone.ask() <= ms(700), "{moment:?}: and on it goes");
    assert_eq!(phone.line.gemini.complaints(), [""; 0], "{moment:?}");
}

#[test]
fn a_silent_service_is_left_after_eight_seconds() {
    // It has shown that it understood: 4 s, 4 s, connecting.
    check_silence(Moment::Question, ms(9_600 + 400));
    // Not a sign: 5 s instead.
    check_silence(Moment::Utterance, ms(9_600 + 400));
}

#[test]
fn a_service_that_stays_silent_is_given_up() {
    let mut phone = call(script());
    phone.listen();
    phone.wait_ms(500);
    phone.line.gemini.fault(Fault::new(Moment::Question, Act::Stall));
    phone.line.gemini.fault(Fault::new(Moment::Resume, Act::Follow(Script::Silent)));
    phone.speak_ms(1_260);
    phone.wait(seconds(15));
    let error = failure(&phone).expect("given up");
    assert_eq!(error.cause, EngineCause::Stalled);
    let (given_up, _) = phone.events().enumerate().find(|(_, event)| matches!(event, EngineEvent::Failed(_))).expect("failed");
    assert_eq!(given_up + 1, phone.events().count(), "it is the last word");
    assert!(phone.line.is_hung_up());
}

#[test]
fn the_line_may_ask_for_what_the_service_gives_no_reason_for() {
    let mut phone = call(script());
    phone.listen();
    phone.wait_ms(500);
    let texts = |phone: &Phone| phone.line.gemini.latest().expect("a session").look(|log| log.texts.len());
    let before = texts(&phone);
    for _ in 0..2 {
        phone.line.talk.line_is_silent(Rung::Nudged, phone.now);
    }
    phone.wait_ms(100);
    assert_eq!((texts(&phone), notices(&phone)), (before + 1, 1), "asked once more, and once only");
    for _ in 0..2 {
        phone.line.talk.line_is_silent(Rung::Renewed, phone.now);
    }
    phone.wait_ms(500);
    let (reason, resumed) = the_change(&phone);
    assert!(reason.contains("hears nothing") && resumed, "{reason}");
    assert!(phone.ask() <= ms(700), "and on it goes");
}

#[test]
fn a_mute_greeting_is_heard_from_the_next_session() {
    let mut phone = Phone::ringing(service(script()), options(), brief(false));
    phone.line.gemini.latest().expect("a session").act(Act::Stall);
    phone.wait_ms(100);
    phone.line.talk.start(phone.now);
    let begins = phone.listen();
    // Asked again after 3 s, and another session 4 s later.
    assert!((seconds(7)..ms(7_500)).contains(&begins), "{begins:?}");
    let texts: Vec<usize> = phone.line.gemini.sessions().iter().map(|session| session.look(|log| log.texts.len())).collect();
    assert_eq!((texts.as_slice(), phone.said().as_str()), ([2, 1].as_slice(), "Hello."));
    assert_eq!(phone.line.gemini.complaints(), [""; 0]);

    let mut phone = call(Converse { greeting: None, exchanges: Vec::new(), ..script() });
    assert_eq!(phone.until_heard(), None);
    assert_eq!(failure(&phone).map(|error| error.cause), Some(EngineCause::Stalled));
}

/// What the script does with the question, and how soon an answer is heard.
fn check_turn(exchange: Exchange, bound: Duration, changes_session: bool) {
    let what = format!("{exchange:?}");
    let answer = Exchange::new("", speech("Here it is.", 1_000));
    let texts = vec![("Please answer".to_owned(), answer.clone()), ("just said".to_owned(), answer)];
    let exchanges = vec![exchange, Exchange::new("", speech("Second.", 1_000))];
    let mut phone = call(Converse { exchanges, texts, ..script() });
    phone.listen();
    phone.wait_ms(500);
    let took = phone.ask();
    assert!(took <= bound, "{what}: {took:?}");
    assert_eq!((changes(&phone).len(), failure(&phone)), (usize::from(changes_session), None), "{what}");
    assert!(notices(&phone) >= 1, "{what}");
    phone.wait_ms(500);
    assert!(phone.ask() <= ms(700), "{what}: and on it goes");
}

#[test]
fn empty_and_inaudible_turns_are_asked_about_at_once() {
    check_turn(Exchange::empty("one"), ms(750), false);
    check_turn(Exchange::rejected("one"), ms(750), false);
    check_turn(Exchange::new("one", Speech::inaudible("An answer nobody hears.", seconds(2))), ms(2_800), false);
}

#[test]
fn turns_that_stay_empty_are_asked_of_another_session() {
    let empty = || Exchange::empty("");
    let texts =
        vec![("Please answer".to_owned(), empty()), ("just said".to_owned(), Exchange::new("", speech("At last.", 1_000)))];
    let mut phone = call(Converse { exchanges: vec![Exchange::empty("one")], texts, ..script() });
    phone.listen();
    phone.wait_ms(500);
    let took = phone.ask();
    assert!(took <= ms(1_200), "{took:?}");
    let (reason, resumed) = the_change(&phone);
    assert!(resumed && reason.contains("empty"), "{reason}");
    assert_eq!((phone.said().as_str(), failure(&phone)), ("Hello.At last.", None));
}

#[test]
fn turns_that_are_empty_whoever_is_asked_end_it() {
    let texts = vec![("Please answer".to_owned(), Exchange::empty("")), ("just said".to_owned(), Exchange::empty(""))];
    let mut phone = call(Converse { exchanges: vec![Exchange::empty("one")], texts, ..script() });
    phone.listen();
    phone.wait_ms(500);
    phone.speak_ms(1_260);
    phone.wait(seconds(2));
    assert_eq!(failure(&phone).map(|error| error.cause), Some(EngineCause::Stalled));
    assert_eq!(changes(&phone).len(), 1);
}

#[test]
fn an_answer_that_stops_in_the_middle_is_gone_on_with_once_the_caller_says_something() {
    let mut phone = call(script());
    phone.listen();
    phone.wait_ms(500);
    phone.ask();
    phone.line.gemini.fault_once(Fault::new(Moment::Answer, Act::Stall));
    phone.speak_ms(1_260);
    phone.until_heard().expect("a tenth of a second of it");
    phone.until_quiet();
    phone.wait_ms(1_000);
    // "Hello?"
    phone.speak_ms(700);
    let took = phone.until_heard().expect("an answer");
    assert!(took <= ms(9_500), "{took:?}");
    assert!(the_change(&phone).1);
    assert_eq!(failure(&phone), None);
}

#[test]
fn answers_in_one_burst_and_in_drops_are_played_whole() {
    let burst = Exchange::of("one", vec![Step::Burst(speech("All at once.", 20_000))]);
    let mut phone = call(Converse { exchanges: vec![burst], ..script() });
    phone.listen();
    phone.wait_ms(500);
    let begun = phone.now;
    assert!(phone.ask() <= ms(700));
    let spoken = phone.now - begun;
    assert!(spoken > seconds(21) && phone.longest_stutter.is_zero(), "{spoken:?}");
    assert_eq!(phone.said(), "Hello.All at once.");
}

#[test]
fn late_audio_of_an_interrupted_turn_is_not_heard_and_the_next_turn_is() {
    for turn_complete in [true, false] {
        let interruption = Interruption { late_pieces: 5, turn_complete };
        let exchanges = vec![Exchange::new("one", speech("Interrupted.", 8_000)), Exchange::new("two", speech("Second.", 1_000))];
        let mut phone = call(Converse { exchanges, interruption, ..script() });
        phone.listen();
        phone.wait_ms(500);
        phone.speak_ms(1_260);
        phone.until_heard().expect("an answer");
        phone.wait_ms(500);
        phone.speak_ms(300);
        assert!(phone.events().any(|event| matches!(event, EngineEvent::Interrupted)));
        let heard = phone.now;
        phone.speak_ms(700);
        let took = phone.listen();
        assert!(took <= ms(1_000) && phone.now - heard > ms(1_500), "{turn_complete}: {took:?}");
        assert!(phone.said().ends_with("Second."), "{}", phone.said());
        assert_eq!((changes(&phone), failure(&phone)), (vec![], None));
    }
}

#[test]
fn a_turn_that_waits_for_its_tools_gets_them() {
    let tools = ["current_time", "fly", "current_time"].map(|name| ToolCall::new(name, json!({})));
    let exchange = Exchange::of("one", vec![Step::Call(tools.to_vec()), Step::Say(speech("Done.", 1_000))]);
    let mut phone = call(Converse { exchanges: vec![exchange], ..script() });
    phone.listen();
    phone.wait_ms(500);
    assert!(phone.ask() <= ms(750), "an unanswered one would wedge the session");
    let answers = phone.line.gemini.latest().expect("a session").look(|log| log.tool_responses.len());
    assert_eq!((answers, phone.said().as_str()), (3, "Hello.Done."));
}

#[test]
fn a_tool_that_is_taken_back_is_not_waited_for() {
    let tool = vec![ToolCall::new("current_time", json!({}))];
    let steps = vec![Step::CallAside(tool), Step::Cancel, Step::Say(speech("Never mind.", 1_000))];
    let mut phone = call(Converse { exchanges: vec![Exchange::of("one", steps)], ..script() });
    phone.listen();
    phone.wait_ms(500);
    assert!(phone.ask() <= ms(750));
    assert_eq!((phone.said().as_str(), failure(&phone)), ("Hello.Never mind.", None));
}

#[test]
fn words_that_come_late_are_not_asked_about_again() {
    let late = Exchange { hearing: Hearing::Late(ms(900)), ..Exchange::new("one", speech("First.", 600)) };
    let mut phone = call(Converse { exchanges: vec![late], ..script() });
    phone.listen();
    phone.wait_ms(500);
    phone.ask();
    phone.wait(seconds(9));
    let texts = phone.line.gemini.latest().expect("a session").look(|log| log.texts.clone());
    assert_eq!((texts.len(), phone.said().as_str()), (1, "Hello.First."), "{texts:?}");
}

#[test]
fn turns_that_are_never_closed_do_no_harm() {
    let missing = |heard, words| Exchange { end: TurnEnd::Missing, ..Exchange::new(heard, speech(words, 1_000)) };
    let mut phone = call(Converse { exchanges: vec![missing("one", "First."), missing("two", "Second.")], ..script() });
    phone.listen();
    phone.wait_ms(500);
    assert!(phone.ask() <= ms(700));
    assert!(phone.ask() <= ms(700));
    assert_eq!((phone.said().as_str(), changes(&phone), failure(&phone)), ("Hello.First.Second.", vec![], None));
}

#[test]
fn strange_frames_are_survived() {
    let strange = [
        Act::Raw("{\"unknown\": 1}".into()),
        Act::Raw("nonsense".into()),
        Act::Raw("[]".into()),
        Act::Raw("{\"serverContent\": 7}".into()),
        Act::Raw("{\"serverContent\": {\"interrupted\": \"perhaps\", \"ofNextYear\": [1, 2]}}".into()),
        Act::Raw("{\"goAway\": {\"timeLeft\": 7}, \"toolCall\": {\"functionCalls\": 1}}".into()),
        Act::Junk(vec![0xff, b'{', 0]),
        Act::Junk(Vec::new()),
        Act::Huge { bytes: 3_000_000 },
    ];
    let mut phone = call(script());
    phone.listen();
    for act in strange {
        assert!(phone.line.gemini.latest().expect("a session").act(act));
        phone.wait_ms(100);
    }
    assert!(phone.ask() <= ms(700));
    assert_eq!((phone.said().as_str(), changes(&phone), failure(&phone)), ("Hello.First.", vec![], None));
    assert_eq!(notices(&phone), 2, "one for each kind");
}
