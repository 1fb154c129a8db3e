//! A child process: its output goes to a file, and it is ended by its own id and no other way.

use anyhow::{Context, Result};
use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

#[derive(Debug)]
pub struct Process {
    child: Child,
    name: String,
    log: PathBuf,
}

impl Process {
    /// Starts `command` without standard input; both outputs go to `log`.
    pub fn start(name: &str, command: &mut Command, log: PathBuf) -> Result<Self> {
        let out = File::options().create(true).append(true).open(&log)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(out)
            .spawn()
            .with_context(|| format!("{name} does not start"))?;
        Ok(Self { child, name: name.to_owned(), log })
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn log_file(&self) -> &Path {
        &self.log
    }

    /// All that it wrote so far.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// `None` while it runs.
    pub fn exit_status(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Sends a signal by name: `TERM`, `KILL`, `STOP` ….
    pub fn signal(&mut self, signal: &str) {
        if self.exit_status().is_none() {
            let sent = Command::new("kill").arg(format!("-{signal}")).arg(self.pid().to_string()).status();
            assert!(sent.is_ok_and(|s| s.success()), "{} takes SIG{signal}", self.name);
        }
    }

    /// Waits for its end.
    pub fn wait(&mut self, within: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + within;
        loop {
            if let Some(status) = self.exit_status() {
                return Some(status);
            }
            if Instant::now() > deadline {
                return None;
            }
            pause();
        }
    }

    /// Memory in use, kilobytes (`VmRSS`).
    pub fn resident_kb(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap_or_default();
        status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.trim().parse().ok())
            .expect("a running process has a VmRSS")
    }

    /// Open files and sockets, as the kernel names them; without the database's, whose readers are opened as needed.
    pub fn open_files(&self) -> Vec<String> {
        let mut names = self.links("fd");
        assert!(!names.is_empty(), "{}: its open files cannot be seen: run as root, or with sudo that asks nothing", self.name);
        names.retain(|name| !name.contains("callie.db"));
        names.sort();
        names
    }

    /// Waits until no more is open than was `before`. Which sockets may differ: the HTTP client's come and go.
    pub async fn await_files_as(&self, before: &[String], within: Duration) {
        let deadline = Instant::now() + within;
        loop {
            let now = self.open_files();
            let new: Vec<&String> = now.iter().filter(|name| !before.contains(name)).collect();
            if now.len() <= before.len() {
                return;
            }
            assert!(Instant::now() < deadline, "{}: left open: {new:?}, before: {before:?}", self.name);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// What the links in a folder of the kernel's about the process point to. `callie` lets nobody but root look, so that a
    /// crash leaves no memory behind.
    fn links(&self, folder: &str) -> Vec<String> {
        let folder = format!("/proc/{}/{folder}", self.pid());
        let find = |command: &mut Command| command.args([folder.as_str(), "-type", "l", "-printf", r"%l\n"]).output();
        let seen = find(&mut Command::new("find")).ok().filter(|output| !output.stdout.is_empty());
        let seen = seen.or_else(|| find(Command::new("sudo").args(["-n", "find"])).ok());
        seen.map(|output| String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()).unwrap_or_default()
    }

    pub fn threads(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/task", self.pid())).map(Iterator::count).unwrap_or(0)
    }
}

#[expect(clippy::disallowed_methods, reason = "a child's end is polled outside of any runtime, also while dropping")]
fn pause() {
    std::thread::sleep(Duration::from_millis(20));
}

/// SIGTERM first, so that a peer with children of its own takes them along.
impl Drop for Process {
    fn drop(&mut self) {
        if self.exit_status().is_some() {
            return;
        }
        let _ = Command::new("kill").arg("-TERM").arg(self.pid().to_string()).status();
        if self.wait(Duration::from_secs(5)).is_none() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
