//! Between session and wire: what comes is decrypted before anything else looks at it, what goes is encrypted last.
//!
//! So a packet that is not authentic moves no latch, is no sign of life and is never heard.

use super::{Beat, Received, Session, SessionEvent, SessionParams, crypt::Crypt, reports::Ours};
use crate::rtp::{
    header::HEADER_LEN,
    rtcp::RtcpBuffer,
    srtp::{SrtpError, SrtpParams, SrtpSuite},
};
use std::{net::SocketAddr, time::Duration};

impl Session {
    /// Keys of an offer or answer within the call. A key that is said again goes on where it is.
    pub fn rekey(&mut self, srtp: SrtpParams, now: Duration) {
        match &mut self.crypt {
            Some(crypt) => crypt.rekey(srtp, now),
            None => self.crypt = Some(Box::new(Crypt::new(srtp))),
        }
    }

    /// How RTP is encrypted now, if it is.
    pub fn srtp(&self) -> Option<SrtpSuite> {
        self.crypt.as_ref().map(|crypt| crypt.suite())
    }

    /// The RTP packet in clear, or what became of the datagram.
    pub(super) fn unprotect<'a>(&mut self, datagram: &'a mut [u8], now: Duration) -> Result<&'a [u8], Received> {
        let Some(crypt) = &mut self.crypt else { return Ok(datagram) };
        match crypt.unprotect(datagram, now) {
            Ok(len) => Ok(datagram.get(..len).unwrap_or_default()),
            Err(error) => Err(self.not_taken(error)),
        }
    }

    pub(super) fn not_taken(&mut self, error: SrtpError) -> Received {
        match error {
            SrtpError::Short | SrtpError::NotRtp => self.junk(),
            SrtpError::Replayed => {
                self.stats.replayed += 1;
                Received::Replayed
            }
            SrtpError::Unauthentic | SrtpError::NoRoom | SrtpError::KeyUsedUp => {
                self.stats.unauthentic += 1;
                Received::Unauthentic
            }
        }
    }

    /// The packets of the beat as they go over the wire; what cannot be encrypted is not sent.
    pub(super) fn protect(&mut self, beat: &mut Beat) {
        let reaches = self.destination().is_some();
        for packet in beat.packets.iter_mut().filter(|packet| packet.len > 0) {
            if reaches {
                self.reports.note_sent(packet.len.saturating_sub(HEADER_LEN));
            }
            if let Some(crypt) = &mut self.crypt {
                packet.len = crypt.protect(&mut packet.bytes, packet.len).unwrap_or(0);
            }
        }
    }
}

/// Reports.
impl Session {
    /// Takes a datagram from the port of RTCP; one from the RTP port may go to [`Self::receive`].
    pub fn receive_rtcp(&mut self, datagram: &mut [u8], from: SocketAddr, now: Duration) -> Received {
        if !self.params.rtcp.is_on() {
            return Received::Rtcp;
        }
        if datagram.is_empty() {
            return Received::KeepAlive;
        }
        let len = match self.crypt.as_mut().map(|crypt| crypt.unprotect_rtcp(datagram, now)) {
            Some(Ok(len)) => len,
            Some(Err(error)) => return self.not_taken(error),
            None if self.may_report(from) => datagram.len(),
            None => {
                self.reports.junk();
                return Received::Refused;
            }
        };
        let ours = self.ours();
        let read = self.reports.read(datagram.get(..len).unwrap_or_default(), from, &ours, now);
        if let Some(view) = self.reports.stats().remote {
            self.mouth.set_loss((u32::from(view.lately_lost) * 100 / 256) as u8);
        }
        if read { Received::Rtcp } else { Received::Junk }
    }

    /// A report is to be sent; ask after each [`Self::tick`].
    pub fn rtcp_is_due(&self, now: Duration) -> bool {
        self.reports.is_due(now)
    }

    /// Writes the report that is due; says where it goes, by the RTP socket if the ports are one.
    pub fn report(&mut self, now: Duration, out: &mut RtcpBuffer) -> Option<SocketAddr> {
        let Some(destination) = self.rtcp_destination() else {
            self.reports.postpone(now);
            return None;
        };
        let (ours, jitter) = (self.ours(), self.caller.stats().jitter);
        self.reports.write(&ours, jitter, now, out);
        self.protect_rtcp(out).then_some(destination)
    }

    /// Writes the last report, with which our source leaves (RFC 3550 §6.3.7).
    pub fn goodbye(&mut self, now: Duration, out: &mut RtcpBuffer) -> Option<SocketAddr> {
        let destination = self.rtcp_destination()?;
        let (ours, jitter) = (self.ours(), self.caller.stats().jitter);
        (self.reports.write_bye(&ours, jitter, now, out) && self.protect_rtcp(out)).then_some(destination)
    }

    /// The far end announced another address for RTCP; [`Self::set_remote`] comes first.
    pub fn set_rtcp_remote(&mut self, remote: SocketAddr) {
        if self.reports.params.remote.replace(remote) != Some(remote) {
            self.reports.release();
        }
        self.params.rtcp.remote = Some(remote);
    }

    /// The call is up: RTP is due from now on, and its absence is told.
    pub fn expect_rtp(&mut self, now: Duration) {
        self.expectation.begin(now);
    }

    /// What goes by the clock.
    pub(super) fn watch(&mut self, now: Duration) {
        if let Some(silent_for) = self.expectation.check(now) {
            self.tell(SessionEvent::NoRtp { silent_for, sending_to: self.destination() });
        }
        if self.windows.is_over(now) {
            let round_trip = self.reports.stats().round_trip;
            self.windows.turn(&self.caller.stats(), round_trip, self.params.codec, now);
        }
    }

    fn rtcp_destination(&self) -> Option<SocketAddr> {
        if self.params.rtcp.mux { self.destination() } else { self.reports.destination() }
    }

    /// Unencrypted reports are believed from where RTP comes from: its port if there is one, else any of its address. Before RTP
    /// has come, SDP says where.
    fn may_report(&self, from: SocketAddr) -> bool {
        match self.latch.address() {
            Some(latched) if self.params.rtcp.mux => latched == from,
            Some(latched) => latched.ip() == from.ip(),
            None => [self.params.remote, self.params.rtcp.remote].into_iter().flatten().any(|sdp| sdp.ip() == from.ip()),
        }
    }

    fn protect_rtcp(&mut self, out: &mut RtcpBuffer) -> bool {
        let Some(crypt) = &mut self.crypt else { return true };
        let (octets, len) = out.parts();
        *len = crypt.protect_rtcp(octets, *len).unwrap_or(0);
        *len > 0
    }

    fn ours(&self) -> Ours {
        let SessionParams { ssrc, first_sequence, codec, ptime_ms, .. } = self.params;
        // The next packet's is that of the next beat.
        let timestamp = self.mouth.next.timestamp.wrapping_sub(codec.clock_hz() / 50);
        Ours { ssrc, first_sequence, timestamp, codec, ptime: Duration::from_millis(ptime_ms.into()) }
    }
}
