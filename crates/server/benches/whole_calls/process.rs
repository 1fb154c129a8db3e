//! The measured process seen from outside: its CPU time and resident memory by `/proc`.

use std::{
    net::SocketAddr,
    process::Stdio,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
};

/// Clock ticks a second, as the kernel reports CPU time to us (`sysconf(_SC_CLK_TCK)`, 100 on Linux).
const TICK: Duration = Duration::from_millis(10);

/// An AI behind a network, which the measured process talks to.
#[derive(Debug)]
pub struct Far {
    pub base_url: String,
    pub api_key: String,
    pub model: String,
}

pub struct Server {
    child: Child,
    stdin: Option<ChildStdin>,
    _folder: tempfile::TempDir,
    /// Time and CPU that storing the documents took, before anything was started.
    pub prepared: Duration,
    pub preparing_cpu: Duration,
}

impl Server {
    /// `far`: the engine is Gemini Live at that address; else the endless one in its own process.
    pub async fn start(users: usize, carrier: SocketAddr, realtime: bool, far: Option<&Far>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let begun = Instant::now();
        let mut child = Command::new(std::env::current_exe().expect("our own path"))
            .args(["server", &users.to_string(), &carrier.to_string()])
            .arg(folder.path())
            .arg(if realtime { "realtime" } else { "plain" })
            .args(far.into_iter().flat_map(|far| [&far.base_url, &far.api_key, &far.model]))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("another process");
        let mut said = BufReader::new(child.stdout.take().expect("piped")).lines();
        let stdin = child.stdin.take();
        until(&mut said, "prepared").await;
        let prepared = begun.elapsed();
        let mut server = Self { child, stdin, _folder: folder, prepared, preparing_cpu: Duration::ZERO };
        server.preparing_cpu = server.cpu();
        until(&mut said, "ready").await;
        server
    }

    /// User and system time so far.
    pub fn cpu(&self) -> Duration {
        let stat = self.proc("stat");
        // The name in parentheses may hold spaces; after it, fields 14 and 15 of proc(5) are at 11 and 12.
        let fields: Vec<&str> = stat.rsplit(')').next().expect("fields").split_whitespace().collect();
        let ticks = |at: usize| fields[at].parse::<u32>().expect("ticks");
        TICK * (ticks(11) + ticks(12))
    }

    pub fn memory_kb(&self) -> u64 {
        let status = self.proc("status");
        let line = status.lines().find(|l| l.starts_with("VmRSS")).expect("resident memory");
        line.split_whitespace().nth(1).and_then(|kb| kb.parse().ok()).expect("kilobytes")
    }

    /// A line for the server: see `server::run`.
    pub async fn tell(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("it runs");
        stdin.write_all(format!("{line}\n").as_bytes()).await.expect("it reads");
    }

    pub async fn stop(mut self) {
        drop(self.stdin.take());
        self.child.wait().await.expect("ours");
    }

    fn proc(&self, file: &str) -> String {
        let id = self.child.id().expect("it runs");
        std::fs::read_to_string(format!("/proc/{id}/{file}")).expect("readable")
    }
}

async fn until(said: &mut Lines<BufReader<ChildStdout>>, word: &str) {
    while let Some(line) = said.next_line().await.expect("readable") {
        if line == word {
            return;
        }
    }
    panic!("the server ended before it was {word}");
}
