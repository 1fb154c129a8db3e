//! The engine of one call: connecting while the phone rings, bridged once there is audio.

use super::bridge::{Bridge, Fact};
use callie_ai::{Brief, Capabilities, Engine, EngineError, EngineSession};
use callie_media::engine::{Ear, Voice};
use std::{future::Future, pin::Pin, sync::Arc};

type Connecting = Pin<Box<dyn Future<Output = Result<Box<dyn EngineSession>, EngineError>> + Send>>;

/// What the agent reports to the call's task.
#[derive(Debug)]
pub enum AgentEvent {
    Ready,
    Unavailable(EngineError),
    Fact(Fact),
}

enum State {
    Idle,
    Connecting(Connecting),
    Bridged(Box<Bridge>),
}

/// Owned by the call's task.
pub struct Agent {
    engine: Arc<dyn Engine>,
    state: State,
    /// Media that was open before the engine was.
    waiting_media: Option<(Ear, Voice)>,
    /// The line was opened before the engine was ready.
    started: bool,
}

impl Agent {
    pub fn new(engine: Arc<dyn Engine>) -> Self {
        Self { engine, state: State::Idle, waiting_media: None, started: false }
    }

    pub fn name(&self) -> &'static str {
        self.engine.name()
    }

    pub fn capabilities(&self) -> Capabilities {
        self.engine.capabilities()
    }

    pub fn connect(&mut self, brief: Brief) {
        let engine = self.engine.clone();
        self.state = State::Connecting(Box::pin(async move { engine.open(brief).await }));
    }

    pub fn attach(&mut self, ear: Ear, voice: Voice) {
        match &mut self.state {
            State::Bridged(bridge) => bridge.attach(ear, voice),
            _ => self.waiting_media = Some((ear, voice)),
        }
    }

    pub fn start(&mut self) {
        self.started = true;
        if let State::Bridged(bridge) = &mut self.state {
            bridge.start();
        }
    }

    pub fn drain(&mut self) {
        if let State::Bridged(bridge) = &mut self.state {
            bridge.drain();
        }
    }

    pub fn dtmf(&mut self, digit: char) {
        if let State::Bridged(bridge) = &mut self.state {
            bridge.dtmf(digit);
        }
    }

    /// Cancel safe.
    pub async fn next(&mut self) -> AgentEvent {
        match &mut self.state {
            State::Idle => std::future::pending().await,
            State::Bridged(bridge) => AgentEvent::Fact(bridge.next().await),
            State::Connecting(connecting) => match connecting.await {
                Ok(session) => self.bridge(session),
                Err(error) => {
                    self.state = State::Idle;
                    AgentEvent::Unavailable(error)
                }
            },
        }
    }

    fn bridge(&mut self, session: Box<dyn EngineSession>) -> AgentEvent {
        let mut bridge = Box::new(Bridge::new(session));
        if let Some((ear, voice)) = self.waiting_media.take() {
            bridge.attach(ear, voice);
        }
        if self.started {
            bridge.start();
        }
        self.state = State::Bridged(bridge);
        AgentEvent::Ready
    }
}
