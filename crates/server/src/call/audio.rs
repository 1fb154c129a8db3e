//! Port, SDP and media of one call. Negotiation is `callie_sip::sdp`'s, packets are `callie_media`'s; this ties them to the
//! user's port range and to how calls end when it does not work out.

use super::{audio_evidence, context::CallContext};
use callie_domain::record::{EndReason, MediaSummary, Termination};
use callie_domain::user::CallSettings;
use callie_media::codec::{Codec, G711, OpusParams};
use callie_media::engine::{Media, MediaControl, MediaEvent};
use callie_media::playout::SpeechRate;
use callie_media::ports::RtpSocket;
use callie_media::rtp::rtcp::RtcpParams;
use callie_media::session::SessionParams;
use callie_sip::sdp::{self, Direction, LocalMedia, MediaParams, SdpError};
use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
};
use tokio::sync::mpsc;

/// Where the audio of a call stands.
pub enum Audio {
    Closed,
    /// A port is ours and our description is known; the other side's is not.
    Reserved {
        socket: RtpSocket,
        local: LocalMedia,
    },
    Open(OpenAudio),
}

/// Media that runs.
pub struct OpenAudio {
    pub control: MediaControl,
    pub events: mpsc::Receiver<MediaEvent>,
    local: LocalMedia,
    params: MediaParams,
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
    pub recording: Option<PathBuf>,
}

impl Audio {
    /// Takes a port from the user's range or the server's.
    pub fn reserve(context: &CallContext, calls: &CallSettings, address: IpAddr) -> Result<Self, Termination> {
        let range =
            if calls.use_fixed_rtp_port { calls.rtp_port_min..=calls.rtp_port_max } else { context.limits.rtp_ports.clone() };
        let bind = if address.is_ipv6() { IpAddr::from([0u16; 8]) } else { IpAddr::from([0u8; 4]) };
        let bind = if address.is_loopback() { address } else { bind };
        let socket =
            context.ports.reserve(range, bind).map_err(|e| Termination::because(EndReason::RtpPortsExhausted, e.to_string()))?;
        let local = LocalMedia {
            address,
            port: socket.port(),
            session_id: rand::random::<u32>().into(),
            version: 1,
            codecs: vec![G711::Pcmu, G711::Pcma],
        };
        Ok(Self::Reserved { socket, local })
    }

    pub fn local_port(&self) -> Option<u16> {
        match self {
            Self::Closed => None,
            Self::Reserved { local, .. } => Some(local.port),
            Self::Open(open) => Some(open.local.port),
        }
    }

    /// Our offer, for an INVITE or for the 200 to an INVITE without one.
    pub fn offer(&self) -> Option<String> {
        match self {
            Self::Reserved { local, .. } => Some(sdp::offer(local)),
            Self::Open(_) | Self::Closed => None,
        }
    }

    /// Answers their offer and opens media with what both agreed on. Returns the answer and the media's two ends.
    pub fn accept(&mut self, context: &CallContext, offer: &[u8], with: OpenWith) -> Result<(String, Media), Termination> {
        let Self::Reserved { local, .. } = self else { return Err(out_of_order()) };
        let negotiated = sdp::negotiate(offer, local).map_err(|e| refused(&e))?;
        let media = self.open(context, negotiated.media, with)?;
        Ok((negotiated.answer, media))
    }

    /// Takes their answer to our offer and opens media.
    pub fn complete(&mut self, context: &CallContext, answer: &[u8], with: OpenWith) -> Result<Media, Termination> {
        let Self::Reserved { local, .. } = self else { return Err(out_of_order()) };
        let params = sdp::read_answer(answer, local).map_err(|e| Termination::because(EndReason::BadAnswer, e.to_string()))?;
        self.open(context, params, with)
    }

    /// Answers an offer within the call: a new address or hold, with the codec the call has.
    pub fn reoffered(&mut self, offer: Option<&[u8]>) -> Result<Reoffered, u16> {
        let Self::Open(open) = self else { return Err(491) };
        open.local.version += 1;
        open.local.codecs = vec![open.params.codec];
        let Some(offer) = offer else {
            return Ok(Reoffered { answer: sdp::offer(&open.local), hold: None });
        };
        let negotiated = sdp::negotiate(offer, &open.local).map_err(|_| 488u16)?;
        let params = negotiated.media;
        if params.payload_type != open.params.payload_type {
            return Err(488);
        }
        let was_held = is_hold(&open.params);
        let held = is_hold(&params);
        if !params.remote.ip().is_unspecified() {
            open.control.set_remote(params.remote);
        }
        open.control.hold(held);
        open.control.mute_send(!params.direction.sends());
        open.params = params;
        Ok(Reoffered { answer: negotiated.answer, hold: (was_held != held).then_some(held) })
    }

    /// Closes what is open and says how it went.
    pub async fn close(self) -> Option<MediaSummary> {
        let Self::Open(open) = self else { return None };
        let (announced, sdp) = (open.announced(), open.params.remote);
        Some(audio_evidence::summary(&open.control.close().await, announced, sdp))
    }

    fn open(&mut self, context: &CallContext, params: MediaParams, with: OpenWith) -> Result<Media, Termination> {
        let Self::Reserved { socket, local } = std::mem::replace(self, Self::Closed) else { return Err(out_of_order()) };
        let session = SessionParams {
            codec: Codec::from(params.codec),
            payload_type: params.payload_type,
            ptime_ms: 20,
            opus: OpusParams::default(),
            dtmf_payload_type: params.dtmf_payload_type,
            dtmf_clock_hz: 8_000,
            comfort_noise_payload_type: None,
            ear_rate: SpeechRate::from_hz(with.input_rate).ok_or_else(|| unusable_rate(with.input_rate))?,
            voice_rate: SpeechRate::from_hz(with.output_rate).ok_or_else(|| unusable_rate(with.output_rate))?,
            ssrc: rand::random(),
            first_sequence: rand::random(),
            first_timestamp: rand::random(),
            remote: (!params.remote.ip().is_unspecified()).then_some(params.remote),
            rtp_timeout: context.limits.rtp_timeout,
            srtp: None,
            rtcp: RtcpParams::default(),
        };
        let mut media = context
            .media
            .open(socket, session, with.recording)
            .map_err(|e| Termination::because(EndReason::MediaFailed, e.to_string()))?;
        if is_hold(&params) {
            media.control.hold(true);
            media.control.mute_send(!params.direction.sends());
        }
        let events = std::mem::replace(&mut media.events, mpsc::channel(1).1);
        *self = Self::Open(OpenAudio { control: media.control.clone(), events, local, params });
        Ok(media)
    }
}

/// Our answer to an offer within the call.
pub struct Reoffered {
    pub answer: String,
    /// The call was put on hold or taken back.
    pub hold: Option<bool>,
}

/// The other side does not want to hear us or does not send (RFC 3264 §8.4).
fn is_hold(params: &MediaParams) -> bool {
    params.direction != Direction::SendRecv || params.remote.ip().is_unspecified()
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
