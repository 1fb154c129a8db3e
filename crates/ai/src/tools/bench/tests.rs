//! Tools whose work a test ends when it likes.

use super::*;
use crate::tools::testkit::Slow;
use std::task::Waker;

const SECOND: Duration = Duration::from_secs(1);

struct World {
    bench: Bench,
    slow: Slow,
    now: Instant,
}

impl World {
    fn new(behaviour: Behaviour) -> Self {
        let slow = Slow::new(behaviour);
        Self { bench: Bench::new(slow.toolbox()), slow, now: Instant::now() }
    }

    fn call(&mut self, id: &str, name: &str) -> Option<Used> {
        let call = ToolCall { id: Some(id.into()), name: name.into(), arguments: Object::new() };
        self.bench.call(call, self.now)
    }

    fn poll(&mut self) -> Option<Used> {
        match self.bench.poll(self.now, &mut Context::from_waker(Waker::noop())) {
            Poll::Ready(used) => Some(used),
            Poll::Pending => None,
        }
    }
}

#[test]
fn what_is_quick_is_answered_at_once_and_what_is_slow_later() {
    let mut world = World::new(Behaviour::TalksOn);
    let used = world.call("a", "current_time").expect("at once");
    assert_eq!((used.end, used.took), (ToolEnd::Result, Duration::ZERO));
    assert_eq!(world.call("b", "fly").expect("at once").end, ToolEnd::Error);
    assert_eq!(world.call("c", Slow::NAME), None);
    assert!(world.bench.is_busy() && world.poll().is_none());
    world.now += 2 * SECOND;
    world.slow.end_first(Outcome::output("found"));
    let used = world.poll().expect("done");
    assert_eq!((used.call.id.as_deref(), used.took), (Some("c"), 2 * SECOND));
    assert_eq!(used.outcome, Outcome::output("found"));
    assert!(world.poll().is_none() && !world.bench.is_busy(), "once");
}

#[test]
fn what_takes_too_long_is_stopped_and_answered() {
    let mut world = World::new(Behaviour::Waits);
    world.call("a", Slow::NAME);
    assert_eq!(world.bench.deadline(), Some(world.now + 10 * SECOND));
    world.now += 10 * SECOND;
    let used = world.bench.overdue(world.now).expect("overdue");
    assert_eq!(used.end, ToolEnd::Timeout);
    assert!(used.outcome.is_error());
    assert!(!world.slow.end_first(Outcome::output("too late")), "nobody is at it any more");
    assert_eq!((world.bench.overdue(world.now), world.poll(), world.bench.deadline()), (None, None, None));
}

#[test]
fn what_is_taken_back_is_stopped_and_only_recorded() {
    let mut world = World::new(Behaviour::Waits);
    world.call("a", Slow::NAME);
    let used = world.bench.cancel("a", world.now).expect("was at work");
    assert_eq!(used.end, ToolEnd::Cancelled);
    assert!(!world.slow.end_first(Outcome::output("too late")));
    assert_eq!((world.bench.cancel("a", world.now), world.poll()), (None, None));
}

#[test]
fn there_are_only_so_many_places_and_each_id_has_one() {
    let mut world = World::new(Behaviour::Waits);
    for id in ["a", "b", "c", "d", "a"] {
        assert_eq!(world.call(id, Slow::NAME), None, "{id}");
    }
    let refused = world.call("e", Slow::NAME).expect("refused");
    assert!(refused.outcome.result["error"].as_str().is_some_and(|error| error.contains("too many")));
    assert_eq!(world.call("f", "current_time").expect("needs no place").end, ToolEnd::Result);
    for _ in 0..4 {
        world.slow.end_first(Outcome::output("done"));
        assert!(world.poll().is_some());
    }
    assert!(world.poll().is_none());
}

#[test]
fn a_wait_is_covered_with_words_unless_the_agent_has_spoken() {
    let mut world = World::new(Behaviour::TalksOn);
    world.call("a", Slow::NAME);
    assert_eq!(world.bench.filler(world.now + PAUSE - Duration::from_millis(1)), None);
    world.now += PAUSE;
    assert_eq!(world.bench.deadline(), Some(world.now));
    assert!(world.bench.filler(world.now).expect("due").contains("Say exactly: One moment, please."));
    assert_eq!(world.bench.filler(world.now), None);
    world.bench.agent_spoke(world.now + SECOND);
    assert_eq!(world.bench.filler(world.now + PAUSE_AFTER_WORDS), None);
    assert!(world.bench.filler(world.now + PAUSE_AFTER_WORDS + SECOND).is_some(), "and again");

    let mut world = World::new(Behaviour::Waits);
    world.call("a", Slow::NAME);
    assert_eq!(world.bench.filler(world.now + 9 * SECOND), None, "a model that waits cannot speak");
}

#[test]
fn what_is_at_work_when_the_conversation_ends_is_stopped_and_found() {
    let mut world = World::new(Behaviour::Waits);
    let tools = world.bench.tools().clone();
    world.call("a", Slow::NAME);
    world.bench = Bench::new(tools.clone());
    assert!(!world.slow.end_first(Outcome::output("too late")));
    let abandoned = tools.take_abandoned();
    assert_eq!((abandoned.len(), abandoned[0].end), (1, ToolEnd::Cancelled));
    assert_eq!(tools.take_abandoned(), []);
}

#[test]
fn records_are_bounded() {
    let arguments = Object::from_iter([("text".to_owned(), Value::String("x".repeat(5_000)))]);
    let call = ToolCall { id: None, name: "n".repeat(500), arguments };
    let record = Used::at_once(call, Outcome::output("")).record();
    assert_eq!((record.name.len(), record.arguments.as_str()), (128, r#"{"shortened":5011}"#));
}
