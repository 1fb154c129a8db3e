//! Payload types: which number means which codec, how telephone events and comfort noise go with it.

use super::description::Stream;
use super::{Codec, LocalMedia};
use callie_media::codec::OpusParams;

/// Static payload types and the first and last dynamic one end here (RFC 3550 §5.1).
const MAX_PAYLOAD_TYPE: u8 = 127;
/// What we offer for Opus; numbers that others use too.
const OPUS_TYPE: u8 = 111;
/// Telephone-event as we offer it, by clock.
const EVENT_TYPES: [(u32, u8); 2] = [(8_000, 101), (48_000, 110)];
/// Comfort noise at 8,000 Hz (RFC 3551 §6).
const COMFORT_NOISE_TYPE: u8 = 13;
/// Mono at 16 kHz is what an agent hears; what is lost may be mended (RFC 7587 §6.1).
const OPUS_FMTP: &str = "maxplaybackrate=16000;stereo=0;useinbandfec=1";
/// Bit rates that `maxaveragebitrate` may name, bits per second (RFC 7587 §6.1).
const OPUS_BIT_RATES: std::ops::RangeInclusive<u32> = 6_000..=510_000;

/// The formats of one stream, as they stand in a description.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Formats {
    pub codecs: Vec<(Codec, u8)>,
    /// Clock and payload type of telephone-event.
    pub events: Vec<(u32, u8)>,
    pub comfort_noise: Option<u8>,
}

impl Formats {
    /// All that we have. Telephone events have a clock for each clock among the codecs (RFC 4733 §2.4.1), and 8 kHz in any case:
    /// many who know Opus know events at no other.
    pub fn offered(codecs: &[Codec]) -> Self {
        let is_wanted = |clock: u32| clock == 8_000 || codecs.iter().any(|codec| codec.clock_hz() == clock);
        let events = EVENT_TYPES.into_iter().filter(|(clock, _)| is_wanted(*clock));
        Self {
            codecs: codecs.iter().map(|codec| (*codec, codec.static_payload_type().unwrap_or(OPUS_TYPE))).collect(),
            events: events.collect(),
            comfort_noise: None,
        }
    }

    pub fn payload_types(&self) -> impl Iterator<Item = u8> {
        let codecs = self.codecs.iter().map(|(_, payload_type)| *payload_type);
        codecs.chain(self.comfort_noise).chain(self.events.iter().map(|(_, payload_type)| *payload_type))
    }

    /// The attributes of each format.
    pub fn lines(&self) -> String {
        let mut text = String::new();
        for (codec, payload_type) in &self.codecs {
            let clock = if *codec == Codec::Opus { "48000/2" } else { "8000" };
            text += &format!("a=rtpmap:{payload_type} {}/{clock}\r\n", codec.name());
            if *codec == Codec::Opus {
                text += &format!("a=fmtp:{payload_type} {OPUS_FMTP}\r\n");
            }
        }
        if let Some(payload_type) = self.comfort_noise {
            text += &format!("a=rtpmap:{payload_type} CN/8000\r\n");
        }
        for (clock, payload_type) in &self.events {
            text += &format!("a=rtpmap:{payload_type} telephone-event/{clock}\r\na=fmtp:{payload_type} 0-15\r\n");
        }
        text
    }
}

/// Whose order of codecs counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Preference {
    /// Of an offer we take what we like best.
    Ours,
    /// What an answer names first is what its writer uses (RFC 3264 §7).
    Theirs,
}

impl Stream<'_> {
    /// The codec to use, with its payload type at the other side.
    pub fn codec(&self, local: &LocalMedia, preference: Preference) -> Option<(Codec, u8)> {
        let common: Vec<(Codec, u8)> = self.codecs().filter(|(codec, _)| local.codecs.contains(codec)).collect();
        if preference == Preference::Theirs {
            return common.first().copied();
        }
        let is_law = |codec: Codec| matches!(codec, Codec::Pcmu | Codec::Pcma);
        let best = *local.codecs.iter().find(|wanted| common.iter().any(|(codec, _)| codec == *wanted))?;
        let is_as_good = |codec: Codec| codec == best || (local.either_law && is_law(best) && is_law(codec));
        common.into_iter().find(|(codec, _)| is_as_good(*codec))
    }

    /// All codecs that we know, in the other side's order.
    fn codecs(&self) -> impl Iterator<Item = (Codec, u8)> {
        self.payload_types().filter_map(|payload_type| {
            let codec = match self.rtpmap(payload_type) {
                Some((name, clock)) => {
                    Codec::ALL.into_iter().find(|codec| codec.name().eq_ignore_ascii_case(name) && is_clock_of(*codec, clock))
                }
                None => Codec::ALL.into_iter().find(|codec| codec.static_payload_type() == Some(payload_type)),
            };
            codec.map(|codec| (codec, payload_type))
        })
    }

    /// Clock and payload type of telephone-event: at the codec's clock, else at the one that everybody knows.
    pub fn telephone_event(&self, codec: Codec) -> Option<(u32, u8)> {
        let at = |hertz: u32| {
            let is_event = |(name, clock): (&str, &str)| name.eq_ignore_ascii_case("telephone-event") && is_clock(hertz, clock);
            let payload_type = self.payload_types().find(|payload_type| self.rtpmap(*payload_type).is_some_and(is_event));
            payload_type.map(|payload_type| (hertz, payload_type))
        };
        at(codec.clock_hz()).or_else(|| at(8_000))
    }

    /// Payload type of comfort noise beside `codec`: there is none for Opus, which has its own.
    pub fn comfort_noise(&self, codec: Codec) -> Option<u8> {
        self.payload_types().filter(|_| codec.clock_hz() == 8_000).find(|payload_type| match self.rtpmap(*payload_type) {
            Some((name, clock)) => name.eq_ignore_ascii_case("CN") && is_clock(8_000, clock),
            None => *payload_type == COMFORT_NOISE_TYPE,
        })
    }

    /// What `a=fmtp` says of the Opus that the other side wants to receive.
    pub fn opus(&self, payload_type: u8) -> OpusParams {
        let usual = OpusParams::default();
        let value = |name: &str| {
            let parameters = self.fmtp(payload_type)?.split(';').filter_map(|parameter| parameter.split_once('='));
            parameters
                .map(|(key, value)| (key.trim(), value.trim()))
                .find(|(key, _)| key.eq_ignore_ascii_case(name))
                .map(|(_, v)| v)
        };
        let number = |name: &str| value(name).and_then(|text| text.parse::<u32>().ok());
        OpusParams {
            max_playback_rate_hz: number("maxplaybackrate")
                .filter(|rate| (8_000..=48_000).contains(rate))
                .unwrap_or(usual.max_playback_rate_hz),
            max_average_bitrate: number("maxaveragebitrate").filter(|rate| OPUS_BIT_RATES.contains(rate)),
            use_inband_fec: value("useinbandfec") == Some("1"),
        }
    }

    fn payload_types(&self) -> impl Iterator<Item = u8> {
        self.formats().split(' ').filter_map(|format| format.parse().ok()).filter(|number| *number <= MAX_PAYLOAD_TYPE)
    }

    /// `("PCMA", "8000/1")` of `a=rtpmap:8 PCMA/8000/1`.
    fn rtpmap(&self, payload_type: u8) -> Option<(&str, &str)> {
        self.of_payload_type("rtpmap", payload_type)?.split_once('/')
    }

    fn fmtp(&self, payload_type: u8) -> Option<&str> {
        self.of_payload_type("fmtp", payload_type)
    }

    /// The value of `a=name:payload_type value`.
    fn of_payload_type(&self, name: &'static str, payload_type: u8) -> Option<&str> {
        self.values(name).find_map(|value| {
            let (number, value) = value.trim().split_once(' ')?;
            (number.parse() == Ok(payload_type)).then(|| value.trim())
        })
    }
}

/// Clock and channels as strangers write them after the encoding name.
fn is_clock_of(codec: Codec, text: &str) -> bool {
    match codec {
        // RFC 7587 §7 says two channels always; not everybody has read it.
        Codec::Opus => matches!(text, "48000/2" | "48000/1" | "48000"),
        Codec::Pcmu | Codec::Pcma | Codec::G722 => is_clock(8_000, text),
    }
}

fn is_clock(hertz: u32, text: &str) -> bool {
    let (clock, channels) = text.split_once('/').unwrap_or((text, ""));
    matches!(channels, "" | "1") && clock.parse() == Ok(hertz)
}
