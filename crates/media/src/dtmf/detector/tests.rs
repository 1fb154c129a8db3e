//! Keys as telephones and lines deliver them, and speech that must be none.

use super::*;
use crate::{
    activity::rms,
    codec::{
        G711,
        g722::{G722Decoder, G722Encoder},
    },
    dtmf::{ToneSender, frequencies},
    resample::{Down16To8, Down24To8},
    wav::Wav,
};
use std::f32::consts::TAU;

/// A key as a telephone sends it; levels are amplitudes.
#[derive(Debug, Clone, Copy)]
struct Tone {
    tone_ms: usize,
    gap_ms: usize,
    low: f32,
    high: f32,
    /// Parts of a hundred by which both frequencies are off.
    off: f32,
    /// Deviation of the noise.
    noise: f32,
    /// Samples before the first tone: where blocks begin.
    offset: usize,
}

const USUAL: Tone = Tone { tone_ms: 40, gap_ms: 40, low: 5_000.0, high: 5_000.0, off: 0.0, noise: 0.0, offset: 0 };

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

/// The keys one after the other at `rate` times 8 kHz.
fn dial(keys: &str, tone: Tone, rate: usize) -> Vec<f32> {
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let mut out = vec![0.0; tone.offset * rate];
    for key in keys.chars() {
        let [low, high] = frequencies(key).expect("a key").map(|hertz| hertz * (1.0 + tone.off / 100.0));
        let wave = |hertz: f32, i: usize| (TAU * hertz * i as f32 / (8_000 * rate) as f32).sin();
        out.extend((0..8 * rate * tone.tone_ms).map(|i| tone.low * wave(low, i) + tone.high * wave(high, i)));
        out.resize(out.len() + 8 * rate * tone.gap_ms, 0.0);
    }
    out.resize(out.len() + 1_600 * rate, 0.0);
    out.iter_mut().for_each(|sample| *sample += tone.noise * dice.normal());
    out
}

fn heard(samples: &[f32]) -> String {
    let mut detector = ToneDetector::new();
    samples.as_chunks::<FRAME_SAMPLES>().0.iter().filter_map(|frame| detector.hear(frame, rms(frame))).collect()
}

const ALL: &str = "1234567890*#ABCD1122";

/// Wherever the blocks begin.
fn check(tone: Tone, want: &str) {
    for offset in (0..160).step_by(13) {
        let tone = Tone { offset, ..tone };
        assert_eq!(heard(&dial(ALL, tone, 1)), want, "{tone:?}");
    }
}

#[test]
fn keys_of_40_ms_are_heard_and_those_of_23_are_not() {
    check(USUAL, ALL);
    check(Tone { tone_ms: 100, gap_ms: 60, ..USUAL }, ALL);
    check(Tone { tone_ms: 500, ..USUAL }, ALL);
    check(Tone { tone_ms: 23, gap_ms: 80, ..USUAL }, "");
    check(Tone { tone_ms: 10, ..USUAL }, "");
}

#[test]
fn frequencies_may_be_off_by_one_and_a_half_percent_but_not_by_three_and_a_half() {
    for off in [-1.5, 1.5] {
        check(Tone { off, ..USUAL }, ALL);
    }
    for off in [-2.9, 2.9, -3.5, 3.5, -5.0] {
        check(Tone { off, tone_ms: 80, ..USUAL }, "");
    }
}

#[test]
fn levels_may_differ_as_lines_make_them() {
    // Amplitudes of both groups: from −36 dBm0 to nearly full scale, twisted by 6 dB either way.
    for (low, high) in [(400.0, 400.0), (14_000.0, 14_000.0), (3_000.0, 6_000.0), (6_000.0, 3_000.0)] {
        check(Tone { low, high, ..USUAL }, ALL);
    }
    for (low, high) in [(5_000.0, 0.0), (0.0, 5_000.0), (500.0, 5_000.0), (5_000.0, 500.0), (40.0, 40.0)] {
        check(Tone { low, high, tone_ms: 80, ..USUAL }, "");
    }
}

#[test]
fn keys_are_heard_through_noise() {
    // Two sines of 5,000 have a root mean square of 5,000.
    for (decibels, tone_ms) in [(20.0_f32, 40), (15.0, 50)] {
        check(Tone { noise: 5_000.0 / 10_f32.powf(decibels / 20.0), tone_ms, ..USUAL }, ALL);
    }
}

#[test]
fn keys_are_heard_through_each_codec() {
    let tone = Tone { noise: 150.0, tone_ms: 50, gap_ms: 50, ..USUAL };
    for law in [G711::Pcmu, G711::Pcma] {
        let samples = dial(ALL, tone, 1);
        let (mut codes, mut out) = (vec![0; samples.len()], vec![0.0; samples.len()]);
        law.encode(&samples, &mut codes);
        law.decode(&codes, &mut out);
        assert_eq!(heard(&out), ALL, "{law:?}");
    }
    let samples = dial(ALL, tone, 2);
    let (mut codes, mut out) = (vec![0; samples.len() / 2], vec![0.0; samples.len()]);
    G722Encoder::new().encode(&samples, &mut codes);
    G722Decoder::new().decode(&codes, &mut out);
    let mut narrow = vec![0.0; out.len() / 2];
    Down16To8::new().process(&out, &mut narrow);
    assert_eq!(heard(&narrow), ALL, "G.722");
}

#[test]
fn our_own_tones_are_heard() {
    let mut sender = ToneSender::new();
    assert!(ALL.chars().all(|key| sender.push(key)));
    assert!(!sender.push('x'));
    let (mut out, mut frame) = (vec![], [0.0; FRAME_SAMPLES]);
    while sender.fill(&mut frame) {
        out.extend(frame);
    }
    assert!(sender.is_idle());
    assert_eq!(out.len(), ALL.len() * 9 * FRAME_SAMPLES);
    assert_eq!(heard(&out), ALL);
    for key in out.chunks(9 * FRAME_SAMPLES) {
        let (first, last) = (key[1], key[5 * FRAME_SAMPLES - 2]);
        assert!(first.abs() < 800.0 && last.abs() < 1_600.0, "no click: {first} {last}");
    }
}

#[test]
fn a_key_that_wavers_is_one() {
    // A gap of 8 ms in the middle of a key of 120.
    let mut samples = dial("5", Tone { tone_ms: 120, ..USUAL }, 1);
    samples[400..464].fill(0.0);
    assert_eq!(heard(&samples), "5");
}

#[test]
fn no_key_is_heard_in_speech() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../lab/samples");
    let mut seconds = 0.0;
    for entry in std::fs::read_dir(folder).expect("the samples") {
        let path = entry.expect("a file").path();
        if path.extension().is_none_or(|extension| extension != "wav") {
            continue;
        }
        let bytes = std::fs::read(&path).expect("a sample");
        let wav = Wav::parse(&bytes).expect("a wav");
        assert_eq!(wav.sample_rate_hz, 24_000, "{path:?}");
        let speech: Vec<f32> = wav.channel(0).map(f32::from).collect();
        // As it is, and as voices that are higher and lower: read as if it had been recorded at other rates.
        for rate in [18_000_usize, 21_000, 24_000, 27_000, 30_000] {
            let length = speech.len() * 24_000 / rate;
            let other: Vec<f32> = (0..length).map(|i| speech[i * rate / 24_000]).collect();
            let mut narrow = vec![0.0; other.len() / 3];
            Down24To8::new().process(&other, &mut narrow);
            assert_eq!(heard(&narrow), "", "{path:?} as of {rate} Hz");
            seconds += narrow.len() as f64 / 8_000.0;
        }
    }
    assert!(seconds > 200.0, "{seconds:.0} s");
}

#[test]
fn noise_and_single_tones_are_no_keys() {
    let mut dice = Dice(7);
    let noise: Vec<f32> = (0..800_000).map(|_| 4_000.0 * dice.normal()).collect();
    assert_eq!(heard(&noise), "");
    // Dial tones, ringing and busy of several countries, a fax.
    for (low, high) in [(350.0, 440.0), (440.0, 480.0), (480.0, 620.0), (425.0, 425.0), (1_100.0, 2_100.0), (941.0, 941.0)] {
        let wave = |hertz: f32, i: usize| 5_000.0 * (TAU * hertz * i as f32 / 8_000.0).sin();
        let tones: Vec<f32> = (0..16_000).map(|i| wave(low, i) + wave(high, i)).collect();
        assert_eq!(heard(&tones), "", "{low} {high}");
    }
}
