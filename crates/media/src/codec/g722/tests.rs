//! Against the vectors of another implementation, and by ear.

use super::*;
use proptest::prelude::*;
use std::f64::consts::TAU;

const RATE_HZ: f64 = 16_000.0;

fn samples(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks::<2>().0.iter().map(|pair| f32::from(i16::from_le_bytes(*pair))).collect()
}

/// Made by `testdata/g722/make.sh`: speech, loud noise and a sweep, by ffmpeg.
const INPUT: &[u8] = include_bytes!("../../../testdata/g722/input.s16");
const CODES: &[u8] = include_bytes!("../../../testdata/g722/codes.g722");
const OUTPUT: &[u8] = include_bytes!("../../../testdata/g722/output.s16");

#[test]
fn codes_are_those_of_another_implementation() {
    let mut codes = vec![0; CODES.len()];
    G722Encoder::new().encode(&samples(INPUT), &mut codes);
    let differing = codes.iter().zip(CODES).filter(|(ours, theirs)| ours != theirs).count();
    assert_eq!(differing, 0, "of {}", codes.len());
}

#[test]
fn samples_are_those_of_another_implementation() {
    let want = samples(OUTPUT);
    let mut heard = vec![0.0; want.len()];
    G722Decoder::new().decode(CODES, &mut heard);
    let first = heard.iter().zip(&want).position(|(ours, theirs)| ours != theirs);
    assert_eq!(first, None, "of {}", want.len());
}

fn through(input: &[f32]) -> Vec<f32> {
    let (mut codes, mut heard) = (vec![0; input.len() / 2], vec![0.0; input.len()]);
    G722Encoder::new().encode(input, &mut codes);
    G722Decoder::new().decode(&codes, &mut heard);
    heard
}

/// Signal to noise of a tone after both ways, dB: what is not the tone is noise.
fn signal_to_noise(hertz: f64, amplitude: f64) -> f64 {
    let angle = |i: usize| TAU * hertz * i as f64 / RATE_HZ;
    let input: Vec<f32> = (0..16_000).map(|i| (amplitude * angle(i).sin()) as f32).collect();
    let heard: Vec<f64> = through(&input)[4_000..].iter().map(|s| f64::from(*s)).collect();
    let n = heard.len() as f64;
    let part = |wave: fn(f64) -> f64| heard.iter().enumerate().map(|(i, s)| s * wave(angle(i))).sum::<f64>() * 2.0 / n;
    let (sine, cosine) = (part(f64::sin), part(f64::cos));
    let tone = (sine * sine + cosine * cosine) / 2.0;
    let all = heard.iter().map(|s| s * s).sum::<f64>() / n;
    10.0 * (tone / (all - tone)).log10()
}

#[test]
fn tones_come_through() {
    // Hertz, amplitude, least dB. The higher band has two bits of the eight.
    let cases = [
        (200.0, 8_000.0, 40.0),
        (1_000.0, 8_000.0, 36.0),
        (1_000.0, 200.0, 22.0),
        (3_000.0, 8_000.0, 25.0),
        (6_000.0, 8_000.0, 8.0),
    ];
    for (hertz, amplitude, least) in cases {
        let got = signal_to_noise(hertz, amplitude);
        assert!(got > least, "{hertz} Hz of {amplitude}: {got:.1} dB");
    }
}

#[test]
fn silence_is_silent() {
    assert!(through(&[0.0; 3_200]).iter().all(|sample| sample.abs() <= 16.0));
}

proptest! {
    #[test]
    fn whatever_comes_stays_within_16_bits(codes in proptest::collection::vec(any::<u8>(), 0..2_000)) {
        let mut heard = vec![0.0; 2 * codes.len()];
        G722Decoder::new().decode(&codes, &mut heard);
        prop_assert!(heard.iter().all(|sample| (-32_768.0..=32_767.0).contains(sample)));
    }

    #[test]
    fn any_samples_can_be_encoded(samples in proptest::collection::vec(-40_000f32..40_000.0, 0..2_000)) {
        prop_assert_eq!(through(&samples).len(), samples.len());
    }
}
