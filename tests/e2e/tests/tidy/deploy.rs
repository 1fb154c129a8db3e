//! The files for those who run the server: containers, Firebase. No docker is needed to see that they fit each other.

use crate::sources::{assert_none, root};
use serde_json::Value;
use std::process::{Command, Stdio};

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

fn json(path: &str) -> Value {
    serde_json::from_str(&read(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// Read by Python's YAML where it is installed; `None`, and a line that says so, where it is not.
#[expect(clippy::print_stderr, reason = "a skipped check says so")]
fn yaml(path: &str) -> Option<Value> {
    let script = "import json, sys, yaml; json.dump(yaml.safe_load(sys.stdin), sys.stdout)";
    let there = Command::new("python3").args(["-c", "import yaml"]).stderr(Stdio::null()).status();
    if !there.is_ok_and(|status| status.success()) {
        eprintln!("SKIPPED: {path} is not read as YAML: python3 has no module yaml");
        return None;
    }
    let file = std::fs::File::open(root().join(path)).expect("it is there");
    let output = Command::new("python3").args(["-c", script]).stdin(file).output().expect("python3 runs");
    assert!(output.status.success(), "{path}: {}", String::from_utf8_lossy(&output.stderr));
    Some(serde_json::from_slice(&output.stdout).expect("JSON"))
}

#[test]
fn the_compose_file_has_the_service_of_the_guide_on_the_hosts_network() {
    let text = read("docker-compose.yml");
    assert!(text.contains("\n  callie-caller:\n") && text.contains("\n    network_mode: host\n"), "{text}");
    let Some(compose) = yaml("docker-compose.yml") else { return };
    let services = compose["services"].as_object().expect("services");
    assert_eq!(services.keys().collect::<Vec<_>>(), ["callie-caller"]);
    let service = &services["callie-caller"];
    assert_eq!(service["network_mode"], "host");
    for volume in service["volumes"].as_array().expect("volumes") {
        let name = volume.as_str().and_then(|v| v.split(':').next()).expect("a short form");
        assert!(compose["volumes"].get(name).is_some(), "the volume {name} is declared");
    }
}

/// Whether Docker sees a path: the last line of `.dockerignore` that fits counts.
fn in_the_context(path: &str) -> bool {
    let lines = read(".dockerignore");
    lines.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).fold(true, |seen, line| {
        let (pattern, back) = line.strip_prefix('!').map_or((line, false), |rest| (rest, true));
        let inside = |pattern: &str| path == pattern || path.strip_prefix(pattern).is_some_and(|rest| rest.starts_with('/'));
        let fits = match pattern.strip_prefix("**/") {
            Some(anywhere) => path.split('/').any(|part| part == anywhere),
            None => pattern == "*" || inside(pattern),
        };
        if fits { back } else { seen }
    })
}

#[test]
fn what_the_dockerfile_copies_is_in_its_context() {
    let dockerfile = read("Dockerfile");
    let copies = dockerfile.lines().filter_map(|line| line.strip_prefix("COPY ")).filter(|line| !line.starts_with("--from="));
    let mut wanted: Vec<String> = copies.filter_map(|line| line.split(' ').next()).map(str::to_owned).collect();
    assert!(wanted.iter().any(|source| source == "."), "the sources are copied: {wanted:?}");
    // What `.` must hold for cargo to build.
    wanted.retain(|source| source != ".");
    wanted.extend(["Cargo.toml", "Cargo.lock", "rust-toolchain.toml", "tests/e2e/Cargo.toml"].map(str::to_owned));
    for room in std::fs::read_dir(root().join("crates")).expect("crates/ is there").flatten() {
        wanted.push(format!("crates/{}/Cargo.toml", room.file_name().to_string_lossy()));
    }
    let missing: Vec<String> = wanted.into_iter().filter(|path| !root().join(path).exists() || !in_the_context(path)).collect();
    assert_none("the Dockerfile's sources are there and not in .dockerignore", &missing);
    let seen: Vec<String> =
        [".env", "keyring.json", "data/callie.db", "firebase-service-account.json", "target/debug/callie", "crates/x/target/y"]
            .into_iter()
            .filter(|path| in_the_context(path))
            .map(str::to_owned)
            .collect();
    assert_none("secrets and what was built stay out of the context", &seen);
}

#[test]
fn the_image_runs_as_a_user_without_rights() {
    let dockerfile = read("Dockerfile");
    let last_stage = dockerfile.rsplit("\nFROM ").next().expect("a stage");
    assert!(last_stage.contains("\nUSER callie\n"), "{last_stage}");
    let toolchain = read("rust-toolchain.toml");
    let version = toolchain.lines().find_map(|line| line.strip_prefix("channel = ")).expect("a version").trim_matches('"');
    let base = dockerfile.lines().find_map(|line| line.strip_prefix("FROM rust:")).expect("a base for building");
    assert!(version.starts_with(base.split('-').next().unwrap_or_default()), "{base} builds, {version} is wanted");
}

#[test]
fn firebase_refuses_every_client() {
    let config = json("deploy/firebase/firebase.json");
    for file in ["rules", "indexes"] {
        let name = config["firestore"][file].as_str().unwrap_or_else(|| panic!("firebase.json names {file}"));
        assert!(root().join("deploy/firebase").join(name).exists(), "{name}");
    }
    let port = &config["emulators"]["firestore"]["port"];
    assert!(port.as_u64().is_some_and(|port| port != 8080), "the emulator leaves the API's port alone: {port}");
    let rules = read("deploy/firebase/firestore.rules");
    let code: Vec<&str> = rules.lines().map(str::trim).filter(|line| !line.starts_with("//")).collect();
    let allowed: Vec<&&str> = code.iter().filter(|line| line.starts_with("allow")).collect();
    assert_eq!(allowed, [&"allow read, write: if false;"]);
    assert!(code.contains(&"match /{document=**} {"), "for every document: {rules}");
    let indexes = json("deploy/firebase/firestore.indexes.json");
    let exempt: Vec<&str> = indexes["fieldOverrides"]
        .as_array()
        .expect("a list")
        .iter()
        .filter(|field| field["collectionGroup"] == "user_configs" && field["indexes"].as_array().is_some_and(Vec::is_empty))
        .filter_map(|field| field["fieldPath"].as_str())
        .collect();
    for secret in ["sip.sip_password", "sip.tls_client_key", "webhooks"] {
        assert!(exempt.contains(&secret), "what is sealed is not indexed: {exempt:?}");
    }
}
