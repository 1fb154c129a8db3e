//! What commands print: results on stdout, complaints on stderr.

use anyhow::Context;
use std::io::{ErrorKind, Write};

/// Prints a result. A reader that has seen enough (`callie openapi | head`) is not an error.
pub fn say(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written.context("cannot write to stdout"),
    }
}

/// Prints a complaint. If even that fails there is nobody left to tell.
pub fn complain(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
