//! Tones as networks play them, through noise and G.711 and wherever blocks begin; and speech, that must be none of them.

use super::*;
use crate::{FRAME_SAMPLES, activity::rms, codec::G711, resample::Down24To8, wav::Wav};
use std::{f32::consts::TAU, time::Duration};

/// Xorshift, about normal with a deviation of one.
struct Dice(u64);

impl Dice {
    fn normal(&mut self) -> f32 {
        let mut roll = || {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            (self.0 >> 40) as f32 / (1_u64 << 24) as f32
        };
        (0..12).map(|_| roll()).sum::<f32>() - 6.0
    }
}

/// How a line bends what it carries.
#[derive(Debug, Clone, Copy)]
struct Line {
    /// Amplitude of each tone.
    level: f32,
    /// Deviation of the noise.
    noise: f32,
    /// Parts of a thousand by which all frequencies are off.
    off: f32,
    /// Samples before the first sound.
    offset: usize,
    law: Option<G711>,
}

const GOOD: Line = Line { level: 3_000.0, noise: 0.0, off: 0.0, offset: 0, law: None };

/// Tones one after the other: frequencies (none is silence) and ms.
type Score = Vec<(Vec<f32>, usize)>;

fn play(score: &Score, line: Line) -> Vec<f32> {
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let mut out = vec![0.0; 1_600 + line.offset];
    for (tones, ms) in score {
        let wave = |hertz: &f32, i: usize| line.level * (TAU * hertz * (1.0 + line.off / 1_000.0) * i as f32 / 8_000.0).sin();
        out.extend((0..8 * ms).map(|i| tones.iter().map(|hertz| wave(hertz, i)).sum::<f32>()));
    }
    out.resize(out.len() + 3_200, 0.0);
    out.iter_mut().for_each(|sample| *sample += line.noise * dice.normal());
    if let Some(law) = line.law {
        let mut codes = vec![0; out.len()];
        law.encode(&out, &mut codes);
        law.decode(&codes, &mut out);
    }
    out
}

fn heard(samples: &[f32]) -> Vec<Heard> {
    let mut listener = ProgressListener::new();
    let mut all = Vec::new();
    for frame in samples.as_chunks::<FRAME_SAMPLES>().0 {
        listener.hear(frame, rms(frame));
        all.extend(std::iter::from_fn(|| listener.poll()));
    }
    all
}

fn signals(samples: &[f32]) -> Vec<Signal> {
    let signal = |heard: Heard| match heard {
        Heard::Signal(signal) => Some(signal),
        Heard::Talk { .. } => None,
    };
    heard(samples).into_iter().filter_map(signal).collect()
}

/// On every line and wherever blocks begin, `is` holds for what is heard.
fn check(what: &str, score: &Score, is: impl Fn(&[Signal]) -> bool) {
    let noisy = Line { noise: GOOD.level / 2_f32.sqrt() / 10.0, ..GOOD };
    let lines = [
        GOOD,
        Line { level: 400.0, ..GOOD },
        Line { level: 12_000.0, ..GOOD },
        noisy,
        Line { off: 4.0, ..GOOD },
        Line { off: -4.0, ..GOOD },
        Line { law: Some(G711::Pcmu), noise: 20.0, ..GOOD },
        Line { law: Some(G711::Pcma), noise: 20.0, ..GOOD },
    ];
    for line in lines {
        for offset in (0..160).step_by(23) {
            let line = Line { offset, ..line };
            let signals = signals(&play(score, line));
            assert!(is(&signals), "{what} on {line:?}: {signals:?}");
        }
    }
}

fn rhythm(tones: &[f32], cadence_ms: &[usize], times: usize) -> Score {
    let cadence = cadence_ms.iter().enumerate().map(|(i, ms)| (if i % 2 == 0 { tones.to_vec() } else { Vec::new() }, *ms));
    std::iter::repeat_n(cadence.collect::<Vec<_>>(), times).flatten().collect()
}

fn tones_of(pitch: Pitch) -> Vec<f32> {
    match pitch {
        Pitch::Within(390, _) => vec![400.0],
        Pitch::Within(..) => vec![425.0],
        Pitch::Pair(pair) => pair.hertz().map(f32::from).to_vec(),
    }
}

#[test]
fn every_tone_of_every_country_is_what_it_is_there() {
    for plan in plans::PLANS {
        let cadence: Vec<usize> = plan.cadence_ms.iter().map(|ms| usize::from(*ms)).collect();
        let score = rhythm(&tones_of(plan.pitch), &cadence, plan.bursts + 1);
        check(&plan.to_string(), &score, |signals| {
            let told = |signal: &Signal| matches!(signal, Signal::Progress(told) if told.tone == plan.tone);
            !signals.is_empty() && signals.iter().all(told)
        });
    }
}

#[test]
fn other_rhythms_of_the_same_tones_are_none() {
    for (what, score) in [
        ("a dial tone", rhythm(&[425.0], &[6_000], 1)),
        ("a dial tone of America", rhythm(&[350.0, 440.0], &[6_000], 1)),
        ("a call that waits", rhythm(&[425.0], &[200, 5_000], 3)),
        ("two bursts of busy", rhythm(&[425.0], &[480, 480], 2)),
        ("another pitch", rhythm(&[540.0], &[480, 480], 6)),
        ("keys", rhythm(&[697.0, 1_209.0], &[100, 100], 10)),
    ] {
        check(what, &score, <[Signal]>::is_empty);
    }
}

#[test]
fn special_information_tones_are_told_by_their_classes() {
    let (low, high, short, long) = ([913.8, 1_370.6], [985.2, 1_428.5], 274, 380);
    for (class, first, second) in [
        (SitClass::Plain, (950.0, 330), (1_400.0, 330)),
        (SitClass::Intercept, (low[0], short), (low[1], short)),
        (SitClass::VacantCode, (high[0], long), (low[1], short)),
        (SitClass::Reorder, (low[0], short), (high[1], long)),
        (SitClass::Reorder, (high[0], short), (low[1], long)),
        (SitClass::NoCircuit, (high[0], long), (high[1], long)),
        (SitClass::NoCircuit, (low[0], long), (low[1], long)),
        (SitClass::Reserved, (low[0], long), (high[1], short)),
        (SitClass::Reserved, (high[0], short), (high[1], short)),
    ] {
        let (third, last) = if class == SitClass::Plain { (1_800.0, 330) } else { (1_776.7, 380) };
        for pause in [0, 30] {
            let score =
                vec![(vec![first.0], first.1), (vec![], pause), (vec![second.0], second.1), (vec![], pause), (vec![third], last)];
            check(&format!("{class:?}"), &score, |signals| signals == [Signal::Special(class)]);
        }
    }
}

#[test]
fn fax_machines_say_so() {
    let calling = rhythm(&[1_100.0], &[500, 3_000], 2);
    check("CNG", &calling, |signals| signals == [Signal::FaxCalling; 2]);
    let answering = vec![(vec![2_100.0], 3_000)];
    check("CED", &answering, |signals| signals == [Signal::FaxAnswering]);
    // ANSam turns its phase over each 450 ms (ITU-T V.8 §2.2), and its level swings by 15 Hz.
    let mut samples = vec![0.0; 1_600];
    samples.extend((0..24_000).map(|i| {
        let at = i as f32 / 8_000.0;
        let sign = if (i / 3_600) % 2 == 0 { 1.0 } else { -1.0 };
        sign * 3_000.0 * (1.0 + 0.2 * (TAU * 15.0 * at).sin()) * (TAU * 2_100.0 * at).sin()
    }));
    assert_eq!(signals(&samples), [Signal::FaxAnswering]);
}

#[test]
fn a_beep_is_one_short_tone_by_itself() {
    for hertz in [800.0, 1_000.0, 1_234.0, 1_400.0, 2_000.0, 2_500.0] {
        for ms in [80, 200, 400, 1_000] {
            let is_it = |signals: &[Signal]| {
                let [Signal::Beep { hertz: told, length }] = signals else { return false };
                (f32::from(*told) - hertz).abs() < hertz * 0.006 && length.abs_diff(Duration::from_millis(ms)).as_millis() <= 20
            };
            check(&format!("{hertz} Hz, {ms} ms"), &vec![(vec![hertz], ms as usize)], is_it);
        }
    }
    let glide: Score = (0..40).map(|i| (vec![900.0 + 25.0 * i as f32], 10)).collect();
    for (what, score) in [
        ("too short", vec![(vec![1_000.0], 30)]),
        ("too long", vec![(vec![1_000.0], 1_500)]),
        ("too low", vec![(vec![620.0], 300)]),
        ("two at once", vec![(vec![1_000.0, 1_300.0], 300)]),
        ("a chime", vec![(vec![1_300.0], 200), (vec![1_000.0], 200)]),
        ("a whistle", glide),
    ] {
        check(what, &score, <[Signal]>::is_empty);
    }
}

const SAMPLES: [&[u8]; 10] = [
    include_bytes!("../../../lab/samples/caller_human.wav"),
    include_bytes!("../../../lab/samples/caller_long.wav"),
    include_bytes!("../../../lab/samples/caller_maria_1.wav"),
    include_bytes!("../../../lab/samples/caller_maria_2.wav"),
    include_bytes!("../../../lab/samples/caller_maria_3.wav"),
    include_bytes!("../../../lab/samples/caller_noise_word.wav"),
    include_bytes!("../../../lab/samples/caller_number.wav"),
    include_bytes!("../../../lab/samples/caller_tom_1.wav"),
    include_bytes!("../../../lab/samples/caller_tom_2.wav"),
    include_bytes!("../../../lab/samples/caller_tom_3.wav"),
];

fn speech(bytes: &[u8]) -> Vec<f32> {
    let wav = Wav::parse(bytes).expect("a wav file");
    let wide: Vec<f32> = wav.channel(0).map(f32::from).collect();
    let mut narrow = vec![0.0; wide.len() / 3];
    Down24To8::new().process(&wide, &mut narrow);
    narrow
}

#[test]
fn speech_holds_no_signals_at_any_pitch() {
    for bytes in SAMPLES {
        let speech = speech(bytes);
        // Faster is higher: from a deep voice to a child's.
        for speed in [0.8_f32, 1.0, 1.3, 1.7] {
            let count = (speech.len() as f32 / speed) as usize;
            let bent: Vec<f32> = (0..count).map(|i| speech[(i as f32 * speed) as usize]).collect();
            assert_eq!(signals(&bent), [], "at {speed}");
        }
    }
}

#[test]
fn talk_is_marked_where_it_is() {
    let mut samples = vec![0.0; 8_000];
    samples.extend(speech(SAMPLES[2]));
    samples.resize(samples.len() + 8_000, 0.0);
    let marks: Vec<bool> = heard(&samples)
        .iter()
        .map(|heard| match heard {
            Heard::Talk { on, .. } => *on,
            Heard::Signal(signal) => panic!("{signal}"),
        })
        .collect();
    assert!(marks.len() >= 2 && marks.chunks(2).all(|pair| pair == [true, false]), "{marks:?}");
}

#[test]
fn tones_are_no_talk() {
    for tones in [vec![425.0], vec![440.0, 480.0], vec![480.0, 620.0], vec![400.0, 450.0], vec![1_000.0], vec![2_100.0]] {
        let samples = play(&rhythm(&tones, &[500, 500], 4), GOOD);
        let talk = heard(&samples).into_iter().filter(|heard| matches!(heard, Heard::Talk { .. }));
        assert_eq!(talk.count(), 0, "{tones:?}");
    }
}
