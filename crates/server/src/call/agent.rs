//! The engine of one call: connecting while the phone rings, bridged once there is audio, replaced when it fails.

use super::{
    bridge::{Bridge, Fact, Line, TurnTaking},
    bridging,
    context::Chosen,
    supervision,
};
use crate::tools::mcp::{Gathered, Gathering};
use callie_ai::{Brief, Capabilities, Engine, EngineError, EngineSession, LocalEngine, Prompt, Utterance, tools::Toolbox};
use callie_media::engine::MediaEvent;
use std::{collections::VecDeque, future::Future, pin::Pin, sync::Arc};

/// So many words of a supervisor are told again to a session that does not know of them.
const HINTS: usize = 8;

type Connecting = Pin<Box<dyn Future<Output = Result<Box<dyn EngineSession>, EngineError>> + Send>>;

/// What the agent reports to the call's task.
#[derive(Debug)]
pub enum AgentEvent {
    Ready,
    Fact(Fact),
    /// The engine is gone; see [`Agent::fail_over`].
    Failed(EngineError),
    /// There are tools that could not be had.
    Complaints(Vec<String>),
    /// The engine that stayed silent is replaced.
    TookOver {
        silent: &'static str,
    },
    /// The engine of that name, which was to take over, cannot.
    StandbyFailed(&'static str, EngineError),
}

enum State {
    Idle,
    /// The engine is to be told of all tools when it connects.
    Gathering(Gathering),
    Connecting(Connecting),
    Bridged(Box<Bridge>),
}

/// Owned by the call's task.
pub struct Agent {
    engine: Arc<dyn Engine>,
    others: VecDeque<Arc<dyn Engine>>,
    /// Connects beside the engine that talks, or does not.
    standby: Option<Standby>,
    brief: Brief,
    state: State,
    /// Media that waits for an engine.
    waiting_line: Option<Line>,
    /// The line was opened before the engine was ready.
    started: bool,
    held: bool,
    /// Neither hears nor is heard.
    hushed: bool,
    /// To whom the caller goes when no engine of a service is left.
    when_lost: Option<String>,
    turns: TurnTaking,
    /// Tools that may take a moment.
    later: Option<Gathering>,
    /// A supervisor's, the latest.
    hints: VecDeque<String>,
}

struct Standby {
    engine: Arc<dyn Engine>,
    brief: Brief,
    connecting: Connecting,
}

impl Agent {
    /// `when_lost`: the transfer target who gets the caller when no engine of a service is left.
    pub fn new(chosen: Chosen, brief: Brief, when_lost: Option<String>) -> Self {
        let Chosen { engine, others, .. } = chosen;
        Self {
            engine,
            others: others.into(),
            standby: None,
            brief,
            state: State::Idle,
            waiting_line: None,
            started: false,
            held: false,
            hushed: false,
            when_lost,
            turns: TurnTaking::default(),
            later: None,
            hints: VecDeque::new(),
        }
    }

    #[must_use]
    pub fn taking_turns(self, turns: TurnTaking) -> Self {
        Self { turns, ..self }
    }

    #[must_use]
    pub fn with_tools_of(self, later: Option<Gathering>) -> Self {
        Self { later, ..self }
    }

    pub fn name(&self) -> &'static str {
        self.engine.name()
    }

    /// The model that talks.
    pub fn model(&self) -> Option<String> {
        self.engine.model(&self.brief)
    }

    pub fn capabilities(&self) -> Capabilities {
        self.engine.capabilities()
    }

    pub fn tools(&self) -> &Toolbox {
        &self.brief.tools
    }

    pub fn connect(&mut self) {
        self.state = match self.later.take() {
            Some(later) => State::Gathering(later),
            None => State::Connecting(open(self.engine.clone(), self.brief.clone())),
        };
    }

    /// The engine is gone: lets the next one take over, which is told what was said. `false` when there is none left.
    pub fn fail_over(&mut self, history: Vec<Utterance>) -> bool {
        let Some(standby) = self.standby.take().or_else(|| self.next_engine(history)) else { return false };
        let Standby { engine, brief, connecting } = standby;
        (self.engine, self.brief, self.state) = (engine, brief, State::Connecting(connecting));
        true
    }

    /// Calls the next engine beside the one that talks; it takes over once it is ready. Tells its name; nothing when there is
    /// none left, or one is on its way.
    pub fn call_standby(&mut self, history: Vec<Utterance>) -> Option<&'static str> {
        if self.standby.is_some() {
            return None;
        }
        self.standby = self.next_engine(history);
        self.standby.as_ref().map(|standby| standby.engine.name())
    }

    /// The engine talks after all: whoever was on its way goes back in line.
    pub fn dismiss_standby(&mut self) {
        if let Some(standby) = self.standby.take() {
            self.others.push_front(standby.engine);
        }
    }

    /// The caller is to be handed over to, once the offline engine has said so: every engine of a service is gone.
    pub fn take_lost_to(&mut self) -> Option<String> {
        let is_offline = self.started && self.engine.name() == LocalEngine::NAME && self.others.is_empty();
        if is_offline && !self.brief.history.is_empty() { self.when_lost.take() } else { None }
    }

    fn next_engine(&mut self, history: Vec<Utterance>) -> Option<Standby> {
        let engine = self.others.pop_front()?;
        let phrase = bridging::phrase(engine.name(), self.brief.language.as_deref(), self.when_lost.is_some());
        let brief = if self.started { self.brief.taken_over(phrase, history) } else { self.brief.clone() };
        let connecting = open(engine.clone(), brief.clone());
        Some(Standby { engine, brief, connecting })
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
        self.standby = None;
        self.others.clear();
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

    /// The line is to watch for a caller who speaks over the agent.
    pub fn watches(&self) -> bool {
        matches!(&self.state, State::Bridged(bridge) if bridge.watches())
    }

    /// What the line hears of the caller.
    pub fn notice(&mut self, event: &MediaEvent) {
        if let State::Bridged(bridge) = &mut self.state {
            bridge.notice(event);
        }
    }

    /// An engine is connected and hears what it is told.
    pub fn is_ready(&self) -> bool {
        self.started && matches!(self.state, State::Bridged(_))
    }

    /// From now on the agent neither hears nor is heard, until [`Self::speak_up`].
    pub fn hush(&mut self) {
        self.hushed = true;
        if let State::Bridged(bridge) = &mut self.state {
            bridge.hush();
        }
    }

    /// It is heard again; it stays deaf.
    pub fn speak_up(&mut self) {
        self.hushed = false;
        if let State::Bridged(bridge) = &mut self.state {
            bridge.speak_up();
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

    /// Whether [`Self::hint`] reaches whoever talks.
    pub fn takes_hints(&self) -> bool {
        self.engine.takes_hints()
    }

    /// Also for whoever talks later.
    pub fn hint(&mut self, text: String) {
        self.prompt(supervision::prompt(&text));
        self.hints.push_back(text);
        if self.hints.len() > HINTS {
            self.hints.pop_front();
        }
    }

    /// The model does not know of them any more.
    pub fn repeat_hints(&mut self) {
        let State::Bridged(bridge) = &mut self.state else { return };
        self.hints.iter().for_each(|text| bridge.prompt(supervision::prompt(text)));
    }

    pub fn nudge(&mut self) {
        if let State::Bridged(bridge) = &mut self.state {
            bridge.nudge();
        }
    }

    pub fn renew(&mut self) {
        if let State::Bridged(bridge) = &mut self.state {
            bridge.renew();
        }
    }

    /// Cancel safe.
    pub async fn next(&mut self) -> AgentEvent {
        match &mut self.state {
            State::Idle => std::future::pending().await,
            State::Gathering(gathering) => {
                let Gathered { tools, complaints } = gathering.await;
                self.brief.tools = self.brief.tools.with(tools);
                self.connect();
                AgentEvent::Complaints(complaints)
            }
            State::Bridged(bridge) => {
                let opened = tokio::select! {
                    biased;
                    fact = bridge.next() => return match fact {
                        Fact::Failed(error) => {
                            self.waiting_line = bridge.take_line();
                            self.state = State::Idle;
                            AgentEvent::Failed(error)
                        }
                        fact => AgentEvent::Fact(fact),
                    },
                    opened = connected(&mut self.standby) => opened,
                };
                self.replace(opened)
            }
            State::Connecting(connecting) => match connecting.await {
                Ok(session) => {
                    self.bridge(session);
                    AgentEvent::Ready
                }
                Err(error) => {
                    self.state = State::Idle;
                    AgentEvent::Failed(error)
                }
            },
        }
    }

    /// The engine that was called beside the one that talks is there, or will not be.
    fn replace(&mut self, opened: Result<Box<dyn EngineSession>, EngineError>) -> AgentEvent {
        let Some(Standby { engine, brief, .. }) = self.standby.take() else { return AgentEvent::Ready };
        let session = match opened {
            Ok(session) => session,
            Err(error) => return AgentEvent::StandbyFailed(engine.name(), error),
        };
        let silent = self.engine.name();
        self.waiting_line = self.release();
        (self.engine, self.brief) = (engine, brief);
        self.bridge(session);
        AgentEvent::TookOver { silent }
    }

    fn bridge(&mut self, session: Box<dyn EngineSession>) {
        let mut bridge = Box::new(Bridge::new(session, self.engine.capabilities()));
        if let Some(line) = self.waiting_line.take() {
            bridge.attach(line);
        }
        bridge.hold(self.held);
        // Who takes over does not greet again.
        let protects_greeting = self.turns.protects_greeting && self.brief.history.is_empty();
        bridge.take_turns(TurnTaking { protects_greeting, ..self.turns });
        if self.hushed {
            bridge.hush();
        }
        if self.started {
            bridge.start();
        }
        self.state = State::Bridged(bridge);
        self.repeat_hints();
    }
}

fn open(engine: Arc<dyn Engine>, brief: Brief) -> Connecting {
    Box::pin(async move { engine.open(brief).await })
}

async fn connected(standby: &mut Option<Standby>) -> Result<Box<dyn EngineSession>, EngineError> {
    match standby {
        Some(standby) => (&mut standby.connecting).await,
        None => std::future::pending().await,
    }
}
