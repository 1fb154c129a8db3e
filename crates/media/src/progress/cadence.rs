//! Bursts of one pitch in the rhythm of a plan.

use super::{
    bursts::{Burst, Voice},
    plans::{PLANS, Pitch, Plan},
};

/// Bursts that are remembered: more than any plan asks for.
const KEPT: usize = 6;
/// How far a length may be off: ms, and parts of it.
const OFF_MS: f32 = 28.0;
const OFF_SHARE: f32 = 0.1;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Cadence {
    /// The newest first.
    bursts: [Option<Burst>; KEPT],
}

impl Cadence {
    /// Takes a burst that is over; gives the plan whose rhythm is complete with it.
    pub fn hear(&mut self, burst: Burst) -> Option<&'static Plan> {
        self.bursts.rotate_right(1);
        self.bursts[0] = Some(burst);
        // The one that fits best: 480 ms may be 500.
        let fitting = PLANS.iter().filter_map(|plan| Some((plan, self.distance(plan)?)));
        fitting.min_by(|a, b| a.1.total_cmp(&b.1)).map(|(plan, _)| plan)
    }

    /// How far the last bursts are off the plan, as a share of what they may be; `None` when they are none of it.
    fn distance(&self, plan: &Plan) -> Option<f32> {
        let steps = plan.cadence_ms.len();
        // The last burst may be any of the plan's.
        (0..steps).step_by(2).filter_map(|last| self.distance_from(plan, last)).min_by(f32::total_cmp)
    }

    fn distance_from(&self, plan: &Plan, last: usize) -> Option<f32> {
        let lengths = plan.cadence_ms;
        let mut step = last;
        let mut worst: f32 = 0.0;
        for (at, burst) in self.bursts.iter().take(plan.bursts).enumerate() {
            let burst = burst.filter(|burst| plan.pitch.is(burst.voice))?;
            if let Some(later) = at.checked_sub(1) {
                let pause = self.bursts[later]?.from_ms.saturating_sub(burst.to_ms);
                worst = worst.max(off(pause, lengths[step])?);
                step = (step + lengths.len() - 1) % lengths.len();
            }
            worst = worst.max(off(burst.length_ms(), lengths[step])?);
            step = (step + lengths.len() - 1) % lengths.len();
        }
        Some(worst)
    }
}

/// How far a length is off, as a share of what it may be; `None` when it is too far.
fn off(ms: u32, expected_ms: u16) -> Option<f32> {
    let expected = f32::from(expected_ms);
    let off = (ms as f32 - expected).abs() / OFF_MS.max(expected * OFF_SHARE);
    (off <= 1.0).then_some(off)
}

impl Pitch {
    fn is(self, voice: Voice) -> bool {
        match (self, voice) {
            (Self::Within(from, to), Voice::Hertz(hertz)) => (f32::from(from)..=f32::from(to)).contains(&hertz),
            (Self::Pair(pair), Voice::Pair(heard)) => pair == heard,
            _ => false,
        }
    }
}
