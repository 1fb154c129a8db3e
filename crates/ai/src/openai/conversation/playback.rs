//! What was handed out to be played and is not known to have been: which stretch of speech it belongs to, and how much of it was heard when
//! the caller cuts it off.

use super::items::Stretch;
use std::time::Duration;

#[derive(Debug)]
pub struct Playback {
    hertz: u32,
    /// In the order of playing.
    pieces: Vec<Piece>,
}

#[derive(Debug)]
struct Piece {
    stretch: Stretch,
    samples: u64,
}

/// Of one stretch, so much was heard since it was looked at last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heard {
    pub stretch: Stretch,
    pub samples: u64,
    /// There was more, which was not.
    pub cut: bool,
}

impl Playback {
    pub fn new(hertz: u32) -> Self {
        Self { hertz, pieces: Vec::new() }
    }

    pub fn handed_out(&mut self, stretch: Stretch, samples: usize) {
        match self.pieces.last_mut().filter(|last| last.stretch == stretch) {
            Some(last) => last.samples += samples as u64,
            None => self.pieces.push(Piece { stretch, samples: samples as u64 }),
        }
    }

    /// All was played.
    pub fn is_over(&self) -> bool {
        self.pieces.is_empty()
    }

    /// All was heard to its end.
    pub fn drained(&mut self) -> Vec<Heard> {
        self.ended(u64::MAX)
    }

    /// So much was heard, and the rest never will be.
    pub fn cut_off(&mut self, played: Duration) -> Vec<Heard> {
        self.ended(u64::try_from(played.as_micros() * u128::from(self.hertz) / 1_000_000).unwrap_or(u64::MAX))
    }

    fn ended(&mut self, mut left: u64) -> Vec<Heard> {
        let heard = |piece: Piece| {
            let samples = piece.samples.min(left);
            left -= samples;
            Heard { stretch: piece.stretch, samples, cut: samples < piece.samples }
        };
        self.pieces.drain(..).map(heard).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Stretch = Stretch::new(1);
    const B: Stretch = Stretch::new(2);

    fn check(handed_out: &[(Stretch, usize)], played_ms: u64, expected: &[(Stretch, u64, bool)]) {
        let mut playback = Playback::new(8_000);
        handed_out.iter().for_each(|(stretch, samples)| playback.handed_out(*stretch, *samples));
        let heard = playback.cut_off(Duration::from_millis(played_ms));
        let heard: Vec<_> = heard.iter().map(|heard| (heard.stretch, heard.samples, heard.cut)).collect();
        assert_eq!(heard, expected, "{played_ms} ms");
        assert!(playback.is_over());
    }

    #[test]
    fn time_is_dealt_out_in_the_order_of_playing() {
        let two = [(A, 4_000), (A, 4_000), (B, 8_000)];
        check(&two, 0, &[(A, 0, true), (B, 0, true)]);
        check(&two, 250, &[(A, 2_000, true), (B, 0, true)]);
        check(&two, 1_000, &[(A, 8_000, false), (B, 0, true)]);
        check(&two, 1_500, &[(A, 8_000, false), (B, 4_000, true)]);
        check(&two, 9_000, &[(A, 8_000, false), (B, 8_000, false)]);
        check(&[], 100, &[]);
    }

    #[test]
    fn what_was_played_does_not_count_again() {
        let mut playback = Playback::new(24_000);
        playback.handed_out(A, 24_000);
        assert_eq!(playback.drained(), [Heard { stretch: A, samples: 24_000, cut: false }]);
        playback.handed_out(A, 24_000);
        assert_eq!(playback.cut_off(Duration::from_millis(500)), [Heard { stretch: A, samples: 12_000, cut: true }]);
    }
}
