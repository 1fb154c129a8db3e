//! Keys that the caller presses are told together: four digits are one answer, not four.

use std::time::{Duration, Instant};

/// After the last key.
const PAUSE: Duration = Duration::from_millis(1_500);
/// Told at once: longer than any number that is typed on a telephone.
const MOST: usize = 40;

#[derive(Debug, Default)]
pub struct Keys {
    pressed: String,
    until: Option<Instant>,
}

impl Keys {
    /// `digit` may be anything; what is no key is passed over.
    pub fn press(&mut self, digit: char, now: Instant) {
        let digit = digit.to_ascii_uppercase();
        if "0123456789*#ABCD".contains(digit) && self.pressed.len() < MOST {
            self.pressed.push(digit);
            // The hash key is how people end what they type.
            self.until = Some(if digit == '#' { now } else { now + PAUSE });
        }
    }

    pub fn deadline(&self) -> Option<Instant> {
        self.until
    }

    /// What is to be told now.
    pub fn due(&mut self, now: Instant) -> Option<String> {
        self.until.filter(|until| now >= *until)?;
        self.until = None;
        let keys: Vec<String> = std::mem::take(&mut self.pressed).chars().map(String::from).collect();
        Some(format!("(The caller pressed {}.)", keys.join(" ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_told_after_a_pause_or_the_hash_key() {
        let start = Instant::now();
        let mut keys = Keys::default();
        assert_eq!(keys.due(start), None);
        keys.press('4', start);
        keys.press('2', start + Duration::from_secs(1));
        keys.press('\n', start + Duration::from_secs(2));
        assert_eq!(keys.due(start + Duration::from_secs(2)), None);
        assert_eq!(keys.due(start + Duration::from_millis(2_500)).as_deref(), Some("(The caller pressed 4 2.)"));
        assert_eq!((keys.due(start + Duration::from_secs(9)), keys.deadline()), (None, None));
        keys.press('a', start);
        keys.press('#', start);
        assert_eq!(keys.due(start).as_deref(), Some("(The caller pressed A #.)"));
        (0..1_000).for_each(|_| keys.press('1', start));
        assert!(keys.pressed.len() <= MOST);
    }
}
