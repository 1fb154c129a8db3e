//! Speech through the whole server and a line that loses and delays: writes what went in and what came out as pairs of WAV files,
//! for `scripts/quality.sh` to score. Takes about two minutes, all calls beside each other.
//!
//! ```text
//! telephone 8 kHz ─ G.711 ─ [line] ─ RTP ─ call ─ WebSocket ─ Gemini Live hears 16 kHz     "caller to agent"
//! telephone hears ─ G.711 ─ [line] ─ RTP ─ call ─ WebSocket ─ Gemini Live says 24 kHz      "agent to caller"
//! ```
//!
//! Telephones, lines, carrier and Gemini Live are the lab's. Its telephone conceals nothing and waits for every late packet.
//!
//! `cargo run --release -p callie-server --example quality -- FOLDER [SEED…]`
//!
//! FOLDER then holds the files and `pairs.tsv`, one pair in a line: line, direction, reference, degraded, remark. There is a call
//! for each line and each seed of its losses and delays.
#![expect(clippy::print_stdout, reason = "an example speaks to who runs it")]

mod call;
mod speech;
mod stage;
mod wav;

use anyhow::Context;
use call::{Heard, Way};
use callie_lab::line::LineFaults;
use std::{fs, path::Path, time::Duration};

/// What a line does, and what it is called.
const LINES: [(&str, f64, Duration); 3] =
    [("clean", 0.0, Duration::ZERO), ("2 % loss", 0.02, Duration::ZERO), ("jitter, 30 ms", 0.0, Duration::from_millis(30))];
const SEEDS: [u64; 3] = [1, 2, 3];

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().context("usage: quality FOLDER [SEED…]")?;
    let seeds = arguments.map(|seed| seed.parse().context("a seed is a number")).collect::<Result<Vec<u64>, _>>()?;
    let seeds = if seeds.is_empty() { SEEDS.to_vec() } else { seeds };
    let ways: Vec<Way> = LINES.iter().flat_map(|line| seeds.iter().map(|seed| way(*line, *seed))).collect();
    let (agent, caller) = (speech::wide(), speech::narrow());
    println!("{} s of speech in each direction, {} calls at once", caller.len() / speech::NARROW_HZ, ways.len());
    let heard = stage::run(&ways, &agent, &caller).await?;
    write(folder.as_ref(), &agent, &caller, &heard)
}

fn way((name, loss, jitter_sd): (&'static str, f64, Duration), seed: u64) -> Way {
    Way { name, faults: LineFaults { loss, jitter_sd, seed } }
}

fn write(folder: &Path, agent: &[i16], caller: &[i16], all: &[Heard]) -> anyhow::Result<()> {
    fs::create_dir_all(folder)?;
    wav::write(&folder.join("agent.wav"), speech::WIDE_HZ, agent)?;
    wav::write(&folder.join("caller.wav"), speech::NARROW_HZ, caller)?;
    let mut list = String::new();
    for Heard { way, by_agent, agent_remark, by_caller, caller_remark } in all {
        let Way { name, faults: LineFaults { seed, .. } } = way;
        let file = |direction| file_name(&format!("{name} {seed} {direction}"));
        let (up, down) = (file("caller to agent"), file("agent to caller"));
        wav::write(&folder.join(&up), callie_lab::gemini::UPLINK_RATE_HZ, by_agent)?;
        wav::write(&folder.join(&down), speech::NARROW_HZ, by_caller)?;
        list += &format!("{name}\tcaller to agent\tcaller.wav\t{up}\t{agent_remark}\n");
        list += &format!("{name}\tagent to caller\tagent.wav\t{down}\t{caller_remark}\n");
    }
    fs::write(folder.join("pairs.tsv"), &list)?;
    print!("{list}");
    Ok(())
}

fn file_name(text: &str) -> String {
    let words: Vec<_> = text.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    words.join("-") + ".wav"
}
