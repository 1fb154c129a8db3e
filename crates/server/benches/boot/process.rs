//! The measured process seen from outside: its CPU time and resident memory by `/proc`.

use std::{
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, ChildStdin, Command},
};

/// Clock ticks a second, as the kernel reports CPU time to us (`sysconf(_SC_CLK_TCK)`, 100 on Linux).
const TICK: Duration = Duration::from_millis(10);

pub struct Server {
    child: Child,
    stdin: Option<ChildStdin>,
    begun: Instant,
}

/// What a start has taken.
#[derive(Debug, Clone, Copy)]
pub struct Taken {
    pub view: Duration,
    registered: Option<Duration>,
    cpu: Duration,
    resident_kb: u64,
    most_kb: u64,
}

impl Server {
    /// Returns when it is ready.
    pub async fn start(paths: &[&Path], address: &str, project: &str) -> Self {
        let begun = Instant::now();
        let mut child = Command::new(std::env::current_exe().expect("our own path"))
            .arg("server")
            .args(paths)
            .args([address, project])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("another process");
        let stdin = child.stdin.take();
        let mut said = BufReader::new(child.stdout.take().expect("piped")).lines();
        let ready = said.next_line().await.expect("readable");
        assert_eq!(ready.as_deref(), Some("ready"));
        Self { child, stdin, begun }
    }

    /// Since it was started.
    pub fn running(&self) -> Duration {
        self.begun.elapsed()
    }

    pub fn taken(&self) -> Taken {
        let view = self.running();
        Taken { view, registered: None, cpu: self.cpu(), resident_kb: self.memory_kb("VmRSS"), most_kb: self.memory_kb("VmHWM") }
    }

    pub async fn stop(mut self) {
        drop(self.stdin.take());
        self.child.wait().await.expect("ours");
    }

    /// User and system time so far.
    fn cpu(&self) -> Duration {
        let stat = self.proc("stat");
        // The name in parentheses may hold spaces; after it, fields 14 and 15 of proc(5) are at 11 and 12.
        let fields: Vec<&str> = stat.rsplit(')').next().expect("fields").split_whitespace().collect();
        let ticks = |at: usize| fields[at].parse::<u32>().expect("ticks");
        TICK * (ticks(11) + ticks(12))
    }

    fn memory_kb(&self, what: &str) -> u64 {
        let status = self.proc("status");
        let line = status.lines().find(|line| line.starts_with(what)).expect("memory");
        line.split_whitespace().nth(1).and_then(|kb| kb.parse().ok()).expect("kilobytes")
    }

    fn proc(&self, file: &str) -> String {
        let id = self.child.id().expect("it runs");
        std::fs::read_to_string(format!("/proc/{id}/{file}")).expect("readable")
    }
}

impl Taken {
    /// The same, taken later: when the view was complete, and when all lines were registered.
    pub fn since(self, view: Duration, registered: Option<Duration>) -> Self {
        Self { view, registered, ..self }
    }

    pub fn print(&self, start: &str) {
        let registered = self.registered.map_or_else(|| "–".to_owned(), |time| format!("{:.2}", time.as_secs_f32()));
        let mb = |kb: u64| kb as f32 / 1_024.0;
        println!(
            "{start:26} | {:.2} | {registered} | {:.2} | {:.1} ({:.1})",
            self.view.as_secs_f32(),
            self.cpu.as_secs_f32(),
            mb(self.resident_kb),
            mb(self.most_kb)
        );
    }
}
