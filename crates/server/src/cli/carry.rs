//! `callie migrate store`: all users from the embedded database to Firestore, or back.
//!
//! Calls, transcripts and recordings stay where they are: they live in the embedded database and the data folder with either
//! store of users.

use super::terminal;
use crate::config::{Config, StoreChoice};
use crate::stores::Stores;
use anyhow::bail;
use callie_store::migration::{self, Carried};
use callie_store::{DocumentStore, rotation};
use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressStyle};
use std::fmt::Write;

/// A store of users.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Place {
    Sqlite,
    Firestore,
}

impl Place {
    fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Firestore => "firestore",
        }
    }
}

pub async fn run(config: &Config, from: Place, to: Place, dry_run: bool) -> anyhow::Result<()> {
    if from == to {
        bail!("--from and --to are both {}: name two stores", from.name());
    }
    if config.store == StoreChoice::Sqlite {
        bail!("Firestore is not configured: set FIREBASE_SERVICE_ACCOUNT_PATH, or CALLIE_STORE=firestore, for this command");
    }
    let stores = Stores::open(config).await?;
    let (source, destination): (&dyn DocumentStore, &dyn DocumentStore) = match from {
        Place::Sqlite => (&*stores.records, &*stores.documents),
        Place::Firestore => (&*stores.documents, &*stores.records),
    };
    let done = if dry_run { preview(source, destination).await } else { carry(source, destination, to).await };
    stores.close().await;
    done
}

async fn preview(source: &dyn DocumentStore, destination: &dyn DocumentStore) -> anyhow::Result<()> {
    let (from, to) = (rotation::census(source).await?, migration::count(destination).await?);
    terminal::say(&format!(
        "{} users would be carried over, {} of them with a password in clear; {to} are there already. No user was written.\n",
        from.documents,
        from.in_clear.len()
    ))
}

async fn carry(source: &dyn DocumentStore, destination: &dyn DocumentStore, to: Place) -> anyhow::Result<()> {
    let bar = progress_bar(migration::count(source).await?);
    let carried = migration::carry(source, destination, |so_far| bar.set_position(so_far.looked_at() as u64)).await;
    bar.finish_and_clear();
    let carried = match carried {
        Ok(carried) => carried,
        Err(error) => bail!("{error}\nWhat was carried over stays; run the command again to go on."),
    };
    terminal::say(&report(&carried, to))?;
    if carried.is_whole() {
        return Ok(());
    }
    bail!("not everything could be carried over; see above")
}

/// On stderr, and only where somebody looks at it.
fn progress_bar(documents: usize) -> ProgressBar {
    let style =
        ProgressStyle::with_template("{bar:40} {pos}/{len} users, {eta} left").unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(documents as u64).with_style(style)
}

fn report(carried: &Carried, to: Place) -> String {
    let mut text = format!("{} users carried over, {} were there already\n", carried.written, carried.same);
    for name in &carried.different {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {name}: another document of that name is there, and stays");
    }
    for (name, reason) in &carried.left_behind {
        let _ = writeln!(text, "  {name}: left behind, {reason}");
    }
    if carried.is_whole() {
        let _ = writeln!(
            text,
            "Next: set CALLIE_STORE={} and restart the server. What was carried over stays in the old store too.",
            to.name()
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_tells_what_stayed_behind() {
        let carried = Carried {
            written: 2,
            same: 1,
            different: vec!["bob".to_owned()],
            left_behind: vec![("b/d".to_owned(), "it is not JSON".to_owned())],
        };
        let want = "2 users carried over, 1 were there already\n  bob: another document of that name is there, and stays\n  \
                    b/d: left behind, it is not JSON\n";
        assert_eq!(report(&carried, Place::Firestore), want);
        let whole = report(&Carried { written: 3, ..Carried::default() }, Place::Sqlite);
        assert!(whole.contains("CALLIE_STORE=sqlite"), "{whole}");
    }
}
