//! Pumps audio between the media session and the engine session. There is no call logic in here: only facts rise.
//!
//! ```text
//!   Ear ─ 20 ms frames ─▶ session.hear()        session.poll_event() ─ Audio ─▶ backlog ─▶ Voice (paces itself)
//! ```

use super::{
    barge_in::{BargeIn, Leftover, Step},
    protection::Protection,
    rates::Converter,
    withheld::Withheld,
};
use callie_ai::{Capabilities, EngineError, EngineEvent, EngineSession, Prompt, Usage, tools::ToolUse};
use callie_domain::record::{BargeInOutcome, Message, Speaker};
use callie_media::engine::{Ear, MediaEngine, MediaEvent, Voice};
use std::{collections::VecDeque, future::poll_fn, time::Duration};

/// A frame of 20 ms at the highest rate, for an ear that is to hear nothing.
const SILENCE: [i16; 480] = [0; 480];

/// What was sent last has not been heard yet: it is on its way, and in the far end's jitter buffer.
const NOT_HEARD_YET: Duration = Duration::from_millis(60);

/// The media of a call, as the bridge needs it. The engine that takes over in mid-call may listen and speak at other rates.
pub struct Line {
    pub ear: Ear,
    /// Sample rate of `ear`, hertz.
    pub ear_rate: u32,
    pub voice: Voice,
    /// Sample rate of `voice`, hertz.
    pub voice_rate: u32,
}

/// How the agent takes turns with the caller, as the user's document says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TurnTaking {
    /// The caller cannot interrupt the greeting.
    pub protects_greeting: bool,
    /// The line hears when the caller speaks over the agent.
    pub barge_in: bool,
}

/// What the call's task learns from the bridge.
#[derive(Debug, Clone, PartialEq)]
pub enum Fact {
    Words(Speaker, String),
    /// The engine gave so much audio; the caller's speech reached it so long after it had arrived at the socket.
    Audio {
        length: Duration,
        ear_delay: Duration,
        /// Before it left for the engine's service.
        uplink_delay: Duration,
    },
    TurnComplete,
    /// The engine says that it is interrupted, while nothing of it was to be heard.
    Interrupted,
    /// The caller spoke over the agent, which fell silent at this time on the media clock.
    BargeIn {
        at: Duration,
        outcome: BargeInOutcome,
    },
    ToolUsed(ToolUse),
    MessageTaken(Message),
    Usage(Usage),
    Notice(String),
    /// The engine goes on in another session of its service.
    SessionChanged {
        reason: String,
        resumed: bool,
    },
    /// The agent hands the caller over to the target of that name.
    Transfer {
        target: String,
    },
    /// Whether the human to whom the agent speaks takes the caller.
    TransferDecision {
        accepted: bool,
    },
    /// The agent wants to hang up once its last words are played.
    Goodbye,
    /// Everything said has been sent, after [`Bridge::drain`] asked for it.
    Drained,
    Failed(EngineError),
}

/// One call's audio on its way.
pub struct Bridge {
    session: Box<dyn EngineSession>,
    rates: Capabilities,
    line: Option<Line>,
    /// From the line's rate to the session's, and back.
    hearing: Option<Converter>,
    speech: Option<Converter>,
    started: bool,
    /// The session has been told so.
    begun: bool,
    /// Speech the voice had no room for yet.
    backlog: VecDeque<Vec<i16>>,
    /// Speech was handed to the voice and is not known to be played.
    speaking: bool,
    /// What the voice had played when the session was told last that nothing is left.
    drained_at: Duration,
    draining: bool,
    /// The backlog ends with the end of a turn.
    turn_complete: bool,
    /// The engine has given the whole of its last turn, and nothing of another.
    turn_over: bool,
    ear_delay: Duration,
    held: bool,
    barge_in: BargeIn,
    leftover: Leftover,
    protection: Protection,
    withheld: Withheld,
    turns: TurnTaking,
    /// More than one came of an event.
    facts: VecDeque<Fact>,
    /// Nothing of the session is heard.
    mute: bool,
    /// It hears nothing either.
    deaf: bool,
}

impl Bridge {
    /// `rates`: those of the session's engine.
    pub fn new(session: Box<dyn EngineSession>, rates: Capabilities) -> Self {
        Self {
            session,
            rates,
            line: None,
            hearing: None,
            speech: None,
            started: false,
            begun: false,
            backlog: VecDeque::new(),
            speaking: false,
            drained_at: Duration::ZERO,
            draining: false,
            turn_complete: false,
            turn_over: true,
            ear_delay: Duration::ZERO,
            held: false,
            barge_in: BargeIn::default(),
            leftover: Leftover::default(),
            protection: Protection::default(),
            withheld: Withheld::default(),
            turns: TurnTaking::default(),
            facts: VecDeque::new(),
            mute: false,
            deaf: false,
        }
    }

    /// Before it begins.
    pub fn take_turns(&mut self, turns: TurnTaking) {
        self.turns = turns;
    }

    /// The line is to watch for a caller who speaks over the agent: who cannot listen is not interrupted, and what plays while the
    /// call is held is nobody.
    pub fn watches(&self) -> bool {
        self.turns.barge_in && self.rates.listens && self.begun && !self.held && !self.deaf
    }

    pub fn attach(&mut self, line: Line) {
        self.hearing = Converter::between(line.ear_rate, self.rates.input_rate);
        self.speech = Converter::between(self.rates.output_rate, line.voice_rate);
        self.drained_at = line.voice.played();
        self.line = Some(line);
        self.begin();
    }

    /// For the engine that takes over.
    pub fn take_line(&mut self) -> Option<Line> {
        self.go_on();
        self.line.take()
    }

    /// For somebody else to speak on: what was to be said on it is forgotten.
    pub fn release_line(&mut self) -> Option<Line> {
        self.backlog.clear();
        self.draining = false;
        self.barge_in = BargeIn::default();
        self.withheld = Withheld::default();
        if std::mem::take(&mut self.speaking) {
            self.session.playout_drained();
        }
        self.line.take().map(|mut line| {
            line.voice.flush();
            line
        })
    }

    /// The line is open: the agent begins, as soon as there is audio to begin with.
    pub fn start(&mut self) {
        self.started = true;
        self.begin();
    }

    fn begin(&mut self) {
        if self.started && self.line.is_some() && !std::mem::replace(&mut self.begun, true) {
            if self.turns.protects_greeting {
                self.protection.begins(MediaEngine::now());
            }
            self.session.start();
        }
    }

    /// Asks for [`Fact::Drained`]. The last words are heard to their end.
    pub fn drain(&mut self) {
        self.draining = true;
        self.go_on();
    }

    /// While `held` the session hears silence.
    pub fn hold(&mut self, held: bool) {
        self.held = held;
        if held {
            self.go_on();
        }
    }

    /// What the line hears of the caller.
    pub fn notice(&mut self, event: &MediaEvent) {
        match *event {
            MediaEvent::BargeIn { at, began } if self.may_be_interrupted() => {
                if let Some(Line { voice, .. }) = &mut self.line {
                    voice.pause();
                    self.barge_in.begins(at);
                }
                let frames = self.withheld.release(began);
                self.let_hear(frames);
            }
            MediaEvent::BargeInOver { at } => self.barge_in.caller(false, at),
            MediaEvent::CallerSpeech { on, at } => {
                self.barge_in.caller(on, at);
                self.withheld.caller(on, at);
            }
            _ => {}
        }
    }

    /// Something is being said, which is neither the last nor protected.
    fn may_be_interrupted(&self) -> bool {
        self.speaking && !self.draining && !self.held && !self.protection.is_on()
    }

    /// Whatever the caller does now, the agent speaks.
    fn go_on(&mut self) {
        if let Some(at) = self.barge_in.confirm() {
            self.resume(at);
        }
    }

    fn resume(&mut self, at: Duration) {
        if let Some(Line { voice, .. }) = &mut self.line {
            voice.resume();
        }
        self.withhold();
        self.facts.push_back(Fact::BargeIn { at, outcome: BargeInOutcome::Resumed });
    }

    /// The agent speaks from now on, and the line judges who speaks over it.
    fn withhold(&mut self) {
        if self.watches() {
            self.withheld.agent_begins(MediaEngine::now());
        }
    }

    /// From now on the session neither hears nor is heard, until [`Self::speak_up`].
    pub fn hush(&mut self) {
        (self.deaf, self.mute) = (true, true);
        let now = MediaEngine::now();
        self.barge_in = BargeIn::default();
        self.stop(now, now);
    }

    /// It is heard again; it stays deaf.
    pub fn speak_up(&mut self) {
        self.mute = false;
    }

    pub fn dtmf(&mut self, digit: char) {
        self.session.dtmf(digit);
    }

    pub fn prompt(&mut self, prompt: Prompt) {
        self.session.prompt(prompt);
    }

    pub fn nudge(&mut self) {
        self.session.nudge();
    }

    pub fn renew(&mut self) {
        self.session.renew();
    }

    /// Pumps until there is something to tell. Cancel safe: nothing taken is lost.
    pub async fn next(&mut self) -> Fact {
        loop {
            if let Some(fact) = self.facts.pop_front() {
                return fact;
            }
            let Self { session, line, backlog, speaking, draining, barge_in, withheld, .. } = self;
            let Some(Line { ear, voice, .. }) = line else {
                if !self.begun {
                    return std::future::pending().await;
                }
                // Between two lines the session goes on, unheard.
                let event = poll_fn(|context| session.poll_event(context)).await;
                if let Some(fact) = self.on_event(event) {
                    return fact;
                }
                continue;
            };
            let waits_for_drain = (*speaking || *draining) && backlog.is_empty();
            let fact = tokio::select! {
                biased;
                event = poll_fn(|context| session.poll_event(context)) => self.on_event(event),
                () = ear.ready() => {
                    self.hear();
                    None
                }
                wake = voice_wake(voice, !backlog.is_empty(), waits_for_drain) => match wake {
                    Wake::Room => {
                        self.speak_backlog();
                        None
                    }
                    Wake::Drained => self.on_drained(),
                },
                () = until([barge_in.deadline(), withheld.deadline()].into_iter().flatten().min()) => {
                    let frames = self.withheld.step(MediaEngine::now());
                    self.let_hear(frames);
                    self.on_barge_in();
                    None
                }
            };
            if let Some(fact) = fact {
                return fact;
            }
        }
    }

    fn hear(&mut self) {
        self.unprotect(false);
        let Self { session, line, hearing, started, ear_delay, held, deaf, protection, withheld, .. } = self;
        let Some(Line { ear, .. }) = line else { return };
        let deaf = *held || *deaf;
        while let Some((frame, arrived)) = ear.pop_timed() {
            if *started {
                let is_heard = !deaf && !protection.is_on() && !withheld.is_on();
                if protection.is_on() && !deaf {
                    protection.hear(frame);
                } else if withheld.is_on() && !deaf {
                    withheld.keep(frame, arrived);
                }
                let frame = SILENCE.get(..frame.len()).filter(|_| !is_heard).unwrap_or(frame);
                give(&mut **session, hearing, frame);
            }
            *ear_delay = MediaEngine::now().saturating_sub(arrived);
        }
    }

    /// What the session did not hear when it was said.
    fn let_hear(&mut self, frames: impl IntoIterator<Item = Vec<i16>>) {
        for frame in frames {
            give(&mut *self.session, &mut self.hearing, &frame);
        }
    }

    /// The greeting may have been heard: the session hears the caller from now on.
    fn unprotect(&mut self, drained: bool) {
        let last = self.protection.ends(drained, MediaEngine::now());
        self.let_hear(last.into_iter().flatten());
    }

    fn on_event(&mut self, event: EngineEvent) -> Option<Fact> {
        let fact = match event {
            EngineEvent::Audio(_) if self.line.is_none() || self.mute => {
                self.session.playout_drained();
                return None;
            }
            EngineEvent::Audio(_) | EngineEvent::Said(_) if self.leftover.has(MediaEngine::now()) => return None,
            EngineEvent::Audio(samples) => {
                self.take_audio(samples);
                return self.facts.pop_front();
            }
            EngineEvent::TurnComplete => {
                self.leftover.ends();
                self.turn_over = true;
                self.protection.turn_complete();
                self.turn_complete = true;
                self.speak_backlog();
                Fact::TurnComplete
            }
            EngineEvent::Interrupted => {
                self.leftover.ends();
                self.turn_over = true;
                self.interrupted(MediaEngine::now());
                return self.facts.pop_front();
            }
            EngineEvent::Said(_) if self.mute => return None,
            EngineEvent::Said(text) => Fact::Words(Speaker::Agent, text),
            EngineEvent::Heard(text) => Fact::Words(Speaker::Caller, text),
            EngineEvent::ToolUsed(tool) => Fact::ToolUsed(tool),
            EngineEvent::MessageTaken(message) => Fact::MessageTaken(message),
            EngineEvent::Usage(usage) => Fact::Usage(usage),
            EngineEvent::Notice(text) => Fact::Notice(text),
            EngineEvent::SessionChanged { reason, resumed } => Fact::SessionChanged { reason, resumed },
            EngineEvent::Transfer { target } => Fact::Transfer { target },
            EngineEvent::TransferDecision { accepted } => Fact::TransferDecision { accepted },
            EngineEvent::Goodbye => Fact::Goodbye,
            EngineEvent::Failed(error) => Fact::Failed(error),
        };
        Some(fact)
    }

    fn take_audio(&mut self, samples: Vec<i16>) {
        if std::mem::take(&mut self.turn_over) && self.barge_in.is_paused() {
            // The answer to what the caller said over the turn before.
            self.interrupted(MediaEngine::now());
        }
        let length = Duration::from_micros(samples.len() as u64 * 1_000_000 / u64::from(self.rates.output_rate.max(1)));
        let samples = match &mut self.speech {
            Some(converter) => converter.convert(&samples),
            None => samples,
        };
        if !std::mem::replace(&mut self.speaking, true) {
            self.withhold();
        }
        self.turn_complete = false;
        self.backlog.push_back(samples);
        self.speak_backlog();
        self.facts.push_back(Fact::Audio { length, ear_delay: self.ear_delay, uplink_delay: self.session.uplink_delay() });
    }

    fn speak_backlog(&mut self) {
        let Some(Line { voice, .. }) = &mut self.line else { return };
        while let Some(samples) = self.backlog.pop_front() {
            if let Err(samples) = voice.say(samples) {
                self.backlog.push_front(samples);
                return;
            }
        }
        if std::mem::take(&mut self.turn_complete) {
            voice.end_of_speech();
        }
    }

    /// What came of a pause, now that it is known.
    fn on_barge_in(&mut self) {
        let now = MediaEngine::now();
        match self.barge_in.step(now) {
            Some(Step::Resume { at }) => self.resume(at),
            Some(Step::CutOff { at }) => {
                if !self.turn_over {
                    self.leftover.begins(now);
                }
                self.interrupt(at, now);
            }
            None => {}
        }
    }

    /// The caller is meant to be heard, says the engine.
    fn interrupted(&mut self, now: Duration) {
        let at = self.barge_in.confirm().unwrap_or(now);
        if !self.speaking {
            self.facts.push_back(Fact::Interrupted);
        }
        self.interrupt(at, now);
    }

    /// The caller speaks, and the agent has been silent since `at`: what is queued is not played, and the session is told what was.
    fn interrupt(&mut self, at: Duration, now: Duration) {
        if self.stop(at, now) {
            self.facts.push_back(Fact::BargeIn { at, outcome: BargeInOutcome::Interrupted });
        }
    }

    /// Whether there was something to stop.
    fn stop(&mut self, at: Duration, now: Duration) -> bool {
        self.backlog.clear();
        self.turn_complete = false;
        let Some(Line { voice, .. }) = &mut self.line else { return false };
        let not_heard = NOT_HEARD_YET.saturating_sub(now.saturating_sub(at));
        let heard = voice.played().saturating_sub(self.drained_at).saturating_sub(not_heard);
        voice.flush();
        let spoke = self.speaking;
        if spoke {
            self.session.cut_off(heard);
            self.tell_drained();
        }
        spoke
    }

    fn tell_drained(&mut self) {
        if let Some(Line { voice, .. }) = &self.line {
            self.drained_at = voice.played();
        }
        if std::mem::take(&mut self.speaking) {
            self.session.playout_drained();
        }
        let frames = self.withheld.agent_ends();
        self.let_hear(frames);
    }

    fn on_drained(&mut self) -> Option<Fact> {
        self.tell_drained();
        self.unprotect(true);
        std::mem::take(&mut self.draining).then_some(Fact::Drained)
    }
}

fn give(session: &mut dyn EngineSession, hearing: &mut Option<Converter>, frame: &[i16]) {
    match hearing {
        Some(converter) => session.hear(&converter.convert(frame)),
        None => session.hear(frame),
    }
}

/// What the voice can be waited for.
enum Wake {
    Room,
    Drained,
}

/// On the media clock; for ever where there is none.
async fn until(deadline: Option<Duration>) {
    match deadline {
        Some(deadline) => tokio::time::sleep(deadline.saturating_sub(MediaEngine::now())).await,
        None => std::future::pending().await,
    }
}

async fn voice_wake(voice: &mut Voice, backlog: bool, drain: bool) -> Wake {
    if backlog {
        voice.room().await;
        return Wake::Room;
    }
    if drain {
        voice.drained().await;
        return Wake::Drained;
    }
    std::future::pending().await
}
