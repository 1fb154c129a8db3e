//! Callers for the tests of this engine: the lab's lines as the ears get them, and noises that are no speech.

use super::recogniser::Weights;
use callie_lab::samples::Line;
use callie_media::{codec::G711, resample::Up8To16};
use std::{io::Write, path::PathBuf};

/// The weights in [`models_folder`].
pub fn weights() -> Option<Weights> {
    models_folder().and_then(|folder| Weights::find(&folder).ok())
}

/// The models folder of the checkout; `None`, with a word about it, when there are no weights in it.
///
/// # Panics
/// Without weights when `CALLIE_REQUIRE_MODELS` is 1.
pub fn models_folder() -> Option<PathBuf> {
    let folder = std::env::var_os("CALLIE_MODELS_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../models"), PathBuf::from);
    match Weights::find(&folder) {
        Ok(_) => Some(folder),
        Err(error) if std::env::var_os("CALLIE_REQUIRE_MODELS").is_some_and(|v| v == "1") => panic!("{error}"),
        Err(error) => {
            // Past the test harness, which would swallow it.
            let _ = writeln!(std::io::stderr(), "skipped: {error}");
            None
        }
    }
}

/// A line as our ears get it from a telephone: µ-law at 8 kHz, then 16 kHz.
pub fn heard(line: Line) -> Vec<i16> {
    let narrow = line.samples();
    let mut codes = vec![0; narrow.len()];
    G711::Pcmu.encode_i16(&narrow, &mut codes);
    let mut decoded = vec![0.0; codes.len()];
    G711::Pcmu.decode(&codes, &mut decoded);
    let mut wide = vec![0.0; decoded.len() * 2];
    Up8To16::new().process(&decoded, &mut wide);
    wide.into_iter().map(|s| s as i16).collect()
}

/// Silence with a little hiss, as lines have it.
pub fn silence(milliseconds: usize) -> Vec<i16> {
    noise(milliseconds, 12.0)
}

/// White noise, the same every time.
pub fn noise(milliseconds: usize, amplitude: f32) -> Vec<i16> {
    let mut seed = 0x2545_f491_u32;
    (0..milliseconds * 16)
        .map(|_| {
            seed ^= seed << 13;
            seed ^= seed >> 17;
            seed ^= seed << 5;
            ((seed as f32 / u32::MAX as f32 - 0.5) * 2.0 * amplitude) as i16
        })
        .collect()
}

/// A cough of 250 ms: a burst of noise through a throat (two resonances), dying away.
pub fn cough() -> Vec<i16> {
    let (mut one, mut two) = ([0.0_f32; 2], [0.0_f32; 2]);
    let burst = noise(250, 1.0e4);
    let length = burst.len() as f32;
    burst
        .into_iter()
        .enumerate()
        .map(|(i, sample)| {
            let x = f32::from(sample);
            let a = x + 1.86 * one[0] - 0.93 * one[1];
            one = [a, one[0]];
            let b = x + 1.52 * two[0] - 0.9 * two[1];
            two = [b, two[0]];
            let decay = (-4.0 * i as f32 / length).exp();
            ((a * 0.5 + b * 0.3) * decay).clamp(-30_000.0, 30_000.0) as i16
        })
        .collect()
}
