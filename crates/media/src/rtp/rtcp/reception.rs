//! What of a source was received, for the block about it: RFC 3550 appendices A.1 and A.3.

use super::report::ReportBlock;

/// A gap up to here is loss: a minute's at 50 packets a second.
const MAX_DROPOUT: u16 = 3_000;
/// A packet so far behind the highest is late.
const MAX_MISORDER: u16 = 100;

/// See the module.
#[derive(Debug, Clone, Copy)]
pub struct Reception {
    ssrc: u32,
    first: u32,
    /// With the rounds in the upper half.
    highest: u32,
    received: u32,
    /// The sequence number that would show that the source began anew.
    restart_at: Option<u16>,
    expected_before: u32,
    received_before: u32,
}

impl Reception {
    #[must_use]
    pub fn new(ssrc: u32, sequence: u16) -> Self {
        let first = u32::from(sequence);
        Self { ssrc, first, highest: first, received: 1, restart_at: None, expected_before: 0, received_before: 0 }
    }

    #[must_use]
    pub fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// A packet after the first.
    pub fn note(&mut self, sequence: u16) {
        let step = sequence.wrapping_sub(self.highest as u16);
        if step < MAX_DROPOUT {
            self.highest = self.highest.wrapping_add(step.into());
        } else if step <= u16::MAX - MAX_MISORDER {
            if self.restart_at == Some(sequence) {
                *self = Self::new(self.ssrc, sequence);
            } else {
                self.restart_at = Some(sequence.wrapping_add(1));
            }
            return;
        }
        self.received = self.received.wrapping_add(1);
    }

    /// The figures of loss; the report after this one counts from here.
    pub fn report(&mut self) -> ReportBlock {
        let expected = self.highest.wrapping_sub(self.first).wrapping_add(1);
        let (expected_now, received_now) =
            (expected.wrapping_sub(self.expected_before), self.received.wrapping_sub(self.received_before));
        (self.expected_before, self.received_before) = (expected, self.received);
        let lost_now = expected_now.saturating_sub(received_now);
        let fraction = (u64::from(lost_now) << 8).checked_div(expected_now.into()).unwrap_or(0);
        ReportBlock {
            ssrc: self.ssrc,
            fraction_lost: fraction.min(255) as u8,
            lost: (i64::from(expected) - i64::from(self.received)).clamp(-0x80_0000, 0x7f_ffff) as i32,
            highest: self.highest,
            ..ReportBlock::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(reception: &mut Reception) -> (u8, i32, u32) {
        let ReportBlock { fraction_lost, lost, highest, .. } = reception.report();
        (fraction_lost, lost, highest)
    }

    #[test]
    fn loss_is_told_since_the_last_report_and_in_all() {
        let mut reception = Reception::new(1, 65_530);
        (65_531..65_536u32 + 4).for_each(|sequence| reception.note(sequence as u16));
        assert_eq!(figures(&mut reception), (0, 0, 0x1_0003));
        // Every other one of ten.
        [5, 7, 9, 11, 13].into_iter().for_each(|sequence| reception.note(sequence));
        assert_eq!(figures(&mut reception), (128, 5, 0x1_000d));
        // Two of them come late: more than expected, which is no loss, but less in all.
        [6, 8, 14].into_iter().for_each(|sequence| reception.note(sequence));
        assert_eq!(figures(&mut reception), (0, 3, 0x1_000e));
        assert_eq!(figures(&mut reception), (0, 3, 0x1_000e), "nothing came");
        (0..5).for_each(|_| reception.note(14));
        assert_eq!(figures(&mut reception), (0, -2, 0x1_000e), "doubled");
        reception.note(1_014);
        assert_eq!(figures(&mut reception).0, 255);
    }

    #[test]
    fn a_source_that_begins_anew_is_believed_at_its_second_packet() {
        let mut reception = Reception::new(1, 100);
        reception.note(40_000);
        assert_eq!(figures(&mut reception), (0, 0, 100), "a stray");
        reception.note(40_001);
        reception.note(40_002);
        assert_eq!(figures(&mut reception), (0, 0, 40_002));
    }
}
