//! `callie` in a process of its own: started, asked over HTTP, stopped, killed. What it says goes to files.

use serde_json::Value;
use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
    time::Duration,
};
use tokio::process::Child;

/// A debug build on a busy machine.
const START_WITHIN: Duration = Duration::from_secs(60);
const STOP_WITHIN: Duration = Duration::from_secs(30);

/// A program, its environment and the folder that it runs in.
#[derive(Clone)]
pub struct Program {
    /// Holds the data folder, and what it said.
    pub folder: PathBuf,
    pub environment: Vec<(&'static str, String)>,
}

/// A server that runs. It is killed when this is dropped.
pub struct Callie {
    child: Child,
    http: String,
    client: reqwest::Client,
}

/// An answer over HTTP.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub etag: String,
    pub bytes: Vec<u8>,
}

impl Program {
    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// What the server says of itself.
    pub fn log(&self) -> PathBuf {
        self.folder.join("said.log")
    }

    /// `callie` with these arguments and no other environment than its own; what it prints is appended to the log.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_callie"));
        let log = || Stdio::from(File::options().create(true).append(true).open(self.log()).expect("a log"));
        command.args(arguments).env_clear().current_dir(&self.folder).stdin(Stdio::null()).stdout(log()).stderr(log());
        command.env("CALLIE_DATA_DIR", self.data()).env("CALLIE_HTTP_LISTEN", "127.0.0.1:0");
        command.env("CALLIE_SIP_LISTEN", "127.0.0.1:0").env("CALLIE_MEDIA_REALTIME", "off");
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Starts the server and waits until it is ready.
    pub async fn serve(&self) -> Callie {
        let said_before = std::fs::metadata(self.log()).map_or(0, |log| log.len() as usize);
        let mut command = tokio::process::Command::from(self.command(&["serve"]));
        let mut child = command.kill_on_drop(true).spawn().expect("the program starts");
        let begun = tokio::time::Instant::now();
        loop {
            let said = std::fs::read(self.log()).expect("readable");
            let said = String::from_utf8_lossy(&said[said_before..]);
            if let Some(http) = said.split("ready: http://").nth(1).and_then(|rest| rest.split_once(" takes requests")) {
                return Callie { child, http: format!("http://{}", http.0), client: reqwest::Client::new() };
            }
            if let Some(status) = child.try_wait().expect("ours") {
                panic!("the server ended with {status}: {}", tail(&said));
            }
            assert!(begun.elapsed() < START_WITHIN, "the server is not ready: {}", tail(&said));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Callie {
    pub async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, "").await
    }

    pub async fn ask(&self, method: &str, path: &str, body: &str) -> Answer {
        let method = method.parse().expect("a method");
        let request = self.client.request(method, format!("{}{path}", self.http)).body(body.to_owned());
        Answer::of(request.send().await.expect("an answer")).await
    }

    /// The live feed, as it comes.
    pub async fn events(&self) -> reqwest::Response {
        self.client.get(format!("{}/events", self.http)).send().await.expect("the feed")
    }

    pub async fn status(&self) -> Value {
        self.get("/admin/status").await.json()
    }

    /// As `kill -9` does.
    pub async fn kill(mut self) {
        self.child.kill().await.expect("it runs");
    }

    /// By a signal such as `TERM`; waits for the end.
    pub async fn signal(mut self, name: &str) -> ExitStatus {
        let id = self.child.id().expect("it runs").to_string();
        let sent = Command::new("/bin/kill").args(["-s", name, &id]).status().expect("kill");
        assert!(sent.success(), "{name} is sent");
        tokio::time::timeout(STOP_WITHIN, self.child.wait()).await.expect("it ends in time").expect("ours")
    }

    /// A file of `/proc` about the process.
    pub fn proc(&self, file: &str) -> String {
        let path = Path::new("/proc").join(self.child.id().expect("it runs").to_string()).join(file);
        std::fs::read_to_string(path).expect("readable")
    }
}

impl Answer {
    async fn of(response: reqwest::Response) -> Self {
        let etag = response.headers().get("etag").and_then(|tag| tag.to_str().ok()).unwrap_or_default().to_owned();
        let status = response.status().as_u16();
        Self { status, etag, bytes: response.bytes().await.expect("a body").to_vec() }
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|fault| panic!("{fault}: {}", self.text()))
    }
}

fn tail(text: &str) -> String {
    text.lines().rev().take(15).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join("\n")
}
