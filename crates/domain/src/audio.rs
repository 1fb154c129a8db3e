//! How the audio of a user's calls travels, as the user's document says it. What the two sides of a call settle on is SDP's.

use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// Declares an enum whose variants have one word each, in the document, the API and the logs.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum $name { $($(#[$variant_doc])* #[serde(rename = $word)] $variant),* }

        impl $name {
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }
        }

        impl FromStr for $name {
            type Err = ();
            fn from_str(text: &str) -> Result<Self, ()> {
                Self::ALL.iter().copied().find(|word| word.as_str().eq_ignore_ascii_case(text)).ok_or(())
            }
        }
    };
}

words! {
    /// Whether the media is encrypted (SRTP with keys in SDP, RFC 4568).
    SrtpPolicy {
        Off = "off",
        /// Offered beside plain RTP; taken when the other side has it.
        Optional = "optional",
        /// A call without it is refused.
        Required = "required",
    }
}

words! {
    /// The codecs that a user may prefer.
    AudioCodec {
        Opus = "opus",
        G722 = "g722",
        Pcmu = "pcmu",
        Pcma = "pcma",
    }
}

words! {
    /// How keys are sent. Received they are in every form.
    DtmfMode {
        /// Telephone events where negotiated, else INFO.
        Auto = "auto",
        /// Telephone events (RFC 4733) only.
        Rfc4733 = "rfc4733",
        /// SIP INFO with `application/dtmf-relay`.
        Info = "info",
        /// Tones in the audio.
        Inband = "inband",
    }
}

/// The media settings of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineMedia {
    pub srtp: SrtpPolicy,
    /// Most wanted first; never empty.
    pub codecs: Vec<AudioCodec>,
    pub dtmf: DtmfMode,
}

impl Default for LineMedia {
    /// What every provider has, wideband where it is offered to us.
    fn default() -> Self {
        Self {
            srtp: SrtpPolicy::Off,
            codecs: vec![AudioCodec::Pcmu, AudioCodec::Pcma, AudioCodec::G722, AudioCodec::Opus],
            dtmf: DtmfMode::Auto,
        }
    }
}
