//! Calls as they are answered, told in one line each.

use super::*;
use proptest::prelude::*;

/// One thing that is heard, from and to in ms.
#[derive(Debug, Clone, Copy)]
enum Part {
    Talk(u64, u64),
    Agent(u64, u64),
    Beep(u64, u64),
    Sound(u64, Sound),
    Words(u64, &'static str),
}

use Part::{Agent, Beep, Talk, Words};

fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// Each verdict and when it was told, in ms.
fn verdicts(parts: &[Part]) -> Vec<(AnsweredBy, u128)> {
    let mut inputs: Vec<(u64, Input<'_>)> = Vec::new();
    for part in parts {
        match *part {
            Talk(from, to) => {
                inputs.push((from + 100, Input::Talk { on: true, at: ms(from) }));
                inputs.push((to + 240, Input::Talk { on: false, at: ms(to) }));
            }
            Agent(from, to) => {
                inputs.push((from, Input::Agent { on: true }));
                inputs.push((to, Input::Agent { on: false }));
            }
            Beep(from, to) => {
                inputs.push((to + 100, Input::Sound(Sound::Beep { hertz: 1_000, length: ms(to - from) })));
            }
            Part::Sound(at, sound) => inputs.push((at, Input::Sound(sound))),
            Words(at, text) => inputs.push((at, Input::Words(text))),
        }
    }
    inputs.sort_by_key(|(at, _)| *at);
    let mut recognition = Recognition::default();
    let mut told = Vec::new();
    let mut note = |verdict: Option<Verdict>, at: Duration| told.extend(verdict.map(|verdict| (verdict.by, at.as_millis())));
    for (at, input) in inputs.into_iter().map(|(at, input)| (ms(at), Some(input))).chain([(ms(60_000), None)]) {
        while let Some(deadline) = recognition.deadline().filter(|deadline| *deadline <= at) {
            let before = (recognition.over, recognition.deadline());
            note(recognition.pass(deadline), deadline);
            assert!(recognition.over || recognition.deadline() != before.1 || deadline == at, "stuck at {deadline:?}");
            if recognition.deadline() == Some(deadline) {
                break;
            }
        }
        if let Some(input) = input {
            note(recognition.hear(input, at), at);
        }
    }
    assert!(recognition.is_over(), "{recognition:?}");
    told
}

fn check(what: &str, parts: &[Part], want: &[(AnsweredBy, u128)]) {
    assert_eq!(verdicts(parts), want, "{what}: {parts:?}");
}

use AnsweredBy::{Fax, Human, Machine, Unsure};

#[test]
fn humans() {
    check("a hello", &[Talk(400, 900)], &[(Human, 1_700)]);
    check("a name and a hello", &[Talk(400, 900), Talk(1_300, 2_400)], &[(Human, 3_200)]);
    check("a company", &[Talk(300, 3_200)], &[(Unsure, 4_000)]);
    check("a company with a long name", &[Talk(300, 6_900)], &[(Unsure, 3_800)]);
    check("the same, that asks", &[Talk(300, 3_600), Words(3_300, "How may I help you?")], &[(Human, 3_300)]);
    check("nobody", &[], &[(Unsure, 5_000)]);
    check("nobody, until the agent has spoken", &[Agent(1_500, 4_000), Talk(4_600, 5_200)], &[(Human, 6_000)]);
    check("somebody far from the telephone", &[Talk(4_000, 4_500)], &[(Human, 5_300)]);
}

#[test]
fn machines() {
    check("a greeting and a beep", &[Talk(500, 3_500), Beep(3_700, 3_900)], &[(Machine, 4_000)]);
    check("a short one", &[Talk(500, 1_500), Beep(2_600, 2_900)], &[(Human, 2_300), (Machine, 3_000)]);
    check("a long one", &[Talk(500, 15_000)], &[(Unsure, 4_000), (Machine, 7_500)]);
    check(
        "a long one with pauses",
        &[Talk(500, 5_000), Talk(6_500, 9_000), Beep(10_000, 10_200)],
        &[(Unsure, 4_000), (Machine, 10_300)],
    );
    check("its words", &[Talk(500, 6_000), Words(3_000, "leave a message after the tone")], &[(Machine, 3_000)]);
    let talked_over = [Talk(500, 2_000), Agent(2_900, 6_000), Talk(3_400, 6_500), Words(7_500, "nach dem Signalton")];
    check("its words, after the agent has begun", &talked_over, &[(Human, 2_800), (Machine, 7_500)]);
    let over_us = [Talk(0, 2_000), Agent(0, 1_200), Beep(2_300, 2_550)];
    check("while the agent speaks", &over_us, &[(Machine, 2_650)]);
    check("hints enough", &[Talk(500, 5_000), Words(3_400, "I'm not available, I will get back to you")], &[(Machine, 3_400)]);
}

#[test]
fn fax_machines() {
    check("answering", &[Part::Sound(2_000, Sound::FaxAnswering)], &[(Fax, 2_000)]);
    check("calling", &[Part::Sound(2_000, Sound::FaxCalling)], &[(Fax, 2_000)]);
    let switch = [Talk(500, 3_200), Part::Sound(4_300, Sound::FaxCalling)];
    check("a beep like a fax", &switch, &[(Unsure, 4_000), (Machine, 4_300)]);
}

#[test]
fn what_is_not_enough_makes_no_machine_of_a_human() {
    check("a beep before any word", &[Beep(500, 800), Talk(1_500, 2_000)], &[(Human, 2_800)]);
    check("a beep long after", &[Talk(400, 1_400), Beep(9_000, 9_300)], &[(Human, 2_200)]);
    check("our own tone that comes back", &[Talk(400, 1_400), Agent(2_300, 4_000), Beep(3_700, 3_950)], &[(Human, 2_200)]);
    let secretary = "She is not available, would you like to leave a message? I can have her call you back.";
    check("a secretary", &[Talk(400, 5_400), Words(5_300, secretary)], &[(Unsure, 3_900)]);
    check(
        "hints of somebody who has not said much",
        &[Talk(400, 1_400), Words(1_500, "not available, call you back")],
        &[(Human, 2_200)],
    );
    check("a long answer to the agent", &[Talk(400, 900), Agent(1_700, 4_000), Talk(4_500, 14_500)], &[(Human, 1_700)]);
    check("our echo", &[Talk(400, 900), Agent(1_700, 15_000), Talk(1_800, 14_900)], &[(Human, 1_700)]);
    let conversation = [
        Talk(400, 900),
        Agent(1_700, 4_000),
        Talk(4_500, 5_500),
        Agent(6_000, 8_000),
        Talk(8_500, 18_000),
        Words(12_000, "so I left him a voicemail after the tone"),
        Beep(18_300, 18_500),
    ];
    check("a conversation about machines", &conversation, &[(Human, 1_700)]);
}

#[test]
fn a_telephone_that_rings_on_has_not_been_answered() {
    let rings = [Part::Sound(2_000, Sound::Ringback), Part::Sound(6_000, Sound::Ringback), Talk(9_000, 9_500)];
    check("an exchange that answers first", &rings, &[(Human, 10_300)]);
}

fn part() -> impl Strategy<Value = Part> {
    let span = (0..50_000_u64, 0..9_000_u64).prop_map(|(from, length)| (from, from + length));
    prop_oneof![
        4 => span.clone().prop_map(|(from, to)| Talk(from, to)),
        2 => span.prop_map(|(from, to)| Agent(from, to)),
        1 => (0..50_000_u64).prop_map(|from| Beep(from, from + 300)),
        1 => (0..50_000_u64).prop_map(|at| Words(at, "hello, leave a message")),
    ]
}

proptest! {
    /// Whatever is heard, in whatever order: it comes to an end, and says something once at least and each thing once in a row.
    #[test]
    fn there_is_always_a_verdict(parts in proptest::collection::vec(part(), 0..20)) {
        let told = verdicts(&parts);
        prop_assert!(!told.is_empty());
        prop_assert!(told.windows(2).all(|pair| pair[0].0 != pair[1].0));
        prop_assert!(told[0].1 <= 45_000);
    }
}
