//! `callie demo`: runs to its end by itself, says what happens, leaves two recordings; also beside another demo.

use callie_e2e::callie::command;
use callie_e2e::voice::loud_seconds;
use callie_e2e::{process::Process, wav::Wav};
use std::{path::PathBuf, time::Duration};

const WITHIN: Duration = Duration::from_secs(150);

fn start(folder: &std::path::Path) -> Process {
    let mut command = command(folder).expect("it is built");
    command.arg("demo").env("TMPDIR", folder);
    Process::start("callie demo", &mut command, folder.join("log")).expect("the demo starts")
}

fn check(mut demo: Process) {
    let status = demo.wait(WITHIN);
    let log = demo.log();
    assert!(status.is_some_and(|s| s.success()), "{status:?}\n{log}");
    for word in ["alice", "bob", "registered", "answered"] {
        assert!(log.to_lowercase().contains(word), "no word of {word}:\n{log}");
    }
    let mut wavs: Vec<PathBuf> = log
        .split(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '(' | ')' | ','))
        .filter(|word| word.ends_with(".wav"))
        .map(PathBuf::from)
        .collect();
    wavs.sort();
    wavs.dedup();
    assert!(wavs.len() >= 2, "two calls leave recordings:\n{log}");
    for path in wavs {
        let wav = Wav::read(&path).expect("a recording that was named can be read");
        assert_eq!(wav.channels.len(), 2);
        for (side, samples) in ["caller", "agent"].iter().zip(&wav.channels) {
            assert!(loud_seconds(samples, wav.rate, 300.0) > 1.0, "{}: the {side} is silent", path.display());
        }
    }
}

#[test]
fn two_demos_run_beside_each_other() {
    let folders = [(); 2].map(|()| tempfile::tempdir().expect("the temporary folder is writable"));
    for demo in folders.iter().map(|folder| start(folder.path())).collect::<Vec<_>>() {
        check(demo);
    }
}
