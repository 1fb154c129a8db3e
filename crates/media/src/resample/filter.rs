//! The filters' taps and the loop that applies them.

use std::f64::consts::PI;

/// Samples at the low rate that are filtered in one go: a frame of 20 ms.
pub(super) const BLOCK: usize = 160;
/// The longest filter of one phase.
const MAX_TAPS: usize = 40;
/// A block with the samples before it.
pub(super) const WINDOW: usize = BLOCK + MAX_TAPS;
/// Outputs computed side by side, so that they stay in registers.
const LANES: usize = 32;

/// The filter of one phase.
#[derive(Debug, Clone)]
pub(super) enum Phase<const K: usize> {
    /// In order of the samples: the oldest sample's tap comes first.
    Taps([f32; K]),
    /// All taps but one are zero, as in one of the two phases of a half-band filter.
    Delay { at: usize, gain: f32 },
}

impl<const K: usize> Phase<K> {
    fn of(taps: [f32; K]) -> Self {
        let mut audible = taps.iter().enumerate().filter(|(_, t)| t.abs() > 1e-6);
        match (audible.next(), audible.next()) {
            (Some((at, &gain)), None) => Self::Delay { at, gain },
            _ => Self::Taps(taps),
        }
    }

    /// Adds the filtered `window` to `out`: output `i` is computed from samples `i..i + K`.
    ///
    /// Counts `n` up to whole lanes; what lies beyond `n` in `out` is of no use.
    pub(super) fn add(&self, window: &[f32; WINDOW], out: &mut [f32; BLOCK], n: usize) {
        match self {
            Self::Taps(taps) => {
                for (block, out) in out.as_chunks_mut::<LANES>().0.iter_mut().take(n.div_ceil(LANES)).enumerate() {
                    add_lanes(&window[block * LANES..], taps, out);
                }
            }
            Self::Delay { at, gain } => {
                for (out, sample) in out.iter_mut().zip(&window[*at..]).take(n) {
                    *out += gain * sample;
                }
            }
        }
    }
}

#[inline(always)]
fn add_lanes<const K: usize>(window: &[f32], taps: &[f32; K], out: &mut [f32; LANES]) {
    let mut sums = *out;
    for (k, &tap) in taps.iter().enumerate() {
        let samples = &window[k..k + LANES];
        for (sum, &sample) in sums.iter_mut().zip(samples) {
            *sum = multiply_add(tap, sample, *sum);
        }
    }
    *out = sums;
}

/// Fused only where the machine has an instruction for it: as a library call it would be many times slower.
#[inline(always)]
fn multiply_add(a: f32, b: f32, c: f32) -> f32 {
    if cfg!(target_feature = "fma") { a.mul_add(b, c) } else { a * b + c }
}

/// A low-pass filter for a ratio of `R` between the rates, cut at half the low rate, split into its phases.
///
/// Phase `p` holds taps `p`, `p + R`, `p + 2R`, … in reverse. Of even ratios the filter has an odd length, which puts
/// zeros into all but one tap of one phase. The gain is one at 0 Hz; `beta` is Kaiser's.
pub(super) fn design<const R: usize, const K: usize>(beta: f64) -> [Phase<K>; R] {
    assert!(K <= MAX_TAPS, "the window has no room for {K} taps");
    let length = if R.is_multiple_of(2) { R * K - 1 } else { R * K };
    let prototype = low_pass(length, 0.5 / R as f64, beta);
    std::array::from_fn(|phase| {
        let mut taps = [0.0; K];
        for (tap, value) in taps.iter_mut().rev().zip(prototype.iter().skip(phase).step_by(R)) {
            *tap = *value as f32;
        }
        Phase::of(taps)
    })
}

/// Scales each phase to a gain of one at 0 Hz, so that a constant is interpolated by the same constant.
pub(super) fn interpolating<const R: usize, const K: usize>(mut phases: [Phase<K>; R]) -> [Phase<K>; R] {
    for phase in &mut phases {
        match phase {
            Phase::Taps(taps) => {
                let sum: f32 = taps.iter().sum();
                taps.iter_mut().for_each(|tap| *tap /= sum);
            }
            Phase::Delay { gain, .. } => *gain = 1.0,
        }
    }
    phases
}

/// A sinc under a Kaiser window; `cutoff` in parts of the sampling rate.
pub(super) fn low_pass(length: usize, cutoff: f64, beta: f64) -> Vec<f64> {
    let centre = (length as f64 - 1.0) / 2.0;
    let tap = |i: usize| {
        let t = i as f64 - centre;
        let sinc = if t.abs() < 1e-9 { 2.0 * cutoff } else { (2.0 * PI * cutoff * t).sin() / (PI * t) };
        let edge = t / centre;
        sinc * bessel_i0(beta * (1.0 - edge * edge).max(0.0).sqrt()) / bessel_i0(beta)
    };
    let taps: Vec<f64> = (0..length).map(tap).collect();
    let sum: f64 = taps.iter().sum();
    taps.into_iter().map(|t| t / sum).collect()
}

/// The modified Bessel function of the first kind and order zero, by its power series.
fn bessel_i0(x: f64) -> f64 {
    let mut term = 1.0;
    let mut sum = 1.0;
    for k in 1..40 {
        term *= x / 2.0 / f64::from(k);
        sum += term * term;
    }
    sum
}
