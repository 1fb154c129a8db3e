//! The measured process seen from outside: what it says that it holds, and what `/proc` says.

use super::server::WANTED;
use std::{process::Stdio, time::Duration};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
    sync::mpsc,
    task::JoinHandle,
};
use tokio_util::task::TaskTracker;

/// Orders on their way: those of all calls that run at once.
const ORDERS: usize = 256;
const END_WITHIN: Duration = Duration::from_secs(30);

/// What the server holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holdings {
    pub tasks: usize,
    pub descriptors: usize,
    pub calls: usize,
    pub rtp_ports: usize,
    pub dialogs: usize,
    pub transactions: usize,
    /// Transactions that are over and kept for 32 s, to answer what is sent twice (RFC 3261 timers H and J).
    pub lingering: usize,
    pub resident_kb: u64,
}

impl Holdings {
    /// Nothing of any call is left, apart from what lingers.
    pub fn no_call(&self) -> bool {
        self.calls + self.rtp_ports + self.dialogs + self.transactions == 0
    }
}

/// Gives orders; cheap to clone.
#[derive(Clone)]
pub struct Orders(mpsc::Sender<String>);

impl Orders {
    /// Ends the call of this caller, if it is up.
    pub async fn hang_up(&self, caller: &str) {
        self.give(format!("hang up {caller}\n")).await;
    }

    async fn give(&self, order: String) {
        self.0.send(order).await.expect("the server runs");
    }
}

/// The running server.
pub struct Server {
    child: Child,
    said: Lines<BufReader<ChildStdout>>,
    orders: Orders,
    writer: JoinHandle<()>,
    _folder: tempfile::TempDir,
}

impl Server {
    /// `arguments` make this program run [`super::server::serve`]; `far` is `CARRIER` and `BASE_URL API_KEY MODEL`.
    pub async fn start(arguments: &[&str], carrier: &str, far: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut child = Command::new(std::env::current_exe().expect("our own path"))
            .args(arguments)
            .env(WANTED, format!("{carrier} {} {far}", folder.path().display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("another process");
        let said = BufReader::new(child.stdout.take().expect("piped")).lines();
        let (orders, given) = mpsc::channel(ORDERS);
        let writer = TaskTracker::new().spawn(write(child.stdin.take().expect("piped"), given));
        let mut server = Self { child, said, orders: Orders(orders), writer, _folder: folder };
        server.hear("ready").await;
        server
    }

    pub fn orders(&self) -> Orders {
        self.orders.clone()
    }

    pub async fn holdings(&mut self) -> Holdings {
        self.orders.give("hold\n".to_owned()).await;
        let line = self.hear("held ").await;
        let counts: Vec<usize> = line.split(' ').skip(1).map(|n| n.parse().expect("a number")).collect();
        let [tasks, calls, rtp_ports, dialogs, transactions, lingering] = counts[..] else { panic!("six counts: {line}") };
        let (descriptors, resident_kb) = (self.descriptors(), self.resident_kb());
        Holdings { tasks, descriptors, calls, rtp_ports, dialogs, transactions, lingering, resident_kb }
    }

    /// Resident memory now.
    pub fn resident_kb(&self) -> u64 {
        let status = std::fs::read_to_string(self.proc("status")).expect("readable");
        let line = status.lines().find(|line| line.starts_with("VmRSS")).expect("resident memory");
        line.split_whitespace().nth(1).and_then(|kb| kb.parse().ok()).expect("kilobytes")
    }

    /// Ends it; all [`Orders`] must be gone.
    pub async fn stop(mut self) {
        drop(self.orders);
        self.writer.await.expect("it does not panic");
        let ended = tokio::time::timeout(END_WITHIN, self.child.wait()).await.expect("it ends in time").expect("ours");
        assert!(ended.success(), "the server ended with {ended}");
    }

    fn descriptors(&self) -> usize {
        std::fs::read_dir(self.proc("fd")).expect("readable").count()
    }

    fn proc(&self, file: &str) -> String {
        format!("/proc/{}/{file}", self.child.id().expect("it runs"))
    }

    /// The next line that begins so.
    async fn hear(&mut self, beginning: &str) -> String {
        while let Some(line) = self.said.next_line().await.expect("readable") {
            if line.starts_with(beginning) {
                return line;
            }
        }
        panic!("the server ended before it said {beginning:?}");
    }
}

async fn write(mut stdin: ChildStdin, mut given: mpsc::Receiver<String>) {
    while let Some(order) = given.recv().await {
        stdin.write_all(order.as_bytes()).await.expect("the server runs");
    }
}
