//! Handing callers over: each way it may go, then everything in any order.

use super::*;
use proptest::prelude::*;
use std::collections::HashSet;

const PLAN: Plan = Plan {
    mode: TransferMode::Blind,
    can_refer: true,
    can_replace: true,
    announced: false,
    answer_timeout: Duration::from_secs(30),
};

fn progress(code: u16, done: bool) -> Input {
    Input::Progress { code, phrase: "x".into(), done }
}

/// Who is with the caller, followed through the outputs as the call's task carries them out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Company {
    Agent,
    Nobody,
    Human,
    CallOver,
}

/// What the outputs so far amount to.
struct World {
    machine: Transfer,
    company: Company,
    human_up: bool,
    agent_with_human: bool,
    timers: HashSet<Timer>,
    ends: usize,
    outputs: Vec<Output>,
}

impl World {
    fn new(plan: Plan) -> Self {
        let machine = Transfer::new(plan);
        let (company, timers, outputs) = (Company::Agent, HashSet::new(), Vec::new());
        Self { machine, company, human_up: false, agent_with_human: false, timers, ends: 0, outputs }
    }

    fn of(plan: Plan, inputs: impl IntoIterator<Item = Input>) -> Self {
        let mut world = Self::new(plan);
        inputs.into_iter().for_each(|input| world.feed(input));
        world
    }

    fn feed(&mut self, input: Input) {
        match &input {
            Input::Timer(timer) if !self.timers.remove(timer) => return,
            // What the world would not say of a leg that is not there.
            Input::HumanAnswered | Input::HumanRinging { .. } | Input::HumanRefused(_) | Input::HumanHungUp if !self.human_up => {
                return;
            }
            Input::HumanRefused(_) | Input::HumanHungUp => self.human_up = false,
            _ => {}
        }
        for output in self.machine.handle(input) {
            assert_eq!(self.ends, 0, "nothing after the end: {output:?}");
            self.carry_out(&output);
            self.outputs.push(output);
        }
    }

    fn carry_out(&mut self, output: &Output) {
        match output {
            Output::PutAside(_) => (self.company, self.agent_with_human) = (Company::Nobody, false),
            Output::CallHuman => self.human_up = true,
            Output::Brief => {
                assert!(self.human_up);
                self.agent_with_human = true;
            }
            Output::Join => {
                assert!(self.human_up, "joined to nobody");
                self.company = Company::Human;
            }
            Output::HangUpHuman => self.human_up = false,
            Output::StartTimer(timer, _) => {
                self.timers.insert(*timer);
            }
            Output::StopTimers => self.timers.clear(),
            Output::Return { .. } => (self.company, self.ends) = (Company::Agent, self.ends + 1),
            Output::EndCall(_) => (self.company, self.ends) = (Company::CallOver, self.ends + 1),
            Output::Refer { .. } | Output::DrainPlayout | Output::Note(_) => {}
        }
    }

    fn end(&self) -> Option<EndReason> {
        self.outputs.iter().find_map(|output| match output {
            Output::EndCall(end) => Some(end.reason),
            _ => None,
        })
    }

    fn did(&self, output: &Output) -> bool {
        self.outputs.contains(output)
    }

    fn returned_because(&self) -> Option<&str> {
        self.outputs.iter().find_map(|output| match output {
            Output::Return { reason } => Some(reason.as_str()),
            _ => None,
        })
    }
}

fn plan(mode: TransferMode) -> Plan {
    Plan { mode, ..PLAN }
}

#[test]
fn a_blind_transfer_ends_the_call_when_the_target_has_answered() {
    let world = World::of(PLAN, [Input::Begin, progress(100, false), progress(180, false)]);
    assert_eq!((world.end(), world.company), (None, Company::Nobody));
    let world = World::of(PLAN, [Input::Begin, progress(100, false), progress(200, true)]);
    assert_eq!(world.end(), Some(EndReason::Transferred));
    assert!(!world.did(&Output::CallHuman));
}

#[test]
fn what_the_provider_does_not_do_is_done_here() {
    for refusal in [progress(603, true), progress(405, true), progress(501, true), Input::Timer(Timer::Refer)] {
        let world = World::of(PLAN, [Input::Begin, refusal.clone(), Input::HumanRinging { code: 180 }, Input::HumanAnswered]);
        assert_eq!(world.company, Company::Human, "{refusal:?}");
        assert!(world.did(&Output::PutAside(Comfort::Ringing)));
    }
    let world = World::of(Plan { can_refer: false, ..PLAN }, [Input::Begin, Input::HumanAnswered]);
    assert!(!world.did(&Output::Refer { replaces: false }));
    assert_eq!(world.company, Company::Human);
}

#[test]
fn a_caller_that_hangs_up_after_an_accepted_refer_was_transferred() {
    assert_eq!(World::of(PLAN, [Input::Begin, Input::CallerHungUp]).end(), Some(EndReason::RemoteHungUp));
    let world = World::of(PLAN, [Input::Begin, progress(202, false), Input::CallerHungUp]);
    assert_eq!(world.end(), Some(EndReason::Transferred));
}

#[test]
fn news_of_the_refer_earns_time_once() {
    let inputs = [Input::Begin, progress(100, false), progress(180, false), progress(180, false), progress(100, false)];
    let world = World::of(PLAN, inputs);
    let timer = |output: &&Output| matches!(output, Output::StartTimer(Timer::Refer, _));
    assert_eq!(world.outputs.iter().filter(timer).count(), 3);
}

#[test]
fn a_warm_transfer_asks_the_human_first() {
    let talk = [Input::Begin, Input::HumanRinging { code: 180 }, Input::HumanAnswered];
    let world = World::of(plan(TransferMode::Warm), talk.clone());
    assert!(world.agent_with_human && world.company == Company::Nobody);
    for (input, company, why) in [
        (Input::Accepted, Company::Human, None),
        (Input::Declined, Company::Agent, Some("they did not take the call")),
        (Input::HumanHungUp, Company::Agent, Some("they hung up")),
        (Input::Timer(Timer::Consult), Company::Agent, Some("they did not take the call in time")),
        (Input::Cancelled, Company::Agent, Some("it was called off")),
        (Input::AgentLost("x".into()), Company::Human, None),
    ] {
        let world = World::of(plan(TransferMode::Warm), talk.iter().cloned().chain([input.clone()]));
        assert_eq!((world.company, world.returned_because()), (company, why), "{input:?}");
        assert_eq!(world.human_up, company == Company::Human);
    }
}

#[test]
fn nobody_answers_and_the_agent_goes_on() {
    for input in [Input::HumanRefused("486 Busy Here".into()), Input::Timer(Timer::Answer)] {
        for plan in [plan(TransferMode::Warm), Plan { can_refer: false, ..PLAN }] {
            let world = World::of(plan, [Input::Begin, input.clone()]);
            assert_eq!(world.company, Company::Agent, "{input:?}");
            assert!(!world.human_up);
        }
    }
    let world = World::of(
        plan(TransferMode::Warm),
        [Input::Begin, Input::AgentLost("no engine".into()), Input::HumanRefused("busy".into())],
    );
    assert_eq!(world.end(), Some(EndReason::EngineFailed));
}

#[test]
fn an_attended_transfer_is_the_providers_where_it_can() {
    let plan = plan(TransferMode::Attended);
    let talk = [Input::Begin, Input::HumanAnswered, Input::Accepted];
    let world = World::of(plan, talk.clone());
    assert!(world.did(&Output::Refer { replaces: true }) && world.company == Company::Nobody);
    let world = World::of(plan, talk.iter().cloned().chain([progress(202, false), Input::HumanHungUp, progress(200, true)]));
    assert_eq!(world.end(), Some(EndReason::Transferred));
    let world = World::of(plan, talk.iter().cloned().chain([progress(481, true)]));
    assert_eq!(world.company, Company::Human, "joined here instead");
    let world = World::of(plan, talk.iter().cloned().chain([Input::HumanHungUp, progress(481, true)]));
    assert_eq!(world.company, Company::Agent);
    let world = World::of(Plan { can_replace: false, ..plan }, talk);
    assert_eq!(world.company, Company::Human);
}

#[test]
fn either_side_ends_both_once_they_are_joined() {
    let joined = [Input::Begin, Input::HumanAnswered, Input::Accepted];
    for (input, end) in [(Input::HumanHungUp, EndReason::Transferred), (Input::CallerHungUp, EndReason::RemoteHungUp)] {
        let world = World::of(plan(TransferMode::Warm), joined.iter().cloned().chain([input]));
        assert_eq!((world.end(), world.human_up), (Some(end), false));
    }
}

#[test]
fn the_agents_announcement_is_heard_to_its_end() {
    let plan = Plan { announced: true, ..PLAN };
    let world = World::of(plan, [Input::Begin, Input::TurnComplete]);
    assert_eq!(world.company, Company::Agent);
    assert!(world.did(&Output::DrainPlayout));
    for last in [Input::PlayoutDrained, Input::Timer(Timer::Announce), Input::AgentLost("x".into())] {
        let world = World::of(plan, [Input::Begin, Input::TurnComplete, last.clone()]);
        assert!(world.did(&Output::Refer { replaces: false }), "{last:?}");
    }
}

fn any_input() -> impl Strategy<Value = Input> {
    prop_oneof![
        Just(Input::Begin),
        Just(Input::TurnComplete),
        Just(Input::PlayoutDrained),
        (100u16..700, any::<bool>()).prop_map(|(code, done)| progress(code, done)),
        Just(Input::HumanRinging { code: 180 }),
        Just(Input::HumanAnswered),
        Just(Input::HumanRefused("x".into())),
        Just(Input::HumanHungUp),
        Just(Input::Accepted),
        Just(Input::Declined),
        Just(Input::Cancelled),
        Just(Input::AgentLost("x".into())),
        any_timer().prop_map(Input::Timer),
    ]
}

fn any_timer() -> impl Strategy<Value = Timer> {
    prop_oneof![Just(Timer::Announce), Just(Timer::Refer), Just(Timer::Answer), Just(Timer::Consult)]
}

fn any_plan() -> impl Strategy<Value = Plan> {
    (0..3usize, any::<[bool; 3]>()).prop_map(|(mode, [can_refer, can_replace, announced])| Plan {
        mode: TransferMode::ALL[mode],
        can_refer,
        can_replace,
        announced,
        ..PLAN
    })
}

proptest! {
    /// Whatever happens in whatever order: it ends at most once, and when all timers have run out the caller is with the agent
    /// or the human, or the call is over. No leg to a human is left behind.
    #[test]
    fn a_caller_is_never_left_alone(plan in any_plan(), inputs in proptest::collection::vec(any_input(), 0..24), hangs_up: bool) {
        let mut world = World::of(plan, std::iter::once(Input::Begin).chain(inputs));
        if hangs_up {
            world.feed(Input::CallerHungUp);
            prop_assert_eq!(world.company == Company::CallOver, world.returned_because().is_none());
        }
        for _ in 0..8 {
            for timer in [Timer::Announce, Timer::Refer, Timer::Answer, Timer::Consult] {
                world.feed(Input::Timer(timer));
            }
        }
        prop_assert!(world.company != Company::Nobody, "{:?}", world.outputs);
        prop_assert!(world.ends <= 1);
        if world.ends == 1 {
            prop_assert!(!world.human_up && world.timers.is_empty(), "{:?}", world.outputs);
        }
        if world.company == Company::Human {
            prop_assert!(world.human_up);
        }
    }
}
