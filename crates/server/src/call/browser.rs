//! Somebody talks to a user's agent without a telephone. To the call it is an inbound one like any other: its leg is a local one
//! ([`callie_sip::LocalPeer`]), and its audio goes as RTP over loopback (ADR 0024), so that everything behind the socket is what a
//! telephone would meet.
//!
//! ```text
//!   WebSocket ─ Spoken ─▶ queue ─ each 20 ms ─▶ G.722 ─ RTP ─▶ media session ─▶ agent
//!   WebSocket ◀──────────────────────────────── G.722 ◀ RTP ── media session ◀─ agent
//! ```

use super::audio::draw_keys;
use super::registry::Registry;
use crate::exchange::{CallWords, Spoken, TalkError, TalkLine};
use callie_domain::audio::{AudioCodec, DtmfMode, LineMedia, SrtpPolicy};
use callie_domain::record::EndReason;
use callie_domain::{User, UserId};
use callie_media::codec::Codec;
use callie_media::codec::g722::{G722Decoder, G722Encoder};
use callie_media::rtp::{RtpHeader, RtpPacket, header::HEADER_LEN};
use callie_sip::sdp::{self, Direction, LocalMedia};
use callie_sip::{Leg, LocalOrder, LocalPeer};
use callie_store::StoredUser;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::{collections::VecDeque, io, sync::Arc, time::Duration};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// Of G.722, and so of what is spoken and heard.
const RATE_HZ: u32 = 16_000;
const FRAME: Duration = Duration::from_millis(20);
/// Of a frame.
const SAMPLES: usize = 320;
const CODES: usize = SAMPLES / 2;
/// G.722's RTP clock runs at half its rate (RFC 3551 §4.5.2).
const TICKS: u32 = 160;
/// A browser's audio comes in lumps: speech begins with so many samples at hand, after which lumps of 60 ms leave no gap.
const AT_FIRST: usize = 3 * SAMPLES;
/// What waits beyond this is too old: the oldest goes.
const MOST: usize = 10 * SAMPLES;
/// Messages of a browser that wait for us: half a second.
const SPOKEN: usize = 25;
/// Frames that wait for a browser: a second.
const HEARD: usize = 50;

impl Registry {
    /// Begins a call with whoever holds the line that this gives.
    pub async fn talk(&self, user: &UserId, words: CallWords) -> Result<TalkLine, TalkError> {
        let stored = self.stored(user).ok_or_else(|| TalkError::NoSuchUser(user.clone()))?;
        match self.refusal_of_talk(&stored) {
            Some(EndReason::ShuttingDown) => return Err(TalkError::ShuttingDown),
            Some(EndReason::TooManyCalls) => return Err(TalkError::TooManyCalls(user.clone())),
            Some(_) => return Err(TalkError::NotActive(user.clone())),
            None => {}
        }
        let socket = UdpSocket::bind((LOOPBACK, 0)).await.map_err(internal)?;
        let local = description(socket.local_addr().map_err(internal)?.port())?;
        let (leg, peer) = Leg::local(&format!("browser-{:032x}", rand::random::<u128>()));
        let offer = sdp::offer(&local);
        let (spoken, to_us) = mpsc::channel(SPOKEN);
        let (to_them, heard) = mpsc::channel(HEARD);
        let at_desk = StoredUser { user: Arc::new(on_loopback(&stored.user)), revision: stored.revision };
        let call = self.admit_local(&at_desk, leg, offer, LOOPBACK, words);
        let desk = Desk {
            socket,
            local,
            peer,
            spoken: to_us,
            heard: to_them,
            remote: None,
            voice: Queue::default(),
            encoder: G722Encoder::new(),
            decoder: G722Decoder::new(),
            header: RtpHeader {
                marker: true,
                payload_type: Codec::G722.static_payload_type().unwrap_or(9),
                sequence: rand::random(),
                timestamp: rand::random(),
                ssrc: rand::random(),
            },
        };
        self.spawn(desk.run());
        Ok(TalkLine { call, sample_rate_hz: RATE_HZ, spoken, heard })
    }
}

fn internal(error: io::Error) -> TalkError {
    TalkError::Internal(format!("no socket on loopback: {error}"))
}

/// What does not leave this machine is not encrypted, and has the bandwidth of a browser.
fn on_loopback(user: &User) -> User {
    let mut user = user.clone();
    user.sip.media = LineMedia { srtp: SrtpPolicy::Off, codecs: vec![AudioCodec::G722], dtmf: DtmfMode::Auto };
    user
}

fn description(port: u16) -> Result<LocalMedia, TalkError> {
    Ok(LocalMedia {
        address: LOOPBACK,
        port,
        session_id: rand::random::<u32>().into(),
        version: 1,
        codecs: vec![Codec::G722],
        either_law: false,
        srtp: SrtpPolicy::Off,
        keys: draw_keys().map_err(|end| TalkError::Internal(end.detail.unwrap_or_default()))?,
        direction: Direction::SendRecv,
    })
}

/// The other end of the call's leg and of its media.
struct Desk {
    socket: UdpSocket,
    local: LocalMedia,
    peer: LocalPeer,
    spoken: mpsc::Receiver<Spoken>,
    heard: mpsc::Sender<Vec<i16>>,
    /// Where the call receives, once it is answered.
    remote: Option<SocketAddr>,
    voice: Queue,
    encoder: G722Encoder,
    decoder: G722Decoder,
    header: RtpHeader,
}

impl Desk {
    /// Until the call is over.
    async fn run(mut self) {
        let mut ticks = interval(FRAME);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let mut datagram = [0; 2_048];
        loop {
            tokio::select! {
                order = self.peer.next() => match order {
                    Some(LocalOrder::Answer(answer)) => {
                        self.remote = sdp::read_answer(answer.as_bytes(), &self.local).ok().map(|media| media.remote);
                        ticks.reset();
                    }
                    Some(LocalOrder::Ring) => {}
                    Some(LocalOrder::Refuse(_) | LocalOrder::HangUp) | None => return,
                },
                spoken = self.spoken.recv() => match spoken {
                    Some(Spoken::Sound(samples)) => self.voice.push(&samples),
                    Some(Spoken::Key(key)) => self.peer.press(key),
                    None => return self.peer.hang_up(),
                },
                _ = ticks.tick() => self.send().await,
                received = self.socket.recv_from(&mut datagram) => {
                    if let Ok((length, from)) = received {
                        self.receive(datagram.get(..length).unwrap_or_default(), from);
                    }
                }
            }
        }
    }

    /// A frame each 20 ms, of silence where nothing is spoken: a call without RTP is taken for dead.
    async fn send(&mut self) {
        let Some(remote) = self.remote else { return };
        let (mut header, mut codes) = ([0; HEADER_LEN], [0; CODES]);
        self.header.write(&mut header);
        self.encoder.encode(&self.voice.frame(), &mut codes);
        // Lost, it is a lost packet.
        let _ = self.socket.send_to(&[&header[..], &codes[..]].concat(), remote).await;
        self.header.marker = false;
        self.header.sequence = self.header.sequence.wrapping_add(1);
        self.header.timestamp = self.header.timestamp.wrapping_add(TICKS);
    }

    /// Of nobody else, and nothing but speech. A browser that is slow loses it; nobody waits for it.
    fn receive(&mut self, datagram: &[u8], from: SocketAddr) {
        let Ok(packet) = RtpPacket::parse(datagram) else { return };
        if self.remote != Some(from) || packet.header.payload_type != self.header.payload_type {
            return;
        }
        let mut samples = vec![0.0; 2 * packet.payload.len()];
        self.decoder.decode(packet.payload, &mut samples);
        let _ = self.heard.try_send(samples.into_iter().map(|sample| sample as i16).collect());
    }
}

/// What was spoken and is to be sent.
#[derive(Debug, Default)]
struct Queue {
    samples: VecDeque<i16>,
    /// It is being sent; otherwise more of it is waited for.
    flows: bool,
}

impl Queue {
    fn push(&mut self, samples: &[i16]) {
        self.samples.extend(samples.iter().skip(samples.len().saturating_sub(MOST)));
        let late = self.samples.len().saturating_sub(MOST);
        self.samples.drain(..late);
        self.flows |= self.samples.len() >= AT_FIRST;
    }

    fn frame(&mut self) -> [f32; SAMPLES] {
        self.flows &= self.samples.len() >= SAMPLES;
        let mut frame = [0.0; SAMPLES];
        if self.flows {
            frame.iter_mut().zip(self.samples.drain(..SAMPLES)).for_each(|(to, sample)| *to = f32::from(sample));
        }
        frame
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lumps_become_a_steady_stream() {
        let mut queue = Queue::default();
        queue.push(&[5; 2 * SAMPLES]);
        assert_eq!(queue.frame()[0], 0.0, "it waits for more");
        queue.push(&[7; 2 * SAMPLES]);
        assert_eq!([queue.frame()[0], queue.frame()[0], queue.frame()[0], queue.frame()[0]], [5.0, 5.0, 7.0, 7.0]);
        assert_eq!(queue.frame()[0], 0.0, "nothing is left");
        queue.push(&[9; SAMPLES]);
        assert_eq!(queue.frame()[0], 0.0, "it begins anew");
    }

    #[test]
    fn the_oldest_is_lost_and_memory_has_a_bound() {
        let mut queue = Queue::default();
        queue.push(&[1; SAMPLES]);
        queue.push(&[2; 100 * SAMPLES]);
        assert_eq!((queue.samples.len(), queue.frame()[0]), (MOST, 2.0));
        queue.push(&[]);
        assert_eq!(queue.samples.len(), MOST - SAMPLES);
    }
}
