//! `callie config check`.

use super::{CliError, terminal};
use crate::config::{self, show};
use std::path::Path;

pub fn check(file: Option<&Path>) -> Result<(), CliError> {
    let loaded = config::load(file)?;
    for warning in &loaded.warnings {
        terminal::complain(&format!("warning: {warning}"));
    }
    Ok(terminal::say(&show::table(&loaded))?)
}
