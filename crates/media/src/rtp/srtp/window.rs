//! Packet indices: guessed from sequence numbers (RFC 3711 appendix A), each taken once (§3.3.2).

/// Indices behind the newest that can still come; at 50 packets a second, 2.5 s.
pub(super) const WINDOW: u64 = 128;

/// The newest index of a source, and which of the [`WINDOW`] up to it have come.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    newest: u64,
    /// Bit 0 is the newest.
    came: u128,
}

impl Window {
    /// Of a source whose first packet is `index`.
    pub fn begin(index: u64) -> Self {
        Self { newest: index, came: 1 }
    }

    pub fn newest(&self) -> u64 {
        self.newest
    }

    /// An index that has not come yet and is not too old to tell.
    pub fn is_fresh(&self, index: u64) -> bool {
        match self.newest.checked_sub(index) {
            None => true,
            Some(age) => age < WINDOW && self.came >> age & 1 == 0,
        }
    }

    /// Notes an authentic packet.
    pub fn note(&mut self, index: u64) {
        if let Some(age) = self.newest.checked_sub(index) {
            self.came |= u32::try_from(age).ok().and_then(|age| 1u128.checked_shl(age)).unwrap_or_default();
        } else {
            let step = index - self.newest;
            self.came = u32::try_from(step).ok().and_then(|step| self.came.checked_shl(step)).unwrap_or_default() | 1;
            self.newest = index;
        }
    }
}

/// The index of a packet: the one nearest to the newest that has this sequence number. None is before the first, so a sequence
/// number that would be counts as of the first round; libsrtp thinks likewise.
pub(super) fn estimate(newest: u64, sequence: u16) -> u64 {
    let (rounds, last) = (newest >> 16, newest as u16);
    let rounds = if last < 0x8000 {
        if i32::from(sequence) - i32::from(last) > 0x8000 { rounds.saturating_sub(1) } else { rounds }
    } else if i32::from(last) - 0x8000 > i32::from(sequence) {
        rounds + 1
    } else {
        rounds
    };
    rounds << 16 | u64::from(sequence)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    #[test]
    fn rounds_are_guessed_as_the_rfc_says() {
        for (newest, sequence, index) in [
            (0, 0, 0),
            (5, 6, 6),
            (6, 5, 5),
            (0xffff, 0, 0x1_0000),
            (0xffff, 0x7ffe, 0x1_7ffe),
            (0xffff, 0x7fff, 0x7fff),
            (0x1_0000, 0xffff, 0xffff),
            (0x1_0000, 0x8000, 0x1_8000),
            (0x1_0000, 0x8001, 0x8001),
            (0x3_8000, 0, 0x3_0000),
            (0x3_8001, 0, 0x4_0000),
            // Before the first round there is none.
            (100, 0xfff0, 0xfff0),
        ] {
            assert_eq!(estimate(newest, sequence), index, "{newest:#x} {sequence:#x}");
        }
    }

    #[test]
    fn an_index_is_fresh_once_and_until_it_is_too_old() {
        let mut window = Window::begin(1_000);
        assert!(!window.is_fresh(1_000));
        assert!(window.is_fresh(1_001) && window.is_fresh(1_000 - WINDOW + 1) && !window.is_fresh(1_000 - WINDOW));
        window.note(1_000 - WINDOW + 1);
        assert!(!window.is_fresh(1_000 - WINDOW + 1));
        window.note(1_000 + WINDOW - 1);
        assert!(!window.is_fresh(1_000) && !window.is_fresh(999) && window.is_fresh(1_001));
        window.note(1 << 40);
        assert!(!window.is_fresh(1 << 40) && window.is_fresh((1 << 40) - 1) && !window.is_fresh(1_001));
    }

    proptest! {
        #[test]
        fn the_nearest_index_is_guessed(newest in 0x1_0000u64..1 << 47, step in -0x7fffi64..0x8000) {
            let index = newest.saturating_add_signed(step);
            prop_assert_eq!(estimate(newest, index as u16), index);
        }

        #[test]
        fn the_window_is_a_set_with_an_end(steps in proptest::collection::vec(-200i64..40, 1..400)) {
            let mut window = Window::begin(100_000);
            let (mut came, mut newest) = (HashSet::from([100_000u64]), 100_000u64);
            for step in steps {
                let index = newest.saturating_add_signed(step);
                let fresh = !came.contains(&index) && index + WINDOW > newest;
                prop_assert_eq!(window.is_fresh(index), fresh, "{}", index);
                if fresh {
                    window.note(index);
                    came.insert(index);
                    newest = newest.max(index);
                }
                prop_assert_eq!(window.newest(), newest);
            }
        }
    }
}
