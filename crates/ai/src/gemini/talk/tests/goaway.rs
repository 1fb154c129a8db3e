//! Sessions whose end is announced: the next one is ready before, and nobody hears of it.

use super::*;
use callie_lab::gemini::{Act, Fault, Moment, Side};

const WELL: Duration = Duration::from_millis(700);

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn go_away(at: Duration, time_left: Duration) -> Fault {
    Fault::new(Moment::After(at), Act::GoAway { time_left, code: 1011, reason: "Deadline expired".into() })
}

/// Greeted; the end is announced at `at`, `time_left` before it.
fn leaving(at: Duration, time_left: Duration) -> Phone {
    let phone = call(script());
    let session = phone.line.gemini.latest().expect("a session");
    phone.line.gemini.fault_once(go_away(at, time_left));
    // The first session is under way already: it is told by hand.
    drop(session);
    phone
}

#[test]
fn at_whatever_second_it_comes_nobody_hears_of_it() {
    for second in (1..16).map(|second| second * 700) {
        let service = service(script());
        let mut phone = Phone::ringing(service, options(), brief(false));
        phone.line.talk.start(phone.now);
        let session = phone.line.gemini.latest().expect("a session");
        let announce = phone.now + Duration::from_millis(second);
        let mut announced = false;
        phone.listen();
        for _ in 0..4 {
            while !announced && phone.now >= announce {
                announced = session.act(Act::GoAway { time_left: seconds(20), code: 1011, reason: String::new() });
            }
            phone.wait_ms(900);
            assert!(phone.ask() <= WELL, "{second} ms");
        }
        phone.wait(seconds(20));
        let (reason, resumed) = the_change(&phone);
        assert!(resumed && reason.contains("announced"), "{second} ms: {}", phone.story());
        assert_eq!(phone.said(), "Hello.First.Second.Third.Fourth.", "{second} ms");
        assert!(phone.longest_stutter.is_zero() && phone.line.longest_gap <= Duration::from_millis(40), "{second} ms");
        assert_eq!((phone.line.gemini.complaints(), failure(&phone)), (vec![], None), "{second} ms");
        // We hang up the old session, not the service.
        let closed = session.look(|log| log.closed.clone()).expect("closed");
        assert_eq!(closed.by, Side::Client, "{second} ms");
    }
}

#[test]
fn an_agent_who_never_stops_is_moved_five_seconds_before_the_end() {
    let long = Exchange::new("one", speech("A very long answer.", 40_000));
    let mut phone = call(Converse { exchanges: vec![long], ..script() });
    phone.listen();
    phone.wait_ms(500);
    phone.speak_ms(1_260);
    phone.until_heard().expect("an answer");
    let session = phone.line.gemini.latest().expect("a session");
    let announced = phone.now;
    session.act(Act::GoAway { time_left: seconds(20), code: 1011, reason: String::new() });
    phone.wait(seconds(14));
    assert_eq!(changes(&phone), [], "{}", phone.story());
    phone.wait_ms(1_100);
    let (_, resumed) = the_change(&phone);
    assert!(resumed);
    let closed = session.look(|log| log.closed.clone()).expect("closed");
    let left = (closed.at - announced).as_millis();
    assert!(closed.by == Side::Client && (14_900..15_100).contains(&left), "{left}");
    phone.until_quiet();
    assert!(phone.longest_stutter.is_zero(), "what was here is played to its end");
    // The new session is told what its context does not know of.
    let told = phone.line.gemini.latest().expect("a session").look(|log| log.contents.clone());
    assert!(told.len() == 1 && told[0].to_string().contains("A very long answer."), "{told:?}");
    assert_eq!(phone.line.gemini.complaints(), [""; 0]);
}

#[test]
fn a_caller_who_never_stops_is_not_cut() {
    let mut phone = call(script());
    phone.listen();
    phone.wait_ms(500);
    phone.ask();
    let session = phone.line.gemini.latest().expect("a session");
    phone.speak_ms(500);
    session.act(Act::GoAway { time_left: seconds(12), code: 1011, reason: String::new() });
    phone.speak_ms(8_000);
    assert!(the_change(&phone).1);
    assert!(phone.listen() <= WELL);
    assert_eq!(phone.said(), "Hello.First.Second.");
    assert!(phone.line.longest_gap <= Duration::from_millis(40));
}

#[test]
fn an_end_without_much_notice_is_survived() {
    for time_left in [0, 100, 300, 1_000, 3_000] {
        let mut phone = leaving(Duration::ZERO, Duration::ZERO);
        phone.listen();
        phone.wait_ms(500);
        phone.ask();
        let session = phone.line.gemini.latest().expect("a session");
        phone.speak_ms(600);
        session.act(Act::GoAway { time_left: Duration::from_millis(time_left), code: 1011, reason: String::new() });
        phone.speak_ms(600);
        let took = phone.listen();
        assert!(took <= WELL + Duration::from_millis(400), "{time_left} ms: {took:?}");
        assert_eq!((phone.said().as_str(), failure(&phone)), ("Hello.First.Second.", None), "{time_left} ms");
    }
}

#[test]
fn a_service_that_takes_up_nothing_beside_the_old_session_is_asked_after_it() {
    let service = FakeGeminiOptions { one_at_a_time: true, ..service(script()) };
    let mut phone = Phone::call(service, options(), brief(false));
    phone.listen();
    phone.wait_ms(500);
    phone.ask();
    let session = phone.line.gemini.latest().expect("a session");
    session.act(Act::GoAway { time_left: seconds(30), code: 1011, reason: String::new() });
    phone.wait_ms(3_000);
    assert!(the_change(&phone).1, "taken up all the same");
    assert!(phone.ask() <= WELL);
    assert_eq!((phone.said().as_str(), failure(&phone)), ("Hello.First.Second.", None));
    assert_eq!(phone.line.gemini.complaints(), [""; 0]);
}

#[test]
fn a_next_session_that_cannot_be_had_is_tried_for_until_the_end() {
    let mut phone = call(script());
    phone.listen();
    phone.wait_ms(500);
    phone.ask();
    phone.line.gemini.fault(Fault::new(Moment::Upgrade, Act::refuse(503)));
    phone.line.gemini.latest().expect("a session").act(Act::GoAway { time_left: seconds(20), code: 1011, reason: String::new() });
    phone.wait(seconds(8));
    assert!(phone.ask() <= WELL, "the old session goes on");
    phone.wait(seconds(5));
    phone.line.gemini.clear_faults();
    phone.wait(seconds(6));
    assert!(the_change(&phone).1);
    assert!(phone.ask() <= WELL);
    assert_eq!((phone.said().as_str(), failure(&phone)), ("Hello.First.Second.Third.", None));
}

#[test]
fn a_next_session_that_breaks_before_it_is_needed_is_replaced() {
    let long = Exchange::new("one", speech("A long answer.", 12_000));
    let mut phone = call(Converse { exchanges: vec![long, Exchange::new("two", speech("Second.", 1_000))], ..script() });
    phone.listen();
    phone.wait_ms(500);
    phone.line.gemini.latest().expect("a session").act(Act::GoAway { time_left: seconds(40), code: 1011, reason: String::new() });
    phone.speak_ms(1_000);
    let next = phone.line.gemini.latest().expect("the next one");
    assert_eq!(phone.line.gemini.connections(), 2);
    next.act(Act::close(1011, "Internal error encountered."));
    phone.listen();
    phone.wait_ms(2_000);
    assert!(the_change(&phone).1 && phone.line.gemini.connections() >= 3);
    assert!(phone.ask() <= WELL);
    assert_eq!((phone.said().as_str(), failure(&phone)), ("Hello.A long answer.Second.", None));
}

/// Without any handle there is only what was said.
#[test]
fn who_gives_no_handle_is_told() {
    let mut phone = call(script());
    phone.listen();
    phone.wait_ms(500);
    phone.ask();
    phone.line.gemini.forget_handles();
    phone.line.gemini.latest().expect("a session").act(Act::GoAway { time_left: seconds(30), code: 1011, reason: String::new() });
    phone.wait_ms(3_000);
    phone.line.gemini.forget_handles();
    assert!(!the_change(&phone).1);
    assert!(phone.ask() <= WELL);
    assert_eq!(phone.said(), "Hello.First.Second.");
    assert_eq!(phone.line.gemini.complaints(), [""; 0]);
}
