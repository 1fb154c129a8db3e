//! The blocks of sender and receiver reports (RFC 3550 §6.4), and their times.

use std::time::Duration;

/// Octets of a [`ReportBlock`].
pub const BLOCK_LEN: usize = 24;
/// Octets of a [`SenderInfo`].
pub const SENDER_INFO_LEN: usize = 20;

/// How one source is received by the one who reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReportBlock {
    pub ssrc: u32,
    /// Since the report before, in 256ths.
    pub fraction_lost: u8,
    /// Since the beginning; less than nothing when packets came twice. 24 bits.
    pub lost: i32,
    /// Highest sequence number, with its rounds in the upper half.
    pub highest: u32,
    /// In units of the RTP clock.
    pub jitter: u32,
    /// [`Ntp::middle`] of the last sender report; 0 when there was none.
    pub last_sr: u32,
    /// Since then, in 65,536ths of a second.
    pub since_last_sr: u32,
}

impl ReportBlock {
    pub fn read(octets: &[u8; BLOCK_LEN]) -> Self {
        let word = |at: usize| be32(octets, at);
        let loss = word(4);
        Self {
            ssrc: word(0),
            fraction_lost: (loss >> 24) as u8,
            // The 24 bits with their sign.
            lost: ((loss << 8) as i32) >> 8,
            highest: word(8),
            jitter: word(12),
            last_sr: word(16),
            since_last_sr: word(20),
        }
    }

    pub fn write(&self) -> [u8; BLOCK_LEN] {
        let lost = self.lost.clamp(-0x80_0000, 0x7f_ffff) as u32 & 0xff_ffff;
        let loss = u32::from(self.fraction_lost) << 24 | lost;
        let mut octets = [0; BLOCK_LEN];
        let words = [self.ssrc, loss, self.highest, self.jitter, self.last_sr, self.since_last_sr];
        for (out, word) in octets.as_chunks_mut::<4>().0.iter_mut().zip(words) {
            *out = word.to_be_bytes();
        }
        octets
    }
}

/// What a sender says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SenderInfo {
    pub ntp: Ntp,
    /// The RTP timestamp of that moment.
    pub timestamp: u32,
    pub packets: u32,
    /// Of payload.
    pub octets: u32,
}

impl SenderInfo {
    pub fn read(octets: &[u8; SENDER_INFO_LEN]) -> Self {
        let word = |at: usize| be32(octets, at);
        let ntp = Ntp(u64::from(word(0)) << 32 | u64::from(word(4)));
        Self { ntp, timestamp: word(8), packets: word(12), octets: word(16) }
    }

    pub fn write(&self) -> [u8; SENDER_INFO_LEN] {
        let mut octets = [0; SENDER_INFO_LEN];
        octets[..8].copy_from_slice(&self.ntp.0.to_be_bytes());
        octets[8..12].copy_from_slice(&self.timestamp.to_be_bytes());
        octets[12..16].copy_from_slice(&self.packets.to_be_bytes());
        octets[16..].copy_from_slice(&self.octets.to_be_bytes());
        octets
    }
}

/// Seconds, and 2³²ths of a second. Ours count from when the machine started, which RFC 3550 §4 allows: nobody compares them with
/// other clocks than ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ntp(pub u64);

impl Ntp {
    pub fn of(now: Duration) -> Self {
        Self((now.as_secs() << 32) | ((u64::from(now.subsec_nanos()) << 32) / 1_000_000_000))
    }

    /// The middle 32 bits, in 65,536ths of a second; never 0, which says that there is none.
    pub fn middle(self) -> u32 {
        ((self.0 >> 16) as u32).max(1)
    }
}

/// 65,536ths of a second.
pub fn to_units(time: Duration) -> u32 {
    u32::try_from((time.as_micros() << 16) / 1_000_000).unwrap_or(u32::MAX)
}

/// See [`to_units`].
pub fn from_units(units: u32) -> Duration {
    Duration::from_micros((u64::from(units) * 1_000_000) >> 16)
}

pub(super) fn be32(octets: &[u8], at: usize) -> u32 {
    octets.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |word| u32::from_be_bytes(*word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn times_are_in_their_units() {
        let ntp = Ntp::of(Duration::from_millis(1_500));
        assert_eq!((ntp.0, ntp.middle()), (0x1_8000_0000, 0x1_8000));
        assert_eq!(Ntp::of(Duration::from_secs(1 << 16)).middle(), 1);
        assert_eq!((to_units(Duration::from_millis(250)), from_units(0x4000)), (0x4000, Duration::from_millis(250)));
        assert_eq!(to_units(Duration::MAX), u32::MAX);
    }

    proptest! {
        #[test]
        fn a_block_is_read_as_written(octets: [u8; BLOCK_LEN], lost in -0x80_0000i32..0x80_0000) {
            let block = ReportBlock::read(&octets);
            prop_assert_eq!(block.write(), octets);
            let block = ReportBlock { lost, ..block };
            prop_assert_eq!(ReportBlock::read(&block.write()), block);
        }

        #[test]
        fn a_sender_is_read_as_written(octets: [u8; SENDER_INFO_LEN]) {
            prop_assert_eq!(SenderInfo::read(&octets).write(), octets);
        }
    }
}
