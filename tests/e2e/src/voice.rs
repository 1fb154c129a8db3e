//! Tones: what peers say, and how it is found again in a recording. A tone can be told from silence, noise and speech with
//! certainty, which words cannot.

use std::f64::consts::TAU;

/// µ-law (ITU-T G.711) of a sine at 8 kHz, half of full scale.
pub fn tone_ulaw(hertz: f64, seconds: f64) -> Vec<u8> {
    let samples = (seconds * 8_000.0) as usize;
    (0..samples).map(|n| ulaw((16_000.0 * (TAU * hertz * n as f64 / 8_000.0).sin()) as i16)).collect()
}

/// One sample to µ-law (ITU-T G.711 table 2a: 14 bits, bias 33, segments of 16 steps, all bits inverted).
fn ulaw(sample: i16) -> u8 {
    let sign = if sample < 0 { 0x80 } else { 0 };
    let magnitude = (i32::from(sample).abs() / 4 + 33).min(8_191);
    let segment = 26 - magnitude.leading_zeros().min(26);
    let step = (magnitude >> (segment + 1)) & 0x0f;
    !(sign | (segment << 4) as u8 | step as u8)
}

/// Which part of the energy of `samples` lies in the tone: 1.0 for the pure tone, near 0 without it (Goertzel, in windows of a
/// tenth of a second; the loudest window counts).
pub fn tone_share(samples: &[i16], rate: u32, hertz: f64) -> f64 {
    let window = (rate / 10) as usize;
    samples.chunks_exact(window).map(|w| window_share(w, rate, hertz)).fold(0.0, f64::max)
}

fn window_share(window: &[i16], rate: u32, hertz: f64) -> f64 {
    let coefficient = 2.0 * (TAU * hertz / f64::from(rate)).cos();
    let (mut s1, mut s2, mut energy) = (0.0, 0.0, 0.0);
    for &sample in window {
        let x = f64::from(sample);
        let s0 = x + coefficient * s1 - s2;
        s2 = s1;
        s1 = s0;
        energy += x * x;
    }
    // Windows of near silence prove nothing either way.
    if energy < 100.0 * 100.0 * window.len() as f64 {
        return 0.0;
    }
    let power = s1 * s1 + s2 * s2 - coefficient * s1 * s2;
    2.0 * power / (energy * window.len() as f64)
}

/// Seconds in which the channel is louder than `level` (root mean square, in windows of 20 ms).
pub fn loud_seconds(samples: &[i16], rate: u32, level: f64) -> f64 {
    let window = (rate / 50) as usize;
    let loud = samples.chunks_exact(window).filter(|w| rms(w) > level).count();
    loud as f64 / 50.0
}

fn rms(samples: &[i16]) -> f64 {
    (samples.iter().map(|&s| f64::from(s) * f64::from(s)).sum::<f64>() / samples.len() as f64).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_is_found_and_another_is_not() {
        let samples: Vec<i16> = (0..8_000).map(|n| (8_000.0 * (TAU * 440.0 * f64::from(n) / 8_000.0).sin()) as i16).collect();
        assert!(tone_share(&samples, 8_000, 440.0) > 0.95);
        assert!(tone_share(&samples, 8_000, 700.0) < 0.05);
        assert!(tone_share(&[0; 8_000], 8_000, 440.0) < 0.05);
    }

    #[test]
    fn ulaw_of_known_samples() {
        for (sample, code) in [(0, 0xff), (32_124, 0x80), (-32_124, 0x00), (-4, 0x7e)] {
            assert_eq!(ulaw(sample), code, "{sample}");
        }
    }

    #[test]
    fn loudness_is_counted_in_seconds() {
        let mut samples = vec![0i16; 8_000];
        samples.extend([5_000; 4_000]);
        assert!((loud_seconds(&samples, 8_000, 500.0) - 0.5).abs() < 0.03);
    }
}
