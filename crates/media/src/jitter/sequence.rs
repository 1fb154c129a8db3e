//! Sequence numbers: order, duplicates and losses (in the manner of RFC 3550 appendix A.1).

/// How a packet stands to those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    First,
    Newer,
    Older,
    Duplicate,
    /// Too far away to belong to the stream, unless the next packet follows it.
    Stray,
    /// The packet after a stray one: the sender counts anew.
    Restart,
}

/// Packets that may be missing in a row: a minute of speech.
const MAX_DROPOUT: i16 = 3000;
/// How far back duplicates are known.
const WINDOW: u16 = 128;

#[derive(Debug, Clone, Default)]
pub(super) struct SequenceWindow {
    /// Extended by the number of wraps.
    highest: Option<u64>,
    /// Bit `n` tells whether `highest - n` has come.
    seen: u128,
    first: u64,
    received: u64,
    lost_before: u64,
    /// What would follow the last stray packet.
    suspect: Option<u16>,
}

impl SequenceWindow {
    pub fn note(&mut self, sequence: u16) -> Order {
        let Some(highest) = self.highest else {
            self.begin(sequence);
            return Order::First;
        };
        let step = sequence.wrapping_sub(highest as u16) as i16;
        let order = match step {
            1..=MAX_DROPOUT => {
                self.highest = Some(highest + u64::from(step.unsigned_abs()));
                self.seen = self.seen.checked_shl(u32::from(step.unsigned_abs())).unwrap_or(0) | 1;
                Order::Newer
            }
            _ if step <= 0 && step.unsigned_abs() < WINDOW => {
                let bit = 1u128 << step.unsigned_abs();
                if self.seen & bit != 0 {
                    return Order::Duplicate;
                }
                self.seen |= bit;
                Order::Older
            }
            _ if self.suspect == Some(sequence) => {
                self.restart();
                self.begin(sequence);
                return Order::Restart;
            }
            _ => {
                self.suspect = Some(sequence.wrapping_add(1));
                return Order::Stray;
            }
        };
        self.suspect = None;
        self.received += 1;
        order
    }

    fn begin(&mut self, sequence: u16) {
        // Leaves room below for packets that were overtaken by the first.
        let first = u64::from(sequence) + (1 << 16);
        self.highest = Some(first);
        self.first = first;
        (self.seen, self.received) = (1, 1);
        self.suspect = None;
    }

    pub fn restart(&mut self) {
        self.lost_before = self.lost();
        self.highest = None;
    }

    /// Packets that never came, over all restarts.
    pub fn lost(&self) -> u64 {
        let expected = self.highest.map_or(0, |highest| highest - self.first + 1);
        let received = if self.highest.is_some() { self.received } else { 0 };
        self.lost_before + expected.saturating_sub(received)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(sequence: &[u16], want: &[Order], lost: u64) {
        let mut window = SequenceWindow::default();
        let got: Vec<_> = sequence.iter().map(|&s| window.note(s)).collect();
        assert_eq!((got.as_slice(), window.lost()), (want, lost), "{sequence:?}");
    }

    #[test]
    fn packets_are_put_in_order() {
        use Order::*;
        check(&[5, 6, 7], &[First, Newer, Newer], 0);
        check(&[65_534, 65_535, 0, 1], &[First, Newer, Newer, Newer], 0);
        check(&[0, 65_535], &[First, Older], 0);
        check(&[1, 4, 2, 2, 4], &[First, Newer, Older, Duplicate, Duplicate], 1);
        check(&[1, 3001, 2], &[First, Newer, Stray], 2999);
        check(&[1, 30_000, 2, 3], &[First, Stray, Newer, Newer], 0);
        check(&[1, 30_000, 30_001, 30_003], &[First, Stray, Restart, Newer], 1);
        check(&[1, 2, 5, 30_000, 30_001, 30_003], &[First, Newer, Newer, Stray, Restart, Newer], 3);
        check(&[9, 32_777, 32_778], &[First, Stray, Restart], 0);
    }
}
