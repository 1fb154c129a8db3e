//! Answering an offer, and reading the answer to ours.

use super::description::{Description, Stream};
use super::offer::{Audio, session_lines};
use super::{LocalMedia, MediaParams, Negotiated, SdpError};
use std::fmt::Write as _;

/// Answers an offer (RFC 3264 §6): the first audio stream that we can use is accepted, every other one is rejected in its
/// place.
///
/// # Errors
/// What [`SdpError::status_code`] tells the caller.
pub fn negotiate(offer: &[u8], local: &LocalMedia) -> Result<Negotiated, SdpError> {
    let offer = Description::read(offer)?;
    let (accepted, media) = usable_stream(&offer, local)?;
    let mut answer = session_lines(local);
    for (index, stream) in offer.streams().enumerate() {
        if index == accepted {
            let audio = Audio {
                proto: stream.proto(),
                port: local.port,
                codecs: &[(media.codec, media.payload_type)],
                event_type: media.dtmf_payload_type,
                direction: media.direction,
            };
            audio.write(&mut answer);
        } else {
            // Writing to a String cannot fail.
            let _ = write!(answer, "m={} 0 {} {}\r\n", stream.media(), stream.proto(), stream.formats());
        }
    }
    Ok(Negotiated { answer, media })
}

/// Reads the answer to the offer that `local` gave.
///
/// # Errors
/// As for an offer; the call is then to be ended, for an answer cannot be refused.
pub fn read_answer(answer: &[u8], local: &LocalMedia) -> Result<MediaParams, SdpError> {
    let answer = Description::read(answer)?;
    usable_stream(&answer, local).map(|(_, media)| media)
}

/// The first audio stream that we can use, by its place. Otherwise the fault of the stream that came closest.
fn usable_stream(description: &Description, local: &LocalMedia) -> Result<(usize, MediaParams), SdpError> {
    let mut fault = SdpError::NoAudio;
    for (index, stream) in description.streams().enumerate().filter(|(_, s)| s.is_live_audio()) {
        match params(stream, local) {
            Ok(media) => return Ok((index, media)),
            Err(SdpError::NoCommonCodec) if fault != SdpError::NoAudio => {}
            Err(closer) => fault = closer,
        }
    }
    Err(fault)
}

fn params(stream: Stream<'_>, local: &LocalMedia) -> Result<MediaParams, SdpError> {
    if !stream.is_plain_rtp() {
        return Err(SdpError::NoCommonCodec);
    }
    let (codec, payload_type) = stream.codec(&local.codecs).ok_or(SdpError::NoCommonCodec)?;
    let remote = stream.remote()?;
    let held = remote.ip().is_unspecified();
    if remote.is_ipv4() != local.address.to_canonical().is_ipv4() && !held {
        return Err(SdpError::UnusableAddress(remote.ip().to_string()));
    }
    let direction = stream.direction().mirrored();
    Ok(MediaParams {
        codec,
        payload_type,
        dtmf_payload_type: stream.telephone_event(),
        remote,
        // The old way to hold a call (RFC 3264 §8.4).
        direction: if held { direction.silent() } else { direction },
        ptime_ms: stream.ptime_ms(),
    })
}
