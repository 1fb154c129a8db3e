//! The world of the call tests: a scripted engine inside.

pub use crate::support::{PATIENCE, World, config_in, reason, until};
use async_trait::async_trait;
use callie_ai::{Brief, Capabilities, Engine, EngineCause, EngineError, EngineEvent, EngineSession, Prompt};
use callie_domain::{CallId, DialTarget};
use callie_server::call::Engines;
use callie_server::config::Config;
use callie_server::exchange::{DialError, DialRequest};
use serde_json::Value;
use std::{
    collections::VecDeque,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

/// How the stub engine behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// Speaks a tone for a second, then listens for ever.
    Talk,
    /// Says what it is asked for, and nothing else: the other side has not finished its greeting.
    Waits,
    /// Never gets ready.
    NeverReady,
    /// Cannot be opened.
    Refuses,
    /// Speaks, then breaks once the caller is heard.
    Breaks,
    /// Speaks for a second and says goodbye.
    Goodbye,
    /// Speaks a tone for a second, and hands the caller over to `sales` once the caller is heard.
    HandsOver,
    /// The same, to somebody whom nobody has named.
    HandsOverElsewhere,
}

/// Hertz of what the stub says to the human, and of what it says when it is back with the caller.
pub const BRIEFING_HZ: f64 = 700.0;
pub const REGRET_HZ: f64 = 900.0;
/// And of the message that it leaves on a machine.
pub const MESSAGE_HZ: f64 = 1_150.0;

#[derive(Debug)]
pub struct StubEngine(pub Manner);

struct StubSession {
    manner: Manner,
    events: VecDeque<EngineEvent>,
    waker: Option<Waker>,
}

#[async_trait]
impl Engine for StubEngine {
    fn name(&self) -> &'static str {
        "stub"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { listens: true, detects_interruption: false, input_rate: 16_000, output_rate: 24_000 }
    }

    async fn open(&self, _brief: Brief) -> Result<Box<dyn EngineSession>, EngineError> {
        match self.0 {
            Manner::NeverReady => std::future::pending().await,
            Manner::Refuses => Err(EngineError::new(EngineCause::Unreachable, "as scripted")),
            manner => Ok(Box::new(StubSession { manner, events: VecDeque::new(), waker: None })),
        }
    }
}

impl EngineSession for StubSession {
    fn start(&mut self) {
        if self.manner == Manner::Waits {
            return;
        }
        let tone = (0..24_000).map(|i| ((i as f32 * 0.15).sin() * 9_000.0) as i16).collect();
        self.events.push_back(EngineEvent::Audio(tone));
        if self.manner == Manner::Goodbye {
            self.events.push_back(EngineEvent::Goodbye);
        }
        self.waker.take().into_iter().for_each(Waker::wake);
    }

    fn hear(&mut self, samples: &[i16]) {
        let target = match self.manner {
            Manner::HandsOver => Some("sales"),
            Manner::HandsOverElsewhere => Some("+4990012345"),
            _ => None,
        };
        if let Some(target) = target.filter(|_| samples.iter().any(|s| s.unsigned_abs() > 1_000)) {
            self.manner = Manner::Talk;
            self.events.push_back(EngineEvent::Transfer { target: target.to_owned() });
            self.events.push_back(EngineEvent::TurnComplete);
            self.waker.take().into_iter().for_each(Waker::wake);
        }
        if self.manner == Manner::Breaks && samples.iter().any(|s| s.unsigned_abs() > 1_000) {
            self.events.push_back(EngineEvent::Failed(EngineError::new(EngineCause::ServiceFailed, "as scripted")));
            self.waker.take().into_iter().for_each(Waker::wake);
        }
    }

    fn dtmf(&mut self, _digit: char) {}

    fn prompt(&mut self, prompt: Prompt) {
        let hertz = match &prompt {
            Prompt::BriefHuman { .. } => BRIEFING_HZ,
            Prompt::TransferFailed { .. } => REGRET_HZ,
            Prompt::StillThere | Prompt::SilenceGoodbye | Prompt::Hint { .. } => return,
            Prompt::LeaveMessage { .. } => MESSAGE_HZ,
        };
        let leaves = matches!(prompt, Prompt::LeaveMessage { .. });
        let step = std::f64::consts::TAU * hertz / 24_000.0;
        let tone = (0..24_000).map(|i| ((f64::from(i) * step).sin() * 9_000.0) as i16).collect();
        self.events.extend([EngineEvent::Audio(tone), EngineEvent::TurnComplete]);
        self.events.extend(leaves.then_some(EngineEvent::Goodbye));
        self.waker.take().into_iter().for_each(Waker::wake);
    }

    fn playout_drained(&mut self) {}

    fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<EngineEvent> {
        match self.events.pop_front() {
            Some(event) => Poll::Ready(event),
            None => {
                self.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl World {
    pub async fn with(manner: Manner, tune: impl FnOnce(&mut Config)) -> Self {
        Self::start(tune, |_| Engines::new(Arc::new(StubEngine(manner)))).await
    }

    /// One connected user, `alice`, whose document is changed by `settings`.
    pub async fn with_alice(manner: Manner, settings: Value) -> Self {
        let world = Self::with(manner, |config| config.media.rtp_timeout = Duration::from_secs(2)).await;
        world.add_alice(settings).await;
        world
    }

    /// Changes alice's document as the API does.
    pub async fn change(&self, settings: Value) {
        let id = "alice".parse().expect("valid");
        let stored = self.app.stores.users.get(&id).await.expect("read").expect("there");
        let input = callie_domain::user::input::UserInput::from_json(&settings).expect("valid");
        let user = input.apply(&stored.user, jiff::Timestamp::now()).expect("valid");
        self.app.stores.users.put(&user, stored.revision).await.expect("stored");
    }

    pub fn dial(&self, number: &str) -> Result<CallId, DialError> {
        let target: DialTarget = number.parse().expect("valid");
        self.app.dial(DialRequest::new("alice".parse().expect("valid"), target))
    }
}
