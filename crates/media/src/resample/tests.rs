//! Sine sweeps through each converter: what comes out at the wanted frequency, and what beside it.

use super::*;
use proptest::prelude::*;
use std::f64::consts::TAU;

const AMPLITUDE: f64 = 10_000.0;

fn sine(hz: f64, rate: f64, n: usize) -> Vec<f32> {
    (0..n).map(|i| (AMPLITUDE * (TAU * hz * i as f64 / rate).sin()) as f32).collect()
}

/// Amplitude (of [`AMPLITUDE`]) and phase of one frequency, and the root mean square of all the rest, in dB.
struct Heard {
    gain_db: f64,
    phase: f64,
    rest_db: f64,
}

/// Fits a sine of `hz` to `signal` by least squares and looks at what is left.
fn listen(signal: &[f32], hz: f64, rate: f64) -> Heard {
    let wave = |i: usize| (TAU * hz * i as f64 / rate).sin_cos();
    let (mut ss, mut sc, mut cc, mut ys, mut yc) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for (i, &y) in signal.iter().enumerate() {
        let (s, c) = wave(i);
        (ss, sc, cc) = (ss + s * s, sc + s * c, cc + c * c);
        (ys, yc) = (ys + f64::from(y) * s, yc + f64::from(y) * c);
    }
    let det = ss * cc - sc * sc;
    let (a, b) = ((ys * cc - yc * sc) / det, (yc * ss - ys * sc) / det);
    let rest: f64 = signal.iter().enumerate().map(|(i, &y)| (f64::from(y) - a * wave(i).0 - b * wave(i).1).powi(2)).sum();
    let rest = (2.0 * rest / signal.len() as f64).sqrt();
    Heard {
        gain_db: 20.0 * (a.hypot(b) / AMPLITUDE).log10(),
        phase: b.atan2(a),
        rest_db: 20.0 * (rest / AMPLITUDE).max(1e-9).log10(),
    }
}

/// A converter under test, without its type.
struct Converter {
    name: &'static str,
    from: f64,
    to: f64,
    /// Half of the telephone's rate: what lies below passes, what lies above does not.
    edge: f64,
    run: fn(&[f32]) -> Vec<f32>,
}

macro_rules! converter {
    ($kind:ident, $from:literal, $to:literal) => {
        Converter {
            name: stringify!($kind),
            from: $from,
            to: $to,
            edge: f64::min($from, $to) / 2.0,
            run: |input| {
                let mut out = vec![0.0; (input.len() as f64 * $to / $from) as usize];
                assert_eq!($kind::new().process(input, &mut out), out.len());
                out
            },
        }
    };
}

fn converters() -> [Converter; 6] {
    [
        converter!(Up8To16, 8000.0, 16000.0),
        converter!(Up8To24, 8000.0, 24000.0),
        converter!(Down16To8, 16000.0, 8000.0),
        converter!(Down24To8, 24000.0, 8000.0),
        converter!(Up16To24, 16000.0, 24000.0),
        converter!(Down24To16, 24000.0, 16000.0),
    ]
}

impl Converter {
    /// The output for a sine, without the filter's start.
    fn settled(&self, hz: f64) -> Vec<f32> {
        let out = (self.run)(&sine(hz, self.from, self.from as usize / 5 * 3));
        out[self.to as usize / 10..].to_vec()
    }
}

#[test]
fn speech_passes_and_nothing_is_added() {
    for converter in converters() {
        for hz in (50..=converter.edge as u32 * 7 / 8 - 100).step_by(50).map(f64::from) {
            let heard = listen(&converter.settled(hz), hz, converter.to);
            assert!(heard.gain_db.abs() <= 0.1, "{} at {hz} Hz: {:.3} dB", converter.name, heard.gain_db);
            assert!(heard.rest_db <= -70.0, "{} at {hz} Hz: images at {:.1} dB", converter.name, heard.rest_db);
        }
    }
}

#[test]
fn what_lies_above_does_not_fold_into_speech() {
    for converter in converters().into_iter().filter(|c| c.from > c.to) {
        for hz in (converter.edge as u32 * 9 / 8 + 100..converter.from as u32 / 2).step_by(70).map(f64::from) {
            let out = converter.settled(hz);
            let power = out.iter().map(|&y| f64::from(y).powi(2)).sum::<f64>() / out.len() as f64;
            let db = 10.0 * (2.0 * power / AMPLITUDE.powi(2)).max(1e-18).log10();
            assert!(db <= -70.0, "{} at {hz} Hz: {db:.1} dB", converter.name);
        }
    }
}

#[test]
fn delay_is_below_two_and_a_half_milliseconds() {
    for converter in converters() {
        // The phase of the output against that of a sine that began at the same time.
        let (low, high) = (1000.0, 1010.0);
        let phase = |hz: f64| {
            let skipped = TAU * hz * 0.1;
            listen(&converter.settled(hz), hz, converter.to).phase - skipped
        };
        let slope = (phase(low) - phase(high)).rem_euclid(TAU) / (TAU * (high - low));
        assert!((0.0011..=0.0025).contains(&slope), "{}: {:.2} ms", converter.name, slope * 1e3);
    }
}

#[test]
fn a_constant_stays_the_same() {
    for converter in converters() {
        let out = (converter.run)(&[1000.0; 960]);
        let settled = &out[out.len() / 2..];
        assert!(settled.iter().all(|y| (y - 1000.0).abs() < 0.5), "{}", converter.name);
    }
}

#[test]
fn a_short_output_or_an_odd_input_takes_less() {
    assert_eq!(Up8To24::new().process(&[1.0; 10], &mut [0.0; 8]), 6);
    assert_eq!(Down24To8::new().process(&[1.0; 11], &mut [0.0; 8]), 3);
    assert_eq!(Down16To8::new().process(&[1.0; 100], &mut [0.0; 8]), 8);
    assert_eq!(Up8To16::new().process(&[], &mut []), 0);
}

proptest! {
    /// However the stream is cut, the samples are the same to the bit.
    #[test]
    fn chunks_do_not_matter(cuts in proptest::collection::vec(0usize..400, 1..12)) {
        let total: usize = cuts.iter().sum();
        let input = sine(777.0, 8000.0, total * 6);
        let (mut up2, mut up3, mut down2, mut down3) = (Up8To16::new(), Up8To24::new(), Down16To8::new(), Down24To8::new());
        let (mut up_by_half, mut down_by_third) = (Up16To24::new(), Down24To16::new());
        let mut outs = [const { vec![] }; 6];
        let mut at = 0;
        for cut in cuts {
            let part = &input[at..at + cut * 6];
            at += cut * 6;
            let mut out = vec![0.0; part.len() * 3];
            let n = up2.process(part, &mut out);
            outs[0].extend_from_slice(&out[..n]);
            let n = up3.process(part, &mut out);
            outs[1].extend_from_slice(&out[..n]);
            let n = down2.process(part, &mut out);
            outs[2].extend_from_slice(&out[..n]);
            let n = down3.process(part, &mut out);
            outs[3].extend_from_slice(&out[..n]);
            let n = up_by_half.process(part, &mut out);
            outs[4].extend_from_slice(&out[..n]);
            let n = down_by_third.process(part, &mut out);
            outs[5].extend_from_slice(&out[..n]);
        }
        for (converter, out) in converters().iter().zip(&outs) {
            prop_assert!((converter.run)(&input) == *out, "{}", converter.name);
        }
    }
}
