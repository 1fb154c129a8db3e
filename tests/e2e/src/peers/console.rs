//! Somebody at the Firebase console: Google's own Python client (`python/console.py`) on the Firestore of a test. It reads, edits
//! and listens with no code of ours between.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Write},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::{Duration, SystemTime},
};
use tempfile::TempDir;

/// A running client. It ends when this is dropped.
#[derive(Debug)]
pub struct Console {
    child: Child,
    asking: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    folder: TempDir,
}

/// The fields of a document by their whole paths, each with the name of its Python type.
pub type Fields = BTreeMap<String, (String, Value)>;

impl Console {
    /// Whether Google's client is installed. Without it the test is skipped with a line that says so, unless
    /// `CALLIE_E2E_REQUIRE_PEERS=1`: then it is skipped only where there is no Python at all.
    #[expect(clippy::print_stderr, reason = "a skipped test says so")]
    pub fn present() -> bool {
        if python().is_some() {
            return true;
        }
        if super::find("python3").is_some() {
            let required = std::env::var("CALLIE_E2E_REQUIRE_PEERS").is_ok_and(|v| v == "1");
            assert!(!required, "Google's Firestore client for Python is not installed in target/python (scripts/peers does it)");
        }
        eprintln!("SKIPPED: Google's Firestore client for Python is not installed in target/python (scripts/peers does it)");
        false
    }

    /// A client on `project` at the server `firestore`, which listens to the collection of users.
    pub fn start(firestore: SocketAddr, project: &str) -> Result<Self> {
        let folder = TempDir::new()?;
        let log = std::fs::File::create(folder.path().join("log"))?;
        let program = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("python/console.py");
        let mut child = Command::new(python().context("target/python is there")?)
            .arg(program)
            .args([project, "user_configs"])
            .env("FIRESTORE_EMULATOR_HOST", firestore.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .context("python starts")?;
        let asking = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().context("standard output is a pipe")?);
        Ok(Self { child, asking, answers, folder })
    }

    /// Creates `user_configs/{user}`.
    pub fn create(&mut self, user: &str, fields: Value) -> SystemTime {
        self.time_of(&json!({ "do": "create", "path": path(user), "fields": fields }))
    }

    /// Edits one field, `sip.is_active`, and leaves the others alone. When the write had been answered.
    pub fn set(&mut self, user: &str, field: &str, value: Value) -> SystemTime {
        self.time_of(&json!({ "do": "set", "path": path(user), "field": field, "value": value }))
    }

    /// The document of a user.
    pub fn get(&mut self, user: &str) -> Fields {
        let fields = self.ask(&json!({ "do": "get", "path": path(user) }))["fields"].take();
        serde_json::from_value(fields).expect("fields with their types")
    }

    /// When the listener first heard of a text in that field that begins with `prefix`.
    pub fn heard(&mut self, user: &str, field: &str, prefix: &str, within: Duration) -> SystemTime {
        let within = within.as_secs();
        self.time_of(&json!({ "do": "await", "name": user, "field": field, "prefix": prefix, "within": within }))
    }

    fn time_of(&mut self, ask: &Value) -> SystemTime {
        let at = self.ask(ask)["at"].as_f64().expect("an answer has its time");
        SystemTime::UNIX_EPOCH + Duration::from_secs_f64(at)
    }

    fn ask(&mut self, ask: &Value) -> Value {
        let answer = self.try_ask(ask).unwrap_or_else(|e| panic!("{ask}: {e:#}\n{}", self.log()));
        assert!(answer["error"].is_null(), "{ask}: {answer}\n{}", self.log());
        answer
    }

    fn try_ask(&mut self, ask: &Value) -> Result<Value> {
        let asking = self.asking.as_mut().context("it runs")?;
        writeln!(asking, "{ask}")?;
        asking.flush()?;
        let mut line = String::new();
        ensure!(self.answers.read_line(&mut line)? > 0, "the client has ended");
        Ok(serde_json::from_str(&line)?)
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        // It ends with its input; its listener's thread may not.
        drop(self.asking.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn path(user: &str) -> String {
    format!("user_configs/{user}")
}

/// The interpreter with Google's client.
fn python() -> Option<PathBuf> {
    python_with("google/cloud/firestore")
}

/// `python/bin/python` in the folder that this test program was built in, if it has this package.
pub(super) fn python_with(package: &str) -> Option<PathBuf> {
    let test = std::env::current_exe().ok()?;
    test.ancestors().map(|folder| folder.join("python/bin/python")).find(|path| has_package(path, package))
}

fn has_package(python: &Path, package: &str) -> bool {
    let lib = python.parent().and_then(Path::parent).map(|environment| environment.join("lib"));
    let versions = lib.and_then(|lib| std::fs::read_dir(lib).ok()).into_iter().flatten().flatten();
    versions.map(|version| version.path().join("site-packages").join(package)).any(|package| package.exists())
}
