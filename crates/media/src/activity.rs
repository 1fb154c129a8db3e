//! Speech or silence: frame energy against an adaptive noise floor. Not a voice classifier; a loud tone counts as speech.

/// Frames of 20 ms that must be loud before it counts as speech: 60 ms keeps clicks out.
const ONSET_FRAMES: u32 = 3;
/// Level above the floor that counts as loud: 10 dB.
const ABOVE_FLOOR: f32 = 3.16;
/// Never take anything below this RMS for speech: −48 dBFS of 16-bit full scale.
pub(crate) const MIN_RMS: f32 = 130.0;
/// The floor rises by this factor a frame (about 6 dB in 2 s), and falls at once.
const FLOOR_RISE: f32 = 1.007;
/// The floor stays where [`MIN_RMS`] is still the threshold: from digital silence it would take long to rise to a noise.
const LOWEST_FLOOR: f32 = MIN_RMS / ABOVE_FLOOR;
/// Sums that are kept side by side, so that the compiler can vectorise them.
const LANES: usize = 8;

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activity {
    Quiet,
    /// Loud, but not for long enough yet: speech or a click.
    Onset,
    Speech,
}

/// Feed it every 20 ms frame; it says whether somebody is speaking in it.
#[derive(Debug)]
pub struct ActivityDetector {
    floor: f32,
    loud_frames: u32,
}

impl Default for ActivityDetector {
    fn default() -> Self {
        Self { floor: MIN_RMS, loud_frames: 0 }
    }
}

impl ActivityDetector {
    /// `frame`: mono 16-bit samples of 20 ms at any rate.
    pub fn is_speech(&mut self, frame: &[i16]) -> bool {
        let energy: f32 = frame.iter().map(|&s| f32::from(s) * f32::from(s)).sum();
        self.observe((energy / frame.len().max(1) as f32).sqrt()) == Activity::Speech
    }

    /// A frame that tells nothing of who is listened to: whatever was loud before it has ended.
    pub fn pass(&mut self) {
        self.loud_frames = 0;
    }

    /// `rms`: of a frame of 20 ms, in the scale of 16-bit samples; see [`rms`].
    pub fn observe(&mut self, rms: f32) -> Activity {
        let loud = rms > (self.floor * ABOVE_FLOOR).max(MIN_RMS);
        self.floor = if rms < self.floor { rms.max(LOWEST_FLOOR) } else { (self.floor * FLOOR_RISE).min(rms).min(2_000.0) };
        self.loud_frames = if loud { self.loud_frames.saturating_add(1) } else { 0 };
        match self.loud_frames {
            0 => Activity::Quiet,
            1..ONSET_FRAMES => Activity::Onset,
            _ => Activity::Speech,
        }
    }
}

/// Root of the mean square of a frame. Samples beyond the last whole eight do not count.
pub fn rms(frame: &[f32]) -> f32 {
    let mut sums = [0.0; LANES];
    let groups = frame.as_chunks::<LANES>().0;
    for group in groups {
        for (sum, sample) in sums.iter_mut().zip(group) {
            *sum += sample * sample;
        }
    }
    (sums.iter().sum::<f32>() / (groups.len() * LANES).max(1) as f32).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(amplitude: f32) -> Vec<i16> {
        (0..160).map(|i| (amplitude * (i as f32 * 0.3).sin()) as i16).collect()
    }

    #[test]
    fn speech_is_told_from_silence_and_steady_noise() {
        let mut detector = ActivityDetector::default();
        assert!((0..50).all(|_| !detector.is_speech(&tone(20.0))), "near silence");
        let heard = (0..50).filter(|_| detector.is_speech(&tone(6_000.0))).count();
        assert_eq!(heard, 48, "speech after the onset");
        assert!(!detector.is_speech(&tone(20.0)), "silence again");
    }

    #[test]
    fn a_click_is_not_speech() {
        let mut detector = ActivityDetector::default();
        assert!(!detector.is_speech(&tone(9_000.0)));
        assert!(!detector.is_speech(&tone(9_000.0)));
        assert!(!detector.is_speech(&tone(10.0)));
    }

    #[test]
    fn steady_noise_becomes_the_floor() {
        let mut detector = ActivityDetector::default();
        let late = (0..1_500).filter(|&i| detector.is_speech(&tone(800.0)) && i > 1_000).count();
        assert_eq!(late, 0);
    }
}
