//! A call of more than an hour, over seven sessions.

use super::*;
use callie_lab::gemini::{Act, Fault, Moment};

/// Different words for each of so many exchanges in a row; then they begin again.
const WORDS: usize = 17;
const MINUTES: u64 = 65;
/// The pause that ends a turn, and a little.
const WELL: Duration = Duration::from_millis(700);
/// What an answer may take longer than that.
const GAP: Duration = Duration::from_millis(300);

/// Pauses of the caller, milliseconds: some answer at once and leave no quiet moment.
const PAUSES: [u64; 6] = [250, 4_000, 400, 150, 9_000, 300];

#[test]
fn sixty_five_minutes_cross_six_sessions_and_nobody_notices() {
    let answers: Vec<Speech> = (0..WORDS).map(|index| speech(&format!("Answer {index}."), 700 + 150 * index as u64)).collect();
    let exchange = |index: usize| Exchange::new(&format!("question {index}"), answers[index % WORDS].clone());
    let script = Converse { exchanges: (0..1_000).map(exchange).collect(), ..script() };
    // Ten minutes, announced a minute before.
    let service = service(script);
    let announced = Act::GoAway { time_left: Duration::from_secs(60), code: 1011, reason: "Deadline expired".into() };
    let options = GeminiOptions { uplink_ms: 100, ..options() };
    let mut phone = Phone::ringing(service, options, brief(false));
    let first = phone.line.gemini.latest().expect("a session");
    phone.line.gemini.fault(Fault::new(Moment::After(Duration::from_secs(600)), announced.clone()));
    phone.line.talk.start(phone.now);
    let begun = phone.now;
    phone.listen();

    let mut asked = 0;
    while phone.now - begun < Duration::from_secs(MINUTES * 60) {
        if phone.line.gemini.connections() == 1 && phone.now - begun >= Duration::from_secs(600) {
            // The first session was under way before the fault was set.
            first.act(announced.clone());
        }
        phone.wait_ms(PAUSES[asked % PAUSES.len()]);
        let took = phone.ask();
        assert!(took <= WELL + GAP, "question {asked} at {:?}: {took:?}", phone.now - begun);
        asked += 1;
    }

    let changes = changes(&phone);
    assert_eq!(changes.len(), 6, "{changes:?}");
    assert!(changes.iter().all(|(_, resumed)| *resumed), "{changes:?}");
    let expected: String = (0..asked).map(|index| format!("Answer {}.", index % WORDS)).collect();
    assert_eq!(phone.said(), format!("Hello.{expected}"), "no turn was lost, none repeated");
    let heard = phone.events().filter(|event| matches!(event, EngineEvent::Heard(words) if words.contains("question"))).count();
    assert_eq!(heard, asked);
    assert_eq!(phone.line.gemini.complaints(), [""; 0], "one greeting, and the caller's audio never stopped");
    assert!(phone.line.longest_gap <= GAP, "{:?} without caller audio", phone.line.longest_gap);
    assert!(phone.longest_stutter <= GAP, "{:?} of silence within a turn", phone.longest_stutter);
    assert_eq!(failure(&phone), None);
    let nudged =
        phone.events().filter(|event| matches!(event, EngineEvent::Notice(text) if text.contains("asked again"))).count();
    assert_eq!(nudged, 0);
}
