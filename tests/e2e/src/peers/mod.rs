//! Other people's programs, which know nothing of our reading of the RFCs: telephony as installed from Debian, and Google's
//! Firestore client for Python, a server by the MCP SDK for Python, moto's S3, and Schemathesis.

pub mod baresip;
pub mod console;
pub mod dnsmasq;
pub mod kamailio;
pub mod mcp;
pub mod moto;
pub mod schemathesis;
pub mod sipp;

pub use baresip::Baresip;
pub use console::Console;
pub use dnsmasq::Dnsmasq;
pub use kamailio::Kamailio;
pub use sipp::Sipp;

use std::path::PathBuf;

/// Whether all `programs` are installed. When one is missing the test is skipped with a line that says so, unless
/// `CALLIE_E2E_REQUIRE_PEERS=1` (as `make test` and `make e2e` set it): then it fails.
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
pub fn present(programs: &[&str]) -> bool {
    let missing: Vec<&&str> = programs.iter().filter(|name| find(name).is_none()).collect();
    if missing.is_empty() {
        return true;
    }
    let required = std::env::var("CALLIE_E2E_REQUIRE_PEERS").is_ok_and(|v| v == "1");
    assert!(!required, "not installed: {missing:?} (`make e2e` installs the peers)");
    eprintln!("SKIPPED: not installed: {missing:?} (`make e2e` installs the peers)");
    false
}

/// A program on the path, or in the folders of daemons.
fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var("PATH").unwrap_or_default();
    path.split(':').chain(["/usr/sbin", "/usr/bin"]).map(|folder| PathBuf::from(folder).join(program)).find(|p| p.exists())
}

/// The folder with the peers' configurations.
pub fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("peers")
}

/// A configuration with its `@NAME@` places filled in.
fn filled(file: &str, values: &[(&str, &str)]) -> String {
    let mut text = std::fs::read_to_string(folder().join(file)).expect("the peers' configurations lie in peers/");
    for (name, value) in values {
        text = text.replace(&format!("@{name}@"), value);
    }
    text
}

/// The folder of plug-ins of a peer: Debian puts it below the machine's multi-arch name.
fn plugins(below: &str, marker: &str) -> PathBuf {
    let lib = PathBuf::from("/usr/lib");
    let arches = std::fs::read_dir(&lib).into_iter().flatten().filter_map(|e| Some(e.ok()?.path()));
    std::iter::once(lib.clone())
        .chain(arches)
        .map(|folder| folder.join(below))
        .find(|folder| folder.join(marker).exists())
        .unwrap_or_else(|| panic!("{below}/{marker} is somewhere below /usr/lib"))
}
