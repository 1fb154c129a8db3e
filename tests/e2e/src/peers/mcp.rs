//! A server of the Model Context Protocol by its official SDK for Python (`python/mcp_server.py`), with no code of ours in it.

use super::console::python_with;
use crate::{PortBlock, eventually, process::Process};
use std::{net::TcpStream, path::PathBuf, process::Command, time::Duration};
use tempfile::TempDir;

#[derive(Debug)]
pub struct McpServer {
    process: Process,
    port: u16,
    _folder: TempDir,
}

impl McpServer {
    /// Whether the SDK is installed; as [`super::Console::present`].
    #[expect(clippy::print_stderr, reason = "a skipped test says so")]
    pub fn present() -> bool {
        if python_with("mcp/server/mcpserver").is_some() {
            return true;
        }
        let required = std::env::var("CALLIE_E2E_REQUIRE_PEERS").is_ok_and(|v| v == "1") && super::find("python3").is_some();
        assert!(!required, "the MCP SDK for Python is not installed in target/python (scripts/peers does it)");
        eprintln!("SKIPPED: the MCP SDK for Python is not installed in target/python (scripts/peers does it)");
        false
    }

    pub async fn start(ports: &mut PortBlock) -> Self {
        let (folder, port) = (TempDir::new().expect("the temporary folder is writable"), ports.one());
        let program = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("python/mcp_server.py");
        let python = python_with("mcp/server/mcpserver").expect("it is present");
        let mut command = Command::new(python);
        let process = Process::start("the MCP server", command.arg(program).arg(port.to_string()), folder.path().join("log"));
        let server = Self { process: process.expect("python starts"), port, _folder: folder };
        let listens = || async { TcpStream::connect(("127.0.0.1", port)).ok().map(drop) };
        eventually("the MCP server listens", Duration::from_secs(30), listens).await;
        server
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/mcp", self.port)
    }

    pub fn log(&self) -> String {
        self.process.log()
    }
}
