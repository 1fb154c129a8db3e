//! `callie serve`: configuration, logs, then the server.

use super::CliError;
use crate::{app, config, telemetry};
use anyhow::Context;
use std::path::Path;
use tokio::runtime::{Builder, Runtime};

pub fn run(file: Option<&Path>) -> Result<(), CliError> {
    let loaded = config::load(file)?;
    telemetry::start(&loaded.config.log);
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    Ok(runtime()?.block_on(app::run(loaded.config))?)
}

/// The runtime of everything but media.
pub fn runtime() -> anyhow::Result<Runtime> {
    Builder::new_multi_thread().enable_all().thread_name("callie").build().context("the runtime does not start")
}
