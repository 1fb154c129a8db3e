//! A call on its media thread: the session with its socket, rings and recorder.

use super::{
    ear::EarFeed,
    overhear::{MAX_LISTENERS, OverhearFeed},
    relay::RelayEnd,
    shared::{MediaEvent, MediaStats, Shared},
    sys::{self, BATCH, Datagrams},
    voice::VoiceFeed,
};
use crate::{
    ports::RtpSocket,
    record::Tap,
    rtp::rtcp::RtcpBuffer,
    session::{Beat, Session},
};
use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio::sync::{mpsc, watch};

/// Batches taken in one beat: 32 datagrams, so a flood to one call costs the others little. The rest waits in the socket's
/// buffer or overflows it.
const MAX_BATCHES: usize = 4;

/// The port of RTCP is looked at every 200 ms: a report comes every 5 s, and the kernel stamps it.
const RTCP_BEATS: u32 = 10;

/// See the module. Fields drop in this order: the socket frees its port before anybody is told,
/// by the end of the events or by `_closed`.
pub(super) struct Line {
    pub(super) session: Session,
    pub(super) ear: EarFeed,
    pub(super) voice: VoiceFeed,
    pub(super) relay: Option<Box<RelayEnd>>,
    pub(super) tap: Option<Tap>,
    /// With room for all that there may be.
    pub(super) listeners: Vec<OverhearFeed>,
    pub(super) stats: MediaStats,
    pub(super) shared: Arc<Shared>,
    pub(super) beats: u32,
    pub(super) socket: RtpSocket,
    pub(super) events: mpsc::Sender<MediaEvent>,
    pub(super) _closed: watch::Sender<()>,
}

impl Line {
    pub(super) fn is_closing(&self) -> bool {
        self.shared.closing.load(Ordering::Acquire)
    }

    /// One beat of 20 ms.
    pub(super) fn beat(&mut self, now: Duration, datagrams: &mut Datagrams, beat: &mut Beat) {
        self.read_mail(now);
        self.receive(datagrams);
        match &mut self.relay {
            Some(relay) => relay.feed(self.session.playout()),
            None => self.voice.feed(self.session.playout(), &self.shared),
        }
        self.session.tick(now, beat);
        for packet in beat.packets() {
            self.send(packet);
        }
        self.report(now, datagrams);
        match &mut self.relay {
            Some(relay) => relay.hand_over(beat.ear()),
            None => {
                self.voice.report(self.session.playout(), &self.shared);
                self.ear.push(beat.ear(), beat.ear_at(), &self.shared);
            }
        }
        if let Some(tap) = &mut self.tap {
            tap.push(beat.stereo());
        }
        self.listeners.retain_mut(|listener| listener.push(beat.stereo()));
        self.tell();
        self.count();
        self.shared.publish(&self.stats);
    }

    /// Beats that the thread could not hold.
    pub(super) fn skip(&mut self, beats: u32) {
        self.session.skip(beats);
    }

    fn read_mail(&mut self, now: Duration) {
        let (session, relay, listeners) = (&mut self.session, &mut self.relay, &mut self.listeners);
        self.shared.collect(|mail| {
            if let Some(remote) = mail.remote.take() {
                session.set_remote(remote, now);
            }
            if let Some(remote) = mail.rtcp_remote.take() {
                session.set_rtcp_remote(remote);
            }
            if std::mem::take(&mut mail.expects_rtp) {
                session.expect_rtp(now);
            }
            if let Some(held) = mail.held.take() {
                session.hold(held, now);
            }
            if let Some(muted) = mail.muted.take() {
                session.mute(muted);
            }
            if let Some(listener) = mail.listener.take() {
                session.listen(listener);
            }
            if let Some(srtp) = mail.srtp.take() {
                session.rekey(srtp, now);
            }
            if let Some(change) = mail.relay.take() {
                if let Some(former) = relay {
                    former.swap(session.playout());
                }
                *relay = change.into_end();
                if let Some(end) = relay {
                    end.swap(session.playout());
                }
                // It is no agent who speaks.
                session.watch_barge_in(None);
            }
            // After the relay: whoever parts and watches again does both in one beat.
            if let Some(detector) = mail.detector.take() {
                session.watch_barge_in(detector);
            }
            while listeners.len() < MAX_LISTENERS
                && let Some(listener) = mail.listeners.pop()
            {
                listeners.push(listener);
            }
            mail.listeners.clear();
            // What does not fit waits for the sender's queue to move on.
            while let Some((digit, way)) = mail.digits.pop_front() {
                if !session.send_dtmf(digit, way) {
                    mail.digits.push_front((digit, way));
                    self.shared.has_mail.store(true, Ordering::Relaxed);
                    break;
                }
            }
        });
    }

    fn receive(&mut self, datagrams: &mut Datagrams) {
        for _ in 0..MAX_BATCHES {
            let taken = datagrams.receive(self.socket.udp());
            for (datagram, from, arrived) in datagrams.iter_mut() {
                self.session.receive(datagram, from, arrived);
            }
            if taken < BATCH {
                break;
            }
        }
    }

    /// Reads the reports of the far end where they have a port of their own, and sends ours.
    fn report(&mut self, now: Duration, datagrams: &mut Datagrams) {
        self.beats = self.beats.wrapping_add(1);
        if let Some(rtcp) = self.socket.rtcp().filter(|_| self.beats.is_multiple_of(RTCP_BEATS)) {
            datagrams.receive(rtcp);
            for (datagram, from, arrived) in datagrams.iter_mut() {
                self.session.receive_rtcp(datagram, from, arrived);
            }
        }
        if self.session.rtcp_is_due(now) {
            let mut report = RtcpBuffer::new();
            let destination = self.session.report(now, &mut report);
            self.send_report(&report, destination);
        }
    }

    fn send_report(&self, report: &RtcpBuffer, destination: Option<SocketAddr>) {
        let mux = self.session.params().rtcp.mux;
        let socket = if mux { Some(self.socket.udp()) } else { self.socket.rtcp() };
        if let Some((socket, destination)) = socket.zip(destination) {
            // A report that is lost is one of many.
            let _ = socket.send_to(report.packet(), self.reachable(destination));
        }
    }

    /// A dual-stack socket takes IPv4 addresses only as mapped ones.
    fn reachable(&self, destination: SocketAddr) -> SocketAddr {
        match (self.socket.local_addr().ip(), destination.ip()) {
            (IpAddr::V6(_), IpAddr::V4(v4)) => SocketAddr::new(v4.to_ipv6_mapped().into(), destination.port()),
            _ => destination,
        }
    }

    fn send(&mut self, packet: &[u8]) {
        let Some(destination) = self.session.destination() else { return };
        match self.socket.udp().send_to(packet, self.reachable(destination)) {
            Ok(_) => self.stats.sent += 1,
            Err(_) => self.stats.send_errors += 1,
        }
    }

    fn tell(&mut self) {
        while let Some(event) = self.session.poll_event() {
            if self.events.try_send(event.into()).is_err() {
                self.stats.events_dropped += 1;
            }
        }
    }

    fn count(&mut self) {
        let session = self.session.stats();
        self.stats = MediaStats {
            latched: self.session.latched(),
            received: session.received,
            lost: session.jitter.lost,
            late: session.jitter.late,
            junk: session.junk,
            refused: session.refused,
            srtp: self.session.srtp(),
            unauthentic: session.unauthentic,
            replayed: session.replayed,
            jitter: session.jitter.jitter,
            rtcp: session.rtcp,
            mos: session.mos,
            concealed: session.jitter.concealed,
            underruns: session.underruns,
            overlaps: session.overlaps,
            unheard: self.ear.unheard(),
            unrecorded: self.tap.as_ref().map_or(0, Tap::dropped),
            ..self.stats
        };
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let mut goodbye = RtcpBuffer::new();
        let destination = self.session.goodbye(sys::now(), &mut goodbye);
        self.send_report(&goodbye, destination);
        self.count();
        self.shared.publish_final(&self.stats);
    }
}
