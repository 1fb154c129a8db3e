//! What an operator does on the command line, by the real program on real stores: keys rotated, users carried to another store.

mod health;
mod keys;
mod migrate;

use callie_domain::user::input::UserInput;
use callie_domain::{MacAddress, User};
use callie_store::{ConfigStore, Keyring, SqliteStore};
use jiff::Timestamp;
use serde_json::json;
use std::path::Path;
use std::process::Output;
use std::sync::Arc;
use tempfile::TempDir;

/// A data folder, and `callie` run on it.
struct Desk {
    folder: TempDir,
    environment: Vec<(String, String)>,
}

impl Desk {
    fn new(environment: &[(&str, &str)]) -> Self {
        let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self { folder: tempfile::tempdir().expect("a folder"), environment }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn keyring(&self) -> std::path::PathBuf {
        self.path().join("keyring.json")
    }

    /// The embedded store, opened with the raw keys of the folder.
    fn store(&self) -> SqliteStore {
        let keyring = Keyring::load_or_create(&self.keyring(), Timestamp::now()).expect("keys");
        self.store_with(keyring)
    }

    fn store_with(&self, keyring: Keyring) -> SqliteStore {
        SqliteStore::open(&self.path().join("callie.db"), Arc::new(keyring)).expect("opened")
    }

    /// Runs `callie` with these words, and only with the environment of this desk.
    async fn run(&self, words: &str) -> Output {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_callie"));
        command.args(words.split(' ')).env_clear().env("CALLIE_DATA_DIR", self.path()).current_dir(self.path());
        command.envs(self.environment.iter().cloned()).kill_on_drop(true);
        command.output().await.expect("callie runs")
    }

    /// Its stdout, after it did what it was told.
    async fn does(&self, words: &str) -> String {
        let output = self.run(words).await;
        let (said, complained) = texts(&output);
        assert!(output.status.success(), "callie {words}: {said}{complained}");
        said
    }

    /// Its complaint, after it refused.
    async fn refuses(&self, words: &str) -> String {
        let output = self.run(words).await;
        let (said, complained) = texts(&output);
        assert_eq!(output.status.code(), Some(1), "callie {words}: {said}{complained}");
        complained
    }
}

fn texts(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

fn user(name: &str) -> User {
    let body = json!({"user_id": name, "display_name": name, "sip_username": name, "sip_password": format!("canary-of-{name}"),
        "greeting": format!("Hello from {name}")});
    let input = UserInput::from_json(&body).expect("a valid body");
    input.create(Timestamp::UNIX_EPOCH, MacAddress::generate([1, 2, 3])).expect("a valid user")
}

async fn with_users(store: &SqliteStore, names: impl IntoIterator<Item = String>) {
    for name in names {
        store.create(&user(&name)).await.expect("created");
    }
}
