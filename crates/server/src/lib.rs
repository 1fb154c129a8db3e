//! The server: the only crate that wires. It turns documents into registered lines, lines into calls, calls into records,
//! and shows all of it over HTTP.
//!
//! | module | holds |
//! |---|---|
//! | [`cli`] | the command line |
//! | [`config`] | the process's configuration |
//! | [`telemetry`] | logs |
//! | [`app`] | the composition root: build, run, drain |
//! | [`api`] | the HTTP API |
//! | [`exchange`] | lines and calls as the API sees them |

pub mod api;
pub mod cli;
pub mod config;
pub mod exchange;
pub mod telemetry;

/// Stands in for the composition root until it is there.
pub mod app {
    pub async fn run(_config: crate::config::Config) -> anyhow::Result<()> {
        anyhow::bail!("the composition root is not built yet")
    }
}
