//! The CSeq numbers of an account's REGISTERs.

use super::Step;

/// Numbers that an attempt leaves free before its own: as many as a removal may need.
const SPARE: u32 = 8;

/// Counts up within one Call-ID (RFC 3261 §10.2).
///
/// Each attempt leaves numbers free before its own. What a removal at another registrar says is then older than what we have
/// just been granted, and changes nothing where both turn out to be one (§10.3 step 7).
#[derive(Debug, Default)]
pub struct Numbers {
    last: u32,
    spare: u32,
}

impl Numbers {
    /// `removes` a binding that was replaced, `elsewhere`: at another registrar than the one in use.
    pub fn next(&mut self, step: Step, removes: bool, elsewhere: bool) -> u32 {
        if removes && elsewhere && self.spare < self.last {
            self.spare += 1;
            return self.spare;
        }
        if step == Step::First && !removes {
            self.spare = self.last;
            self.last = self.last.saturating_add(SPARE);
        }
        self.last = self.last.saturating_add(1);
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_removal_elsewhere_is_older_than_what_replaced_it_and_newer_than_what_it_removes() {
        let mut numbers = Numbers::default();
        let there = [numbers.next(Step::First, false, false), numbers.next(Step::Again, false, false)];
        let here = [numbers.next(Step::First, false, false), numbers.next(Step::Again, false, false)];
        let removal = [numbers.next(Step::First, true, true), numbers.next(Step::Again, true, true)];
        assert!(there[1] < removal[0] && removal[0] < removal[1] && removal[1] < here[0], "{there:?} {removal:?} {here:?}");
        let at_the_same = numbers.next(Step::First, true, false);
        assert!(at_the_same > here[1]);
    }
}
