//! Judging captured audio: is somebody speaking, is it the line we know, is it that tone.
//!
//! All at 8 kHz, 16-bit; made for tests, not for a call in progress.

use std::f64::consts::TAU;
use std::ops::Range;

pub const SAMPLE_RATE_HZ: usize = 8000;
/// 20 ms.
const FRAME: usize = 160;
/// RMS above which a frame is voiced: −44 dBFS, well above G.711's idle noise, below quiet speech.
const VOICED_RMS: f64 = 200.0;

/// Root mean square; 0 for nothing.
pub fn rms(samples: &[i16]) -> f64 {
    let energy: f64 = samples.iter().map(|sample| f64::from(*sample).powi(2)).sum();
    (energy / samples.len().max(1) as f64).sqrt()
}

pub fn is_voiced(samples: &[i16]) -> bool {
    rms(samples) > VOICED_RMS
}

/// How long there is a voice, in seconds, by frames of 20 ms.
pub fn voiced_seconds(samples: &[i16]) -> f64 {
    samples.chunks(FRAME).filter(|frame| is_voiced(frame)).count() as f64 * 0.02
}

/// Stretches of voice, in samples; pauses shorter than `longest_pause_ms` belong to them.
pub fn segments(samples: &[i16], longest_pause_ms: usize) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    for (index, frame) in samples.chunks(FRAME).enumerate().filter(|(_, frame)| is_voiced(frame)) {
        let here = index * FRAME..index * FRAME + frame.len();
        match found.last_mut() {
            Some(last) if here.start - last.end <= longest_pause_ms * SAMPLE_RATE_HZ / 1000 => last.end = here.end,
            _ => found.push(here),
        }
    }
    found
}

/// Where `known` fits best into `heard`, and how well: normalised correlation, 1 is the same, G.711 leaves above 0.95,
/// other speech stays below 0.5. `None` when there is too little to compare.
pub fn find(known: &[i16], heard: &[i16]) -> Option<Match> {
    // The loudest second decides; a whole line drifts with every lost or inserted frame.
    let range = loudest(known, SAMPLE_RATE_HZ.min(known.len()))?;
    let probe = known.get(range.clone())?;
    let mut coarse = likenesses(&thinned(probe), &thinned(heard));
    coarse.sort_by(|a, b| b.likeness.total_cmp(&a.likeness));
    let fine = coarse.iter().take(16).filter_map(|candidate| {
        let from = (candidate.at * THIN).saturating_sub(2 * THIN);
        let around = heard.get(from..heard.len().min(from + probe.len() + 4 * THIN))?;
        let best = likenesses(&wide(probe), &wide(around)).into_iter().max_by(|a, b| a.likeness.total_cmp(&b.likeness))?;
        Some(Match { at: (from + best.at).saturating_sub(range.start), ..best })
    });
    fine.max_by(|a, b| a.likeness.total_cmp(&b.likeness))
}

/// For the coarse search every so many samples are one: speech has most of its energy below 1 kHz.
const THIN: usize = 4;

fn thinned(samples: &[i16]) -> Vec<f64> {
    samples.chunks_exact(THIN).map(|group| group.iter().map(|sample| f64::from(*sample)).sum()).collect()
}

fn wide(samples: &[i16]) -> Vec<f64> {
    samples.iter().map(|sample| f64::from(*sample)).collect()
}

/// Normalised correlation of the probe with every window of `heard` that is not silent.
fn likenesses(probe: &[f64], heard: &[f64]) -> Vec<Match> {
    let probe_energy: f64 = probe.iter().map(|sample| sample * sample).sum();
    if probe_energy == 0.0 || heard.len() < probe.len() {
        return Vec::new();
    }
    let mut energy: f64 = heard.iter().take(probe.len()).map(|sample| sample * sample).sum();
    let mut found = Vec::new();
    for (at, window) in heard.windows(probe.len()).enumerate() {
        if energy > probe_energy * 1e-3 {
            let product: f64 = window.iter().zip(probe).map(|(a, b)| a * b).sum();
            found.push(Match { at, likeness: product / (energy * probe_energy).sqrt() });
        }
        let (first, next) =
            (window.first().copied().unwrap_or_default(), heard.get(at + probe.len()).copied().unwrap_or_default());
        energy = (energy + next * next - first * first).max(0.0);
    }
    found
}

/// Result of [`find`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Match {
    /// Sample of `heard` at which the known line begins.
    pub at: usize,
    pub likeness: f64,
}

/// Is this line in there, G.711 and a little loss allowed for?
pub fn contains(known: &[i16], heard: &[i16]) -> bool {
    find(known, heard).is_some_and(|found| found.likeness > 0.7)
}

/// Share of the energy that is at `hz` (Goertzel): about 1 for that tone alone.
pub fn tone_share(samples: &[i16], hz: f64) -> f64 {
    let step = 2.0 * (TAU * hz / SAMPLE_RATE_HZ as f64).cos();
    let (mut now, mut before, mut energy) = (0.0, 0.0, 0.0);
    for sample in samples.iter().map(|sample| f64::from(*sample)) {
        (now, before) = (sample + step * now - before, now);
        energy += sample * sample;
    }
    if energy == 0.0 {
        return 0.0;
    }
    let power = now * now + before * before - step * now * before;
    power * 2.0 / (energy * samples.len() as f64)
}

/// A tone at 8 kHz; `amplitude` up to 32,767.
pub fn tone(hz: f64, samples: usize, amplitude: f64) -> Vec<i16> {
    (0..samples).map(|index| ((TAU * hz * index as f64 / SAMPLE_RATE_HZ as f64).sin() * amplitude) as i16).collect()
}

/// The stretch of `length` with the most energy, to 20 ms.
fn loudest(samples: &[i16], length: usize) -> Option<Range<usize>> {
    let starts = (0..=samples.len().checked_sub(length)?).step_by(FRAME);
    let energy = |start: &usize| {
        samples.get(*start..start + length).map_or(0, |part| part.iter().map(|sample| i64::from(*sample).pow(2)).sum())
    };
    starts.max_by_key(energy).map(|start| start..start + length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::Line;
    use callie_media::codec::G711;

    fn through(codec: G711, samples: &[i16]) -> Vec<i16> {
        let mut codes = vec![0; samples.len()];
        let mut decoded = vec![0; samples.len()];
        codec.encode_i16(samples, &mut codes);
        codec.decode_i16(&codes, &mut decoded);
        decoded
    }

    #[test]
    fn a_known_line_is_found_through_g711_and_another_is_not() {
        let (maria, tom) = (Line::Maria2.samples(), Line::Tom2.samples());
        for codec in [G711::Pcmu, G711::Pcma] {
            let mut heard = vec![0; 5000];
            heard.extend(through(codec, &maria));
            let found = find(&maria, &heard).expect("long enough");
            assert!(found.likeness > 0.95 && found.at == 5000, "{found:?}");
            assert!(!contains(&tom, &heard), "{:?}", find(&tom, &heard));
        }
        assert!(!contains(&maria, &[0; 16000]));
        assert!(!contains(&maria, &[]));
    }

    #[test]
    fn tones_are_told_apart() {
        let heard = through(G711::Pcmu, &tone(440.0, 4000, 8000.0));
        assert!(tone_share(&heard, 440.0) > 0.9);
        assert!(tone_share(&heard, 660.0) < 0.05);
        assert_eq!(tone_share(&[0; 100], 440.0), 0.0);
    }

    #[test]
    fn voice_is_measured_and_cut_at_pauses() {
        let sound = [vec![0; 800], tone(300.0, 1600, 5000.0), vec![0; 1600], tone(300.0, 800, 5000.0)].concat();
        assert!((voiced_seconds(&sound) - 0.3).abs() < 1e-9);
        assert_eq!(segments(&sound, 100), [800..2400, 4000..4800]);
        assert_eq!(segments(&sound, 300), vec![800..4800]);
    }
}
