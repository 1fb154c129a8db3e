//! One press may be reported by several ways: as an event, as a tone, by SIP INFO. It is one key all the same.

use std::{collections::VecDeque, time::Duration};

/// The reports of one press lie within this: the jitter buffer's delay, an INFO sent when the key is let go and sent again.
const WINDOW: Duration = Duration::from_millis(1_500);
/// Presses within a window; faster than any finger.
const MAX_PRESSES: usize = 16;

/// Who reports a press.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeySource {
    /// RFC 4733.
    Event,
    /// In the speech.
    Tone,
    /// SIP INFO (RFC 6086 and its forerunners).
    Info,
}

#[derive(Debug, Clone, Copy)]
struct Press {
    key: char,
    at: Duration,
    /// A bit for each source that has reported it.
    reported: u8,
}

/// Tells each press once. Each source is taken to report a press once, so the same key from the same source is another press.
#[derive(Debug, Default)]
pub struct KeyFilter {
    presses: VecDeque<Press>,
}

impl KeyFilter {
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether this report, at `now`, is the first of its press.
    pub fn is_new(&mut self, key: char, source: KeySource, now: Duration) -> bool {
        while self.presses.len() >= MAX_PRESSES || self.presses.front().is_some_and(|press| press.at + WINDOW < now) {
            self.presses.pop_front();
        }
        let bit = 1 << source as u8;
        match self.presses.iter_mut().find(|press| press.key == key && press.reported & bit == 0) {
            Some(press) => {
                press.reported |= bit;
                false
            }
            None => {
                self.presses.push_back(Press { key, at: now, reported: bit });
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_press_is_told_once() {
        use KeySource::*;
        type Reports<'a> = &'a [(u64, char, KeySource)];
        let cases: [(Reports, &str); 7] = [
            (&[(0, '1', Event), (60, '1', Tone), (400, '1', Info)], "1"),
            (&[(0, '1', Event), (200, '1', Event)], "11"),
            (&[(0, '1', Event), (200, '1', Event), (260, '1', Tone), (300, '1', Info), (460, '1', Tone), (500, '1', Info)], "11"),
            (&[(0, '1', Tone), (10, '2', Event), (20, '1', Event), (90, '2', Tone)], "12"),
            (&[(0, '5', Info), (1_400, '5', Event)], "5"),
            (&[(0, '5', Info), (1_600, '5', Event)], "55"),
            (&[(0, '5', Tone), (10, '5', Event), (20, '5', Event), (30, '5', Tone)], "55"),
        ];
        for (reports, want) in cases {
            let mut filter = KeyFilter::new();
            let told: String = reports
                .iter()
                .filter(|(ms, key, source)| filter.is_new(*key, *source, Duration::from_millis(*ms)))
                .map(|(_, key, _)| *key)
                .collect();
            assert_eq!(told, want, "{reports:?}");
        }
    }

    #[test]
    fn memory_is_bounded() {
        let mut filter = KeyFilter::new();
        assert!((0..1_000).all(|_| filter.is_new('1', KeySource::Event, Duration::ZERO)));
        assert_eq!(filter.presses.len(), MAX_PRESSES);
    }
}
