//! What we write: our offers, and the parts that an answer shares with them.

use super::format::Formats;
use super::{Direction, LocalMedia, MediaParams, crypto};
use callie_domain::audio::SrtpPolicy;
use callie_media::rtp::srtp::SrtpSuite;
use std::fmt::Write as _;
use std::net::IpAddr;

/// Describes our side at the beginning of a call: our codecs, telephone events, keys (RFC 3264 §5).
///
/// Where encryption is optional the profile is plain and the keys stand beside it (RFC 8643): who knows them answers with
/// keys, who does not passes over them.
pub fn offer(local: &LocalMedia) -> String {
    let audio = Audio {
        proto: if local.srtp == SrtpPolicy::Required { "RTP/SAVP" } else { "RTP/AVP" },
        port: local.port,
        formats: Formats::offered(&local.codecs),
        crypto: if local.srtp == SrtpPolicy::Off { String::new() } else { offered_keys(local) },
        rtcp_mux: true,
        direction: local.direction,
    };
    let mut text = session_lines(local);
    audio.write(&mut text);
    text
}

/// Describes our side again within the call, with what both agreed on (RFC 3264 §8): another address, hold, resume.
pub fn reoffer(local: &LocalMedia, media: &MediaParams) -> String {
    let audio = Audio {
        proto: media.place.profile,
        port: local.port,
        formats: media.formats(),
        crypto: media.srtp_suite().map_or_else(String::new, |suite| crypto::write(1, suite, local.keys.of(suite))),
        rtcp_mux: media.rtcp_mux,
        direction: local.direction,
    };
    let mut text = session_lines(local);
    text.push_str(&media.place.before);
    audio.write(&mut text);
    text.push_str(&media.place.behind);
    text
}

/// A line for each suite, the stronger first. The tags are the places in [`SrtpSuite::ALL`], from 1.
fn offered_keys(local: &LocalMedia) -> String {
    (1..).zip(SrtpSuite::ALL).map(|(tag, suite)| crypto::write(tag, suite, local.keys.of(suite))).collect()
}

/// The lines before the first stream.
pub(super) fn session_lines(local: &LocalMedia) -> String {
    let family = match local.address {
        IpAddr::V4(_) => "IP4",
        IpAddr::V6(_) => "IP6",
    };
    let LocalMedia { address, session_id, version, .. } = local;
    format!("v=0\r\no=- {session_id} {version} IN {family} {address}\r\ns=-\r\nc=IN {family} {address}\r\nt=0 0\r\n")
}

/// An audio stream of ours.
pub(super) struct Audio<'a> {
    pub proto: &'a str,
    pub port: u16,
    pub formats: Formats,
    /// Whole lines.
    pub crypto: String,
    pub rtcp_mux: bool,
    pub direction: Direction,
}

impl Audio<'_> {
    pub fn write(&self, text: &mut String) {
        // Writing to a String cannot fail.
        let _ = self.try_write(text);
    }

    fn try_write(&self, text: &mut String) -> std::fmt::Result {
        write!(text, "m=audio {} {}", self.port, self.proto)?;
        for payload_type in self.formats.payload_types() {
            write!(text, " {payload_type}")?;
        }
        write!(text, "\r\n{}{}", self.formats.lines(), self.crypto)?;
        if self.rtcp_mux {
            text.push_str("a=rtcp-mux\r\n");
        }
        write!(text, "a=ptime:20\r\na={}\r\n", self.direction.as_str())
    }
}

impl MediaParams {
    /// As both agreed on them.
    pub(super) fn formats(&self) -> Formats {
        Formats {
            codecs: vec![(self.codec, self.payload_type)],
            events: self.dtmf_payload_type.map(|payload_type| (self.dtmf_clock_hz, payload_type)).into_iter().collect(),
            comfort_noise: self.comfort_noise_payload_type,
        }
    }
}
