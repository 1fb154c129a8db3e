//! Gemini Live in a box: a WebSocket server that behaves as the real one does, strict about what it is sent, with faults on
//! cue and a record of everything.
//!
//! ```text
//!   TCP ─▶ realtime: upgrade (key, path) ─▶ session (task) ─▶ attendant ─▶ setup, wire (what a client may send)
//!                                           still (no task) ─┘  │      conversation, stream (what to say when)
//!                                       desk (a test's side) ◀─ record
//! ```
//!
//! From the attendant on it is pure, with time as argument: [`StillGemini`] is the same service without sockets and clock.
//! It understands no speech: it hears where the caller speaks, and takes the words from its script.

mod conversation;
mod desk;
mod fault;
mod memory;
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

pub use crate::realtime::{Closed, Side, UPLINK_RATE_HZ, Uplink};
pub use fault::{Act, Fault, Moment};
pub use record::{Sent, SessionLog};
pub use script::{CONTINUOUS_TONE_HZ, Converse, Exchange, Hearing, Interruption, Script, Step, ToolCall, TurnEnd};
pub use speech::{SPEECH_RATE_HZ, Speech};
pub use still::{StillGemini, StillLine, Word};

use crate::realtime::{self, End, Entrance, Fake, Line, Office, Service};
use memory::Memory;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use upgrade::Door;

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

/// The service, as the common part of the fakes sees it.
#[derive(Clone, Debug)]
pub struct Gemini;

/// A running fake.
pub type FakeGemini = Fake<Gemini>;
/// The side of the fake that a test stands at.
pub type Desk = realtime::Desk<Gemini>;
pub type Session = realtime::Session<Gemini>;

impl FakeGemini {
    /// What a client takes for `wss://generativelanguage.googleapis.com`.
    pub fn base_url(&self) -> String {
        format!("ws://{}", self.address())
    }
}

impl Service for Gemini {
    type Options = FakeGeminiOptions;
    type Door = Door;
    type Moment = Moment;
    type Act = Act;
    type Log = SessionLog;
    type Memory = Memory;

    fn listen(options: &FakeGeminiOptions) -> SocketAddr {
        options.listen
    }

    fn keep_sessions(options: &FakeGeminiOptions) -> usize {
        options.keep_sessions
    }

    fn memory(options: &FakeGeminiOptions) -> Memory {
        Memory::new(options.script.clone())
    }

    fn log(options: &FakeGeminiOptions, number: u64, now: Instant) -> SessionLog {
        SessionLog::new(number, now, options.keep_audio)
    }

    fn at_the_door(act: Act) -> Entrance {
        match act {
            Act::Refuse { status, body } => Entrance::Refused(status, body),
            Act::Stall => Entrance::Ignored,
            _ => Entrance::Broken,
        }
    }

    async fn attend(
        office: &Arc<Office<Self>>,
        session: &Session,
        door: &Door,
        line: &mut Line<Self>,
        wishes: mpsc::Receiver<Act>,
    ) -> End {
        session::attend(office, session, door, line, wishes).await
    }
}
