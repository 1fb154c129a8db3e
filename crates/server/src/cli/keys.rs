//! `callie keys`: the keys that seal passwords and users' keys of recordings, from adding one to dropping one.

use super::{CliError, terminal};
use crate::config::{self, Config};
use crate::stores::{self, Stores};
use anyhow::{Context, bail};
use callie_store::VaultStore as _;
use callie_store::rotation::{self, Census, Swept};
use callie_store::seal::KeyFile;
use callie_store::seal::key_file::Kept;
use clap::Subcommand;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::num::NonZeroU32;
use std::path::Path;

#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// Show the keys, and how many passwords and users' keys of recordings each one seals.
    Status,
    /// Add a fresh key that opens but does not seal yet.
    Add {
        /// Its name; the year and a letter when not given.
        name: Option<String>,
        /// Wrap it with this key of Google Cloud KMS: projects/P/locations/L/keyRings/R/cryptoKeys/K.
        #[arg(long, value_name = "KEY")]
        kms: Option<String>,
    },
    /// Name the key that seals from now on.
    Primary { name: String },
    /// Seal every password, and every user's key of recordings, with the primary key.
    Sweep {
        /// At most so many documents a second.
        #[arg(long, default_value = "50", value_name = "N")]
        rate: NonZeroU32,
    },
    /// Take a key out that seals nothing any more.
    Drop { name: String },
}

pub fn run(file: Option<&Path>, command: KeysCommand) -> Result<(), CliError> {
    let config = config::load(file)?.config;
    Ok(super::serve::runtime()?.block_on(execute(&config, command))?)
}

async fn execute(config: &Config, command: KeysCommand) -> anyhow::Result<()> {
    match command {
        KeysCommand::Status => status(config).await,
        KeysCommand::Add { name, kms } => add(config, name, kms.as_deref()).await,
        KeysCommand::Primary { name } => primary(config, &name),
        KeysCommand::Sweep { rate } => sweep(config, rate).await,
        KeysCommand::Drop { name } => drop_key(config, &name).await,
    }
}

async fn status(config: &Config) -> anyhow::Result<()> {
    let (primary, keys) = match &config.secrets.master_key {
        Some(_) => ("env".to_owned(), vec![("env".to_owned(), "CALLIE_MASTER_KEY".to_owned())]),
        None => {
            let file = key_file(config)?;
            let shown = |kept| match kept {
                Kept::InFile => config.keyring_file().display().to_string(),
                Kept::Wrapped(name) => format!("wrapped by {name}"),
            };
            (file.primary().to_owned(), file.keys().map(|(kid, kept)| (kid.to_owned(), shown(kept))).collect())
        }
    };
    let (census, recordings) = with_stores(config, count).await?;
    terminal::say(&table(&primary, &keys, &census, &recordings))
}

/// What each key seals: passwords, and users' keys of recordings.
async fn count(stores: &Stores) -> anyhow::Result<(Census, BTreeMap<String, usize>)> {
    Ok((rotation::census(&*stores.documents).await?, stores.records.tenant_keys_by_kid().await?))
}

fn table(primary: &str, keys: &[(String, String)], census: &Census, recordings: &BTreeMap<String, usize>) -> String {
    let mut text = format!("{:<12} {:<8} {:>10} {:>15}  kept in\n", "key", "", "passwords", "recordings of");
    let users = |kid: &str| match recordings.get(kid).copied().unwrap_or(0) {
        1 => "1 user".to_owned(),
        users => format!("{users} users"),
    };
    for (kid, kept) in keys {
        let role = if kid == primary { "primary" } else { "opens" };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{kid:<12} {role:<8} {:>10} {:>15}  {kept}", census.sealed_with(kid), users(kid));
    }
    let in_use: BTreeSet<_> = census.sealed.keys().chain(recordings.keys()).collect();
    for kid in in_use.into_iter().filter(|kid| !keys.iter().any(|(known, _)| known == *kid)) {
        let passwords = census.sealed_with(kid);
        let _ = writeln!(
            text,
            "{kid:<12} {:<8} {passwords:>10} {:>15}  nowhere: restore this key from your copy",
            "missing",
            users(kid)
        );
    }
    for (what, names) in [("in clear", &census.in_clear), ("of an unknown form", &census.unknown)] {
        if !names.is_empty() {
            let _ = writeln!(text, "{} {what}: {}", names.len(), some_of(names));
        }
    }
    let _ = writeln!(text, "{} documents", census.documents);
    text
}

/// The first few names.
fn some_of(names: &[String]) -> String {
    const SHOWN: usize = 5;
    let more = names.len().saturating_sub(SHOWN);
    let shown = names.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    if more == 0 { shown } else { format!("{shown} and {more} more") }
}

async fn add(config: &Config, name: Option<String>, kms: Option<&str>) -> anyhow::Result<()> {
    let mut file = key_file(config)?;
    let name = match name {
        Some(name) => name,
        None => file.next_kid(Timestamp::now()).context("all names of this year are taken: give one")?,
    };
    file.add(&name, kms, &stores::key_service(config)).await?;
    file.save()?;
    terminal::say(&format!(
        "Added {name}. It opens but does not seal yet.\n\
         Next: give {} to every server and restart it, keep a copy apart from the database's, then run\n\n  \
         callie keys primary {name}\n",
        config.keyring_file().display()
    ))
}

fn primary(config: &Config, name: &str) -> anyhow::Result<()> {
    let mut file = key_file(config)?;
    file.set_primary(name)?;
    file.save()?;
    terminal::say(&format!(
        "{name} seals from now on. Give the file to every server and restart it, then seal what is left with\n\n  callie keys sweep\n"
    ))
}

async fn sweep(config: &Config, rate: NonZeroU32) -> anyhow::Result<()> {
    let (swept, (resealed, unopened)) = with_stores(config, async |stores| {
        let swept = rotation::sweep(&*stores.documents, rate, tell).await?;
        Ok((swept, stores.records.reseal_tenant_keys().await?))
    })
    .await?;
    terminal::say(&format!(
        "{} documents, {} sealed anew; keys of recordings of {resealed} users sealed anew\n",
        swept.looked_at, swept.resealed
    ))?;
    if swept.undecryptable.is_empty() && unopened.is_empty() {
        return Ok(());
    }
    let recordings = unopened.iter().map(|(user, reason)| format!("  recordings of {user}: {reason}"));
    let lines: Vec<_> =
        swept.undecryptable.iter().map(|(name, reason)| format!("  {name}: {reason}")).chain(recordings).collect();
    bail!(
        "{} secrets do not open and were left as they are: restore their keys, or set them anew\n{}",
        lines.len(),
        lines.join("\n")
    )
}

/// On stderr, so that stdout holds the result alone.
fn tell(so_far: &Swept) {
    terminal::complain(&format!("{} documents looked at, {} sealed anew", so_far.looked_at, so_far.resealed));
}

async fn drop_key(config: &Config, name: &str) -> anyhow::Result<()> {
    let mut file = key_file(config)?;
    file.drop_key(name)?;
    let (census, recordings) = with_stores(config, count).await?;
    let (passwords, users) = (census.sealed_with(name), recordings.get(name).copied().unwrap_or(0));
    if passwords + users > 0 {
        bail!(
            "{passwords} passwords and the recordings of {users} users are still sealed with {name}: run callie keys sweep first"
        );
    }
    file.save()?;
    terminal::say(&format!("Dropped {name}. Keep it offline for as long as you keep backups that it opens.\n"))
}

/// The key file, which must be there: a command must not make one by chance, in the wrong folder.
fn key_file(config: &Config) -> anyhow::Result<KeyFile> {
    if config.secrets.master_key.is_some() {
        bail!(
            "the key comes from CALLIE_MASTER_KEY, so there is no key file to change: put it under the name env into a key file \
             {{\"primary\":\"env\",\"keys\":{{\"env\":{{\"raw\":\"…\"}}}}}} of mode 0600, and set CALLIE_KEYRING_FILE instead"
        );
    }
    Ok(KeyFile::load(&config.keyring_file())?)
}

/// Opens the stores, works on them, and closes them whatever came of it.
async fn with_stores<T>(config: &Config, work: impl AsyncFnOnce(&Stores) -> anyhow::Result<T>) -> anyhow::Result<T> {
    let stores = Stores::open(config).await?;
    let done = work(&stores).await;
    stores.close().await;
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_tells_what_is_missing_and_what_lies_open() {
        let census = Census {
            documents: 9,
            sealed: [("k2026a".to_owned(), 5), ("k2020a".to_owned(), 1)].into(),
            in_clear: ["a", "b", "c", "d", "e", "f"].map(str::to_owned).to_vec(),
            unknown: vec![],
        };
        let keys = [("k2026a", "file"), ("k2026b", "file")].map(|(kid, kept)| (kid.to_owned(), kept.to_owned()));
        let recordings = [("k2026b".to_owned(), 1), ("k2019a".to_owned(), 2)].into();
        let want = "key                    passwords   recordings of  kept in\n\
                    k2026a       opens             5         0 users  file\n\
                    k2026b       primary           0          1 user  file\n\
                    k2019a       missing           0         2 users  nowhere: restore this key from your copy\n\
                    k2020a       missing           1         0 users  nowhere: restore this key from your copy\n\
                    6 in clear: a, b, c, d, e and 1 more\n\
                    9 documents\n";
        assert_eq!(table("k2026b", &keys, &census, &recordings), want);
    }
}
