//! OpenAI Realtime in a box: a WebSocket server that behaves as the real one does (GA), strict about what it is sent, with
//! faults on cue and a record of everything.
//!
//! ```text
//!   TCP ─▶ upgrade (key, path, model) ─▶ session (task) ─▶ input (what a client may send) ─▶ terms (what it asked for)
//!                                            │                 conversation, response (pure: what to say when)
//!                                            └─▶ record        items (what was said)
//! ```
//!
//! It understands no speech: it hears where the caller speaks, and takes the words from its script. It has no memory beyond a
//! session; how far a conversation has come it tells from the items that a new session is given.

mod conversation;
mod event;
mod fault;
mod input;
mod items;
mod line;
mod office;
mod record;
mod response;
mod script;
mod session;
mod terms;
#[cfg(test)]
mod tests;
mod upgrade;

pub use crate::gemini::Speech;
pub use fault::{Act, Fault, Moment};
pub use record::{Closed, Sent, Session, SessionLog};
pub use script::{Converse, Exchange, Hearing, Pace, Step, ToolCall};

use crate::gemini::TooLate;
use office::Office;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

/// How the fake is set up.
#[derive(Clone, Debug)]
pub struct FakeOpenAiOptions {
    /// Port 0 takes a free one.
    pub listen: SocketAddr,
    /// The only key that is valid; empty lets everybody in.
    pub api_key: String,
    pub models: Vec<String>,
    pub script: Converse,
    /// Time between `session.update` and `session.updated`.
    pub setup_time: Duration,
    /// After this a session expires; `session.created` tells so.
    pub session_life: Duration,
    /// How many records are kept; the oldest go first.
    pub keep_sessions: usize,
    /// How much caller audio is kept of each session.
    pub keep_audio: Duration,
}

impl Default for FakeOpenAiOptions {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            api_key: "sk-lab".to_owned(),
            models: ["gpt-realtime-2.1", "gpt-realtime-2.1-mini"].map(str::to_owned).to_vec(),
            script: Converse::default(),
            setup_time: Duration::from_millis(20),
            session_life: Duration::from_secs(3_600),
            keep_sessions: 512,
            keep_audio: Duration::from_secs(120),
        }
    }
}

/// A running fake. Dropping it ends its tasks; [`FakeOpenAi::stop`] also waits for them.
#[derive(Debug)]
pub struct FakeOpenAi {
    address: SocketAddr,
    office: Arc<Office>,
    tracker: TaskTracker,
    _running: DropGuard,
}

impl FakeOpenAi {
    /// Binds and begins to serve.
    pub async fn start(options: FakeOpenAiOptions) -> io::Result<Self> {
        let (tracker, token) = (TaskTracker::new(), CancellationToken::new());
        let listener = TcpListener::bind(options.listen).await?;
        let address = listener.local_addr()?;
        let office = Arc::new(Office::new(options));
        let accepting = session::accept(listener, Arc::clone(&office), tracker.clone(), token.clone());
        tracker.spawn(token.clone().run_until_cancelled_owned(accepting));
        Ok(Self { address, office, tracker, _running: token.drop_guard() })
    }

    /// Ends every task and socket.
    pub async fn stop(self) {
        let Self { tracker, _running, .. } = self;
        drop(_running);
        tracker.close();
        tracker.wait().await;
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What a client takes for `wss://api.openai.com/v1`.
    pub fn base_url(&self) -> String {
        format!("ws://{}/v1", self.address)
    }

    /// The script of sessions that are set up from now on.
    pub fn set_script(&self, script: Converse) {
        self.office.state().script = script;
    }

    /// Makes a fault happen in every session from now on.
    pub fn fault(&self, fault: Fault) {
        self.office.state().faults.set(fault, None);
    }

    /// Makes a fault happen so many times, in the first sessions that come to its moment.
    pub fn fault_times(&self, fault: Fault, times: u32) {
        self.office.state().faults.set(fault, Some(times));
    }

    pub fn fault_once(&self, fault: Fault) {
        self.fault_times(fault, 1);
    }

    pub fn clear_faults(&self) {
        self.office.state().faults.clear();
    }

    /// The sessions whose records are kept, oldest first, refused ones too.
    pub fn sessions(&self) -> Vec<Session> {
        self.office.state().sessions.iter().cloned().collect()
    }

    /// The newest session.
    pub fn latest(&self) -> Option<Session> {
        self.office.state().sessions.back().cloned()
    }

    /// Connections so far, refused ones too.
    pub fn connections(&self) -> u64 {
        self.office.state().connections
    }

    /// Sockets that are open.
    pub fn live_sockets(&self) -> usize {
        self.office.live()
    }

    /// Waits until `condition` holds; it is asked every 5 ms.
    pub async fn wait_until(&self, what: &str, deadline: Duration, condition: impl Fn(&Self) -> bool) -> Result<(), TooLate> {
        let waiting = async {
            let mut ticks = tokio::time::interval(Duration::from_millis(5));
            while !condition(self) {
                ticks.tick().await;
            }
        };
        tokio::time::timeout(deadline, waiting).await.map_err(|_| TooLate { what: what.to_owned(), waited: deadline })
    }

    /// Waits until the condition holds for the newest session.
    pub async fn wait_latest(
        &self,
        what: &str,
        deadline: Duration,
        condition: impl Fn(&SessionLog) -> bool,
    ) -> Result<(), TooLate> {
        self.wait_until(what, deadline, |fake| fake.latest().is_some_and(|session| session.look(&condition))).await
    }
}
