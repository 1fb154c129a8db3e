//! How loud the line is when nobody speaks, how loud the caller is who does, and so how loud a frame must be to count.

/// Beats of a window: 1 s. The quietest frame of the last two or three is the noise.
const WINDOW: u32 = 50;
/// Above the noise by this much …
const ABOVE_DB: f32 = 6.0;
/// … and by this share of how much it goes up and down, which babble does and hiss does not …
const FOR_SPREAD: f32 = 1.2;
const FIRST_SPREAD_DB: f32 = 4.0;
const SPREAD_DB: std::ops::RangeInclusive<f32> = 1.5..=7.0;
/// … never below −43 dBFS …
const LEAST_DB: f32 = 47.0;
/// … and not so far below the caller's voice: somebody else in the room, or a television.
const BELOW_CALLER_DB: f32 = 14.0;
/// Noise is never taken to be lower.
const LOWEST_DB: f32 = 20.0;
/// The caller's level follows by this much a frame: 7 dB in a second of speech.
const STEP_DB: f32 = 0.15;
/// What the first word tells of the level is not believed whole.
const FIRST_DB: f32 = -6.0;

/// See the module. Levels are decibels of 16-bit samples.
#[derive(Debug)]
pub(super) struct Background {
    frames: u32,
    quietest: f32,
    sum: f32,
    /// Of the windows before, the latest first.
    before: [f32; 2],
    spread: f32,
    caller: Option<f32>,
}

impl Background {
    pub fn new() -> Self {
        Self { frames: 0, quietest: f32::MAX, sum: 0.0, before: [f32::MAX; 2], spread: FIRST_SPREAD_DB, caller: None }
    }

    /// A frame that came.
    pub fn hear(&mut self, level: f32) {
        self.frames += 1;
        self.sum += level;
        self.quietest = self.quietest.min(level);
        if self.frames == WINDOW {
            let spread = self.sum / WINDOW as f32 - self.quietest;
            self.spread = spread.clamp(*SPREAD_DB.start(), *SPREAD_DB.end());
            self.before = [self.quietest, self.before[0]];
            (self.frames, self.sum, self.quietest) = (0, 0.0, f32::MAX);
        }
    }

    /// A frame that came while the agent was silent: what is loud in it is no echo.
    pub fn learn_caller(&mut self, level: f32) {
        if level > self.threshold() {
            let caller = self.caller.get_or_insert(level + FIRST_DB);
            *caller += (level - *caller).clamp(-STEP_DB, STEP_DB);
        }
    }

    pub fn noise(&self) -> f32 {
        self.before[0].min(self.before[1]).min(self.quietest).max(LOWEST_DB)
    }

    /// Whoever is heard above it speaks into the telephone.
    pub fn threshold(&self) -> f32 {
        let above_noise = self.noise() + ABOVE_DB + FOR_SPREAD * self.spread;
        let near_caller = self.caller.map_or(LEAST_DB, |caller| caller - BELOW_CALLER_DB);
        above_noise.max(near_caller).max(LEAST_DB)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(levels: impl IntoIterator<Item = f32>) -> Background {
        let mut background = Background::new();
        levels.into_iter().for_each(|level| background.hear(level));
        background
    }

    #[test]
    fn a_noise_that_stays_is_the_background_within_three_seconds() {
        let loud = 65.0;
        assert!(heard([25.0; 100]).threshold() < loud);
        let steady = heard([25.0; 100].into_iter().chain([loud; 150]));
        assert!((loud + 5.0..loud + 10.0).contains(&steady.threshold()), "{steady:?}");
        let babble = heard((0..200).map(|i| loud + 5.0 * (i as f32 * 0.3).sin()));
        assert!(babble.threshold() > loud + 5.0, "{babble:?}");
    }

    #[test]
    fn speech_with_its_pauses_is_not_the_background() {
        let speech = heard((0..500).map(|i| if i % 25 < 20 { 68.0 } else { 30.0 }));
        assert!(speech.threshold() <= LEAST_DB, "{speech:?}");
    }

    #[test]
    fn who_is_far_softer_than_the_caller_is_somebody_else() {
        let mut background = heard([25.0; 100]);
        assert_eq!(background.threshold(), LEAST_DB);
        (0..200).for_each(|_| background.learn_caller(70.0));
        assert_eq!(background.threshold(), 70.0 - BELOW_CALLER_DB);
        // A door that slams is not the caller's voice.
        (0..10).for_each(|_| background.learn_caller(85.0));
        assert!(background.threshold() < 58.0);
    }
}
