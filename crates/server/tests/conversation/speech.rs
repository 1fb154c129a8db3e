//! What is heard on the telephone, told apart by pitch, and a noise that is no speech.

use callie_lab::analysis::{SAMPLE_RATE_HZ, tone_share};
use std::sync::Arc;

/// 20 ms.
const FRAME: usize = SAMPLE_RATE_HZ / 50;

/// How long this tone is heard alone, in seconds.
pub fn tone_seconds(heard: &[i16], hz: f64) -> f64 {
    let sounds = |frame: &&[i16]| callie_lab::analysis::is_voiced(frame) && tone_share(frame, hz) > 0.8;
    heard.chunks(FRAME).filter(sounds).count() as f64 * 0.02
}

/// White noise of 200 ms, the same every time.
pub fn cough() -> Arc<[i16]> {
    let mut seed = 0x2545_f491_u32;
    let noise = std::iter::repeat_with(|| {
        seed ^= seed << 13;
        seed ^= seed >> 17;
        seed ^= seed << 5;
        ((seed as f32 / u32::MAX as f32 - 0.5) * 12_000.0) as i16
    });
    noise.take(SAMPLE_RATE_HZ / 5).collect()
}
