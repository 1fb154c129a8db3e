//! The callers' lines: synthetic speech in the binary, with the words it says.
//!
//! Where they come from is in `samples/README.md`.

use callie_media::resample::Down24To8;
use callie_media::wav::Wav;
use std::sync::Arc;

/// A line a caller can say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Line {
    Maria1,
    Maria2,
    Maria3,
    Tom1,
    Tom2,
    Tom3,
    Number,
    Human,
    Hmm,
    Long,
}

impl Line {
    pub const ALL: [Self; 10] = [
        Self::Maria1,
        Self::Maria2,
        Self::Maria3,
        Self::Tom1,
        Self::Tom2,
        Self::Tom3,
        Self::Number,
        Self::Human,
        Self::Hmm,
        Self::Long,
    ];

    /// What is said.
    pub fn words(self) -> &'static str {
        match self {
            Self::Maria1 => "Hi, this is Maria Lopez.",
            Self::Maria2 => "I am calling about the invoice from last Tuesday. It has the wrong address on it.",
            Self::Maria3 => "Yes, that is right. Thank you, goodbye.",
            Self::Tom1 => "Hello, my name is Tom Baker and I would like to book a table for four people tonight.",
            Self::Tom2 => "Around seven thirty, please.",
            Self::Tom3 => "No, wait, can you make it eight o'clock instead?",
            Self::Number => "My phone number is five five five, two one three, four eight nine six.",
            Self::Human => "I would like to speak to a human, please.",
            Self::Hmm => "Hmm.",
            Self::Long => {
                "Good afternoon. The heating in my apartment has stopped working since last night, the neighbours have the same \
                 problem, and I already called twice this morning without reaching anybody, so please let somebody call me back \
                 as soon as possible."
            }
        }
    }

    /// The WAV file: 24 kHz, mono, 16 bit.
    pub fn wav(self) -> &'static [u8] {
        match self {
            Self::Maria1 => include_bytes!("../samples/caller_maria_1.wav"),
            Self::Maria2 => include_bytes!("../samples/caller_maria_2.wav"),
            Self::Maria3 => include_bytes!("../samples/caller_maria_3.wav"),
            Self::Tom1 => include_bytes!("../samples/caller_tom_1.wav"),
            Self::Tom2 => include_bytes!("../samples/caller_tom_2.wav"),
            Self::Tom3 => include_bytes!("../samples/caller_tom_3.wav"),
            Self::Number => include_bytes!("../samples/caller_number.wav"),
            Self::Human => include_bytes!("../samples/caller_human.wav"),
            Self::Hmm => include_bytes!("../samples/caller_noise_word.wav"),
            Self::Long => include_bytes!("../samples/caller_long.wav"),
        }
    }

    /// The line as a telephone says it: 8 kHz mono.
    pub fn samples(self) -> Arc<[i16]> {
        let wav = Wav::parse(self.wav()).expect("the samples in the binary are wav files");
        let wide: Vec<f32> = wav.channel(0).map(f32::from).collect();
        let mut narrow = vec![0.0; wide.len() / 3];
        Down24To8::new().process(&wide, &mut narrow);
        narrow.into_iter().map(|sample| sample as i16).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::voiced_seconds;

    #[test]
    fn every_line_is_24_khz_and_speaks() {
        for line in Line::ALL {
            let wav = Wav::parse(line.wav()).expect("wav");
            assert_eq!((wav.sample_rate_hz, wav.channels), (24_000, 1));
            let samples = line.samples();
            assert_eq!(samples.len(), wav.data.len() / 6);
            // Nobody says more than thirty letters a second.
            assert!(voiced_seconds(&samples) > line.words().len() as f64 / 30.0, "{line:?}");
        }
    }
}
