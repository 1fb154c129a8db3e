//! Sessions that end in all ways, and a clock that jumps.

use super::*;

const ALL: Memory = Memory { takes_history: true, takes_context: true };
const BUDGET: Duration = Duration::from_secs(30);

fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

fn ending(course: Course) -> Ending {
    Ending { error: EngineError::new(EngineCause::ServiceFailed, "closed with 1011"), course }
}

fn refusal(course: Course) -> Ending {
    Ending { error: EngineError::new(EngineCause::SetupRefused, "closed with 1007"), course }
}

struct World {
    continuity: Continuity,
    now: Instant,
    quiet: bool,
}

impl World {
    fn of(memory: Memory) -> Self {
        let now = Instant::now();
        Self { continuity: Continuity::new(BUDGET, memory, now), now, quiet: false }
    }

    /// Talking for a minute, with a handle that knows of everything.
    fn talking() -> Self {
        let mut world = Self::of(ALL);
        world.pass(Duration::from_secs(60));
        world.continuity.on_sound_turn();
        world.continuity.on_handle("h-1".into());
        world
    }

    fn quiet_at(&self) -> Option<Instant> {
        self.quiet.then_some(self.now)
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        for _ in 0..1_000 {
            let deadline = self.continuity.deadline(self.quiet_at(), self.now);
            let Some(deadline) = deadline.filter(|deadline| *deadline <= end) else { break };
            self.now = self.now.max(deadline);
            self.continuity.tick(self.quiet_at(), self.now);
        }
        self.now = end;
        self.continuity.tick(self.quiet_at(), self.now);
    }

    fn lose(&mut self, course: Course) {
        self.continuity.on_lost(ending(course), self.now);
        self.pass(Duration::ZERO);
    }

    fn next_fails(&mut self, ending: Ending) {
        self.continuity.on_next_lost(ending, self.now);
        self.pass(Duration::ZERO);
    }

    fn next_is_ready(&mut self) {
        self.continuity.on_next_ready(self.now);
        self.pass(Duration::ZERO);
    }

    /// What was to be done since, in short.
    fn steps(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.continuity.next_step())
            .map(|step| match step {
                Step::Dial(dial) => format!("dial {}", name(&dial)),
                Step::Switch { dial, .. } => format!("switch {}", name(&dial)),
                Step::DropNext => "drop".to_owned(),
                Step::HangUp => "hang up".to_owned(),
                Step::Fail(error) => format!("fail {}", error.cause),
            })
            .collect()
    }
}

fn name(dial: &Dial) -> String {
    let plain = if dial.plain { " plain" } else { "" };
    format!("{}{plain}", dial.handle.as_deref().unwrap_or("fresh"))
}

#[test]
fn a_break_is_mended_at_once() {
    let mut world = World::talking();
    world.lose(Course::Resume);
    assert!(!world.continuity.is_connected());
    assert_eq!(world.steps(), ["dial h-1"]);
    world.pass(ms(400));
    world.next_is_ready();
    assert_eq!(world.steps(), ["switch h-1"]);
    assert!(world.continuity.is_connected());
    world.pass(Duration::from_secs(600));
    assert_eq!(world.steps(), [""; 0]);
}

#[test]
fn attempts_back_off_and_end_after_thirty_seconds() {
    let mut world = World::talking();
    world.lose(Course::Resume);
    let start = world.now;
    let mut dialled = Vec::new();
    let failure = loop {
        for step in world.steps() {
            match step.as_str() {
                "dial h-1" => {
                    dialled.push((world.now - start).as_millis());
                    world.next_fails(EngineError::new(EngineCause::Unreachable, "nobody there").into());
                }
                "drop" => {}
                other => panic!("{other}"),
            }
        }
        world.pass(ms(50));
        if matches!(world.continuity.state, State::Over) {
            break world.continuity.steps.pop_back();
        }
    };
    assert_eq!(dialled, [0, 250, 750, 1_750, 3_750, 7_750, 11_750, 15_750, 19_750, 23_750, 27_750]);
    assert_eq!((world.now - start).as_secs(), 30);
    let Some(Step::Fail(error)) = failure else { panic!("{failure:?}") };
    assert_eq!(error.cause, EngineCause::Unreachable);
    assert_eq!(error.detail, "closed with 1011; not reached again: nobody there; no session for 30 s");
}

#[test]
fn what_cannot_be_mended_ends_at_once() {
    let mut world = World::talking();
    world.lose(Course::GiveUp);
    assert_eq!(world.steps(), ["drop", "fail service_failed"]);
    let mut world = World::talking();
    world.lose(Course::WithoutHandle);
    assert_eq!(world.steps(), ["drop", "fail service_failed"], "no handle was sent that could have been it");
    let mut world = World::talking();
    world.lose(Course::Resume);
    world.next_fails(EngineError::new(EngineCause::KeyRefused, "HTTP 403").into());
    assert_eq!(world.steps(), ["dial h-1", "drop", "fail key_refused"]);
}

#[test]
fn a_context_at_fault_is_left_once() {
    let mut world = World::talking();
    world.lose(Course::Anew);
    world.next_is_ready();
    assert_eq!(world.steps(), ["dial fresh", "switch fresh"]);
    world.continuity.on_handle("h-2".into());
    world.lose(Course::Anew);
    assert_eq!(world.steps(), ["drop", "fail service_failed"]);

    // An answer that was heard makes up for it.
    let mut world = World::talking();
    for _ in 0..5 {
        world.lose(Course::Anew);
        world.next_is_ready();
        world.continuity.on_sound_turn();
        assert_eq!(world.steps(), ["dial fresh", "switch fresh"]);
    }

    // What was refused in a session that was taken up may have been the handle.
    let mut world = World::talking();
    world.lose(Course::Resume);
    world.next_is_ready();
    world.lose(Course::WithoutHandle);
    world.pass(ms(250));
    assert_eq!(world.steps(), ["dial h-1", "switch h-1", "dial fresh"]);
}

#[test]
fn a_refused_handle_is_done_without() {
    for course in [Course::WithoutHandle, Course::Anew] {
        let mut world = World::talking();
        world.lose(Course::Resume);
        world.next_fails(refusal(course));
        assert_eq!(world.steps(), ["dial h-1", "dial fresh"], "at once");
        // A service that takes no history is told in the instruction; then it is not the history.
        world.next_fails(refusal(course));
        assert_eq!(world.steps(), ["dial fresh plain"]);
        world.next_fails(refusal(course));
        assert_eq!(world.steps(), ["drop", "fail setup_refused"]);
    }
}

#[test]
fn a_poisoned_context_breaks_two_sessions_and_no_third() {
    let mut world = World::talking();
    for expected in ["h-1", "h-1", "fresh"] {
        world.lose(Course::Resume);
        world.pass(ms(500));
        world.next_is_ready();
        assert_eq!(world.steps(), [format!("dial {expected}"), format!("switch {expected}")]);
    }
}

#[test]
fn sessions_that_die_again_and_again_are_given_up() {
    let mut world = World::talking();
    let start = world.now;
    while !matches!(world.continuity.state, State::Over) {
        world.lose(Course::Resume);
        world.pass(Duration::from_secs(5));
        world.next_is_ready();
        assert!((world.now - start).as_secs() < 60, "{:?}", world.continuity);
    }
    // One that lived for a while was well.
    let mut world = World::talking();
    for _ in 0..20 {
        world.lose(Course::Resume);
        world.next_is_ready();
        world.pass(Duration::from_secs(20));
    }
    assert!(world.continuity.is_connected());
}

#[test]
fn an_announced_end_is_prepared_and_made_in_a_quiet_moment() {
    let mut world = World::talking();
    world.continuity.on_go_away(Duration::from_secs(50), world.now);
    world.pass(ms(400));
    world.next_is_ready();
    world.pass(Duration::from_secs(10));
    assert_eq!(world.steps(), ["dial h-1"], "somebody speaks");
    // More is said: the next one must know of it.
    world.continuity.on_content();
    world.pass(Duration::from_secs(3));
    assert_eq!(world.steps(), [""; 0]);
    world.continuity.on_handle("h-2".into());
    world.pass(ms(400));
    world.next_is_ready();
    assert_eq!(world.steps(), ["drop", "dial h-2"]);
    world.quiet = true;
    world.pass(ms(20));
    assert_eq!(world.steps(), ["switch h-2"]);
    assert!(world.continuity.is_connected() && !world.continuity.is_leaving());
}

#[test]
fn at_the_latest_it_is_made_five_seconds_before_the_end() {
    let mut world = World::talking();
    let start = world.now;
    world.continuity.on_go_away(Duration::from_secs(50), world.now);
    world.pass(ms(400));
    world.next_is_ready();
    world.steps();
    world.pass(start + Duration::from_secs(45) - world.now - ms(1));
    assert_eq!(world.steps(), [""; 0]);
    world.pass(ms(1));
    assert_eq!(world.steps(), ["switch h-1"]);
}

#[test]
fn a_session_that_ends_before_its_time_is_followed_by_what_there_is() {
    // The next one is ready, …
    let mut world = World::talking();
    world.continuity.on_go_away(Duration::from_secs(50), world.now);
    world.pass(ms(400));
    world.next_is_ready();
    world.lose(Course::Resume);
    assert_eq!(world.steps(), ["dial h-1", "switch h-1"]);
    // … or nearly, …
    let mut world = World::talking();
    world.continuity.on_go_away(Duration::from_secs(50), world.now);
    world.pass(ms(100));
    world.lose(Course::Resume);
    assert_eq!(world.steps(), ["dial h-1"]);
    world.next_is_ready();
    assert_eq!(world.steps(), ["switch h-1"]);
    // … or it has failed so far.
    let mut world = World::talking();
    world.continuity.on_go_away(Duration::from_secs(50), world.now);
    world.pass(ms(100));
    for _ in 0..3 {
        world.next_fails(EngineError::new(EngineCause::Unreachable, "").into());
    }
    world.lose(Course::Resume);
    world.pass(ms(1_000));
    assert!(world.steps().iter().all(|step| step == "dial h-1"));
    world.next_is_ready();
    assert_eq!(world.steps(), ["switch h-1"]);
}

#[test]
fn a_service_that_takes_up_nothing_beside_the_old_session_is_given_time() {
    let mut world = World::talking();
    world.continuity.on_go_away(Duration::from_secs(50), world.now);
    world.pass(ms(100));
    world.next_fails(refusal(Course::Anew));
    world.pass(Duration::from_secs(10));
    assert_eq!(world.steps(), ["dial h-1"]);
    world.quiet = true;
    world.pass(ms(20));
    assert_eq!(world.steps(), ["hang up", "dial h-1"]);
    world.next_is_ready();
    assert_eq!(world.steps(), ["switch h-1"]);
}

#[test]
fn a_stall_is_left_and_taken_up() {
    let stalled = || EngineError::new(EngineCause::Stalled, "silent");
    let mut world = World::talking();
    world.continuity.renew(stalled(), world.now);
    world.pass(ms(400));
    world.next_is_ready();
    assert_eq!(world.steps(), ["hang up", "dial h-1", "switch h-1"]);
    // The next one is ready.
    let mut world = World::talking();
    world.continuity.on_go_away(Duration::from_secs(50), world.now);
    world.pass(ms(400));
    world.next_is_ready();
    world.continuity.renew(stalled(), world.now);
    assert_eq!(world.steps(), ["dial h-1", "switch h-1"]);
}

#[test]
fn who_needs_no_session_any_more_opens_none() {
    let mut world = World::talking();
    world.continuity.on_go_away(Duration::from_secs(50), world.now);
    world.continuity.retire();
    world.lose(Course::Resume);
    world.pass(Duration::from_secs(60));
    assert_eq!(world.steps(), ["drop"]);
}

proptest::proptest! {
    /// Whatever happens in whatever order: it never loops, never waits for nothing, and dials only when it has no next session.
    #[test]
    fn it_goes_on_or_ends(inputs in proptest::collection::vec((0..9_u8, 0..6_000_u64), 1..60)) {
        let mut world = World::talking();
        let (mut next, mut over) = (false, false);
        for (input, time) in inputs {
            let course = [Course::Resume, Course::Anew, Course::WithoutHandle, Course::GiveUp][time as usize % 4];
            match input {
                0 => world.continuity.on_go_away(ms(time * 10), world.now),
                1 => world.continuity.on_lost(ending(course), world.now),
                2 if next => {
                    next = false;
                    world.continuity.on_next_lost(refusal(course), world.now);
                }
                3 if next => world.continuity.on_next_ready(world.now),
                4 => world.continuity.on_content(),
                5 => world.continuity.on_handle(format!("h-{time}")),
                6 => world.continuity.on_sound_turn(),
                7 => world.quiet = time % 2 == 0,
                8 => world.continuity.renew(EngineError::new(EngineCause::Stalled, ""), world.now),
                _ => {}
            }
            world.pass(ms(time));
            for step in world.steps() {
                assert!(!over, "{step} after the end");
                next = match step.split(' ').next() {
                    Some("dial") => {
                        assert!(!next, "there is a next session already");
                        true
                    }
                    Some("switch") => {
                        assert!(next);
                        false
                    }
                    Some("drop") => false,
                    Some("fail") => {
                        over = true;
                        next
                    }
                    _ => next,
                };
            }
            if !world.continuity.is_connected() && !over {
                assert!(next || world.continuity.deadline(None, world.now).is_some(), "{:?}", world.continuity);
            }
        }
    }
}
