//! Pumps audio between the media session and the engine session. There is no call logic in here: only facts rise.
//!
//! ```text
//!   Ear ─ 20 ms frames ─▶ session.hear()        session.poll_event() ─ Audio ─▶ backlog ─▶ Voice (paces itself)
//! ```

use super::rates::Converter;
use callie_ai::{Capabilities, EngineError, EngineEvent, EngineSession, Prompt, Usage, tools::ToolUse};
use callie_domain::record::{Message, Speaker};
use callie_media::engine::{Ear, MediaEngine, Voice};
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

/// What the call's task learns from the bridge.
#[derive(Debug, Clone, PartialEq)]
pub enum Fact {
    Words(Speaker, String),
    /// The engine gave so much audio; the caller's speech reached it so long after it had arrived at the socket.
    Audio {
        length: Duration,
        ear_delay: Duration,
    },
    TurnComplete,
    Interrupted,
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
    ear_delay: Duration,
    held: bool,
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
            ear_delay: Duration::ZERO,
            held: false,
        }
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
        self.line.take()
    }

    /// For somebody else to speak on: what was to be said on it is forgotten.
    pub fn release_line(&mut self) -> Option<Line> {
        self.backlog.clear();
        self.draining = false;
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
            self.session.start();
        }
    }

    /// Asks for [`Fact::Drained`].
    pub fn drain(&mut self) {
        self.draining = true;
    }

    /// While `held` the session hears silence.
    pub fn hold(&mut self, held: bool) {
        self.held = held;
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
            let Self { session, line, backlog, speaking, draining, .. } = self;
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
            };
            if let Some(fact) = fact {
                return fact;
            }
        }
    }

    fn hear(&mut self) {
        let Self { session, line: Some(Line { ear, .. }), hearing, started, ear_delay, held, .. } = self else { return };
        while let Some((frame, arrived)) = ear.pop_timed() {
            if *started {
                let frame = SILENCE.get(..frame.len()).filter(|_| *held).unwrap_or(frame);
                match hearing {
                    Some(converter) => session.hear(&converter.convert(frame)),
                    None => session.hear(frame),
                }
            }
            *ear_delay = MediaEngine::now().saturating_sub(arrived);
        }
    }

    fn on_event(&mut self, event: EngineEvent) -> Option<Fact> {
        let fact = match event {
            EngineEvent::Audio(_) if self.line.is_none() => {
                self.session.playout_drained();
                return None;
            }
            EngineEvent::Audio(samples) => return Some(self.take_audio(samples)),
            EngineEvent::TurnComplete => {
                self.turn_complete = true;
                self.speak_backlog();
                Fact::TurnComplete
            }
            EngineEvent::Interrupted => {
                self.interrupt();
                Fact::Interrupted
            }
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

    fn take_audio(&mut self, samples: Vec<i16>) -> Fact {
        let length = Duration::from_micros(samples.len() as u64 * 1_000_000 / u64::from(self.rates.output_rate.max(1)));
        let samples = match &mut self.speech {
            Some(converter) => converter.convert(&samples),
            None => samples,
        };
        self.speaking = true;
        self.turn_complete = false;
        self.backlog.push_back(samples);
        self.speak_backlog();
        Fact::Audio { length, ear_delay: self.ear_delay }
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

    /// The caller speaks: what is queued is not played, and the session is told what was.
    fn interrupt(&mut self) {
        self.backlog.clear();
        self.turn_complete = false;
        let Some(Line { voice, .. }) = &mut self.line else { return };
        let heard = voice.played().saturating_sub(self.drained_at).saturating_sub(NOT_HEARD_YET);
        voice.flush();
        if self.speaking {
            self.session.cut_off(heard);
            self.tell_drained();
        }
    }

    fn tell_drained(&mut self) {
        if let Some(Line { voice, .. }) = &self.line {
            self.drained_at = voice.played();
        }
        if std::mem::take(&mut self.speaking) {
            self.session.playout_drained();
        }
    }

    fn on_drained(&mut self) -> Option<Fact> {
        self.tell_drained();
        std::mem::take(&mut self.draining).then_some(Fact::Drained)
    }
}

/// What the voice can be waited for.
enum Wake {
    Room,
    Drained,
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
