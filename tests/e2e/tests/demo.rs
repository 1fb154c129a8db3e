//! `callie demo`: runs to its end by itself, says what happens, leaves recordings; also beside another demo. With the recogniser's
//! weights, and with the stand-in for Gemini Live, the caller is understood.

use callie_e2e::callie::command;
use callie_e2e::voice::loud_seconds;
use callie_e2e::{process::Process, wav::Wav};
use std::{path::PathBuf, time::Duration};

const WITHIN: Duration = Duration::from_secs(150);

fn start(folder: &std::path::Path, engine: &str) -> Process {
    start_with(folder, &["--engine", engine])
}

fn start_with(folder: &std::path::Path, words: &[&str]) -> Process {
    let mut command = command(folder).expect("it is built");
    command.arg("demo").args(words).env("TMPDIR", folder);
    Process::start("callie demo", &mut command, folder.join("log")).expect("the demo starts")
}

fn check(mut demo: Process, words: &[&str], recordings: usize) {
    let status = demo.wait(WITHIN);
    let log = demo.log();
    assert!(status.is_some_and(|s| s.success()), "{status:?}\n{log}");
    for word in words {
        assert!(log.contains(word), "no word of {word}:\n{log}");
    }
    let mut wavs: Vec<PathBuf> = log
        .split(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '(' | ')' | ','))
        .filter(|word| word.ends_with(".wav"))
        .map(PathBuf::from)
        .collect();
    wavs.sort();
    wavs.dedup();
    assert!(wavs.len() >= recordings, "each call leaves a recording:\n{log}");
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
    for demo in folders.iter().map(|folder| start(folder.path(), "local")).collect::<Vec<_>>() {
        check(demo, &["alice", "bob", "registered", "answered"], 2);
    }
}

#[test]
fn users_in_firestore_are_sealed_and_change_between_two_calls() {
    let folder = tempfile::tempdir().expect("the temporary folder is writable");
    let demo = start_with(folder.path(), &["--firestore"]);
    let log_file = demo.log_file().to_owned();
    let words = [
        "Firestore in memory at 127.0.0.1:",
        "\"sip_password\": \"callie-enc:v1:…\"",
        "the greeting of the console is in force after",
    ];
    check(demo, &words, 2);
    let log = std::fs::read_to_string(log_file).expect("the log is there");
    assert!(!log.contains("demo-password"), "no password is shown:\n{log}");
    let (before, after) = log.split_once("in Firebase's console").expect("the change is told");
    assert!(!before.contains("Hello from the console") && after.contains("Callie said: “Hello from the console"), "{log}");
}

/// The caller's matter as she says it, in the transcript that the demo prints.
const MATTER: [&str; 3] = ["the other side said", "Lopez", "invoice"];

#[test]
fn the_stand_in_for_gemini_holds_a_conversation() {
    let folder = tempfile::tempdir().expect("the temporary folder is writable");
    check(start(folder.path(), "gemini"), &[&MATTER[..], &["tool end_call", "Goodbye"]].concat(), 1);
}

#[test]
fn the_stand_in_for_openai_holds_a_conversation() {
    let folder = tempfile::tempdir().expect("the temporary folder is writable");
    check(start(folder.path(), "openai"), &[&MATTER[..], &["tool end_call", "Goodbye"]].concat(), 1);
}

#[test]
fn the_offline_engine_holds_a_conversation() {
    let Some(models) = models() else { return };
    let folder = tempfile::tempdir().expect("the temporary folder is writable");
    std::os::unix::fs::symlink(models, folder.path().join("models")).expect("a link");
    check(start(folder.path(), "local"), &[&MATTER[..], &["tool take_message", "Goodbye"]].concat(), 2);
}

/// The recogniser's weights (`scripts/models.sh`); without them the test is skipped, unless they are asked for.
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
fn models() -> Option<PathBuf> {
    let beside_the_code = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models");
    let folder = PathBuf::from(std::env::var_os("CALLIE_MODELS_DIR").unwrap_or_else(|| beside_the_code.into()));
    if let Ok(there) = folder.canonicalize() {
        return Some(there);
    }
    assert!(std::env::var_os("CALLIE_REQUIRE_MODELS").is_none(), "no weights in {}", folder.display());
    eprintln!("SKIPPED: no weights in {} (scripts/models.sh fetches them)", folder.display());
    None
}
