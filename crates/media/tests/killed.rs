//! A recording survives the death of its process. The test runs itself again as the process that is killed.

#[expect(dead_code, reason = "shared with the other tests, which use more of it")]
mod peer;

use callie_media::{FRAME_SAMPLES, ports::RtpPorts, record::repair, wav::Wav};
use peer::{Peer, engine, open, params};
use std::{
    env,
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Command, Stdio},
};

const RECORDING: &str = "CALLIE_TEST_RECORDING";
/// Beats after which the child says so and goes on.
const BEATS: usize = 75;
/// The recorder writes every 200 ms; twice that for a busy machine.
const MAY_BE_LOST: usize = 20;

#[test]
fn a_killed_process_leaves_a_readable_recording() {
    match env::var_os(RECORDING) {
        Some(path) => record_for_ever(path.into()),
        None => kill_a_recorder(),
    }
}

fn kill_a_recorder() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("call.wav");
    let mut child = Command::new(env::current_exe().expect("our own path"))
        .args(["--exact", "a_killed_process_leaves_a_readable_recording", "--nocapture"])
        .env(RECORDING, &path)
        .stdout(Stdio::piped())
        .spawn()
        .expect("another process");
    let said = BufReader::new(child.stdout.take().expect("piped"));
    let recorded = said.lines().map_while(Result::ok).any(|line| line.ends_with("recorded"));
    child.kill().expect("ours");
    child.wait().expect("ours");
    assert!(recorded);
    for repaired in [false, true] {
        if repaired {
            repair(&path).expect("ours");
        }
        let bytes = std::fs::read(&path).expect("the recording");
        let wav = Wav::parse(&bytes).expect("a wav file");
        assert!(wav.channel(0).count() >= (BEATS - MAY_BE_LOST) * FRAME_SAMPLES);
        assert!(wav.channel(0).any(|sample| sample > 4_000), "the caller is heard");
    }
    assert!(!repair(&path).expect("ours").changed);
}

#[expect(clippy::print_stdout, reason = "how the child tells its parent")]
fn record_for_ever(path: PathBuf) {
    let (engine, ports, mut peer) = (engine(), RtpPorts::new(), Peer::new());
    let (_media, local) = open(&engine, &ports, params(peer.address()), Some(path));
    for beat in 0.. {
        peer.exchange(5_000.0, local);
        if beat == BEATS {
            println!("recorded");
        }
    }
}
