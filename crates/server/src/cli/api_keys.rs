//! `callie api-keys`: who may come in to the API. It works on the database, whether the server runs or not.

use super::{CliError, terminal};
use crate::config::{self, Config};
use crate::identity::{digest, key};
use crate::stores::Stores;
use anyhow::{Context, bail};
use callie_domain::identity::KeyState;
use callie_domain::{ApiKey, Role, UserId};
use callie_store::audit::Deed;
use callie_store::{AccessStore, AuditStore};
use clap::Subcommand;
use jiff::{SignedDuration, Timestamp};
use std::fmt::Write;
use std::path::Path;

#[derive(Debug, Subcommand)]
pub enum ApiKeysCommand {
    /// Make a key and print it; it is shown this once.
    Add {
        /// Whom or what it is for.
        #[arg(long)]
        name: String,
        /// admin, operator or user.
        #[arg(long)]
        role: String,
        /// With role user: the one user.
        #[arg(long)]
        user: Option<UserId>,
        /// It opens for so many days; for ever when not given.
        #[arg(long, value_name = "DAYS")]
        expires: Option<u16>,
    },
    /// Show the keys.
    List,
    /// End a key and the sessions that were opened with it.
    Revoke { id: String },
}

pub fn run(file: Option<&Path>, command: ApiKeysCommand) -> Result<(), CliError> {
    let config = config::load(file)?.config;
    Ok(super::serve::runtime()?.block_on(execute(&config, command))?)
}

async fn execute(config: &Config, command: ApiKeysCommand) -> anyhow::Result<()> {
    let stores = Stores::open(config).await?;
    let store = stores.records.clone();
    let now = Timestamp::now();
    let done = match command {
        ApiKeysCommand::Add { name, role, user, expires } => {
            let role = Role::read(&role, user).map_err(|bad| anyhow::anyhow!("--role: {bad}"))?;
            let days = |days: u16| now + SignedDuration::from_hours(24 * i64::from(days));
            add(&*store, name, role, expires.map(days), now).await
        }
        ApiKeysCommand::List => list(&*store, now).await,
        ApiKeysCommand::Revoke { id } => revoke(&*store, &id, now).await,
    };
    stores.close().await;
    done
}

async fn add<S: AccessStore + AuditStore>(
    store: &S,
    name: String,
    role: Role,
    expires_at: Option<Timestamp>,
    now: Timestamp,
) -> anyhow::Result<()> {
    if name.trim().is_empty() || name.chars().any(char::is_control) {
        bail!("--name: must say whom or what the key is for");
    }
    let (id, text) = key::fresh();
    let created_by = "command line".to_owned();
    let made = ApiKey { id, name, role, created_at: now, created_by, expires_at, last_used_at: None, revoked_at: None };
    store.add_key(&made, digest(&text)).await?;
    store.note(deed("callie api-keys add", &made.id, now)).await.context("the key was made, and not written into the audit")?;
    terminal::complain(&format!("A key for {}: {}. It is shown this once.", made.role, made.name));
    terminal::say(&format!("{text}\n"))
}

async fn list<S: AccessStore>(store: &S, now: Timestamp) -> anyhow::Result<()> {
    terminal::say(&table(&store.keys().await?, now))
}

fn table(keys: &[ApiKey], now: Timestamp) -> String {
    let mut text = format!("{:<9} {:<8} {:<20} {:<20} {:<20} for\n", "key", "state", "role", "last used", "expires");
    for key in keys {
        let time = |at: Option<Timestamp>| at.map_or("never".to_owned(), |at| at.strftime("%Y-%m-%d %H:%M").to_string());
        let state = match key.state(now) {
            KeyState::Valid => "valid",
            KeyState::Expired => "expired",
            KeyState::Revoked => "revoked",
        };
        let (role, used, expires) = (key.role.to_string(), time(key.last_used_at), time(key.expires_at));
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{:<9} {state:<8} {role:<20} {used:<20} {expires:<20} {}", key.id, key.name);
    }
    text
}

async fn revoke<S: AccessStore + AuditStore>(store: &S, id: &str, now: Timestamp) -> anyhow::Result<()> {
    if !store.revoke_key(id, now).await? {
        bail!("there is no such key, or it was revoked before: callie api-keys list shows them");
    }
    store.note(deed("callie api-keys revoke", id, now)).await.context("the key was revoked, and not written into the audit")?;
    terminal::say(&format!("Revoked {id}.\n"))
}

fn deed(action: &str, id: &str, at: Timestamp) -> Deed {
    Deed {
        at,
        actor: "command line".into(),
        role: "admin".into(),
        via: "command line".into(),
        address: String::new(),
        action: action.into(),
        target: format!("/keys/{id}"),
        status: 0,
        detail: String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_shown_without_what_opens() {
        let now = "2026-02-01T00:00:00Z".parse().expect("a time");
        let key = |id: &str, role, revoked_at| ApiKey {
            id: id.into(),
            name: "front desk".into(),
            role,
            created_at: now,
            created_by: "test".into(),
            expires_at: None,
            last_used_at: Some(now),
            revoked_at,
        };
        let keys = [key("aaaa1111", Role::Admin, None), key("bbbb2222", Role::User("alice".parse().expect("an id")), Some(now))];
        let want = "key       state    role                 last used            expires              for\n\
                    aaaa1111  valid    admin                2026-02-01 00:00     never                front desk\n\
                    bbbb2222  revoked  user alice           2026-02-01 00:00     never                front desk\n";
        assert_eq!(table(&keys, now), want);
    }
}
