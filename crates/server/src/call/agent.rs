//! The engine of one call: connecting while the phone rings, bridged once there is audio, replaced when it fails.

use super::{
    bridge::{Bridge, Fact, Line},
    context::Chosen,
};
use callie_ai::{Brief, Capabilities, Engine, EngineError, EngineSession, Prompt, tools::Toolbox};
use std::{future::Future, pin::Pin, sync::Arc};

/// What the engine that takes over in mid-call begins with.
const APOLOGY: &str = "I am sorry, I have lost my connection. I can take a message for you.";

type Connecting = Pin<Box<dyn Future<Output = Result<Box<dyn EngineSession>, EngineError>> + Send>>;

/// What the agent reports to the call's task.
#[derive(Debug)]
pub enum AgentEvent {
    Ready,
    Fact(Fact),
    /// The engine is gone; see [`Agent::fail_over`].
    Failed(EngineError),
}

enum State {
    Idle,
    Connecting(Connecting),
    Bridged(Box<Bridge>),
}

/// Owned by the call's task.
pub struct Agent {
    engine: Arc<dyn Engine>,
    fallback: Option<Arc<dyn Engine>>,
    brief: Brief,
    state: State,
    /// Media that waits for an engine.
    waiting_line: Option<Line>,
    /// The line was opened before the engine was ready.
    started: bool,
    held: bool,
}

impl Agent {
    pub fn new(chosen: Chosen, brief: Brief) -> Self {
        let Chosen { engine, fallback, .. } = chosen;
        Self { engine, fallback, brief, state: State::Idle, waiting_line: None, started: false, held: false }
    }

    pub fn name(&self) -> &'static str {
        self.engine.name()
    }

    pub fn capabilities(&self) -> Capabilities {
        self.engine.capabilities()
    }

    pub fn tools(&self) -> &Toolbox {
        &self.brief.tools
    }

    pub fn connect(&mut self) {
        let (engine, brief) = (self.engine.clone(), self.brief.clone());
        self.state = State::Connecting(Box::pin(async move { engine.open(brief).await }));
    }

    /// Lets the fallback take over; `false` when there is none left.
    pub fn fail_over(&mut self) -> bool {
        let Some(fallback) = self.fallback.take() else { return false };
        self.engine = fallback;
        if self.started {
            self.brief.greeting = APOLOGY.to_owned();
        }
        self.connect();
        true
    }

    pub fn attach(&mut self, line: Line) {
        match &mut self.state {
            State::Bridged(bridge) => bridge.attach(line),
            _ => self.waiting_line = Some(line),
        }
    }

    /// Takes the agent off its line; the engine goes on.
    pub fn release(&mut self) -> Option<Line> {
        match &mut self.state {
            State::Bridged(bridge) => bridge.release_line(),
            _ => self.waiting_line.take(),
        }
    }

    /// The agent is not needed any more: its engine hangs up.
    pub fn dismiss(&mut self) {
        self.state = State::Idle;
        self.fallback = None;
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

    /// While the call is held the agent hears silence, whatever plays on the line.
    pub fn hold(&mut self, held: bool) {
        self.held = held;
        if let State::Bridged(bridge) = &mut self.state {
            bridge.hold(held);
        }
    }

    pub fn dtmf(&mut self, digit: char) {
        if let State::Bridged(bridge) = &mut self.state {
            bridge.dtmf(digit);
        }
    }

    pub fn prompt(&mut self, prompt: Prompt) {
        if let State::Bridged(bridge) = &mut self.state {
            bridge.prompt(prompt);
        }
    }

    /// Cancel safe.
    pub async fn next(&mut self) -> AgentEvent {
        match &mut self.state {
            State::Idle => std::future::pending().await,
            State::Bridged(bridge) => match bridge.next().await {
                Fact::Failed(error) => {
                    self.waiting_line = bridge.take_line();
                    self.state = State::Idle;
                    AgentEvent::Failed(error)
                }
                fact => AgentEvent::Fact(fact),
            },
            State::Connecting(connecting) => match connecting.await {
                Ok(session) => self.bridge(session),
                Err(error) => {
                    self.state = State::Idle;
                    AgentEvent::Failed(error)
                }
            },
        }
    }

    fn bridge(&mut self, session: Box<dyn EngineSession>) -> AgentEvent {
        let mut bridge = Box::new(Bridge::new(session, self.engine.capabilities()));
        if let Some(line) = self.waiting_line.take() {
            bridge.attach(line);
        }
        bridge.hold(self.held);
        if self.started {
            bridge.start();
        }
        self.state = State::Bridged(bridge);
        AgentEvent::Ready
    }
}
