//! Gemini Live in a box: a WebSocket server that behaves as the real one does, strict about what it is sent, with faults on
//! cue and a record of everything.
//!
//! ```text
//!   TCP ─▶ upgrade (key, path) ─▶ session (task) ─▶ attendant ─▶ setup, wire (what a client may send)
//!                                      still (no task) ─┘  │      conversation, stream (what to say when)
//!                                                          │      endpoint (where the caller speaks)
//!                                  desk (a test's side) ◀─ record
//! ```
//!
//! From the attendant on it is pure, with time as argument: [`StillGemini`] is the same service without sockets and clock.
//! It understands no speech: it hears where the caller speaks, and takes the words from its script.

mod conversation;
mod desk;
pub(crate) mod endpoint;
mod fault;
mod office;
mod record;
mod reply;
mod script;
mod session;
mod setup;
mod speech;
mod still;
mod stream;
#[cfg(test)]
mod tests;
mod upgrade;
mod wire;

pub use desk::Desk;
pub use fault::{Act, Fault, Moment};
pub use record::{Closed, Sent, Session, SessionLog, Side, UPLINK_RATE_HZ, Uplink};
pub use script::{CONTINUOUS_TONE_HZ, Converse, Exchange, Hearing, Interruption, Script, Step, ToolCall, TurnEnd};
pub use speech::{SPEECH_RATE_HZ, Speech};
pub use still::{StillGemini, StillLine, Word};

use std::io;
use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

/// How the fake is set up.
#[derive(Clone, Debug)]
pub struct FakeGeminiOptions {
    /// Port 0 takes a free one.
    pub listen: SocketAddr,
    /// The only key that is valid.
    pub api_key: String,
    /// A wrong key is answered by HTTP 403; if false, by close 1007 after the upgrade.
    pub wrong_key_is_http: bool,
    /// Names without `models/`.
    pub models: Vec<String>,
    /// Of every session that has no script of its own.
    pub script: Script,
    /// Time between setup and `setupComplete`.
    pub setup_time: Duration,
    /// How many records are kept; the oldest go first.
    pub keep_sessions: usize,
    /// How much caller audio is kept of each session (32 KB a second).
    pub keep_audio: Duration,
    /// A session is not taken up while its socket is open: 1008.
    pub one_at_a_time: bool,
    /// Behaves as Vertex does, and not as the developers' API.
    pub vertex: Option<FakeVertex>,
}

/// Whom the fake lets in when it is Vertex.
#[derive(Clone, Debug)]
pub struct FakeVertex {
    pub project: String,
    pub location: String,
    /// The only access token that is valid.
    pub token: String,
}

impl Default for FakeGeminiOptions {
    fn default() -> Self {
        let models = [
            "gemini-3.8-live",
            "gemini-3.8-live-extended-thinking",
            "gemini-3.1-flash-live-preview",
            "gemini-2.5-flash-native-audio-preview-12-2025",
        ];
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            api_key: "lab-key".to_owned(),
            wrong_key_is_http: false,
            models: models.map(str::to_owned).to_vec(),
            script: Script::Silent,
            setup_time: Duration::from_millis(20),
            keep_sessions: 512,
            keep_audio: Duration::from_secs(120),
            one_at_a_time: false,
            vertex: None,
        }
    }
}

/// The condition waited for did not come true in time.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{what} did not happen within {waited:?}")]
pub struct TooLate {
    pub what: String,
    pub waited: Duration,
}

/// A running fake. Dropping it ends its tasks; [`FakeGemini::stop`] also waits for them.
#[derive(Debug)]
pub struct FakeGemini {
    address: SocketAddr,
    desk: Desk,
    tracker: TaskTracker,
    _running: DropGuard,
}

impl FakeGemini {
    /// Binds and begins to serve.
    pub async fn start(options: FakeGeminiOptions) -> io::Result<Self> {
        let (tracker, token) = (TaskTracker::new(), CancellationToken::new());
        let listener = TcpListener::bind(options.listen).await?;
        let address = listener.local_addr()?;
        let desk = Desk::new(options);
        let accepting = session::accept(listener, Arc::clone(desk.office()), tracker.clone(), token.clone());
        tracker.spawn(token.clone().run_until_cancelled_owned(accepting));
        Ok(Self { address, desk, tracker, _running: token.drop_guard() })
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

    /// What a client takes for `wss://generativelanguage.googleapis.com`.
    pub fn base_url(&self) -> String {
        format!("ws://{}", self.address)
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

impl Deref for FakeGemini {
    type Target = Desk;

    fn deref(&self) -> &Desk {
        &self.desk
    }
}
