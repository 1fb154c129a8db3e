//! Voices at 16 kHz, as a client sends them, for the tests of the fakes.

use crate::samples::Line;
use callie_media::resample::Up8To16;

/// A caller's line at 16 kHz with the silence that ends a turn.
pub fn caller(line: Line) -> Vec<i16> {
    let narrow: Vec<f32> = line.samples().iter().copied().map(f32::from).collect();
    let mut wide = vec![0.0; narrow.len() * 2];
    Up8To16::new().process(&narrow, &mut wide);
    let voice = wide.into_iter().map(|sample| sample as i16);
    voice.chain(silence(900)).collect()
}

pub fn silence(milliseconds: usize) -> Vec<i16> {
    vec![3; milliseconds * 16]
}
