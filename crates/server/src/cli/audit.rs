//! `callie audit`: whether what was done is still written down as it was.

use super::{CliError, terminal};
use crate::config::{self, Config};
use crate::stores::Stores;
use anyhow::{Context, bail};
use callie_store::AuditStore;
use callie_store::audit::{Verdict, from_hex, hex};
use clap::Subcommand;
use std::path::Path;

#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Read the whole chain and say whether an entry was changed, removed or moved.
    Verify {
        /// A head that was printed earlier and kept elsewhere: it must still be in the chain.
        #[arg(long, value_name = "HEX")]
        head: Option<String>,
    },
}

pub fn run(file: Option<&Path>, command: AuditCommand) -> Result<(), CliError> {
    let config = config::load(file)?.config;
    let AuditCommand::Verify { head } = command;
    Ok(super::serve::runtime()?.block_on(verify(&config, head.as_deref()))?)
}

async fn verify(config: &Config, head: Option<&str>) -> anyhow::Result<()> {
    let head =
        head.map(|text| from_hex(text).context("--head: must be the 64 hexadecimal digits that callie audit verify printed"));
    let head = head.transpose()?;
    let stores = Stores::open(config).await?;
    let verdict = stores.records.verify_audit(head).await;
    stores.close().await;
    match verdict? {
        Verdict::Whole { entries, head } => terminal::say(&format!(
            "The audit is whole: {entries} entries.\nhead {}\nKeep the head elsewhere: callie audit verify --head tells later whether entries were cut off.\n",
            hex(&head)
        )),
        Verdict::Broken { seq, why } => bail!("the audit is broken at entry {seq}: {why}"),
    }
}
