//! Between the rates of a line, which are those of the engine that it was opened for, and the rates of the engine that talks
//! on it now: chunk by chunk without a seam.

use callie_media::resample::{Down16To8, Down24To8, Down24To16, Up8To16, Up8To24, Up16To24};

/// Samples of one rate to samples of another.
pub struct Converter {
    filter: Filter,
    /// Samples that make no whole group yet: two at most.
    rest: Vec<f32>,
}

/// Boxed: a call has a handful of bytes for what few calls need.
enum Filter {
    Up8To16(Box<Up8To16>),
    Up8To24(Box<Up8To24>),
    Up16To24(Box<Up16To24>),
    Down16To8(Box<Down16To8>),
    Down24To8(Box<Down24To8>),
    Down24To16(Box<Down24To16>),
}

impl Converter {
    /// `None` where nothing is to be converted, or media does not know the rates.
    pub fn between(from_hz: u32, to_hz: u32) -> Option<Self> {
        let filter = match (from_hz, to_hz) {
            (8_000, 16_000) => Filter::Up8To16(Box::default()),
            (8_000, 24_000) => Filter::Up8To24(Box::default()),
            (16_000, 24_000) => Filter::Up16To24(Box::default()),
            (16_000, 8_000) => Filter::Down16To8(Box::default()),
            (24_000, 8_000) => Filter::Down24To8(Box::default()),
            (24_000, 16_000) => Filter::Down24To16(Box::default()),
            _ => return None,
        };
        Some(Self { filter, rest: Vec::new() })
    }

    /// Mono 16-bit samples, any number of them.
    pub fn convert(&mut self, samples: &[i16]) -> Vec<i16> {
        let mut input = std::mem::take(&mut self.rest);
        input.extend(samples.iter().copied().map(f32::from));
        let (times, per) = self.filter.ratio();
        let whole = input.len() / per * per;
        self.rest = input.split_off(whole);
        let mut output = vec![0.0; whole / per * times];
        let written = match &mut self.filter {
            Filter::Up8To16(up) => up.process(&input, &mut output),
            Filter::Up8To24(up) => up.process(&input, &mut output),
            Filter::Up16To24(up) => up.process(&input, &mut output),
            Filter::Down16To8(down) => down.process(&input, &mut output),
            Filter::Down24To8(down) => down.process(&input, &mut output),
            Filter::Down24To16(down) => down.process(&input, &mut output),
        };
        output.into_iter().take(written).map(|sample| sample as i16).collect()
    }
}

impl Filter {
    /// So many samples come out of so many.
    fn ratio(&self) -> (usize, usize) {
        match self {
            Self::Up8To16(_) => (2, 1),
            Self::Up8To24(_) => (3, 1),
            Self::Up16To24(_) => (3, 2),
            Self::Down16To8(_) => (1, 2),
            Self::Down24To8(_) => (1, 3),
            Self::Down24To16(_) => (2, 3),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(hz: u32) -> Vec<i16> {
        (0..hz).map(|n| ((n as f32 * 500.0 * std::f32::consts::TAU / hz as f32).sin() * 8_000.0) as i16).collect()
    }

    #[test]
    fn a_tone_keeps_its_pitch_and_level_however_it_is_cut() {
        for (from, to) in [(8_000, 16_000), (8_000, 24_000), (16_000, 24_000), (16_000, 8_000), (24_000, 8_000), (24_000, 16_000)]
        {
            let mut converter = Converter::between(from, to).expect("known");
            let out: Vec<i16> = tone(from).chunks(321).flat_map(|chunk| converter.convert(chunk)).collect();
            assert!(out.len().abs_diff(to as usize) <= 3, "{from} to {to}: {}", out.len());
            let settled = &out[to as usize / 10..to as usize * 9 / 10];
            let crossings = settled.windows(2).filter(|pair| (pair[0] < 0) != (pair[1] < 0)).count();
            assert!((799..=801).contains(&crossings), "{from} to {to}: {crossings}");
            let peak = settled.iter().map(|s| s.unsigned_abs()).max();
            assert!(peak.is_some_and(|peak| (7_700..8_300).contains(&peak)), "{from} to {to}: {peak:?}");
        }
    }

    #[test]
    fn equal_rates_and_unknown_ones_are_left_alone() {
        for (from, to) in [(8_000, 8_000), (24_000, 24_000), (44_100, 8_000), (8_000, 0)] {
            assert!(Converter::between(from, to).is_none(), "{from} to {to}");
        }
    }
}
