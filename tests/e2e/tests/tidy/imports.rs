//! Who imports whom: between the rooms, inside the server, and foreign stacks behind one module each.

use crate::sources::{Source, all, assert_none, root};

/// Which of our crates each room may use. Cargo enforces it; this keeps the manifests from drifting.
const ROOMS: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("media", &["domain"]),
    ("sip", &["domain", "media"]),
    ("ai", &["domain", "media"]),
    ("store", &["domain"]),
    ("lab", &["domain", "media"]),
    ("server", &["domain", "media", "sip", "ai", "store", "lab"]),
];

#[test]
fn rooms_depend_in_one_direction() {
    let mut findings = Vec::new();
    for (room, allowed) in ROOMS {
        let manifest = std::fs::read_to_string(root().join(format!("crates/{room}/Cargo.toml"))).expect("each room has one");
        let product = manifest.split("[dev-dependencies]").next().unwrap_or_default();
        for line in product.lines() {
            if let Some(used) = line.strip_prefix("callie-").and_then(|rest| rest.split(['.', ' ', '=']).next())
                && !allowed.contains(&used)
            {
                findings.push(format!("{room} uses {used}"));
            }
        }
    }
    assert_none("a room may use only those below it", &findings);
}

/// The server's modules, from the top down: each may use those of the later rows, and within a row only itself.
const SERVER_ROWS: &[&[&str]] = &[
    &["main"],
    &["cli"],
    &["app"],
    &["switchboard", "engines", "stores"],
    &["doctor"],
    &["api", "call", "cluster", "ui"],
    &["accounts", "first_version"],
    &["health", "hooks", "redial", "summaries", "versions"],
    &["records", "tools"],
    &["exchange"],
    &["telemetry", "outside", "identity"],
    &["config"],
];

fn row(module: &str) -> Option<usize> {
    SERVER_ROWS.iter().position(|row| row.contains(&module))
}

#[test]
fn the_servers_modules_look_downwards_only() {
    let mut findings = Vec::new();
    for source in all(&["crates/server/src"]).iter().filter(|s| !s.is_test()) {
        let Some(own) = source.module().filter(|m| *m != "lib") else { continue };
        let Some(own_row) = row(own) else {
            findings.push(format!("{}: module {own} has no row in SERVER_ROWS", source.path));
            continue;
        };
        for (line, used) in imports_of_own_crate(source) {
            let upwards = used != own && row(&used).is_none_or(|used_row| used_row <= own_row);
            if upwards {
                findings.push(format!("{}:{line}: {own} uses {used}", source.path));
            }
        }
    }
    assert_none("server modules look downwards only (main, cli, app, the parts, records, exchange, config)", &findings);
}

/// `crate::x` and `callie_server::x` wherever they stand, also as `use crate::{x, y::z}`.
fn imports_of_own_crate(source: &Source) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut in_group = false;
    for (number, line) in source.product_lines() {
        let mut rest = line;
        if in_group {
            let names = rest.split(['}', ';']).next().unwrap_or_default();
            found.extend(heads(names).map(|name| (number, name)));
            in_group = !line.contains("};");
            continue;
        }
        while let Some((_, after)) = rest.split_once("crate::").or_else(|| rest.split_once("callie_server::")) {
            if let Some(group) = after.strip_prefix('{') {
                found.extend(heads(group.split("};").next().unwrap_or(group)).map(|name| (number, name)));
                in_group = line.trim_start().starts_with("use ") && !line.contains("};");
            } else {
                found.push((number, head(after)));
            }
            rest = after;
        }
    }
    // Types at the root of the crate are no modules.
    found.retain(|(_, name)| name.starts_with(|c: char| c.is_ascii_lowercase()) && name != "self");
    found
}

/// The first names of the members of a `{…}` group, inner groups left out.
fn heads(group: &str) -> impl Iterator<Item = String> {
    let mut depth = 0usize;
    let flat: String = group
        .chars()
        .filter(|&c| {
            let keep = depth == 0 && c != '{' && c != '}';
            match c {
                '{' => depth += 1,
                '}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            keep
        })
        .collect();
    flat.split(',').map(head).collect::<Vec<_>>().into_iter()
}

fn head(path: &str) -> String {
    path.trim().chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect()
}

/// A foreign stack and the only places that may name it.
const WRAPPED: &[(&str, &[&str])] = &[
    ("rsipstack::", &["crates/sip/src/stack"]),
    ("rusqlite::", &["crates/store/src/sqlite"]),
    ("flite_rs::", &["crates/ai/src/local/synthesiser.rs", "crates/ai/src/local/kokoro"]),
    (
        "gcloud_sdk::",
        &[
            "crates/store/src/firestore",
            "crates/store/src/seal/kms.rs",
            "crates/server/src/engines/google_tokens.rs",
            "crates/lab/src/firestore",
            "crates/lab/src/kms.rs",
        ],
    ),
    ("libc::", &["crates/media/src/engine"]),
    ("aws_lc_rs::", &["crates/store/src/seal", "crates/store/src/vault", "crates/store/src/doc", "crates/lab/src/provider.rs"]),
    ("sdp_types::", &["crates/sip/src/sdp"]),
    ("axum::", &["crates/server/src/api", "crates/server/src/app", "crates/server/src/ui", "crates/lab/src/provider.rs"]),
    ("figment::", &["crates/server/src/config"]),
    ("rmcp::", &["crates/server/src/tools/mcp/session.rs"]),
];

#[test]
fn foreign_stacks_stay_behind_their_wrappers() {
    let mut findings = Vec::new();
    for source in all(&["crates"]).iter().filter(|s| !s.is_test()) {
        for (stack, homes) in WRAPPED {
            if homes.iter().any(|home| source.path.starts_with(home)) {
                continue;
            }
            for (line, text) in source.product_lines() {
                let names_it = text
                    .match_indices(stack)
                    .any(|(at, _)| !text[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ':')));
                if names_it {
                    findings.push(format!("{}:{line}: {}", source.path, text.trim()));
                }
            }
        }
    }
    assert_none("a foreign stack is imported by its wrapper only", &findings);
}

/// What must not occur in a room at all: its invariants of absence.
const ABSENT: &[(&str, &[&str])] = &[
    ("crates/domain/src", &["tokio", "std::net::UdpSocket", "Instant::now", "SystemTime", "Timestamp::now", "std::fs", "rand::"]),
    ("crates/media/src/codec", &["tokio", "Instant::now", "std::net", "std::fs"]),
    ("crates/media/src/rtp", &["tokio", "Instant::now", "UdpSocket", "std::fs"]),
    ("crates/media/src/session", &["tokio", "Instant::now", "UdpSocket", "std::fs"]),
    ("crates/media/src/playout", &["tokio", "Instant::now", "UdpSocket", "std::fs"]),
    ("crates/media/src/jitter", &["tokio", "Instant::now", "UdpSocket", "std::fs"]),
    ("crates/sip/src/register", &["tokio::", "Instant::now", "UdpSocket"]),
    ("crates/sip/src/digest", &["tokio::", "Instant::now", "UdpSocket"]),
    ("crates/sip/src/sdp", &["tokio::", "Instant::now", "UdpSocket"]),
    ("crates/server/src/api", &["UdpSocket", "TcpStream", "callie_sip", "callie_media", "callie_ai", "tokio::spawn"]),
    ("crates/lab/src", &["callie_sip", "callie_server", "rsipstack"]),
];

#[test]
fn what_must_be_absent_is_absent() {
    let mut findings = Vec::new();
    for source in all(&["crates"]).iter().filter(|s| !s.is_test()) {
        for (place, words) in ABSENT {
            let inside = source.path.strip_prefix(place).is_some_and(|rest| rest.starts_with(['/', '.']));
            if !inside {
                continue;
            }
            for (line, text) in source.product_lines() {
                if let Some(word) = words.iter().find(|word| text.contains(**word)) {
                    findings.push(format!("{}:{line}: {word} in {place}", source.path));
                }
            }
        }
    }
    assert_none("rooms without clock, socket or task stay so", &findings);
}
