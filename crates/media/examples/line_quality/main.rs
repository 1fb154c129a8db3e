//! Speech through two media engines and a network that loses and delays: writes what went in and what came out as pairs of WAV
//! files, for `scripts/quality.sh` to score. Takes about as long as the speech.
//!
//! ```text
//! speech 24 kHz ─ caller's engine ─ RTP ─ [network] ─ RTP ─ agent's engine ─ ear 16 kHz      "caller to agent"
//!      ear 8 kHz ─ caller's engine ─ RTP ─ [network] ─ RTP ─ agent's engine ─ speech 24 kHz  "agent to caller"
//! ```
//!
//! `cargo run --release -p callie-media --example line_quality -- CODEC FOLDER SPEECH.wav…`
//!
//! CODEC is pcmu, pcma, g722 or opus; with the latter two both ears are of 16 kHz. FOLDER then holds the files and `pairs.tsv`, one pair in a line: line, direction, reference, degraded, remark.
#![expect(clippy::print_stdout, reason = "an example speaks to who runs it")]

mod call;
mod network;
mod speech;

use call::converse;
use callie_media::codec::Codec;
use network::Line;
use std::{error::Error, fs, path::PathBuf, thread};

const USAGE: &str = "usage: quality CODEC FOLDER SPEECH.wav…";

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let name = arguments.next().unwrap_or_default();
    let codec = Codec::ALL.into_iter().find(|codec| name.eq_ignore_ascii_case(codec.name())).ok_or(USAGE)?;
    let mut arguments = arguments.map(PathBuf::from);
    let folder = arguments.next().ok_or(USAGE)?;
    let speech = speech::read_all(&arguments.collect::<Vec<_>>())?;
    fs::create_dir_all(&folder)?;
    println!(
        "{:.0} s of speech both ways over {} lines at once",
        speech.len() as f64 / f64::from(speech::RATE_HZ),
        Line::ALL.len()
    );
    let pairs = thread::scope(|scope| {
        let calls: Vec<_> = Line::ALL.iter().map(|line| scope.spawn(|| converse(codec, *line, &speech))).collect();
        calls.into_iter().map(|call| call.join().map_err(|_| "a call panicked")).collect::<Result<Vec<_>, _>>()
    })?;
    speech::write(&folder.join("speech.wav"), speech::RATE_HZ, &speech)?;
    let mut list = String::new();
    for heard in pairs.into_iter().flatten() {
        let degraded = file_name(&format!("{} {}", heard.line, heard.direction));
        speech::write(&folder.join(&degraded), heard.rate_hz, &heard.samples)?;
        list.push_str(&format!("{}\t{}\tspeech.wav\t{degraded}\t{}\n", heard.line, heard.direction, heard.remark));
    }
    fs::write(folder.join("pairs.tsv"), &list)?;
    print!("{list}");
    Ok(())
}

fn file_name(text: &str) -> String {
    let words: Vec<_> = text.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    words.join("-") + ".wav"
}
