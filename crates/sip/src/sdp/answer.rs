//! Answering an offer, and reading the answer to ours.

use super::crypto::{self, CryptoLine};
use super::description::{Description, Stream};
use super::format::Preference;
use super::offer::{Audio, session_lines};
use super::{LocalMedia, MediaParams, Negotiated, Place, SdpError};
use callie_domain::audio::SrtpPolicy;
use callie_media::rtp::srtp::{SrtpParams, SrtpSuite};

/// Answers an offer (RFC 3264 §6): the first audio stream that we can use is accepted (an encrypted one before a plain one,
/// unless encryption is off), every other one is rejected in its place.
///
/// # Errors
/// What [`SdpError::status_code`] tells the caller.
pub fn negotiate(offer: &[u8], local: &LocalMedia) -> Result<Negotiated, SdpError> {
    let offer = Description::read(offer)?;
    // Of their keys we take the stronger suite.
    let pick = |stream: Stream<'_>| SrtpSuite::ALL.into_iter().find_map(|suite| stream.keys().find(|line| line.suite == suite));
    let Usable { stream, media, key } = usable_stream(&offer, local, Preference::Ours, &pick)?;
    let audio = Audio {
        proto: stream.proto(),
        port: local.port,
        formats: media.formats(),
        // The tag says which line of the offer was chosen (RFC 4568 §5.1.2).
        crypto: key.map_or_else(String::new, |line| crypto::write(line.tag, line.suite, local.keys.of(line.suite))),
        rtcp_mux: media.rtcp_mux,
        direction: media.direction,
    };
    let mut answer = session_lines(local);
    answer.push_str(&media.place.before);
    audio.write(&mut answer);
    answer.push_str(&media.place.behind);
    Ok(Negotiated { answer, media })
}

/// Reads the answer to the offer that `local` gave.
///
/// # Errors
/// As for an offer; the call is then to be ended, for an answer cannot be refused.
pub fn read_answer(answer: &[u8], local: &LocalMedia) -> Result<MediaParams, SdpError> {
    let is_ours = |line: &CryptoLine| (1..).zip(SrtpSuite::ALL).any(|ours| ours == (line.tag, line.suite));
    read(answer, local, &|stream| stream.keys().find(is_ours))
}

/// Reads the answer to the offer that `local` gave within the call, of which `media` was known.
///
/// # Errors
/// The call goes on as it was.
pub fn read_reanswer(answer: &[u8], local: &LocalMedia, media: &MediaParams) -> Result<MediaParams, SdpError> {
    // Our line had the tag of whichever description it was that we repeated.
    let suite = media.srtp_suite();
    read(answer, &local.settled(media), &|stream| stream.keys().find(|line| Some(line.suite) == suite))
}

fn read(answer: &[u8], local: &LocalMedia, pick: Pick<'_>) -> Result<MediaParams, SdpError> {
    let answer = Description::read(answer)?;
    usable_stream(&answer, local, Preference::Theirs, pick).map(|usable| usable.media)
}

/// A stream that we can use, and the key of the other side that we take.
struct Usable<'a> {
    stream: Stream<'a>,
    media: MediaParams,
    key: Option<CryptoLine>,
}

/// How one of a stream's keys is taken.
type Pick<'p> = &'p dyn Fn(Stream<'_>) -> Option<CryptoLine>;

/// The best audio stream that we can use. Otherwise the fault of the stream that came closest.
fn usable_stream<'a>(
    description: &'a Description,
    local: &LocalMedia,
    preference: Preference,
    pick: Pick<'_>,
) -> Result<Usable<'a>, SdpError> {
    let mut fault = SdpError::NoAudio;
    let mut plain = None;
    for (index, stream) in description.streams().enumerate().filter(|(_, s)| s.is_live_audio()) {
        match usable(stream, local, preference, pick) {
            Ok(mut usable) => {
                usable.media.place = place(description, index, usable.media.place.profile);
                if usable.key.is_some() || local.srtp == SrtpPolicy::Off {
                    return Ok(usable);
                }
                plain.get_or_insert(usable);
            }
            Err(SdpError::NoCommonCodec) if fault != SdpError::NoAudio => {}
            Err(closer) => fault = closer,
        }
    }
    plain.ok_or(fault)
}

/// The streams around ours are rejected where they stand (RFC 3264 §6).
fn place(description: &Description, ours: usize, profile: &'static str) -> Place {
    let rejected = |stream: Stream<'_>| format!("m={} 0 {} {}\r\n", stream.media(), stream.proto(), stream.formats());
    let before = description.streams().take(ours).map(rejected).collect();
    let behind = description.streams().skip(ours + 1).map(rejected).collect();
    Place { profile, before, behind }
}

fn usable<'a>(stream: Stream<'a>, local: &LocalMedia, preference: Preference, pick: Pick<'_>) -> Result<Usable<'a>, SdpError> {
    let profile = stream.profile().ok_or(SdpError::NoCommonCodec)?;
    let (codec, payload_type) = stream.codec(local, preference).ok_or(SdpError::NoCommonCodec)?;
    let key = key(stream, local, profile, pick)?;
    let remote = stream.remote()?;
    // The old way to hold a call (RFC 3264 §8.4).
    let held = remote.ip().is_unspecified();
    if remote.is_ipv4() != local.address.to_canonical().is_ipv4() && !held {
        return Err(SdpError::UnusableAddress(remote.ip().to_string()));
    }
    let events = stream.telephone_event(codec);
    let allowed = stream.direction().mirrored();
    let allowed = if held { allowed.silent() } else { allowed };
    let rtcp_mux = stream.shares_port();
    let srtp = key.as_ref().map(|line| SrtpParams {
        suite: line.suite,
        send: local.keys.of(line.suite).clone(),
        receive: line.key.clone(),
    });
    let media = MediaParams {
        codec,
        payload_type,
        opus: stream.opus(payload_type),
        dtmf_payload_type: events.map(|(_, payload_type)| payload_type),
        dtmf_clock_hz: events.map_or(codec.clock_hz(), |(clock, _)| clock),
        comfort_noise_payload_type: stream.comfort_noise(codec),
        remote,
        rtcp_mux,
        rtcp: if rtcp_mux { None } else { stream.rtcp(remote) },
        direction: allowed.within(local.direction),
        allowed,
        ptime_ms: stream.ptime_ms(),
        srtp,
        place: Place { profile, before: String::new(), behind: String::new() },
    };
    Ok(Usable { stream, media, key })
}

/// The other side's key, where there is one and it is wanted.
fn key(stream: Stream<'_>, local: &LocalMedia, profile: &str, pick: Pick<'_>) -> Result<Option<CryptoLine>, SdpError> {
    let must = profile.starts_with("RTP/SAVP");
    match local.srtp {
        SrtpPolicy::Off if must => Err(SdpError::Encrypted),
        SrtpPolicy::Off => Ok(None),
        SrtpPolicy::Optional | SrtpPolicy::Required => match pick(stream) {
            Some(line) => Ok(Some(line)),
            None if must || (local.srtp == SrtpPolicy::Required && stream.names_keys()) => Err(SdpError::NoUsableKey),
            None if local.srtp == SrtpPolicy::Required => Err(SdpError::NotEncrypted),
            None => Ok(None),
        },
    }
}
