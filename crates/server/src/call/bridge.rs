//! Pumps audio between the media session and the engine session. There is no call logic in here: only facts rise.
//!
//! ```text
//!   Ear ─ 20 ms frames ─▶ session.hear()        session.poll_event() ─ Audio ─▶ backlog ─▶ Voice (paces itself)
//! ```

use callie_ai::{EngineError, EngineEvent, EngineSession};
use callie_domain::record::Speaker;
use callie_media::activity::ActivityDetector;
use callie_media::engine::{Ear, Voice};
use std::{collections::VecDeque, future::poll_fn};

/// Silence after which the caller's speech counts as ended, in frames of 20 ms: 600 ms.
const CALLER_PAUSE: u32 = 30;

/// What the call's task learns from the bridge.
#[derive(Debug, Clone, PartialEq)]
pub enum Fact {
    SpeechStarted(Speaker),
    SpeechEnded(Speaker, Option<String>),
    /// The agent wants to hang up once its last words are played.
    Goodbye,
    /// Everything said has been sent, after [`Bridge::drain`] asked for it.
    Drained,
    Failed(EngineError),
}

/// One call's audio on its way.
pub struct Bridge {
    session: Box<dyn EngineSession>,
    media: Option<(Ear, Voice)>,
    started: bool,
    /// Speech the voice had no room for yet.
    backlog: VecDeque<Vec<i16>>,
    /// Speech was handed to the voice and is not known to be played.
    speaking: bool,
    draining: bool,
    /// The backlog ends with the end of a turn.
    turn_complete: bool,
    /// What the agent has said since its speech started.
    said: String,
    caller: CallerActivity,
    facts: VecDeque<Fact>,
}

impl Bridge {
    pub fn new(session: Box<dyn EngineSession>) -> Self {
        Self {
            session,
            media: None,
            started: false,
            backlog: VecDeque::new(),
            speaking: false,
            draining: false,
            turn_complete: false,
            said: String::new(),
            caller: CallerActivity::default(),
            facts: VecDeque::new(),
        }
    }

    pub fn attach(&mut self, ear: Ear, voice: Voice) {
        self.media = Some((ear, voice));
        if self.started {
            self.session.start();
        }
    }

    /// The line is open: the agent begins, as soon as there is audio to begin with.
    pub fn start(&mut self) {
        if !std::mem::replace(&mut self.started, true) && self.media.is_some() {
            self.session.start();
        }
    }

    /// Asks for [`Fact::Drained`].
    pub fn drain(&mut self) {
        self.draining = true;
    }

    pub fn dtmf(&mut self, digit: char) {
        self.session.dtmf(digit);
    }

    /// Pumps until there is something to tell. Cancel safe: nothing taken is lost.
    pub async fn next(&mut self) -> Fact {
        loop {
            if let Some(fact) = self.facts.pop_front() {
                return fact;
            }
            let Self { session, media, backlog, speaking, draining, .. } = self;
            let Some((ear, voice)) = media else { return std::future::pending().await };
            let waits_for_drain = (*speaking || *draining) && backlog.is_empty();
            tokio::select! {
                biased;
                event = poll_fn(|context| session.poll_event(context)) => self.on_event(event),
                () = ear.ready() => self.hear(),
                wake = voice_wake(voice, !backlog.is_empty(), waits_for_drain) => match wake {
                    Wake::Room => self.speak_backlog(),
                    Wake::Drained => self.on_drained(),
                },
            }
        }
    }

    fn hear(&mut self) {
        let Self { session, media: Some((ear, _)), started, caller, facts, .. } = self else { return };
        while let Some(frame) = ear.pop() {
            if *started {
                session.hear(frame);
            }
            facts.extend(caller.observe(frame));
        }
    }

    fn on_event(&mut self, event: EngineEvent) {
        match event {
            EngineEvent::Audio(samples) => {
                if !std::mem::replace(&mut self.speaking, true) {
                    self.facts.push_back(Fact::SpeechStarted(Speaker::Agent));
                }
                self.turn_complete = false;
                self.backlog.push_back(samples);
            }
            EngineEvent::Said(text) => {
                if !self.said.is_empty() {
                    self.said.push(' ');
                }
                self.said.push_str(&text);
            }
            EngineEvent::TurnComplete => self.turn_complete = true,
            EngineEvent::Heard(text) => self.facts.push_back(Fact::SpeechEnded(Speaker::Caller, Some(text))),
            EngineEvent::Interrupted => self.interrupt(),
            EngineEvent::ToolUsed { .. } | EngineEvent::Usage(_) | EngineEvent::Notice(_) => {}
            EngineEvent::Goodbye => self.facts.push_back(Fact::Goodbye),
            EngineEvent::Failed(error) => self.facts.push_back(Fact::Failed(error)),
        }
        self.speak_backlog();
    }

    fn speak_backlog(&mut self) {
        let Some((_, voice)) = &mut self.media else { return };
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

    fn interrupt(&mut self) {
        self.backlog.clear();
        if let Some((_, voice)) = &mut self.media {
            voice.flush();
        }
    }

    fn on_drained(&mut self) {
        if std::mem::take(&mut self.speaking) {
            let said = std::mem::take(&mut self.said);
            self.facts.push_back(Fact::SpeechEnded(Speaker::Agent, (!said.is_empty()).then_some(said)));
            self.session.playout_drained();
        }
        if std::mem::take(&mut self.draining) {
            self.facts.push_back(Fact::Drained);
        }
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

/// Turns frames into "the caller started" and "the caller stopped".
#[derive(Debug, Default)]
struct CallerActivity {
    detector: ActivityDetector,
    speaking: bool,
    silent_frames: u32,
}

impl CallerActivity {
    fn observe(&mut self, frame: &[i16]) -> Option<Fact> {
        let speech = self.detector.is_speech(frame);
        self.silent_frames = if speech { 0 } else { self.silent_frames.saturating_add(1) };
        if speech && !self.speaking {
            self.speaking = true;
            return Some(Fact::SpeechStarted(Speaker::Caller));
        }
        if self.speaking && self.silent_frames >= CALLER_PAUSE {
            self.speaking = false;
            return Some(Fact::SpeechEnded(Speaker::Caller, None));
        }
        None
    }
}
