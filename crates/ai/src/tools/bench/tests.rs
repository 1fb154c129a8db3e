//! Tools whose work a test ends when it likes.

use super::*;
use crate::tools::Tool;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;
use tokio::sync::oneshot;

const SECOND: Duration = Duration::from_secs(1);

/// The ends of what was begun, in order.
type Ends = Arc<Mutex<Vec<oneshot::Sender<Outcome>>>>;

#[derive(Debug)]
struct Slow {
    behaviour: Behaviour,
    ends: Ends,
}

impl Tool for Slow {
    fn name(&self) -> &str {
        "slow"
    }

    fn description(&self) -> &str {
        "Takes its time."
    }

    fn parameters(&self) -> Value {
        json!({"type": "object"})
    }

    fn behaviour(&self) -> Behaviour {
        self.behaviour
    }

    fn filler(&self) -> Option<&str> {
        Some("One moment, please.")
    }

    fn call(&self, _arguments: &Object) -> Work {
        let (end, ended) = oneshot::channel();
        self.ends.lock().unwrap_or_else(PoisonError::into_inner).push(end);
        Work::Later(Box::pin(async move { ended.await.unwrap_or_else(|_| Outcome::error("gone", false)) }))
    }
}

struct World {
    bench: Bench,
    ends: Ends,
    now: Instant,
}

impl World {
    fn new(behaviour: Behaviour) -> Self {
        let ends = Ends::default();
        let slow: Arc<dyn Tool> = Arc::new(Slow { behaviour, ends: ends.clone() });
        Self { bench: Bench::new(Toolbox::default().with([slow])), ends, now: Instant::now() }
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

    /// The work that began first is done, or still waited for by nobody.
    fn end_first(&mut self, text: &str) -> bool {
        let end = self.ends.lock().unwrap_or_else(PoisonError::into_inner).remove(0);
        end.send(Outcome::output(text)).is_ok()
    }
}

#[test]
fn what_is_quick_is_answered_at_once_and_what_is_slow_later() {
    let mut world = World::new(Behaviour::TalksOn);
    let used = world.call("a", "current_time").expect("at once");
    assert_eq!((used.end, used.took), (ToolEnd::Result, Duration::ZERO));
    assert_eq!(world.call("b", "fly").expect("at once").end, ToolEnd::Error);
    assert_eq!(world.call("c", "slow"), None);
    assert!(world.bench.is_busy() && world.poll().is_none());
    world.now += 2 * SECOND;
    world.end_first("found");
    let used = world.poll().expect("done");
    assert_eq!((used.call.id.as_deref(), used.took), (Some("c"), 2 * SECOND));
    assert_eq!(used.outcome, Outcome::output("found"));
    assert!(world.poll().is_none() && !world.bench.is_busy(), "once");
}

#[test]
fn what_takes_too_long_is_stopped_and_answered() {
    let mut world = World::new(Behaviour::Waits);
    world.call("a", "slow");
    assert_eq!(world.bench.deadline(), Some(world.now + 10 * SECOND));
    world.now += 10 * SECOND;
    let used = world.bench.overdue(world.now).expect("overdue");
    assert_eq!(used.end, ToolEnd::Timeout);
    assert!(used.outcome.is_error());
    assert!(!world.end_first("too late"), "nobody is at it any more");
    assert_eq!((world.bench.overdue(world.now), world.poll(), world.bench.deadline()), (None, None, None));
}

#[test]
fn what_is_taken_back_is_stopped_and_only_recorded() {
    let mut world = World::new(Behaviour::Waits);
    world.call("a", "slow");
    let used = world.bench.cancel("a", world.now).expect("was at work");
    assert_eq!(used.end, ToolEnd::Cancelled);
    assert!(!world.end_first("too late"));
    assert_eq!((world.bench.cancel("a", world.now), world.poll()), (None, None));
}

#[test]
fn there_are_only_so_many_places_and_each_id_has_one() {
    let mut world = World::new(Behaviour::Waits);
    for id in ["a", "b", "c", "d", "a"] {
        assert_eq!(world.call(id, "slow"), None, "{id}");
    }
    let refused = world.call("e", "slow").expect("refused");
    assert!(refused.outcome.result["error"].as_str().is_some_and(|error| error.contains("too many")));
    assert_eq!(world.call("f", "current_time").expect("needs no place").end, ToolEnd::Result);
    for _ in 0..4 {
        world.end_first("done");
        assert!(world.poll().is_some());
    }
    assert!(world.poll().is_none());
}

#[test]
fn a_wait_is_covered_with_words_unless_the_agent_has_spoken() {
    let mut world = World::new(Behaviour::TalksOn);
    world.call("a", "slow");
    assert_eq!(world.bench.filler(world.now + PAUSE - Duration::from_millis(1)), None);
    world.now += PAUSE;
    assert_eq!(world.bench.deadline(), Some(world.now));
    assert!(world.bench.filler(world.now).expect("due").contains("Say exactly: One moment, please."));
    assert_eq!(world.bench.filler(world.now), None);
    world.bench.agent_spoke(world.now + SECOND);
    assert_eq!(world.bench.filler(world.now + PAUSE_AFTER_WORDS), None);
    assert!(world.bench.filler(world.now + PAUSE_AFTER_WORDS + SECOND).is_some(), "and again");

    let mut world = World::new(Behaviour::Waits);
    world.call("a", "slow");
    assert_eq!(world.bench.filler(world.now + 9 * SECOND), None, "a model that waits cannot speak");
}

#[test]
fn what_is_at_work_when_the_conversation_ends_is_stopped_and_found() {
    let mut world = World::new(Behaviour::Waits);
    let tools = world.bench.tools().clone();
    world.call("a", "slow");
    world.bench = Bench::new(tools.clone());
    assert!(!world.end_first("too late"));
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
