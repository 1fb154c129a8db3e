//! OpenAI Realtime in a box: a WebSocket server that behaves as the real one does (GA), strict about what it is sent, with
//! faults on cue and a record of everything.
//!
//! ```text
//!   TCP ─▶ realtime: upgrade (key, path, model) ─▶ session (task) ─▶ input (what a client may send) ─▶ terms (what it asked for)
//!                                                     │                 conversation, response (pure: what to say when)
//!                                                     └─▶ record        items (what was said)
//! ```
//!
//! It understands no speech: it hears where the caller speaks, and takes the words from its script. It has no memory beyond a
//! session; how far a conversation has come it tells from the items that a new session is given.

mod conversation;
mod event;
mod fault;
mod input;
mod items;
mod record;
mod response;
mod script;
mod session;
mod terms;
#[cfg(test)]
mod tests;
mod upgrade;

pub use crate::gemini::Speech;
pub use crate::realtime::{Closed, Side};
pub use fault::{Act, Fault, Moment};
pub use record::{Sent, SessionLog};
pub use script::{Converse, Exchange, Hearing, Pace, Step, ToolCall};

use crate::realtime::{self, End, Entrance, Fake, Line, Office, Service};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use upgrade::Door;

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

/// The service, as the common part of the fakes sees it.
#[derive(Clone, Debug)]
pub struct OpenAi;

/// A running fake.
pub type FakeOpenAi = Fake<OpenAi>;
/// The side of the fake that a test stands at.
pub type Desk = realtime::Desk<OpenAi>;
pub type Session = realtime::Session<OpenAi>;

impl FakeOpenAi {
    /// What a client takes for `wss://api.openai.com/v1`.
    pub fn base_url(&self) -> String {
        format!("ws://{}/v1", self.address())
    }
}

impl Desk {
    /// The script of sessions that are set up from now on.
    pub fn set_script(&self, script: Converse) {
        self.office().state().memory = script;
    }
}

impl Service for OpenAi {
    type Options = FakeOpenAiOptions;
    type Door = Door;
    type Moment = Moment;
    type Act = Act;
    type Log = SessionLog;
    /// The script.
    type Memory = Converse;

    fn listen(options: &FakeOpenAiOptions) -> SocketAddr {
        options.listen
    }

    fn keep_sessions(options: &FakeOpenAiOptions) -> usize {
        options.keep_sessions
    }

    fn memory(options: &FakeOpenAiOptions) -> Converse {
        options.script.clone()
    }

    fn log(options: &FakeOpenAiOptions, number: u64, now: Instant) -> SessionLog {
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
        session::Call::new(office, session, door).run(line, wishes).await
    }
}
