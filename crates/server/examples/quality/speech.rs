//! What both sides say: the callers' lines in a row. A cough has no quality, so it is left out.

use callie_lab::{gemini::SPEECH_RATE_HZ, samples::Line};
use callie_media::{resample::Down24To8, wav::Wav};

/// Of the agent's speech.
pub const WIDE_HZ: usize = SPEECH_RATE_HZ;
/// Of the caller's.
pub const NARROW_HZ: usize = WIDE_HZ / 3;
/// Between two lines, and before the first.
const PAUSE: usize = WIDE_HZ / 2;
const LINES: [Line; 9] =
    [Line::Long, Line::Maria1, Line::Maria2, Line::Maria3, Line::Tom1, Line::Tom2, Line::Tom3, Line::Number, Line::Human];

/// 24 kHz, as engines speak.
pub fn wide() -> Vec<i16> {
    let mut speech = vec![0; PAUSE];
    for line in LINES {
        let wav = Wav::parse(line.wav()).expect("the samples in the binary are wav files");
        speech.extend(wav.channel(0));
        speech.resize((speech.len() + PAUSE).next_multiple_of(3), 0);
    }
    speech
}

/// The same at 8 kHz, as a telephone's microphone hears it.
pub fn narrow() -> Vec<i16> {
    let wide: Vec<f32> = wide().into_iter().map(f32::from).collect();
    let mut narrow = vec![0.0; wide.len() / 3];
    Down24To8::new().process(&wide, &mut narrow);
    narrow.into_iter().map(|sample| sample.round() as i16).collect()
}
