//! The caller's line while nobody speaks on it: its ear is emptied, and it hears a sign of life.

use crate::call::bridge::Line;
use callie_domain::call::transfer::Comfort;

/// Hertz of the tone, as of a telephone that rings in Europe (ETSI ES 201 970 §12.4).
const TONE_HZ: f32 = 425.0;
/// About −20 dBFS for ringing; a tenth of it says that the line is still there.
const RINGING: f32 = 3_200.0;
const WAITING: f32 = 320.0;
/// Seconds from one tone to the next.
const PERIOD: u32 = 5;

/// Holds the line for whoever speaks next.
pub struct Waiting {
    line: Line,
    comfort: Comfort,
    /// Seconds of the tone and its pause that have been handed out.
    second: u32,
    /// One of them is being played.
    playing: bool,
}

impl Waiting {
    pub fn new(line: Line, comfort: Comfort) -> Self {
        Self { line, comfort, second: 0, playing: false }
    }

    /// What the caller hears from now on.
    pub fn set(&mut self, comfort: Comfort) {
        if self.comfort != comfort {
            self.line.voice.flush();
            (self.comfort, self.second, self.playing) = (comfort, 0, false);
        }
    }

    /// Gives the line back with nothing left on it.
    pub fn into_line(mut self) -> Line {
        self.line.voice.flush();
        while self.line.ear.pop().is_some() {}
        self.line
    }

    /// Never returns. Cancel safe.
    pub async fn pass(&mut self) {
        loop {
            let Self { line, comfort, second, playing } = self;
            tokio::select! {
                () = line.ear.ready() => while line.ear.pop().is_some() {},
                () = line.voice.drained(), if *playing => *playing = false,
                () = std::future::ready(()), if !*playing && *comfort != Comfort::Silence => {
                    let samples = one_second(*comfort, *second, line.voice_rate);
                    *second = (*second + 1) % PERIOD;
                    // A line that takes nothing is closing.
                    let _ = line.voice.say(samples);
                    line.voice.end_of_speech();
                    *playing = true;
                }
            }
        }
    }
}

fn one_second(comfort: Comfort, second: u32, rate: u32) -> Vec<i16> {
    let (level, milliseconds) = match comfort {
        _ if second > 0 => (0.0, 0),
        Comfort::Silence => (0.0, 0),
        Comfort::Ringing => (RINGING, 1_000),
        Comfort::Waiting => (WAITING, 200),
    };
    let sounding = rate * milliseconds / 1_000;
    let step = std::f32::consts::TAU * TONE_HZ / rate.max(1) as f32;
    (0..rate).map(|n| if n < sounding { ((n as f32 * step).sin() * level) as i16 } else { 0 }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_rings_for_a_second_in_five() {
        for (comfort, second, loudest, sounding) in [
            (Comfort::Ringing, 0, 3_200, 7_990),
            (Comfort::Ringing, 1, 0, 0),
            (Comfort::Ringing, 4, 0, 0),
            (Comfort::Waiting, 0, 320, 1_590),
            (Comfort::Silence, 0, 0, 0),
        ] {
            let samples = one_second(comfort, second, 8_000);
            assert_eq!(samples.len(), 8_000);
            let peak = samples.iter().map(|s| s.unsigned_abs()).max().unwrap_or_default();
            assert!((i32::from(peak) - loudest).abs() <= loudest / 50, "{comfort:?} {second}: {peak}");
            let last = samples.iter().rposition(|s| *s != 0).unwrap_or_default();
            assert!(last >= sounding && last < sounding + 12, "{comfort:?} {second}: {last}");
        }
    }
}
