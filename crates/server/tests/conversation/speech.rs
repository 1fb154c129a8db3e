//! What is heard on the telephone, told apart by pitch.

use callie_lab::analysis::{SAMPLE_RATE_HZ, tone_share};

/// 20 ms.
const FRAME: usize = SAMPLE_RATE_HZ / 50;

/// How long this tone is heard alone, in seconds.
pub fn tone_seconds(heard: &[i16], hz: f64) -> f64 {
    let sounds = |frame: &&[i16]| callie_lab::analysis::is_voiced(frame) && tone_share(frame, hz) > 0.8;
    heard.chunks(FRAME).filter(sounds).count() as f64 * 0.02
}
