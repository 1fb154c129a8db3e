//! The media of one call as a pure machine: datagrams and the time in; packets, caller frames and facts out.
//!
//! Not here: sockets, clocks, threads (see [`crate::engine`]) and whatever the call decides.
//!
//! ```text
//! datagram → decrypt → latch → jitter ─┐             ┌→ ear       caller speech at the agent's rate
//!              └→ reports ──────────┐  ├─ tick(now) ─┼→ packets   RTP to the caller, one each 20 ms unless asked otherwise
//!    chunk → say → playout ─────────┼──┘             └→ stereo    recorder: caller left, agent right
//!                                   └─ report(now) ──→ packet     RTCP, about every 5 s
//! ```

mod beat;
mod caller;
#[cfg(test)]
mod codecs;
mod comfort;
mod crypt;
mod expectation;
mod latch;
mod line;
mod marks;
mod mouth;
mod overlap;
mod packer;
#[cfg(test)]
mod pair;
mod reports;
#[cfg(test)]
mod tests;
mod wire;

pub use beat::Beat;
pub use expectation::NO_RTP_AFTER;
pub use latch::{Admission, Latch, RELATCH_PACKETS, RELATCH_SILENCE};
pub use marks::{AGENT_PAUSE, CALLER_PAUSE};
pub use reports::{MOS_WINDOW, RemoteView, RtcpStats};

use crate::{
    barge::BargeInDetector,
    codec::{Codec, OpusParams},
    dtmf::{DtmfWay, KeyFilter, KeySource},
    jitter::JitterStats,
    playout::{Playout, SpeechRate},
    progress::{self, ProgressListener, Signal},
    quality::MosSpan,
    rtp::{
        DtmfReceiver, RtpHeader, RtpPacket,
        rtcp::{self, RtcpParams},
        srtp::SrtpParams,
    },
};
use caller::{Caller, Heard};
use crypt::Crypt;
use expectation::Expectation;
use marks::{AgentMarks, Mark};
use mouth::Mouth;
use overlap::Overlap;
use reports::{Reports, Windows};
use std::{collections::VecDeque, net::SocketAddr, time::Duration};

/// Comfort noise (RFC 3389): a sign of life without speech.
const COMFORT_NOISE: u8 = 13;
/// Chunks of speech inside the playout; the ring before it holds more. It is filled once a beat, so an engine whose chunks are
/// shorter than a 32nd of that (0.6 ms) would run dry.
pub(crate) const PLAYOUT_CHUNKS: usize = 32;
/// Facts that wait to be polled; the driver polls after each datagram and tick, so it never fills.
const PENDING_EVENTS: usize = 16;

/// The first sequence number of an encrypted stream is below 2¹⁵, lest its first round ends before the far end has seen of it
/// (RFC 3711 §3.3.1).
const SRTP_FIRST_SEQUENCE: u16 = 0x7fff;

/// What offer and answer settled, and the random starting points of RFC 3550 §5.1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionParams {
    pub codec: Codec,
    /// RTP payload type of `codec`, both ways.
    pub payload_type: u8,
    /// Milliseconds of sound in each packet that we send; what the far end sends may be of any length.
    pub ptime_ms: u16,
    /// What the far end wants of our Opus; of no meaning for other codecs.
    pub opus: OpusParams,
    /// RTP payload type of telephone events (RFC 4733), when both sides know them.
    pub dtmf_payload_type: Option<u8>,
    /// Clock of the durations of telephone events, hertz: of the codec's own clock as a rule, but many telephones say 8,000
    /// beside Opus.
    pub dtmf_clock_hz: u32,
    /// RTP payload type of comfort noise (RFC 3389) if it is another than 13, which is always understood.
    pub comfort_noise_payload_type: Option<u8>,
    /// Rate at which the agent hears.
    pub ear_rate: SpeechRate,
    /// Rate at which the agent speaks.
    pub voice_rate: SpeechRate,
    pub ssrc: u32,
    pub first_sequence: u16,
    pub first_timestamp: u32,
    /// From the caller's SDP; used until the first packet tells better.
    pub remote: Option<SocketAddr>,
    /// So much silence on the wire is [`SessionEvent::RtpLost`].
    pub rtp_timeout: Duration,
    /// Keys, when what goes over the wire is encrypted.
    pub srtp: Option<SrtpParams>,
    pub rtcp: RtcpParams,
}

/// What became of a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received {
    Speech,
    TelephoneEvent,
    /// Comfort noise or an empty packet: a sign of life.
    KeepAlive,
    /// Valid RTP from an address we don't listen to.
    Refused,
    /// RTCP on the RTP port (RFC 5761).
    Rtcp,
    /// Not encrypted under the far end's key.
    Unauthentic,
    /// It has come before, or is too old to tell.
    Replayed,
    /// No RTP, or of a payload type that was not negotiated.
    Junk,
}

/// Facts for the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionEvent {
    /// The caller's first valid packet; RTP goes to its source from now on.
    FirstRtp { from: SocketAddr },
    /// The caller's RTP comes from elsewhere now.
    Latched { from: SocketAddr },
    /// The call is up ([`Session::expect_rtp`]) and no packet has come for so long. Told once in a call, and not if one ever came.
    NoRtp { silent_for: Duration, sending_to: Option<SocketAddr> },
    /// No valid packet for the configured time. Told once per silence.
    RtpLost { silent_for: Duration },
    /// A key press, by event or by tone: `0–9 * # A–D`.
    Dtmf(char),
    /// The caller began (`on`) or ceased to speak; `at` is when the first or the last loud packet of the utterance arrived.
    /// Told with the delay of the jitter buffer and 60 ms of speech, or [`CALLER_PAUSE`] of none.
    CallerSpeech { on: bool, at: Duration },
    /// The caller speaks over the agent, and goes on: no word in passing, no noise, no echo ([`crate::barge`]). `began`: when the
    /// first loud packet of it arrived, about half a second ago; `at`: now, the beat of the decision.
    BargeIn { at: Duration, began: Duration },
    /// After [`Self::BargeIn`]: the caller has finished. `at`: when the last packet with a voice arrived, 400 ms ago.
    BargeInOver { at: Duration },
    /// The agent began (`on`) or ceased to be heard; `at` is when the first or the last audible packet was due to be sent.
    /// The end is told after [`AGENT_PAUSE`].
    AgentSpeech { on: bool, at: Duration },
    /// While [`Session::listen`] asks for it: a tone of the network, of a fax machine or of an answering machine.
    Signal(Signal),
    /// While [`Session::listen`] asks for it: talk began (`on`) or ended at `at`, tones and what is behind a voice apart. Told
    /// 100 ms after its beginning and 240 ms after its end.
    Talk { on: bool, at: Duration },
}

/// Counters since the session began, in packets unless named otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SessionStats {
    /// Valid packets from the caller.
    pub received: u64,
    pub sent: u64,
    /// Datagrams that were no RTP of this call.
    pub junk: u64,
    /// Valid RTP from strangers.
    pub refused: u64,
    /// What was not encrypted under the far end's key, RTCP included.
    pub unauthentic: u64,
    /// Encrypted packets that came once more.
    pub replayed: u64,
    /// Agent speech ran dry in the middle of a turn.
    pub underruns: u64,
    /// Something like speech of the caller was heard over the agent: barge-ins, and words in passing.
    pub overlaps: u64,
    pub jitter: JitterStats,
    pub rtcp: RtcpStats,
    /// How the caller sounds here.
    pub mos: Option<MosSpan>,
}

/// See the module. `now` is any clock that only goes forward.
#[derive(Debug)]
pub struct Session {
    params: SessionParams,
    // Boxed: a call in clear does not carry it.
    crypt: Option<Box<Crypt>>,
    latch: Latch,
    caller: Caller,
    dtmf_in: DtmfReceiver,
    /// Of the keys, which need not be that of the speech.
    dtmf_ssrc: Option<u32>,
    keys: KeyFilter,
    mouth: Mouth,
    agent_marks: AgentMarks,
    overlap: Overlap,
    muted: bool,
    watchdog: Watchdog,
    expectation: Expectation,
    reports: Reports,
    windows: Windows,
    events: VecDeque<SessionEvent>,
    stats: SessionStats,
}

#[derive(Debug, Clone, Copy)]
struct Watchdog {
    heard: Duration,
    held: bool,
    told: bool,
}

impl Session {
    /// Opens at `now`: the watchdog counts from here.
    pub fn new(mut params: SessionParams, now: Duration) -> Self {
        if params.srtp.is_some() {
            params.first_sequence &= SRTP_FIRST_SEQUENCE;
        }
        Self {
            crypt: params.srtp.clone().map(|srtp| Box::new(Crypt::new(srtp))),
            latch: Latch::default(),
            caller: Caller::new(&params),
            dtmf_in: dtmf_receiver(&params),
            dtmf_ssrc: None,
            keys: KeyFilter::new(),
            mouth: Mouth::new(&params),
            agent_marks: AgentMarks::default(),
            overlap: Overlap::default(),
            muted: false,
            watchdog: Watchdog { heard: now, held: false, told: false },
            expectation: Expectation::default(),
            reports: Reports::new(params.rtcp.clone(), u64::from(params.ssrc) << 32 | u64::from(params.first_timestamp), now),
            windows: Windows::new(now),
            events: VecDeque::with_capacity(PENDING_EVENTS),
            stats: SessionStats::default(),
            params,
        }
    }

    /// Takes a datagram that arrived at `now`; what is encrypted in it is decrypted in place.
    pub fn receive(&mut self, datagram: &mut [u8], from: SocketAddr, now: Duration) -> Received {
        // Opens the way through a NAT, and says nothing (RFC 6263 §4.1).
        if datagram.is_empty() {
            return Received::KeepAlive;
        }
        if rtcp::is_rtcp(datagram) {
            return self.receive_rtcp(datagram, from, now);
        }
        let datagram = match self.unprotect(datagram, now) {
            Ok(packet) => packet,
            Err(received) => return received,
        };
        let packet = match RtpPacket::parse(datagram) {
            Ok(packet) => packet,
            Err(_) => return self.junk(),
        };
        if !self.is_negotiated(packet.header.payload_type) {
            return self.junk();
        }
        match self.latch.admit(from, &packet.header, now) {
            Admission::Known => {}
            Admission::Latched => self.greet(from),
            Admission::Refused => {
                self.stats.refused += 1;
                return Received::Refused;
            }
        }
        self.stats.received += 1;
        self.watchdog.hear(now);
        self.expectation.fulfil();
        let received = self.deliver(&packet, now);
        self.reports.note_received(&packet.header, received == Received::Speech);
        received
    }

    /// One beat of 20 ms: fills `beat` with the packets to send, the caller's frame and the recorder's. Never allocates, except in the codec of
    /// Opus.
    pub fn tick(&mut self, now: Duration, beat: &mut Beat) {
        if let Some(silent_for) = self.watchdog.check(now, self.params.rtp_timeout) {
            self.tell(SessionEvent::RtpLost { silent_for });
        }
        self.watch(now);
        let Heard { came, mark, key } = self.caller.hear(now, self.overlap.is_echo(), beat);
        if let Some(Mark { on, at }) = mark {
            self.tell(SessionEvent::CallerSpeech { on, at });
        }
        if let Some(key) = key {
            self.tell_key(key, KeySource::Tone, now);
        }
        while let Some(heard) = self.caller.progress() {
            self.tell(match heard {
                progress::Heard::Signal(signal) => SessionEvent::Signal(signal),
                progress::Heard::Talk { on, ago } => SessionEvent::Talk { on, at: now.saturating_sub(ago) },
            });
        }
        let level = self.mouth.beat(self.muted, beat);
        self.stats.sent += beat.packets().count() as u64;
        let audible = level.filter(|_| self.destination().is_some());
        if let Some(Mark { on, at }) = self.agent_marks.send(audible, now) {
            self.tell(SessionEvent::AgentSpeech { on, at });
        }
        if !self.watchdog.held
            && let Some(event) = self.overlap.beat(came, beat, now)
        {
            self.tell(event);
        }
        self.protect(beat);
    }

    /// Beats that could not be held: the stream goes on as after a pause, in step with real time (RFC 3550 §5.1).
    pub fn skip(&mut self, beats: u32) {
        self.mouth.skip(beats);
    }

    /// Where packets go: the latched source, or what the SDP said.
    pub fn destination(&self) -> Option<SocketAddr> {
        self.latch.address().or(self.params.remote)
    }

    /// Where the caller's RTP was seen to come from.
    pub fn latched(&self) -> Option<SocketAddr> {
        self.latch.address()
    }

    /// The far end announced another address (RFC 3264 §8.3.1).
    pub fn set_remote(&mut self, remote: SocketAddr, now: Duration) {
        let moved = self.params.remote != Some(remote) && self.latch.address() != Some(remote);
        self.params.remote = Some(remote);
        if moved {
            self.latch.release(now);
            self.reports.release();
        }
    }

    /// While the far end holds the call its silence is no loss.
    pub fn hold(&mut self, held: bool, now: Duration) {
        self.watchdog = Watchdog { heard: now, held, told: false };
        self.expectation.hold(held, now);
    }

    /// Sends nothing while `muted`: the far end does not want RTP (RFC 3264 §8.4). The agent's speech passes unheard meanwhile
    /// and keys wait; then the stream goes on as after a pause.
    pub fn mute(&mut self, muted: bool) {
        self.muted = muted;
    }

    /// Listens for [`SessionEvent::Signal`] and [`SessionEvent::Talk`] from now on, or no more. It costs nothing while it does not.
    pub fn listen(&mut self, listener: Option<Box<ProgressListener>>) {
        self.caller.listen(listener);
    }

    /// It is an agent who speaks, and whom the caller may interrupt; nobody watches for it otherwise.
    pub fn watch_barge_in(&mut self, detector: Option<Box<BargeInDetector>>) {
        self.overlap.watch(detector);
    }

    /// Queues a key press. `false` when it is to be an event and those were not negotiated, it is no key, or too many wait.
    pub fn send_dtmf(&mut self, digit: char, way: DtmfWay) -> bool {
        self.mouth.send_dtmf(digit, way)
    }

    /// The agent's speech on its way out.
    pub fn playout(&mut self) -> &mut Playout {
        &mut self.mouth.playout
    }

    /// The next fact; ask after each [`Self::receive`] and [`Self::tick`] until there is none.
    pub fn poll_event(&mut self) -> Option<SessionEvent> {
        self.events.pop_front()
    }

    pub fn stats(&self) -> SessionStats {
        let jitter = self.caller.stats();
        let rtcp = self.reports.stats();
        let mos = self.windows.mos(&jitter, rtcp.round_trip, self.params.codec);
        let overlaps = self.overlap.suspected;
        SessionStats { underruns: self.mouth.playout.underruns(), overlaps, jitter, rtcp, mos, ..self.stats }
    }

    pub fn params(&self) -> &SessionParams {
        &self.params
    }

    fn is_negotiated(&self, payload_type: u8) -> bool {
        payload_type == self.params.payload_type
            || Some(payload_type) == self.params.dtmf_payload_type
            // Never before the latch: comfort noise is not in the answer, so it must not decide on the address.
            || (self.is_comfort_noise(payload_type) && self.latch.address().is_some())
    }

    fn is_comfort_noise(&self, payload_type: u8) -> bool {
        payload_type == COMFORT_NOISE || Some(payload_type) == self.params.comfort_noise_payload_type
    }

    fn deliver(&mut self, packet: &RtpPacket<'_>, now: Duration) -> Received {
        let RtpHeader { payload_type, timestamp, ssrc, .. } = packet.header;
        if Some(payload_type) == self.params.dtmf_payload_type {
            self.caller.observe(&packet.header);
            if self.dtmf_ssrc.replace(ssrc).is_some_and(|former| former != ssrc) {
                self.dtmf_in = dtmf_receiver(&self.params);
            }
            if let Some(digit) = self.dtmf_in.receive(timestamp, packet.payload) {
                self.caller.trust_events();
                self.tell_key(digit, KeySource::Event, now);
            }
            Received::TelephoneEvent
        } else if payload_type == self.params.payload_type && !packet.payload.is_empty() {
            self.caller.push(packet, now);
            Received::Speech
        } else if self.is_comfort_noise(payload_type) {
            self.caller.rest(packet);
            Received::KeepAlive
        } else {
            self.caller.observe(&packet.header);
            Received::KeepAlive
        }
    }

    fn greet(&mut self, from: SocketAddr) {
        let first = self.stats.received == 0;
        self.tell(if first { SessionEvent::FirstRtp { from } } else { SessionEvent::Latched { from } });
    }

    fn junk(&mut self) -> Received {
        self.stats.junk += 1;
        Received::Junk
    }

    /// A key that is reported by several ways is told once.
    fn tell_key(&mut self, key: char, source: KeySource, now: Duration) {
        if self.keys.is_new(key, source, now) {
            self.tell(SessionEvent::Dtmf(key));
        }
    }

    fn tell(&mut self, event: SessionEvent) {
        if self.events.len() < PENDING_EVENTS {
            self.events.push_back(event);
        }
    }
}

fn dtmf_receiver(params: &SessionParams) -> DtmfReceiver {
    DtmfReceiver::new(params.codec.clock_hz(), params.dtmf_clock_hz)
}

impl Watchdog {
    fn hear(&mut self, now: Duration) {
        self.heard = now;
        self.told = false;
    }

    fn check(&mut self, now: Duration, timeout: Duration) -> Option<Duration> {
        let silent_for = now.saturating_sub(self.heard);
        let lost = !self.held && !self.told && silent_for >= timeout;
        self.told |= lost;
        lost.then_some(silent_for)
    }
}
