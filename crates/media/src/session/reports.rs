//! RTCP of a session: when we report, what of, and what the far end's reports tell.
//!
//! It is no judge of life and death: a report shows that somebody is there, not that there is audio, so it does not postpone
//! [`super::SessionEvent::RtpLost`]; and whoever has never sent one is not missed. For a held call, where no RTP is due, the time
//! of the last one ([`RtcpStats::heard`]) is the sign of life.

use crate::{
    FRAME,
    codec::Codec,
    jitter::JitterStats,
    quality::{Mos, MosSpan},
    rtp::{
        RtpHeader,
        rtcp::{
            Compound, Intervals, Ntp, Reception, Report, ReportBlock, RtcpBuffer, RtcpPacket, RtcpParams, SenderInfo, from_units,
            to_units,
        },
    },
};
use std::{net::SocketAddr, time::Duration};

/// A round trip longer than this is a clock that was set, or a lie.
const MAX_ROUND_TRIP: Duration = Duration::from_secs(30);
/// What the far end's jitter buffer is taken to hold at least and at most.
const FAR_BUFFER: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(200));

/// What RTCP told, and how much of it there was. Packets unless named otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RtcpStats {
    /// Reports of ours.
    pub sent: u64,
    /// Compound packets of the far end.
    pub received: u64,
    /// What was no compound packet, or came from a stranger.
    pub junk: u64,
    /// When the last one came, on the clock of the session.
    pub heard: Option<Duration>,
    /// Where they come from.
    pub source: Option<SocketAddr>,
    /// There and back, as last measured.
    pub round_trip: Option<Duration>,
    /// How the far end receives us.
    pub remote: Option<RemoteView>,
    /// How we sound there.
    pub remote_mos: Option<MosSpan>,
}

/// From the far end's last report about us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RemoteView {
    /// Packets of ours that did not come, less those that came twice.
    pub lost: i32,
    /// Packets of ours that it knows should have come.
    pub expected: u32,
    /// Of those since its report before, in 256ths.
    pub lately_lost: u8,
    /// Interarrival jitter.
    pub jitter: Duration,
}

impl RemoteView {
    /// 0 to 1.
    #[must_use]
    pub fn loss(&self) -> f32 {
        self.lost.max(0) as f32 / self.expected.max(1) as f32
    }
}

/// What a session is to the one who reports on it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ours {
    pub ssrc: u32,
    pub first_sequence: u16,
    /// RTP timestamp of now.
    pub timestamp: u32,
    pub codec: Codec,
    /// How much sound our packets hold.
    pub ptime: Duration,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Reports {
    pub params: RtcpParams,
    intervals: Intervals,
    due: Duration,
    /// Of the source that is heard.
    reception: Option<Reception>,
    last_sr: Option<LastSr>,
    source: Option<SocketAddr>,
    sent_packets: u32,
    sent_octets: u32,
    /// Packets sent by the last report, and by the one before it: a sender has sent some since then (RFC 3550 §6.3.8).
    sent_before: [u32; 2],
    stats: RtcpStats,
}

#[derive(Debug, Clone, Copy)]
struct LastSr {
    ssrc: u32,
    middle: u32,
    came: Duration,
}

impl Reports {
    pub fn new(params: RtcpParams, seed: u64, now: Duration) -> Self {
        let mut intervals = Intervals::new(seed);
        let due = now + intervals.next();
        Self {
            params,
            intervals,
            due,
            reception: None,
            last_sr: None,
            source: None,
            sent_packets: 0,
            sent_octets: 0,
            sent_before: [0; 2],
            stats: RtcpStats::default(),
        }
    }

    pub fn stats(&self) -> RtcpStats {
        RtcpStats { source: self.source, ..self.stats }
    }

    /// A valid packet of the far end. We report on the source of its speech: keys may have one of their own.
    pub fn note_received(&mut self, header: &RtpHeader, is_speech: bool) {
        match &mut self.reception {
            Some(reception) if reception.ssrc() == header.ssrc => reception.note(header.sequence),
            Some(_) if !is_speech => {}
            _ => self.reception = Some(Reception::new(header.ssrc, header.sequence)),
        }
    }

    /// A packet of ours, with so many octets of payload.
    pub fn note_sent(&mut self, octets: usize) {
        self.sent_packets = self.sent_packets.wrapping_add(1);
        self.sent_octets = self.sent_octets.wrapping_add(octets as u32);
    }

    /// The far end announced other addresses: the source is to be learnt anew.
    pub fn release(&mut self) {
        self.source = None;
    }

    /// Where reports go when they have a port of their own.
    pub fn destination(&self) -> Option<SocketAddr> {
        self.source.or(self.params.remote)
    }

    pub fn is_due(&self, now: Duration) -> bool {
        self.params.is_on() && now >= self.due
    }

    /// There is nowhere to report to as yet.
    pub fn postpone(&mut self, now: Duration) {
        self.due = now + self.intervals.next();
    }

    /// Writes the report that is due.
    pub fn write(&mut self, ours: &Ours, jitter: Duration, now: Duration, out: &mut RtcpBuffer) {
        self.postpone(now);
        out.write(&self.report(ours, jitter, now, false));
        self.stats.sent += 1;
    }

    /// Writes the last one; `false` if we have never been heard of (RFC 3550 §6.3.7).
    pub fn write_bye(&mut self, ours: &Ours, jitter: Duration, now: Duration, out: &mut RtcpBuffer) -> bool {
        let known = self.params.is_on() && (self.sent_packets > 0 || self.stats.sent > 0);
        if known {
            out.write(&self.report(ours, jitter, now, true));
            self.stats.sent += 1;
        }
        known
    }

    fn report(&mut self, ours: &Ours, jitter: Duration, now: Duration, bye: bool) -> Report {
        let sends = self.sent_packets != self.sent_before[1];
        self.sent_before = [self.sent_packets, self.sent_before[0]];
        let (timestamp, packets, octets) = (ours.timestamp, self.sent_packets, self.sent_octets);
        let sender = sends.then(|| SenderInfo { ntp: Ntp::of(now), timestamp, packets, octets });
        let last_sr = self.last_sr;
        let block = self.reception.as_mut().map(|reception| {
            let heard = last_sr.filter(|last| last.ssrc == reception.ssrc());
            ReportBlock {
                jitter: jitter.as_secs_f64().mul_add(f64::from(ours.codec.clock_hz()), 0.5) as u32,
                last_sr: heard.map_or(0, |last| last.middle),
                since_last_sr: heard.map_or(0, |last| to_units(now.saturating_sub(last.came))),
                ..reception.report()
            }
        });
        Report { ssrc: ours.ssrc, cname: self.params.cname, sender, block, bye }
    }

    pub fn junk(&mut self) {
        self.stats.junk += 1;
    }

    /// Reads a compound packet in clear from a source that may send it; `false` if it is none.
    pub fn read(&mut self, datagram: &[u8], from: SocketAddr, ours: &Ours, now: Duration) -> bool {
        let Ok(compound) = Compound::parse(datagram) else {
            self.junk();
            return false;
        };
        self.source = Some(from);
        self.stats.received += 1;
        self.stats.heard = Some(now);
        for packet in compound.packets() {
            let blocks = match packet {
                RtcpPacket::SenderReport { ssrc, sender, blocks } => {
                    self.last_sr = Some(LastSr { ssrc, middle: sender.ntp.middle(), came: now });
                    blocks
                }
                RtcpPacket::ReceiverReport { blocks, .. } => blocks,
                RtcpPacket::Bye { .. } | RtcpPacket::Other(_) => continue,
            };
            if let Some(block) = blocks.about(ours.ssrc) {
                self.take_view(&block, ours, now);
            }
        }
        true
    }

    fn take_view(&mut self, block: &ReportBlock, ours: &Ours, now: Duration) {
        let jitter = Duration::from_secs_f64(f64::from(block.jitter) / f64::from(ours.codec.clock_hz()));
        let expected = block.highest.wrapping_sub(ours.first_sequence.into()).wrapping_add(1);
        self.stats.remote = Some(RemoteView { lost: block.lost, expected, lately_lost: block.fraction_lost, jitter });
        // RFC 3550 §6.4.1; clocks that are read at other moments make it less than nothing at times.
        let units = Ntp::of(now).middle().wrapping_sub(block.last_sr).wrapping_sub(block.since_last_sr) as i32;
        let round_trip = from_units(units.max(0).unsigned_abs());
        if block.last_sr != 0 && units > -66 && round_trip <= MAX_ROUND_TRIP {
            self.stats.round_trip = Some(round_trip);
        }
        let buffer = (jitter * 2).clamp(FAR_BUFFER.0, FAR_BUFFER.1);
        let delay = self.stats.round_trip.unwrap_or_default() / 2 + buffer + ours.ptime;
        let mos = Mos::estimate(ours.codec, f64::from(block.fraction_lost) / 256.0, delay);
        self.stats.remote_mos = Some(MosSpan::with(self.stats.remote_mos, mos));
    }
}

/// How the far end sounds here, window by window.
#[derive(Debug, Clone)]
pub(super) struct Windows {
    ends: Duration,
    before: JitterStats,
    mos: Option<MosSpan>,
}

/// Long enough for a score to mean something, short enough for a bad spell to show.
pub const MOS_WINDOW: Duration = Duration::from_secs(10);
/// A window with fewer packets says nothing.
const ENOUGH_PACKETS: u64 = 50;

impl Windows {
    pub fn new(now: Duration) -> Self {
        Self { ends: now + MOS_WINDOW, before: JitterStats::default(), mos: None }
    }

    pub fn is_over(&self, now: Duration) -> bool {
        now >= self.ends
    }

    /// Ends a window.
    pub fn turn(&mut self, jitter: &JitterStats, round_trip: Option<Duration>, codec: Codec, now: Duration) {
        self.ends = now + MOS_WINDOW;
        if let Some(mos) = self.score(jitter, round_trip, codec) {
            self.mos = Some(MosSpan::with(self.mos, mos));
        }
        self.before = *jitter;
    }

    /// With the window that has not ended if there is no other.
    pub fn mos(&self, jitter: &JitterStats, round_trip: Option<Duration>, codec: Codec) -> Option<MosSpan> {
        self.mos.or_else(|| self.score(jitter, round_trip, codec).map(|mos| MosSpan::with(None, mos)))
    }

    fn score(&self, jitter: &JitterStats, round_trip: Option<Duration>, codec: Codec) -> Option<Mos> {
        let received = jitter.received.saturating_sub(self.before.received);
        let lost = jitter.lost.saturating_sub(self.before.lost);
        let late = jitter.late.saturating_sub(self.before.late);
        let expected = received + lost;
        // A packet of the far end is taken to hold 20 ms, as most do.
        let delay = round_trip.unwrap_or_default() / 2 + jitter.depth + FRAME;
        (expected >= ENOUGH_PACKETS).then(|| Mos::estimate(codec, (lost + late) as f64 / expected as f64, delay))
    }
}
