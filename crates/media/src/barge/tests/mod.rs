//! The detector against voices, noises and echoes, through µ-law. Where a caller speaks, the agent speaks too.

pub(crate) mod sounds;

use super::*;
use sounds::*;
use std::time::Duration;

/// The agent has spoken for so long before anybody else does.
const BEFORE_MS: usize = 3_000;
const DEADLINE: Duration = Duration::from_millis(600);

/// Runs a call in which the agent speaks and the caller is heard; tells when what was noticed.
fn signs(heard: &[f32], sent: &[f32]) -> Vec<(Duration, Sign)> {
    let mut detector = BargeInDetector::new();
    let heard = through_mu_law(heard);
    let frames = heard.as_chunks::<FRAME_SAMPLES>().0.iter().zip(sent.as_chunks::<FRAME_SAMPLES>().0.iter().cycle());
    let sign =
        |(beat, (heard, sent)): (usize, (_, _))| Some((crate::FRAME * (beat as u32 + 1), detector.hear(heard, true, sent)?));
    frames.enumerate().filter_map(sign).collect()
}

fn barge_ins(signs: &[(Duration, Sign)]) -> Vec<Duration> {
    signs.iter().filter(|(_, sign)| matches!(sign, Sign::BargeIn { .. })).map(|(at, _)| *at).collect()
}

/// How long after the caller began to speak, over `background` and the agent, it was taken for a barge-in.
fn decision(caller: &[f32], background: &[f32], agent: &[f32]) -> Option<Duration> {
    let heard = mixed(&[silence(BEFORE_MS), caller.to_vec(), silence(1_000)].concat(), background);
    let began = Duration::from_millis(BEFORE_MS as u64);
    let at = barge_ins(&signs(&heard, agent)).first().copied()?;
    Some(at.checked_sub(began).expect("not before the caller has begun"))
}

/// Of a noise 15 dB below the voice.
fn behind(level: f32, noise: Vec<f32>) -> Vec<f32> {
    at_level(level - 15.0, noise)
}

#[test]
fn who_goes_on_speaking_is_heard_within_600_ms() {
    let long = BEFORE_MS + 8_000;
    let flite = flite("I only wanted to know whether you are open tomorrow afternoon.");
    let callers: [(&str, Vec<f32>, f32, Vec<f32>); 18] = [
        ("Maria", maria(), -10.0, vec![]),
        ("Maria, soft", maria(), -30.0, vec![]),
        ("Maria with a hiss", maria(), -20.0, behind(-20.0, noise(long, 0.0))),
        ("Maria in a car", maria(), -20.0, behind(-20.0, noise(long, 0.95))),
        ("Maria in a crowd", maria(), -20.0, behind(-20.0, babble(long))),
        ("a larger Maria", shifted(&maria(), 0.88), -20.0, vec![]),
        ("Tom's number", number(), -20.0, vec![]),
        ("Tom's number, soft", number(), -30.0, vec![]),
        ("Tom's number with a hiss", number(), -15.0, behind(-15.0, noise(long, 0.0))),
        ("a smaller Tom", shifted(&number(), 1.15), -20.0, vec![]),
        ("the one for a human", human(), -15.0, vec![]),
        ("the one for a human, soft", human(), -26.0, vec![]),
        ("the neighbour", neighbour(), -20.0, vec![]),
        ("the neighbour in a car", neighbour(), -20.0, behind(-20.0, noise(long, 0.95))),
        ("a larger neighbour", shifted(&neighbour(), 0.9), -25.0, vec![]),
        ("Flite", flite.clone(), -15.0, vec![]),
        ("Flite with a hiss", flite.clone(), -20.0, behind(-20.0, noise(long, 0.0))),
        ("a smaller Flite", shifted(&flite, 1.2), -20.0, vec![]),
    ];
    // Nobody speaks over a voice like their own: it would be taken for an echo longer.
    let (agent, another) = (agent(), at_level(-16.0, neighbour()));
    let decided = callers.map(|(name, voice, level, noise)| {
        let agent = if name.contains("Flite") { &another } else { &agent };
        (name, decision(&at_level(level, voice), &noise, agent))
    });
    let late: Vec<_> = decided.iter().filter(|(_, after)| after.is_none_or(|after| after > DEADLINE)).collect();
    assert!(late.is_empty(), "too late or never: {late:#?}\nof {decided:#?}");
    // No sooner than a word that merely encourages could have ended.
    assert!(decided.iter().all(|(_, after)| after.is_some_and(|after| after > Duration::from_millis(460))), "{decided:#?}");
}

#[test]
fn who_pauses_after_the_first_word_is_heard_as_well() {
    for voice in hesitating() {
        let after = decision(&at_level(-18.0, voice), &[], &agent());
        assert!(after.is_some_and(|after| after < Duration::from_millis(1_500)), "{after:?}");
    }
}

#[test]
fn nothing_else_stops_the_agent() {
    let repeated = |sound: Vec<f32>, pause_ms, times| [sound, silence(pause_ms)].concat().repeat(times);
    let word = |text: &str| repeated(word(text), 1_500, 3);
    let others: [(&str, f32, Vec<f32>); 34] = [
        ("mhm", -18.0, repeated(mhm(), 1_500, 3)),
        ("ja", -18.0, word("ya")),
        ("okay", -18.0, word("okay")),
        ("right", -18.0, word("right")),
        ("yes", -12.0, word("yes")),
        ("yeah", -18.0, word("yeah")),
        ("no", -18.0, word("no")),
        ("sure", -18.0, word("sure")),
        ("good", -24.0, word("good")),
        ("I see", -18.0, word("I see")),
        ("oh", -15.0, word("oh")),
        ("hmm", -18.0, repeated(hmm(), 1_500, 3)),
        ("a cough", -12.0, cough(1)),
        ("another cough", -12.0, repeated(cough(2), 700, 4)),
        ("coughs in a row", -15.0, repeated([cough(3), silence(40)].concat().repeat(3), 1_000, 3)),
        ("a fit of coughing", -15.0, repeated(cough(4), 30, 8)),
        ("a door", -8.0, slam(1)),
        ("doors", -10.0, repeated(slam(2), 500, 8)),
        ("something falls downstairs", -12.0, repeated(slam(3), 0, 8)),
        ("typing", -20.0, typing(10_000)),
        ("loud typing", -10.0, typing(10_000)),
        ("a hiss begins", -25.0, noise(10_000, 0.0)),
        ("a loud hiss begins", -10.0, noise(10_000, 0.0)),
        ("a car", -20.0, noise(10_000, 0.95)),
        ("a hum", -20.0, tones(10_000, &[50.0], 0.7)),
        ("a ring-back tone", -20.0, repeated(tones(1_000, &[425.0], 0.0), 2_000, 3)),
        ("a key that is held", -12.0, tones(3_000, &[697.0, 1_209.0], 0.0)),
        ("a vacuum cleaner", -15.0, mixed(&noise(10_000, 0.5), &tones(10_000, &[240.0], 0.8))),
        ("music on hold", -20.0, music(20_000)),
        ("loud music on hold", -10.0, music(20_000)),
        ("breath", -20.0, breath(10_000)),
        ("a crowd begins", -30.0, babble(15_000)),
        ("a crowd that was there", -25.0, babble(25_000)),
        ("a crowd far away", -40.0, babble(15_000)),
    ];
    let mut taken = Vec::new();
    for (name, level, sound) in others {
        let before = if name.ends_with("there") { 0 } else { BEFORE_MS };
        let heard = [silence(before), at_level(level, sound), silence(1_000)].concat();
        let found = barge_ins(&signs(&heard, &agent()));
        taken.extend((!found.is_empty()).then_some((name, found)));
    }
    assert!(taken.is_empty(), "taken for barge-ins: {taken:#?}");
}

const ROOMS: [Room; 12] = [
    Room { delay_ms: 30, loss_db: 6.0, dies_away_ms: 0 },
    Room { delay_ms: 30, loss_db: 12.0, dies_away_ms: 150 },
    Room { delay_ms: 60, loss_db: 20.0, dies_away_ms: 0 },
    Room { delay_ms: 75, loss_db: 6.0, dies_away_ms: 300 },
    Room { delay_ms: 110, loss_db: 15.0, dies_away_ms: 200 },
    Room { delay_ms: 125, loss_db: 30.0, dies_away_ms: 0 },
    Room { delay_ms: 180, loss_db: 10.0, dies_away_ms: 400 },
    Room { delay_ms: 240, loss_db: 6.0, dies_away_ms: 200 },
    Room { delay_ms: 333, loss_db: 18.0, dies_away_ms: 500 },
    Room { delay_ms: 400, loss_db: 24.0, dies_away_ms: 100 },
    Room { delay_ms: 500, loss_db: 12.0, dies_away_ms: 300 },
    Room { delay_ms: 500, loss_db: 30.0, dies_away_ms: 0 },
];

#[test]
fn our_own_echo_never_stops_the_agent() {
    let voices = [agent(), at_level(-14.0, [neighbour(), silence(400), maria(), silence(700), number()].concat())];
    for room in ROOMS {
        for sent in &voices {
            let found = barge_ins(&signs(&room.echo(sent), sent));
            assert!(found.is_empty(), "{room:?}: {found:?}");
        }
    }
}

/// The caller is as loud as the agent, 6 dB and more above the echo.
#[test]
fn who_speaks_over_the_echo_is_heard() {
    let sent = agent();
    let began = Duration::from_millis(BEFORE_MS as u64);
    let mut decided = Vec::new();
    for room in ROOMS.into_iter().filter(|room| room.loss_db > 6.0) {
        for caller in [maria(), number(), human()] {
            let caller = [silence(BEFORE_MS), at_level(-16.0, caller)].concat();
            let found = barge_ins(&signs(&mixed(&room.echo(&sent), &caller), &sent));
            let after = found.first().and_then(|at| at.checked_sub(began));
            decided.push((after.unwrap_or(Duration::MAX), room));
        }
    }
    decided.sort_by_key(|(after, _)| *after);
    assert!(decided[decided.len() / 2].0 <= DEADLINE, "{decided:#?}");
    assert!(decided.iter().all(|(after, _)| *after <= Duration::from_millis(1_500)), "too late or never: {decided:#?}");
}

#[test]
fn a_word_in_passing_is_suspected_and_the_end_of_a_barge_in_is_told() {
    let heard = [silence(BEFORE_MS), at_level(-18.0, word("okay")), silence(2_000)].concat();
    let found: Vec<_> = signs(&heard, &agent()).into_iter().map(|(_, sign)| sign).collect();
    assert_eq!(found, [Sign::Suspected]);

    let voice = at_level(-18.0, human());
    let heard = [silence(BEFORE_MS), voice.clone(), silence(2_000)].concat();
    match signs(&heard, &agent())[..] {
        [(_, Sign::Suspected), (_, Sign::BargeIn { beats }), (at, Sign::Over { beats: silent })] => {
            assert!((27..30).contains(&beats), "{beats}");
            let ended = Duration::from_millis((BEFORE_MS + voice.len() / 8) as u64);
            let told = at - crate::FRAME * silent;
            assert!(told.abs_diff(ended) < Duration::from_millis(250), "{told:?}, {ended:?}");
        }
        ref found => panic!("{found:?}"),
    }
}

#[test]
fn while_the_agent_is_silent_nothing_is_looked_for() {
    let heard = [maria(), silence(500), neighbour()].concat();
    assert_eq!(signs(&at_level(-15.0, heard), &silence(1_000)), []);
}

/// Somebody far softer than the caller, who has spoken before, is another one in the room.
#[test]
fn who_is_far_softer_than_the_caller_does_not_stop_the_agent() {
    let before = at_level(-14.0, maria());
    let sent = [vec![0.0; before.len() / 160 * 160], silence(1_000), agent()].concat();
    let television = at_level(-36.0, neighbour());
    let heard = [before[..before.len() / 160 * 160].to_vec(), silence(2_000), television].concat();
    assert_eq!(barge_ins(&signs(&heard, &sent)), []);
}

/// The frames that are taken for an echo, after the first second of it.
fn echoes(heard: &[f32], sent: &[f32]) -> Vec<bool> {
    let mut detector = BargeInDetector::new();
    let heard = through_mu_law(heard);
    let frames = heard.as_chunks::<FRAME_SAMPLES>().0.iter().zip(sent.as_chunks::<FRAME_SAMPLES>().0.iter().cycle());
    let is_echo = |(heard, sent)| {
        detector.hear(heard, true, sent);
        detector.is_echo()
    };
    frames.map(is_echo).collect()
}

/// Of the frames in which `sound` is louder than −45 dBFS, how many of a hundred are not taken for an echo.
fn passed(echoes: &[bool], sound: &[f32]) -> usize {
    let loud = |(_, frame): &(&bool, &[f32; FRAME_SAMPLES])| level(frame) > 45.0;
    let of_sound: Vec<_> = echoes.iter().zip(sound.as_chunks().0).filter(loud).collect();
    of_sound.iter().filter(|(echo, _)| !**echo).count() * 100 / of_sound.len().max(1)
}

#[test]
fn of_an_echo_that_is_known_little_passes_and_of_a_caller_over_it_most() {
    let sent = agent();
    let mut found = Vec::new();
    for room in ROOMS.into_iter().filter(|room| room.loss_db < 30.0) {
        let echo = room.echo(&sent);
        let taken = echoes(&echo, &sent);
        let known = taken.iter().position(|echo| *echo).expect("it becomes known");
        let leaks = passed(&taken[known..], &echo[known * FRAME_SAMPLES..]);
        let voices = [maria(), number(), human()].map(|voice| {
            let caller = [silence(2 * BEFORE_MS), at_level(-16.0, voice)].concat();
            passed(&echoes(&mixed(&echo, &caller)[..caller.len()], &sent), &caller)
        });
        found.push((leaks, voices, room));
    }
    for (leaks, voices, room) in &found {
        // A line that gives back half of it, at once, is no room.
        assert!(*leaks <= if room.loss_db > 6.0 || room.dies_away_ms > 0 { 10 } else { 30 }, "{found:#?}");
        assert!(room.loss_db <= 6.0 || voices.iter().all(|of_voice| *of_voice >= 80), "{found:#?}");
    }
}

#[test]
fn where_there_is_no_echo_nothing_is_taken_for_one() {
    for voice in [maria(), number(), human(), neighbour()] {
        let heard = mixed(&[silence(BEFORE_MS), at_level(-18.0, voice)].concat(), &noise(9_000, 0.5)[..64_000]);
        assert!(echoes(&heard, &agent()).iter().all(|echo| !echo));
    }
}
