//! Which address the caller's RTP really comes from (symmetric RTP, RFC 4961).
//!
//! The SDP of a caller behind a NAT names an address nobody can reach. So the first valid packet decides, and from then on
//! strangers are refused: whoever wants to take over must wait until the latched source has fallen silent, and then prove to
//! be an RTP sender by consecutive packets.

use crate::rtp::RtpHeader;
use std::{net::SocketAddr, time::Duration};

/// How long the latched source must have been silent before another may take over.
pub const RELATCH_SILENCE: Duration = Duration::from_millis(200);
/// How many consecutive packets another source must have sent by then.
pub const RELATCH_PACKETS: u8 = 4;

/// What to do with a valid packet of the negotiated payload types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// From the source we listen to.
    Known,
    /// From the source we listen to from now on.
    Latched,
    /// From somebody else.
    Refused,
}

/// See the module.
#[derive(Debug, Clone, Default)]
pub struct Latch {
    source: Option<Source>,
    candidate: Option<Candidate>,
    /// The source before the far end announced a new address: its last packets on the way must not latch again.
    former: Option<Source>,
}

#[derive(Debug, Clone, Copy)]
struct Source {
    address: SocketAddr,
    heard: Duration,
}

#[derive(Debug, Clone, Copy)]
struct Candidate {
    address: SocketAddr,
    ssrc: u32,
    sequence: u16,
    run: u8,
}

impl Latch {
    /// Where the caller's RTP comes from, once known.
    pub fn address(&self) -> Option<SocketAddr> {
        self.source.map(|source| source.address)
    }

    /// Decides on a packet that arrived at `now`.
    pub fn admit(&mut self, from: SocketAddr, header: &RtpHeader, now: Duration) -> Admission {
        match self.source {
            Some(source) if source.address == from => {
                self.source = Some(Source { heard: now, ..source });
                self.candidate = None;
                Admission::Known
            }
            Some(source) => {
                let silent = now.saturating_sub(source.heard) >= RELATCH_SILENCE;
                let run = self.observe_candidate(from, header);
                if silent && run >= RELATCH_PACKETS { self.take(from, now) } else { Admission::Refused }
            }
            None if self.is_former(from, now) => Admission::Refused,
            None => self.take(from, now),
        }
    }

    /// The far end announced another address (re-INVITE): the next source to send is believed at once.
    pub fn release(&mut self, now: Duration) {
        self.former = self.source.take().map(|source| Source { heard: now, ..source });
        self.candidate = None;
    }

    fn take(&mut self, address: SocketAddr, now: Duration) -> Admission {
        *self = Self { source: Some(Source { address, heard: now }), candidate: None, former: None };
        Admission::Latched
    }

    fn is_former(&self, from: SocketAddr, now: Duration) -> bool {
        self.former.is_some_and(|former| former.address == from && now.saturating_sub(former.heard) < RELATCH_SILENCE)
    }

    fn observe_candidate(&mut self, address: SocketAddr, header: &RtpHeader) -> u8 {
        let run = match self.candidate {
            Some(candidate) if candidate.is_followed_by(address, header) => candidate.run.saturating_add(1),
            _ => 1,
        };
        self.candidate = Some(Candidate { address, ssrc: header.ssrc, sequence: header.sequence, run });
        run
    }
}

impl Candidate {
    fn is_followed_by(&self, address: SocketAddr, header: &RtpHeader) -> bool {
        self.address == address && self.ssrc == header.ssrc && self.sequence.wrapping_add(1) == header.sequence
    }
}
