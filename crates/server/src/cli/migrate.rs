//! `callie migrate`: from the first version's environment into the store; `carry` takes users from store to store.

use super::{CliError, carry, terminal};
use crate::config::{self, Config, ConfigFault, ConfigFaults, Loaded, StoreChoice, first_version};
use crate::stores::Stores;
use anyhow::{Context, bail};
use callie_domain::{User, UserId};
use callie_store::{ConfigStore, Keyring, StoreError, UserView, doc};
use clap::Subcommand;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::Path;

#[derive(Debug, Subcommand)]
pub enum MigrateCommand {
    /// Put the line of the first version's environment (ZOHO_SIP_…) into the store, as a user.
    Env {
        /// Its id as a user.
        #[arg(long, default_value = config::PRIMARY, value_name = "ID")]
        user_id: UserId,
        /// Show the document and write nothing.
        #[arg(long)]
        dry_run: bool,
    },
    /// Carry all users from one store to the other, as they are. What was stopped goes on when it is run again.
    Store {
        #[arg(long, value_enum)]
        from: carry::Place,
        #[arg(long, value_enum)]
        to: carry::Place,
        /// Count, and write nothing.
        #[arg(long)]
        dry_run: bool,
    },
}

/// What became of the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Migrated {
    /// Nothing was written, as was asked for.
    Shown,
    Written,
    /// The store had it already, with the same settings.
    Same,
}

/// Seals the password of a document that is shown, where it is masked; nothing is ever stored under it.
const KEY_OF_NOTHING: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

pub fn run(file: Option<&Path>, command: MigrateCommand) -> Result<(), CliError> {
    let loaded = config::load(file)?;
    for warning in &loaded.warnings {
        terminal::complain(&format!("warning: {warning}"));
    }
    let (user_id, dry_run) = match command {
        MigrateCommand::Env { user_id, dry_run } => (user_id, dry_run),
        MigrateCommand::Store { from, to, dry_run } => {
            return Ok(super::serve::runtime()?.block_on(carry::run(&loaded.config, from, to, dry_run))?);
        }
    };
    let user = user(&loaded.config, user_id)?;
    let migrated = super::serve::runtime()?.block_on(with_store(&loaded.config, &user, dry_run))?;
    let mut text = if dry_run { shown(&user)? } else { String::new() };
    text.push_str(&report(&user.id, migrated, &loaded));
    Ok(terminal::say(&text)?)
}

/// The user of the environment under its new name.
fn user(config: &Config, id: UserId) -> Result<User, CliError> {
    let now = Timestamp::now();
    let user = config.first_version.primary.clone().map(|user| User { id, created_at: now, updated_at: now, ..user });
    user.ok_or_else(|| {
        let problem = "is not given, nor are ZOHO_SIP_USERNAME and ZOHO_SIP_PASSWORD: there is no line to migrate; set them in \
                       the environment or in .env";
        ConfigFaults(vec![ConfigFault { place: "ZOHO_SIP_SERVER".to_owned(), problem: problem.to_owned() }]).into()
    })
}

async fn with_store(config: &Config, user: &User, dry_run: bool) -> anyhow::Result<Migrated> {
    let is_new = config.store == StoreChoice::Sqlite && !config.data_dir.join("callie.db").exists();
    if dry_run && is_new {
        // Opening a database makes one.
        return Ok(Migrated::Shown);
    }
    let stores = Stores::open(config).await?;
    let migrated = env(&*stores.users, user, dry_run).await;
    stores.close().await;
    migrated
}

/// Writes the user, unless the store has one of that name.
///
/// # Errors
/// When the store has it with other settings, or has another user with its MAC address.
pub async fn env(store: &dyn ConfigStore, user: &User, dry_run: bool) -> anyhow::Result<Migrated> {
    let id = &user.id;
    if let Some(stored) = store.get(id).await? {
        let different = differences(&stored.user, user)?;
        if different.is_empty() {
            return Ok(Migrated::Same);
        }
        bail!(
            "user {id} is in the store already, with other settings than the environment's: {}\nThe store counts. Take ZOHO_SIP_… \
             out of the environment, or change the user with PUT /users/{id}, or give another name with --user-id",
            different.join(", ")
        );
    }
    if let Some(other) = owner_of_mac(&store.watch().borrow(), user) {
        bail!("user {other} has the MAC address {} already: set another one in CUSTOM_USER_AGENT", user.device.mac_address);
    }
    if dry_run {
        return Ok(Migrated::Shown);
    }
    match store.create(user).await {
        Ok(_) => Ok(Migrated::Written),
        Err(StoreError::AlreadyExists(_)) => bail!("somebody has created user {id} in the meantime: run the command again"),
        Err(error) => Err(error.into()),
    }
}

fn owner_of_mac(view: &UserView, user: &User) -> Option<UserId> {
    let has_it = |other: &User| other.id != user.id && other.device.mac_address == user.device.mac_address;
    view.users
        .values()
        .filter_map(|entry| entry.usable())
        .find(|stored| has_it(&stored.user))
        .map(|stored| stored.user.id.clone())
}

/// The fields of the document in which the two differ.
fn differences(stored: &User, wanted: &User) -> anyhow::Result<Vec<String>> {
    let (stored_document, wanted_document) = (document(stored)?, document(wanted)?);
    let mut different = Vec::new();
    for map in ["sip", "device", "calls", "ai", "routing"] {
        let (a, b) = (stored_document[map].as_object(), wanted_document[map].as_object());
        let mut fields: Vec<&String> = a.into_iter().chain(b).flat_map(|map| map.keys()).collect();
        fields.sort_unstable();
        fields.dedup();
        let value = |map: Option<&serde_json::Map<String, Value>>, field: &str| map.and_then(|map| map.get(field)).cloned();
        let is_time = |field: &str| field.ends_with("_at");
        let unequal = fields.into_iter().filter(|field| !is_time(field) && value(a, field) != value(b, field));
        different.extend(unequal.map(|field| format!("{map}.{field}")));
    }
    if stored.sip.password != wanted.sip.password {
        different.push(doc::PASSWORD.path.to_owned());
    }
    // Where both have one; otherwise the documents differ.
    if let (Some(stored), Some(wanted)) = (&stored.sip.tls.client_key, &wanted.sip.tls.client_key)
        && stored != wanted
    {
        different.push(doc::TLS_CLIENT_KEY.path.to_owned());
    }
    Ok(different)
}

/// As it is stored, with the secrets masked.
fn document(user: &User) -> anyhow::Result<Value> {
    let keyring = Keyring::from_master_key(KEY_OF_NOTHING)?;
    let mut document = doc::write(user, None, &keyring, user.created_at).context("the document cannot be made")?;
    for secret in doc::SECRETS {
        for home in secret.homes_mut(&mut document) {
            if let Some(sealed) = home.get_mut(secret.field) {
                *sealed = json!("********");
            }
        }
    }
    Ok(document)
}

fn shown(user: &User) -> anyhow::Result<String> {
    Ok(format!("{}\n\n", serde_json::to_string_pretty(&document(user)?)?))
}

/// What was done, and which lines of the environment are of no use any more.
fn report(id: &UserId, migrated: Migrated, loaded: &Loaded) -> String {
    let mut text = match migrated {
        Migrated::Shown => format!("User {id} would be written to the store. Nothing was written.\n"),
        Migrated::Written => format!("User {id} is in the store. A running server follows at once.\n"),
        Migrated::Same => format!("User {id} is in the store already, with these settings.\n"),
    };
    let (may_leave, stay): (Vec<_>, Vec<_>) = first_version::KEYS
        .iter()
        .filter_map(|key| Some((key.name, &loaded.given.get(key.name)?.place)))
        .partition(|(name, _)| first_version::describes_the_line(name));
    text.push_str(if migrated == Migrated::Shown { "\nAfterwards these may leave" } else { "\nThese may leave now" });
    if id.as_str() != config::PRIMARY {
        // The environment's user would be there beside it, with the same line.
        text.push_str(", and must before the server is started again");
    }
    text.push_str(":\n");
    for (name, place) in may_leave {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {name} in {place}");
    }
    if !stay.is_empty() {
        text.push_str("\nThese describe the server, and count as before:\n");
        for (name, place) in stay {
            let _ = writeln!(text, "  {name} in {place}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::sources::Sources;
    use callie_store::SqliteStore;
    use std::sync::Arc;
    use tempfile::TempDir;

    const DOTENV: &str =
        "ZOHO_SIP_SERVER=sip.example.com\nZOHO_SIP_USERNAME=4711\nZOHO_SIP_PASSWORD=canary-4711\nFLASK_PORT=8090\n";

    fn loaded(more: &str) -> Loaded {
        let sources = Sources { dotenv: Some(Ok(format!("{DOTENV}{more}"))), ..Sources::default() };
        config::resolve(sources).expect("valid")
    }

    fn line(id: &str, more: &str) -> User {
        user(&loaded(more).config, id.parse().expect("valid")).expect("a line")
    }

    fn store(folder: &TempDir) -> SqliteStore {
        let keyring = Keyring::load_or_create(&folder.path().join("k.json"), Timestamp::UNIX_EPOCH).expect("a key file");
        SqliteStore::open(&folder.path().join("callie.db"), Arc::new(keyring)).expect("a store")
    }

    #[tokio::test]
    async fn the_line_is_written_once() {
        let folder = TempDir::new().expect("a folder");
        let store = store(&folder);
        let primary = line("primary", "");
        assert_eq!(env(&store, &primary, true).await.expect("shown"), Migrated::Shown);
        assert!(store.get(&primary.id).await.expect("readable").is_none(), "nothing is written");
        assert_eq!(env(&store, &primary, false).await.expect("written"), Migrated::Written);
        let stored = store.get(&primary.id).await.expect("readable").expect("there");
        assert!(stored.user.wants_line() && stored.user.sip.password.expose() == "canary-4711");
        for dry_run in [true, false] {
            assert_eq!(env(&store, &line("primary", ""), dry_run).await.expect("there"), Migrated::Same);
        }
    }

    #[tokio::test]
    async fn another_user_is_never_overwritten() {
        let folder = TempDir::new().expect("a folder");
        let store = store(&folder);
        env(&store, &line("primary", ""), false).await.expect("written");
        for (more, field) in [
            ("DEFAULT_GREETING=Other", "calls.default_greeting"),
            ("ZOHO_SIP_PASSWORD=canary-other", "sip.sip_password"),
            ("DEVICE_MODEL=SIP-T42G", "device.model"),
        ] {
            let refusal = env(&store, &line("primary", more), false).await.expect_err(more).to_string();
            assert!(refusal.contains(&format!(": {field}\n")) && !refusal.contains("canary"), "{refusal}");
        }
        let refusal = env(&store, &line("bob", ""), false).await.expect_err("the same MAC").to_string();
        assert!(refusal.contains("user primary") && refusal.contains("CUSTOM_USER_AGENT"), "{refusal}");
        let other = line("bob", "CUSTOM_USER_AGENT=00:15:65:00:00:01");
        assert_eq!(env(&store, &other, false).await.expect("written"), Migrated::Written);
    }

    #[test]
    fn the_document_is_shown_without_its_password() {
        let shown = shown(&line("primary", "")).expect("shown");
        for part in ["\"sip_server\": \"sip.example.com\"", "\"sip_password\": \"********\"", "\"connect\": true", "mac_address"]
        {
            assert!(shown.contains(part), "{part} in {shown}");
        }
        assert!(!shown.contains("canary") && !shown.contains("sealed"), "{shown}");
    }

    #[test]
    fn the_report_names_the_lines_that_may_leave() {
        let id: UserId = "primary".parse().expect("valid");
        let want = "User primary is in the store. A running server follows at once.\n\nThese may leave now:\n  \
                    ZOHO_SIP_SERVER in .env\n  ZOHO_SIP_USERNAME in .env\n  ZOHO_SIP_PASSWORD in .env\n\n\
                    These describe the server, and count as before:\n  FLASK_PORT in .env\n";
        assert_eq!(report(&id, Migrated::Written, &loaded("")), want);
        let bob: UserId = "bob".parse().expect("valid");
        assert!(report(&bob, Migrated::Shown, &loaded("")).contains("must before the server is started again"));
    }

    #[test]
    fn without_a_line_there_is_nothing_to_migrate() {
        let empty = config::resolve(Sources::default()).expect("valid");
        let error = user(&empty.config, "primary".parse().expect("valid")).expect_err("no line");
        assert!(matches!(&error, CliError::Config(_)) && error.to_string().contains("ZOHO_SIP_PASSWORD"), "{error}");
    }
}
