//! Schemathesis: reads the description of the API and asks everything that it allows, and much that it does not.

use anyhow::{Context, Result};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Operations that are left out: those that never end (feeds and sockets), those that wait for seconds by design, and the
/// one that takes the user away on whom the others are tried.
const LEFT_OUT: [&str; 7] =
    ["stream_events", "talk_to_agent", "listen_to_call", "examine_line", "test_webhooks", "check_engine", "delete_user"];

/// What is looked at in each answer.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance";

/// Whether it is installed, by the rule of [`super::Console::present`].
pub fn present() -> bool {
    super::Console::present() && program().is_some()
}

fn program() -> Option<PathBuf> {
    let beside = super::console::python_with("schemathesis")?.with_file_name("schemathesis");
    beside.exists().then_some(beside)
}

/// Tries the API of a server in which user alice is. Gives what it found, and whether that is nothing.
pub fn run(folder: &Path, api: SocketAddr, key: &str, examples: u32) -> Result<(bool, String)> {
    let config = folder.join("schemathesis.toml");
    std::fs::write(&config, "[parameters]\n\"path.user_id\" = \"alice\"\n")?;
    let mut command = Command::new(program().context("schemathesis is installed in target/python")?);
    command.arg("--config-file").arg(&config).arg("run").arg(format!("http://{api}/openapi.json"));
    command.args(["-H", &format!("Authorization: Bearer {key}"), "--checks", CHECKS]);
    command.args(["--phases", "examples,coverage,fuzzing", "--max-examples", &examples.to_string()]);
    command.args(["--suppress-health-check", "all", "--generation-deterministic"]);
    for operation in LEFT_OUT {
        command.args(["--exclude-operation-id", operation]);
    }
    let output = command.current_dir(folder).output()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    Ok((output.status.success(), said))
}
