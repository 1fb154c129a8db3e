//! Keys beside telephone events: tones in the speech, heard and made, and the one key behind several reports of it.

mod detector;
mod keys;
mod tones;

pub use detector::ToneDetector;
pub use keys::{KeyFilter, KeySource};
pub use tones::ToneSender;

/// How keys are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DtmfWay {
    /// As telephone events (RFC 4733), where both sides have them.
    Events,
    /// As tones in the speech: any far end hears them, as long as the codec does not bend them.
    Tones,
}

/// The keys by row and column, and their frequencies in hertz (ITU-T Q.23).
const KEYS: [[char; 4]; 4] = [['1', '2', '3', 'A'], ['4', '5', '6', 'B'], ['7', '8', '9', 'C'], ['*', '0', '#', 'D']];
const ROWS: [f32; 4] = [697.0, 770.0, 852.0, 941.0];
const COLUMNS: [f32; 4] = [1209.0, 1336.0, 1477.0, 1633.0];

/// The frequencies of a key.
fn frequencies(key: char) -> Option<[f32; 2]> {
    let key = key.to_ascii_uppercase();
    KEYS.iter().zip(ROWS).find_map(|(keys, row)| Some([row, COLUMNS[keys.iter().position(|k| *k == key)?]]))
}
