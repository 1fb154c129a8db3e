//! Sessions that break without a word of warning: the caller hears an answer within the bound, and the events say why it took
//! that long.

use super::*;
use callie_lab::gemini::{Act, Fault, Moment, Step, ToolCall};
use serde_json::json;

/// What an answer takes when all is well: the pause that ends a turn, and a little.
const WELL: Duration = Duration::from_millis(700);
/// And what connecting adds.
const RECONNECTED: Duration = Duration::from_millis(700 + 400);

const DEADLINE: &str = "Deadline expired before operation could complete.";

/// A greeted caller asks twice, and with the second question `fault` happens. Its answer must begin within `bound`.
fn check(fault: Fault, bound: Duration, resumed: bool) -> Phone {
    let mut phone = call(script());
    phone.listen();
    phone.wait_ms(500);
    assert!(phone.ask() <= WELL);
    phone.line.gemini.fault_once(fault.clone());
    let took = phone.ask();
    assert!(took <= bound, "{fault:?}: {took:?}");
    if fault.at == Moment::Answer {
        // A tenth of a second of it was heard: the rest follows.
        let rest = phone.listen();
        assert!(rest <= bound, "{fault:?}: {rest:?}");
    }
    let (reason, taken_up) = the_change(&phone);
    assert!(taken_up == resumed && !reason.is_empty(), "{fault:?}: {reason}");
    assert!(phone.said().starts_with("Hello.First.Second."), "{fault:?}: {}", phone.said());
    phone.wait_ms(500);
    assert!(phone.ask() <= WELL, "{fault:?}: and on it goes");
    assert_eq!(phone.line.gemini.complaints(), [""; 0], "{fault:?}");
    assert_eq!(failure(&phone), None, "{fault:?}");
    phone
}

#[test]
fn whatever_breaks_it_is_mended_within_the_time_of_connecting() {
    for act in [
        Act::close(1000, ""),
        Act::close(1001, ""),
        Act::Drop,
        Act::close(1011, "Internal error encountered."),
        Act::close(1011, DEADLINE),
        Act::close(1012, "restart"),
    ] {
        for moment in [Moment::Utterance, Moment::Question, Moment::Answer] {
            let phone = check(Fault::new(moment, act.clone()), RECONNECTED, true);
            let wanted = match &act {
                Act::Close { code, .. } => format!("closed with {code}"),
                _ => "closed with 1006".into(),
            };
            let (reason, _) = the_change(&phone);
            assert!(reason.contains(&wanted), "{reason}");
        }
    }
}

#[test]
fn a_context_at_fault_is_told_instead_of_taken_up() {
    let not_enabled = Act::close(1008, "Operation is not implemented, or supported, or enabled.");
    for moment in [Moment::Utterance, Moment::Question] {
        let phone = check(Fault::new(moment, not_enabled.clone()), RECONNECTED, false);
        let told = phone.line.gemini.latest().expect("a session").look(|log| log.contents[0].clone());
        let text = |turn: usize| told["turns"][turn]["parts"][0]["text"].as_str().unwrap_or_default().to_owned();
        assert_eq!([text(1), text(2), text(3)], ["Hello.", "one", "First."], "{told}");
    }
}

#[test]
fn a_refused_handle_costs_one_more_attempt() {
    for refusal in
        [Act::close(1007, "Invalid session resumption handle"), Act::close(1008, "session not found"), Act::close(1011, "")]
    {
        let mut phone = call(script());
        phone.listen();
        phone.wait_ms(500);
        phone.ask();
        phone.line.gemini.fault(Fault::new(Moment::Resume, refusal.clone()));
        phone.line.gemini.fault_once(Fault::new(Moment::Question, Act::close(1011, DEADLINE)));
        let took = phone.ask();
        // Two sessions with the handle are tried, 0.25 and 0.5 s apart, where nothing says that it is the handle's fault.
        assert!(took <= RECONNECTED + Duration::from_millis(700), "{refusal:?}: {took:?}");
        assert!(!the_change(&phone).1, "told");
        assert_eq!((phone.said().as_str(), failure(&phone)), ("Hello.First.Second.", None), "{refusal:?}");
        assert_eq!(phone.line.gemini.complaints(), [""; 0]);
    }
}

#[test]
fn a_forgotten_handle_is_done_without() {
    let mut phone = call(script());
    phone.listen();
    phone.ask();
    phone.line.gemini.forget_handles();
    phone.line.gemini.fault_once(Fault::new(Moment::Utterance, Act::Drop));
    assert!(phone.ask() <= RECONNECTED);
    assert!(!the_change(&phone).1);
    assert_eq!(phone.said(), "Hello.First.Second.");
}

/// A context that kills every session as soon as the caller speaks.
#[test]
fn a_poisoned_context_is_left_after_two_sessions() {
    let mut phone = call(script());
    phone.listen();
    phone.wait_ms(500);
    phone.ask();
    let poison = Fault::new(Moment::Utterance, Act::close(1011, "Internal error encountered."));
    phone.line.gemini.fault_times(poison, 3);
    let took = phone.ask();
    assert!(took <= Duration::from_millis(2_500), "{took:?}");
    let resumed: Vec<bool> = changes(&phone).into_iter().map(|(_, resumed)| resumed).collect();
    assert_eq!(resumed, [true, true, false]);
    assert_eq!((phone.said().as_str(), failure(&phone)), ("Hello.First.Second.", None));
}

#[test]
fn what_cannot_be_mended_is_told_at_once() {
    for (act, cause) in [
        (Act::close(1007, "Request contains an invalid argument."), EngineCause::SetupRefused),
        (Act::close(1007, "API key expired."), EngineCause::KeyRefused),
        (Act::close(1008, "models/m is not found"), EngineCause::ModelUnknown),
        (Act::close(1011, "Resource has been exhausted (e.g. check quota)."), EngineCause::QuotaExceeded),
    ] {
        let mut phone = call(script());
        phone.listen();
        phone.line.gemini.fault(Fault::new(Moment::Utterance, act));
        phone.speak_ms(200);
        assert_eq!(failure(&phone).map(|error| error.cause), Some(cause));
        assert!(phone.line.is_hung_up());
    }
}

#[test]
fn a_key_that_runs_out_meanwhile_ends_the_attempts() {
    let mut phone = call(script());
    phone.listen();
    phone.line.gemini.fault(Fault::new(Moment::Upgrade, Act::refuse(403)));
    phone.line.gemini.fault_once(Fault::new(Moment::Utterance, Act::Drop));
    phone.speak_ms(1_000);
    assert_eq!(failure(&phone).map(|error| error.cause), Some(EngineCause::KeyRefused));
}

#[test]
fn a_service_that_is_away_for_a_while_is_waited_for_and_given_up_in_the_end() {
    let mut phone = call(script());
    phone.listen();
    phone.line.gemini.fault(Fault::new(Moment::Upgrade, Act::refuse(503)));
    phone.line.gemini.fault_once(Fault::new(Moment::Utterance, Act::Drop));
    phone.speak_ms(1_260);
    phone.wait_ms(5_000);
    phone.line.gemini.clear_faults();
    let took = phone.listen();
    // The attempts are four seconds apart by now.
    assert!(took <= Duration::from_millis(4_600), "{took:?}");
    assert_eq!(phone.said(), "Hello.First.");

    phone.wait_ms(12_000);
    phone.line.gemini.fault(Fault::new(Moment::Upgrade, Act::refuse(503)));
    phone.line.gemini.fault_once(Fault::new(Moment::Utterance, Act::Drop));
    phone.speak_ms(1_260);
    phone.wait_ms(28_700);
    assert_eq!(failure(&phone), None);
    phone.wait_ms(500);
    let error = failure(&phone).expect("given up");
    assert!(error.detail.starts_with("closed with 1006") && error.detail.contains("HTTP 503"), "{error}");
    let tried = phone.line.gemini.connections();
    assert!((15..30).contains(&tried), "{tried}");
}

#[test]
fn a_setup_that_is_slow_or_never_answered_is_tried_again() {
    for (act, bound) in [(Act::SlowSetup { by: Duration::from_secs(2) }, 3_100), (Act::Stall, 5_500)] {
        let mut phone = call(script());
        phone.listen();
        phone.wait_ms(500);
        phone.ask();
        phone.line.gemini.fault_once(Fault::new(Moment::Resume, act));
        phone.line.gemini.fault_once(Fault::new(Moment::Question, Act::Drop));
        let took = phone.ask();
        assert!(took <= Duration::from_millis(bound), "{took:?}");
        assert_eq!((phone.said().as_str(), failure(&phone)), ("Hello.First.Second.", None));
    }
}

#[test]
fn what_was_said_in_the_gap_is_heard() {
    let mut phone = call(script());
    phone.listen();
    phone.wait_ms(500);
    phone.line.gemini.fault_once(Fault::new(Moment::Resume, Act::SlowSetup { by: Duration::from_millis(600) }));
    phone.line.gemini.fault_once(Fault::new(Moment::Utterance, Act::Drop));
    let took = phone.ask();
    assert!(took <= WELL, "the question was longer than the gap: {took:?}");
    let heard = phone.line.gemini.latest().expect("a session").look(|log| log.uplink.audio.clone());
    let voice = heard.iter().filter(|sample| **sample > 1_000).count() / 16;
    assert!((1_200..=1_300).contains(&voice), "all of it reached the second session: {voice} ms");
    assert_eq!(phone.said(), "Hello.First.");
}

#[test]
fn a_longer_question_than_can_be_kept_is_asked_about() {
    let mut phone = call(script());
    phone.listen();
    phone.wait_ms(500);
    // Nothing is transcribed, so nobody knows what was said.
    phone.line.gemini.set_script(Script::Silent);
    phone.speak_ms(4_000);
    phone.line.gemini.latest().expect("a session").act(Act::Drop);
    phone.wait_ms(800);
    let told = phone.line.gemini.latest().expect("a session").look(|log| (log.contents.clone(), log.texts.len()));
    assert!(told.0.len() == 1 && told.0[0].to_string().contains("you may have missed") && told.1 == 0, "{told:?}");
    let heard = phone.line.gemini.latest().expect("a session").look(|log| log.uplink.samples) / 16;
    assert!((2_000..2_800).contains(&heard), "two seconds, and what came since: {heard} ms");

    // Once the caller has finished, the answer to the rest of it is not interrupted by what is told.
    let mut phone = call(script());
    phone.listen();
    phone.wait_ms(500);
    phone.line.gemini.fault_once(Fault::new(Moment::Question, Act::Drop));
    phone.speak_ms(4_000);
    assert!(phone.listen() <= RECONNECTED);
    assert_eq!((phone.said().as_str(), changes(&phone).len()), ("Hello.First.", 1));
    assert!(!phone.events().any(|event| matches!(event, EngineEvent::Interrupted)), "{}", phone.story());
}

#[test]
fn a_tool_is_used_once_whatever_breaks() {
    let tool = vec![ToolCall::new("current_time", json!({}))];
    let exchange = Exchange::of("what time is it", vec![Step::Call(tool), Step::Say(speech("Noon.", 1_000))]);
    let again = Exchange::new("", speech("Noon it is.", 1_000));
    let texts = vec![("already used the tool current_time".to_owned(), again)];
    let mut phone = call(Converse { exchanges: vec![exchange], texts, ..script() });
    phone.listen();
    phone.wait_ms(500);
    phone.line.gemini.fault_once(Fault::new(Moment::ToolCall, Act::close(1011, "Internal error encountered.")));
    assert!(phone.ask() <= RECONNECTED);
    assert_eq!(phone.said(), "Hello.Noon it is.");
    let used = phone.events().filter(|event| matches!(event, EngineEvent::ToolUsed(_))).count();
    assert_eq!((used, failure(&phone)), (1, None));
}

#[test]
fn a_break_before_the_greeting_delays_it() {
    for moment in [Moment::After(Duration::from_millis(100)), Moment::Answer] {
        let service = service(script());
        let mut phone = Phone::ringing(service, options(), brief(false));
        phone.line.gemini.fault_once(Fault::new(moment, Act::Drop));
        phone.wait_ms(1_000);
        phone.line.talk.start(phone.now);
        let begins = phone.listen();
        assert!(begins <= Duration::from_millis(500), "{moment:?}: {begins:?}");
        phone.wait_ms(2_000);
        assert_eq!(phone.line.gemini.complaints(), [""; 0], "{moment:?}");
        assert!(phone.said().starts_with("Hello."), "{moment:?}");
    }
}

#[test]
fn a_goodbye_is_not_followed_by_an_apology() {
    let goodbye = Exchange::new("bye", speech("Goodbye.", 2_000)).then_end_call();
    let mut phone = call(Converse { exchanges: vec![goodbye], ..script() });
    phone.listen();
    phone.wait_ms(500);
    phone.speak_ms(1_260);
    phone.until_heard().expect("goodbye");
    phone.wait_ms(500);
    phone.line.gemini.latest().expect("a session").act(Act::Drop);
    phone.wait_ms(5_000);
    let goodbyes = phone.events().filter(|event| matches!(event, EngineEvent::Goodbye)).count();
    assert_eq!((goodbyes, failure(&phone), phone.line.gemini.connections()), (1, None, 1));
}

#[test]
fn every_family_goes_on() {
    for (model, resumed) in [
        ("gemini-3.8-live", true),
        ("gemini-3.8-live-extended-thinking", true),
        ("gemini-3.1-flash-live-preview", true),
        ("gemini-2.5-flash-native-audio-preview-12-2025", true),
        ("gemini-3.8-live", false),
        ("gemini-3.1-flash-live-preview", false),
        ("gemini-2.5-flash-native-audio-preview-12-2025", false),
    ] {
        let options = GeminiOptions { model: model.into(), ..options() };
        let mut phone = Phone::call(service(script()), options, brief(false));
        phone.listen();
        phone.wait_ms(500);
        phone.ask();
        if !resumed {
            phone.line.gemini.forget_handles();
        }
        phone.line.gemini.fault_once(Fault::new(Moment::Question, Act::Drop));
        let took = phone.ask();
        assert!(took <= RECONNECTED, "{model}: {took:?}");
        assert_eq!((the_change(&phone).1, failure(&phone)), (resumed, None), "{model}");
        assert_eq!(phone.line.gemini.complaints(), [""; 0], "{model}");
        let setup = phone.line.gemini.latest().expect("a session").look(|log| log.setup.clone());
        let instruction = setup["systemInstruction"]["parts"][0]["text"].as_str().expect("text");
        let told = instruction.contains("First.");
        assert_eq!(told, !resumed && model.contains("2.5"), "{model}: told in the instruction");
    }
}
