//! What a telephone has to say after a call.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How a call ended, from this telephone's side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The other side sent BYE.
    RemoteHungUp,
    /// This side sent BYE.
    HungUp,
    /// The caller took the INVITE back.
    Cancelled,
    /// The INVITE got (or was given) a final response of 300 and above.
    Refused,
    /// No final response came.
    NoAnswer,
    /// As scripted, without a word.
    Vanished,
    /// The longest time for a call was over.
    TooLong,
    /// The telephone was dropped.
    Stopped,
}

/// One call as this telephone lived it.
#[derive(Clone, Debug)]
pub struct PhoneReport {
    pub call_id: String,
    /// The other side's user part.
    pub peer: String,
    pub ending: Ending,
    /// Final status of the INVITE, also when this side gave it.
    pub final_status: Option<u16>,
    pub ringing_after: Option<Duration>,
    /// From INVITE to 200.
    pub answered_after: Option<Duration>,
    /// From 200 to the end.
    pub talked: Duration,
    /// 8 kHz; sample 0 is the first packet's first. Pauses and losses are zeros.
    pub heard: Vec<i16>,
    /// When packets with a voice in them came, in that order.
    pub voiced: Vec<Instant>,
    /// Keys pressed at the other side (RFC 4733).
    pub keys: String,
    pub rtp: RtpReport,
    /// Packets this side sent, those that the line lost on their way among them.
    pub rtp_sent: u64,
    /// Of these, what the line lost. What it lost on the way in is among [`RtpReport::lost`].
    pub rtp_lost_on_the_way: u64,
    /// When this side began to play each of its samples, and ended, since 200.
    pub played: Vec<(Duration, Duration)>,
    /// `+12 ms > INVITE …`: every SIP message, `>` out and `<` in.
    pub trace: Vec<String>,
}

impl PhoneReport {
    pub fn heard(&self) -> &[i16] {
        &self.heard
    }
}

/// How the other side's RTP came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RtpReport {
    pub packets: u64,
    pub lost: u64,
    pub reordered: u64,
    pub duplicates: u64,
    pub markers: u64,
    pub ssrc_changes: u64,
    /// Speech packets in order whose timestamp does not follow on: deliberate pauses, or faults.
    pub timestamp_jumps: u64,
    /// Not RTP, or a payload type that was not agreed.
    pub garbage: u64,
    pub payload_types: BTreeMap<u8, u64>,
    /// Since the telephone began to listen.
    pub first_after: Option<Duration>,
    pub last_after: Option<Duration>,
    /// Spacing between speech packets that follow on (20 ms is right), by this process's clock.
    pub gap_p50: Duration,
    pub gap_p99: Duration,
    pub gap_p999: Duration,
    pub gap_max: Duration,
}

impl RtpReport {
    pub(super) fn set_gaps(&mut self, mut gaps_us: Vec<u32>) {
        gaps_us.sort_unstable();
        let at = |per_mille: usize| {
            let index = gaps_us.len().saturating_sub(1) * per_mille / 1000;
            Duration::from_micros(gaps_us.get(index).copied().unwrap_or_default().into())
        };
        (self.gap_p50, self.gap_p99, self.gap_p999, self.gap_max) = (at(500), at(990), at(999), at(1000));
    }
}
