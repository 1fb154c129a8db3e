//! Encrypted calls and their reports over real loopback sockets.

#[expect(dead_code, reason = "shared with the other tests, which use more of it")]
mod peer;

use callie_media::{
    engine::{Media, MediaEngine, MediaEvent, MediaStats},
    ports::{RtpPorts, RtpSocket},
    rtp::{
        rtcp::{Compound, RtcpPacket, RtcpParams},
        srtp::{KEY_LEN, SrtpKey, SrtpParams, SrtpSuite},
    },
    session::SessionParams,
};
use peer::{DEADLINE, LOOPBACK, Peer, engine, open, params};
use std::{
    future::Future,
    net::{SocketAddr, UdpSocket},
    time::{Duration, Instant},
};
use tokio::time::timeout;

fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build().expect("a runtime");
    runtime.block_on(async { timeout(DEADLINE * 3, test).await.expect("before the deadline") })
}

fn keys(suite: SrtpSuite, send: u8, receive: u8) -> Option<SrtpParams> {
    let key = |octet| SrtpKey::new([octet; KEY_LEN]);
    Some(SrtpParams { suite, send: key(send), receive: key(receive) })
}

fn reserve(ports: &RtpPorts) -> RtpSocket {
    ports.reserve(30_000..=39_999, LOOPBACK).expect("a free port")
}

fn above(rtp: SocketAddr) -> SocketAddr {
    SocketAddr::new(rtp.ip(), rtp.port() + 1)
}

/// Two calls of one engine that talk with one another.
struct Two {
    sides: [Media; 2],
    _engine: MediaEngine,
}

impl Two {
    fn open(srtp: [Option<SrtpParams>; 2], mux: bool) -> Self {
        let (engine, ports) = (engine(), RtpPorts::new());
        let sockets = [reserve(&ports), reserve(&ports)];
        let addresses = sockets.each_ref().map(RtpSocket::local_addr);
        let open = |socket, remote, ssrc, srtp| {
            let rtcp = RtcpParams { mux, remote: (!mux).then_some(above(remote)), ..RtcpParams::default() };
            engine.open(socket, SessionParams { ssrc, srtp, rtcp, ..params(remote) }, None).expect("opened")
        };
        let ([a, b], [at_a, at_b], [srtp_a, srtp_b]) = (sockets, addresses, srtp);
        let sides = [open(a, at_b, 0xa, srtp_a), open(b, at_a, 0xb, srtp_b)];
        Self { sides, _engine: engine }
    }

    /// Polls the figures of both until they are as wanted.
    async fn until(&self, what: &str, wanted: impl Fn(&[MediaStats; 2]) -> bool) -> [MediaStats; 2] {
        let end = Instant::now() + DEADLINE * 2;
        loop {
            let stats = self.sides.each_ref().map(|side| side.control.stats());
            if wanted(&stats) {
                return stats;
            }
            assert!(Instant::now() < end, "{what}: {stats:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn speaks(&mut self, from: usize) {
        let tone = (0..24_000).map(|i| if i % 48 < 24 { 9_000 } else { -9_000 }).collect();
        self.sides[from].voice.say(tone).expect("room");
        let mut loud = 0;
        while loud < 20 {
            self.sides[1 - from].ear.ready().await;
            while let Some(frame) = self.sides[1 - from].ear.pop() {
                loud += usize::from(frame.iter().any(|sample| sample.unsigned_abs() > 4_000));
            }
        }
    }
}

#[test]
fn encrypted_speech_goes_both_ways_and_keys_change() {
    run(async {
        for suite in SrtpSuite::ALL {
            let mut two = Two::open([keys(suite, 1, 2), keys(suite, 2, 1)], true);
            two.speaks(0).await;
            two.speaks(1).await;
            for (side, keys) in two.sides.iter().zip([keys(suite, 3, 4), keys(suite, 4, 3)]) {
                side.control.rekey(keys.expect("keys"));
            }
            two.speaks(0).await;
            two.speaks(1).await;
            for side in two.sides {
                let stats = side.control.close().await;
                assert_eq!((stats.srtp, stats.junk, stats.refused, stats.lost), (Some(suite), 0, 0, 0), "{stats:?}");
                // The threads read their mail a beat apart.
                assert!(stats.received > 50 && stats.unauthentic <= 2, "{stats:?}");
            }
        }
    });
}

#[test]
fn reports_cross_on_one_port_or_two_in_clear_or_not() {
    run(async {
        let suite = SrtpSuite::AesCm128HmacSha1_80;
        let cases = [(false, false), (false, true), (true, false), (true, true)].map(|(encrypted, mux)| async move {
            let srtp = if encrypted { [keys(suite, 1, 2), keys(suite, 2, 1)] } else { [None, None] };
            let two = Two::open(srtp, mux);
            let measured = |stats: &[MediaStats; 2]| stats.iter().all(|s| s.rtcp.round_trip.is_some() && s.rtcp.remote.is_some());
            let stats = two.until("reports", measured).await;
            for side in stats {
                let round_trip = side.rtcp.round_trip.unwrap_or_default();
                assert!(round_trip < Duration::from_millis(100), "{round_trip:?}");
                assert_eq!(side.rtcp.remote.map(|view| view.lost), Some(0));
                assert_eq!(side.rtcp.source.map(|source| source.port() % 2), Some(u16::from(!mux)));
                assert_eq!((side.rtcp.junk, side.junk, side.unauthentic), (0, 0, 0), "{side:?}");
            }
        });
        let [a, b, c, d] = cases;
        tokio::join!(a, b, c, d);
    });
}

#[test]
fn a_call_that_closes_says_goodbye() {
    run(async {
        let (engine, ports, mut peer) = (engine(), RtpPorts::new(), Peer::new());
        let reports = UdpSocket::bind((LOOPBACK, 0)).expect("loopback");
        reports.set_read_timeout(Some(DEADLINE)).expect("a timeout");
        let rtcp = RtcpParams { remote: reports.local_addr().ok(), ..RtcpParams::default() };
        let (media, local) = open(&engine, &ports, SessionParams { rtcp, ..params(peer.address()) }, None);
        peer.exchange(0.0, local);
        media.control.close().await;
        let mut datagram = [0; 1500];
        let goodbye =
            std::iter::from_fn(|| reports.recv_from(&mut datagram).ok().map(|(len, from)| (datagram[..len].to_vec(), from)))
                .filter(|(datagram, _)| !datagram.is_empty())
                .find(|(datagram, from)| {
                    assert_eq!(*from, above(local));
                    let compound = Compound::parse(datagram).expect("a report");
                    compound.packets().any(|packet| packet == RtcpPacket::Bye { ssrc: Some(0xca11) })
                });
        assert!(goodbye.is_some());
    });
}

#[test]
fn an_answered_call_that_hears_nothing_is_told_where_it_sends() {
    run(async {
        let (engine, ports, mut peer) = (engine(), RtpPorts::new(), Peer::new());
        let (mut media, _) = open(&engine, &ports, params(peer.address()), None);
        peer.hear();
        media.control.expect_rtp();
        let told = media.events.recv().await;
        let Some(MediaEvent::NoRtp { silent_for, sending_to }) = told else { panic!("{told:?}") };
        assert!(silent_for >= Duration::from_secs(2) && silent_for < Duration::from_secs(4), "{silent_for:?}");
        assert_eq!(sending_to, Some(peer.address()));
    });
}

#[test]
fn packets_in_clear_do_not_reach_an_encrypted_call() {
    run(async {
        let (engine, ports, mut peer) = (engine(), RtpPorts::new(), Peer::new());
        let srtp = keys(SrtpSuite::AesCm128HmacSha1_80, 1, 2);
        let (media, local) = open(&engine, &ports, SessionParams { srtp, ..params(peer.address()) }, None);
        for _ in 0..20 {
            peer.listen_for(Duration::from_millis(10));
            peer.speak(5_000.0, local);
        }
        let end = Instant::now() + DEADLINE;
        while media.control.stats().unauthentic < 20 {
            assert!(Instant::now() < end, "{:?}", media.control.stats());
            peer.listen_for(Duration::from_millis(10));
        }
        let stats = media.control.stats();
        assert_eq!((stats.received, stats.latched), (0, None));
    });
}
