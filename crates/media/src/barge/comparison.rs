//! Whether what is heard is what was sent, come back: both, reduced to 2 kHz and flattened, are compared at every delay up to 700 ms.
//! An echo runs like its original at one delay, also in a room and at a low level; two people who speak at once do so at none.

use super::dot;
use crate::FRAME_SAMPLES;
use std::f32::consts::PI;

/// From 8 kHz to 2.
const FACTOR: usize = 4;
/// Samples of 20 ms.
const FRAME: usize = FRAME_SAMPLES / FACTOR;
const TAPS: usize = 32;
const CUTOFF_HZ: f32 = 900.0;
/// The low end of speech is strong: it is evened out …
const FLATTEN: f32 = 0.9;
/// … and so are loud and soft frames, most of the way: each is multiplied by its power to this …
const COMPRESS: f32 = -0.35;
/// … but none is taken to be softer than this root mean square.
const QUIET: f32 = 20.0;

/// Delays that are compared side by side, for the compiler to vectorise.
const LANES: usize = 32;
/// Delays, in samples of half a millisecond: up to 704 ms.
const LAGS: usize = 44 * LANES;
/// From 20 ms on: what is heard with what is sent cannot be its echo.
const SHORTEST: usize = 40;
/// A little more is kept of what was sent than is needed: it is moved only now and then.
const KEPT: usize = LAGS + 8 * FRAME;
/// Frames of the longest delay.
const BACK: usize = LAGS / FRAME + 2;
/// Of what was compared, for each frame: half of it is of the last 450 ms.
const FORGET: f32 = 0.97;

/// How well what was heard runs like what was sent.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Likeness {
    /// 0 not at all, 1 exactly.
    pub degree: f32,
    /// At this delay, in half milliseconds.
    pub lag: usize,
}

#[derive(Debug)]
pub(super) struct Comparison {
    filter: [f32; TAPS],
    heard: Reducer,
    sent: Reducer,
    /// What was sent, up to `end`.
    past: Box<[f32; KEPT]>,
    end: usize,
    /// Energy of each frame sent, the newest first, …
    energies: [f32; BACK],
    /// … and of those that were compared, by how long before.
    compared: [f32; BACK],
    heard_energy: f32,
    /// The longest delay first.
    products: Box<[f32; LAGS]>,
    frames: f32,
}

/// From 8 kHz to what is compared.
#[derive(Debug)]
struct Reducer {
    before: [f32; TAPS],
    last: f32,
}

impl Comparison {
    pub fn new() -> Self {
        let tap = |i: usize| {
            let (t, cutoff) = (i as f32 - (TAPS - 1) as f32 / 2.0, CUTOFF_HZ / 4_000.0);
            (PI * cutoff * t).sin() / (PI * t) * (0.54 + 0.46 * (2.0 * PI * t / TAPS as f32).cos())
        };
        Self {
            filter: std::array::from_fn(tap),
            heard: Reducer::new(),
            sent: Reducer::new(),
            past: Box::new([0.0; KEPT]),
            end: LAGS,
            energies: [0.0; BACK],
            compared: [0.0; BACK],
            heard_energy: 0.0,
            products: Box::new([0.0; LAGS]),
            frames: 0.0,
        }
    }

    /// Nothing has been compared yet.
    pub fn restart(&mut self) {
        self.products.fill(0.0);
        self.compared.fill(0.0);
        (self.heard_energy, self.frames) = (0.0, 0.0);
    }

    /// Nothing has been sent for long.
    pub fn forget_sent(&mut self) {
        self.past.fill(0.0);
        self.energies.fill(0.0);
    }

    /// Frames that have been compared; those long ago count less.
    pub fn frames(&self) -> f32 {
        self.frames
    }

    pub fn send(&mut self, frame: &[f32; FRAME_SAMPLES]) {
        if self.end + FRAME > KEPT {
            self.past.copy_within(self.end - LAGS.., 0);
            self.end = LAGS;
        }
        let reduced = self.sent.reduce(&self.filter, frame);
        self.past[self.end..self.end + FRAME].copy_from_slice(&reduced);
        self.end += FRAME;
        self.energies.rotate_right(1);
        self.energies[0] = dot(&reduced, &reduced);
    }

    /// What came while the frame was sent that was sent last; compared if it `counts`.
    pub fn hear(&mut self, frame: &[f32; FRAME_SAMPLES], counts: bool) {
        if !counts {
            return self.heard.pass(frame);
        }
        let heard = self.heard.reduce(&self.filter, frame);
        for (compared, energy) in self.compared.iter_mut().zip(&self.energies) {
            *compared = FORGET * *compared + energy;
        }
        self.heard_energy = FORGET * self.heard_energy + dot(&heard, &heard);
        self.frames = FORGET * self.frames + 1.0;
        // The first of the products is of the longest delay.
        let first = self.end - FRAME - (LAGS - 1);
        for (block, products) in self.products.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
            let from = first + block * LANES;
            let past = &self.past[from..from + FRAME + LANES - 1];
            let mut sums = [0.0; LANES];
            for (i, heard) in heard.iter().enumerate() {
                for lane in 0..LANES {
                    sums[lane] += heard * past[i + lane];
                }
            }
            for lane in 0..LANES {
                products[lane] = FORGET * products[lane] + sums[lane];
            }
        }
    }

    /// The delay at which both run most alike.
    pub fn best(&self) -> Likeness {
        let (mut best, mut of_frame) = (0.0, 0);
        for frame in 0..LAGS / FRAME {
            let degree = self.degrees(frame).into_iter().fold(0.0, f32::max);
            if degree > best {
                (best, of_frame) = (degree, frame);
            }
        }
        let within = self.degrees(of_frame).iter().position(|degree| *degree == best).unwrap_or(0);
        Likeness { degree: best.sqrt(), lag: of_frame * FRAME + within }
    }

    /// Likeness, squared, at the delays of one frame, the shortest first.
    fn degrees(&self, frame: usize) -> [f32; FRAME] {
        let first = LAGS - (frame + 1) * FRAME;
        let (energy, next) = (self.compared[frame], self.compared[frame + 1]);
        std::array::from_fn(|lag| {
            let product = self.products[first + FRAME - 1 - lag];
            let energy = energy + (next - energy) * (lag as f32 / FRAME as f32);
            let degree = product * product / (energy * self.heard_energy).max(1.0);
            if frame * FRAME + lag < SHORTEST { 0.0 } else { degree }
        })
    }
}

impl Reducer {
    fn new() -> Self {
        Self { before: [0.0; TAPS], last: 0.0 }
    }

    /// A frame that is not compared.
    fn pass(&mut self, frame: &[f32; FRAME_SAMPLES]) {
        self.before.copy_from_slice(&frame[FRAME_SAMPLES - TAPS..]);
        self.last = 0.0;
    }

    fn reduce(&mut self, filter: &[f32; TAPS], frame: &[f32; FRAME_SAMPLES]) -> [f32; FRAME] {
        let mut padded = [0.0; FRAME_SAMPLES + TAPS];
        padded[..TAPS].copy_from_slice(&self.before);
        padded[TAPS..].copy_from_slice(frame);
        self.before.copy_from_slice(&frame[FRAME_SAMPLES - TAPS..]);
        let mut reduced = [0.0; FRAME];
        for (i, out) in reduced.iter_mut().enumerate() {
            *out = dot(&padded[FACTOR * i + FACTOR..][..TAPS], filter);
        }
        for out in &mut reduced {
            (*out, self.last) = (*out - FLATTEN * self.last, *out);
        }
        let power = dot(&reduced, &reduced) / FRAME as f32;
        let gain = power.max(QUIET * QUIET).powf(COMPRESS);
        reduced.map(|x| gain * x)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f32::consts::TAU;

    fn noise(seed: u64) -> impl FnMut() -> f32 {
        let mut state = seed;
        move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((state >> 40) as f32 / (1 << 23) as f32 - 1.0) * 5_000.0
        }
    }

    #[test]
    fn an_echo_is_found_at_its_delay_and_two_sounds_are_not_alike() {
        let (mut sender, mut other) = (noise(1), noise(2));
        let swell = |i: usize| 1.0 + (TAU * i as f32 / 2_000.0).sin();
        let sent: Vec<f32> = (0..16_000).map(|i| swell(i) * sender()).collect();
        let stranger: Vec<f32> = (0..16_000).map(|i| swell(i) * other()).collect();
        for (delay_ms, heard) in [(25, None), (150, None), (333, None), (690, None), (0, Some(&stranger))] {
            let mut comparison = Comparison::new();
            let late: Vec<f32> = std::iter::repeat_n(0.0, delay_ms * 8).chain(sent.iter().map(|sample| -0.1 * sample)).collect();
            let heard = heard.unwrap_or(&late);
            for (sent, heard) in sent.as_chunks().0.iter().zip(heard.as_chunks().0) {
                comparison.send(sent);
                comparison.hear(heard, true);
            }
            let best = comparison.best();
            if delay_ms > 0 {
                assert!(best.degree > 0.9 && best.lag.abs_diff(2 * delay_ms) <= 1, "{delay_ms}: {best:?}");
            } else {
                assert!(best.degree < 0.25, "{best:?}");
            }
        }
    }

    #[test]
    fn what_was_not_compared_is_not_alike() {
        let mut comparison = Comparison::new();
        let mut sound = noise(3);
        for _ in 0..100 {
            let frame = std::array::from_fn(|_| sound());
            comparison.send(&frame);
            comparison.hear(&frame, false);
        }
        assert_eq!((comparison.frames(), comparison.best()), (0.0, Likeness::default()));
    }
}
