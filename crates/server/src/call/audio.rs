//! Port, SDP and media of one call. Negotiation is `callie_sip::sdp`'s, packets are `callie_media`'s; this ties them to the
//! user's port range and to how calls end when it does not work out.

use super::{audio_evidence, context::CallContext};
use callie_domain::User;
use callie_domain::audio::{AudioCodec, LineMedia, SrtpPolicy};
use callie_domain::record::{EndReason, MediaSummary, Termination};
use callie_media::codec::Codec;
use callie_media::engine::{Media, MediaControl, MediaEvent};
use callie_media::playout::SpeechRate;
use callie_media::ports::RtpSocket;
use callie_media::record::Recording;
use callie_media::rtp::rtcp::{Cname, RtcpParams};
use callie_media::session::SessionParams;
use callie_sip::sdp::{self, Direction, LocalMedia, MediaParams, OurKeys, SdpError};
use rand::{TryRng, rngs::SysRng};
use std::net::{IpAddr, SocketAddr};
use tokio::sync::mpsc;

/// Where the audio of a call stands.
pub enum Audio {
    Closed,
    /// A port is ours and our description is known; the other side's is not.
    Reserved(Box<Reserved>),
    Open(Box<OpenAudio>),
}

/// See [`Audio::Reserved`].
pub struct Reserved {
    socket: RtpSocket,
    local: LocalMedia,
    /// Our offer, once there is one.
    said: String,
}

/// Media that runs.
pub struct OpenAudio {
    pub control: MediaControl,
    pub events: mpsc::Receiver<MediaEvent>,
    pub(super) local: LocalMedia,
    pub(super) params: MediaParams,
    /// Our last description: the next one has another version when it differs.
    pub(super) said: String,
}

impl OpenAudio {
    pub fn codec_name(&self) -> &'static str {
        self.params.codec.name()
    }

    /// Where our SDP says that we receive.
    pub fn announced(&self) -> SocketAddr {
        SocketAddr::new(self.local.address, self.local.port)
    }

    /// Where their SDP says that they receive.
    pub fn sdp_address(&self) -> SocketAddr {
        self.params.remote
    }
}

/// What opening needs besides SDP.
pub struct OpenWith {
    pub input_rate: u32,
    pub output_rate: u32,
    pub recording: Option<Recording>,
}

impl Audio {
    /// Takes a port from the user's range or the server's.
    pub fn reserve(context: &CallContext, user: &User, address: IpAddr) -> Result<Self, Termination> {
        let calls = &user.calls;
        let range =
            if calls.use_fixed_rtp_port { calls.rtp_port_min..=calls.rtp_port_max } else { context.limits.rtp_ports.clone() };
        let bind = if address.is_ipv6() { IpAddr::from([0u16; 8]) } else { IpAddr::from([0u8; 4]) };
        let bind = if address.is_loopback() { address } else { bind };
        let socket =
            context.ports.reserve(range, bind).map_err(|e| Termination::because(EndReason::RtpPortsExhausted, e.to_string()))?;
        let media = &user.sip.media;
        let local = LocalMedia {
            address,
            port: socket.port(),
            session_id: rand::random::<u32>().into(),
            version: 1,
            codecs: media.codecs.iter().map(|codec| codec_of(*codec)).collect(),
            either_law: media.codecs == LineMedia::default().codecs,
            srtp: media.srtp,
            keys: draw_keys()?,
            direction: Direction::SendRecv,
        };
        Ok(Self::Reserved(Box::new(Reserved { socket, local, said: String::new() })))
    }

    pub fn local_port(&self) -> Option<u16> {
        match self {
            Self::Closed => None,
            Self::Reserved(reserved) => Some(reserved.local.port),
            Self::Open(open) => Some(open.local.port),
        }
    }

    /// Our offer, for an INVITE or for the 200 to an INVITE without one.
    pub fn offer(&mut self) -> Option<String> {
        let Self::Reserved(reserved) = self else { return None };
        reserved.said = sdp::offer(&reserved.local);
        Some(reserved.said.clone())
    }

    /// Our offer to a peer that did not want one where encryption is optional: perhaps it wants nothing else (RTP/SAVP).
    pub fn insist(&mut self) -> Option<String> {
        match self {
            Self::Reserved(reserved) if reserved.local.srtp == SrtpPolicy::Optional => {
                reserved.local.srtp = SrtpPolicy::Required;
                self.offer()
            }
            _ => None,
        }
    }

    /// Answers their offer and opens media with what both agreed on. Returns the answer and the media's two ends.
    pub fn accept(&mut self, context: &CallContext, offer: &[u8], with: OpenWith) -> Result<(String, Media), Termination> {
        let Self::Reserved(reserved) = self else { return Err(out_of_order()) };
        let negotiated = sdp::negotiate(offer, &reserved.local).map_err(|e| refused(&e))?;
        reserved.said.clone_from(&negotiated.answer);
        let media = self.open(context, negotiated.media, with)?;
        Ok((negotiated.answer, media))
    }

    /// Takes their answer to our offer and opens media.
    pub fn complete(&mut self, context: &CallContext, answer: &[u8], with: OpenWith) -> Result<Media, Termination> {
        let Self::Reserved(reserved) = self else { return Err(out_of_order()) };
        let params =
            sdp::read_answer(answer, &reserved.local).map_err(|e| Termination::because(EndReason::BadAnswer, e.to_string()))?;
        self.open(context, params, with)
    }

    /// Closes what is open and takes the same port anew, for a description that the open media cannot follow.
    pub async fn reopen(&mut self, context: &CallContext) -> Result<(), Termination> {
        let Self::Open(open) = std::mem::replace(self, Self::Closed) else { return Err(out_of_order()) };
        let OpenAudio { control, local, said, .. } = *open;
        let bound = control.stats().local.ip();
        control.close().await;
        let port = local.port;
        let socket = context
            .ports
            .reserve(port..=port.saturating_add(1), bound)
            .map_err(|e| Termination::because(EndReason::RtpPortsExhausted, e.to_string()))?;
        *self = Self::Reserved(Box::new(Reserved { socket, local, said }));
        Ok(())
    }

    /// While the other side is asked to call somebody else it may cease to send, and that is no loss.
    pub fn expect_silence(&self, expected: bool) {
        if let Self::Open(open) = self {
            open.control.hold(expected || open.params.is_held());
        }
    }

    /// Closes what is open and says how it went.
    pub async fn close(self) -> Option<MediaSummary> {
        let Self::Open(open) = self else { return None };
        let (announced, sdp) = (open.announced(), open.params.remote);
        Some(audio_evidence::summary(&open.control.close().await, announced, sdp))
    }

    fn open(&mut self, context: &CallContext, params: MediaParams, with: OpenWith) -> Result<Media, Termination> {
        let Self::Reserved(reserved) = std::mem::replace(self, Self::Closed) else { return Err(out_of_order()) };
        let Reserved { socket, local, said } = *reserved;
        let session = session(&params, &with, context)?;
        let mut media = context
            .media
            .open(socket, session, with.recording)
            .map_err(|e| Termination::because(EndReason::MediaFailed, e.to_string()))?;
        if params.is_held() {
            media.control.hold(true);
        }
        media.control.mute_send(!params.direction.sends());
        let events = std::mem::replace(&mut media.events, mpsc::channel(1).1);
        *self = Self::Open(Box::new(OpenAudio { control: media.control.clone(), events, local, params, said }));
        Ok(media)
    }
}

/// What media is told, and its random starting points.
fn session(params: &MediaParams, with: &OpenWith, context: &CallContext) -> Result<SessionParams, Termination> {
    Ok(SessionParams {
        codec: params.codec,
        payload_type: params.payload_type,
        ptime_ms: params.ptime_ms,
        opus: params.opus,
        dtmf_payload_type: params.dtmf_payload_type,
        dtmf_clock_hz: params.dtmf_clock_hz,
        comfort_noise_payload_type: params.comfort_noise_payload_type,
        ear_rate: SpeechRate::from_hz(with.input_rate).ok_or_else(|| unusable_rate(with.input_rate))?,
        voice_rate: SpeechRate::from_hz(with.output_rate).ok_or_else(|| unusable_rate(with.output_rate))?,
        ssrc: rand::random(),
        first_sequence: rand::random(),
        first_timestamp: rand::random(),
        remote: (!params.remote.ip().is_unspecified()).then_some(params.remote),
        rtp_timeout: context.limits.rtp_timeout,
        srtp: params.srtp.clone(),
        rtcp: RtcpParams { mux: params.rtcp_mux, remote: params.rtcp, cname: Cname::new(rand::random()) },
    })
}

fn codec_of(codec: AudioCodec) -> Codec {
    match codec {
        AudioCodec::Opus => Codec::Opus,
        AudioCodec::G722 => Codec::G722,
        AudioCodec::Pcmu => Codec::Pcmu,
        AudioCodec::Pcma => Codec::Pcma,
    }
}

/// From the system's random source: whoever guesses them hears the call.
pub(super) fn draw_keys() -> Result<OurKeys, Termination> {
    let mut random = [[0; 30]; 2];
    for key in &mut random {
        SysRng
            .try_fill_bytes(key)
            .map_err(|e| Termination::because(EndReason::InternalError, format!("no random bytes: {e}")))?;
    }
    Ok(OurKeys::new(random))
}

fn refused(error: &SdpError) -> Termination {
    Termination::because(EndReason::NoCommonCodec, error.to_string())
}

fn out_of_order() -> Termination {
    Termination::because(EndReason::InternalError, "media was opened twice or without a port")
}

fn unusable_rate(hertz: u32) -> Termination {
    Termination::because(EndReason::InternalError, format!("the engine asks for {hertz} Hz, which media does not do"))
}
