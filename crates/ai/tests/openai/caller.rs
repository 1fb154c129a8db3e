//! The call's side of a session: a caller who speaks and hears frame by frame, with a playout of samples as the bridge has one.

use callie_ai::{Brief, Engine, EngineCause, EngineError, EngineEvent, EngineSession, OpenAiEngine, OpenAiOptions};
use callie_domain::Secret;
use callie_lab::analysis::tone_share;
use callie_lab::openai::{Converse, Exchange, FakeOpenAi, FakeOpenAiOptions, Speech};
use callie_lab::samples::Line;
use std::{collections::VecDeque, future::poll_fn, time::Duration};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval};

/// Whatever a test waits for must have happened by then.
pub const PATIENCE: Duration = Duration::from_secs(30);
const FRAME: Duration = Duration::from_millis(20);
/// Samples of a frame at 8 kHz.
const SAMPLES: usize = 160;

pub async fn fake(script: Converse) -> FakeOpenAi {
    FakeOpenAi::start(FakeOpenAiOptions { script, ..FakeOpenAiOptions::default() }).await.expect("a free port")
}

pub fn tone(words: &str, hz: f64, ms: u64) -> Speech {
    Speech::tone(words, hz, Duration::from_millis(ms))
}

/// A greeting of 500 Hz, then answers of 700, 900 … Hz.
pub fn script(answers: &[&str]) -> Converse {
    let heard = [Line::Maria1, Line::Maria3, Line::Tom2];
    let answer =
        |(index, words): (usize, &&str)| Exchange::new(heard[index % 3].words(), tone(words, 700.0 + 200.0 * index as f64, 800));
    Converse {
        greeting: Some(tone("Hello, this is Alice.", 500.0, 700)),
        exchanges: answers.iter().enumerate().map(answer).collect(),
        ..Converse::default()
    }
}

pub fn options(fake: &FakeOpenAi) -> OpenAiOptions {
    OpenAiOptions { base_url: Some(fake.base_url()), ..OpenAiOptions::new(Secret::new("sk-lab")) }
}

pub fn brief() -> Brief {
    Brief {
        greeting: "Hello, this is Alice.".into(),
        display_name: "Alice".into(),
        instructions: Some("Be brief.".into()),
        model: None,
        voice: None,
        language: None,
        remote_party: "bob".into(),
        outbound: false,
        transfer_targets: Vec::new(),
        tools: callie_ai::tools::Toolbox::default(),
        temperature: None,
        history: Vec::new(),
    }
}

/// One call. Time passes in it only while something is waited for.
pub struct Caller {
    pub session: Box<dyn EngineSession>,
    ticks: Interval,
    /// Samples of a frame.
    frame: usize,
    /// What the caller says next; then they are silent.
    mouth: VecDeque<i16>,
    /// What is to be played, and what was played since it was empty last.
    playout: VecDeque<i16>,
    played: usize,
    speaking: bool,
    /// Everything the caller has heard.
    pub heard: Vec<i16>,
    pub events: Vec<(Instant, EngineEvent)>,
}

impl Caller {
    pub async fn call(fake: &FakeOpenAi) -> Self {
        Self::with(options(fake), brief()).await.expect("a session")
    }

    pub async fn with(options: OpenAiOptions, brief: Brief) -> Result<Self, EngineError> {
        let session = OpenAiEngine::new(options)?.open(brief).await?;
        let mut ticks = interval(FRAME);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        Ok(Self {
            session,
            ticks,
            frame: SAMPLES,
            mouth: VecDeque::new(),
            playout: VecDeque::new(),
            played: 0,
            speaking: false,
            heard: Vec::new(),
            events: Vec::new(),
        })
    }

    /// Longer frames for longer calls.
    pub fn in_frames_of(mut self, length: Duration) -> Self {
        self.frame = length.as_millis() as usize * 8;
        self.ticks = interval(length);
        self.ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        self
    }

    /// A call whose greeting has been heard.
    pub async fn greeted(fake: &FakeOpenAi) -> Self {
        let mut caller = Self::call(fake).await;
        caller.session.start();
        caller.until("the greeting was heard", |caller| caller.hears(500.0) > ms(600) && caller.is_quiet()).await;
        caller
    }

    pub fn say(&mut self, line: Line) {
        self.say_samples(&line.samples());
    }

    pub fn say_samples(&mut self, samples: &[i16]) {
        self.mouth.extend(samples);
    }

    /// Waits while the call goes on.
    pub async fn until(&mut self, what: &str, reached: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !reached(self) {
            assert!(Instant::now() < deadline, "{what} did not happen; {:#?}", self.story());
            let Self { session, ticks, .. } = self;
            tokio::select! {
                biased;
                event = poll_fn(|context| session.poll_event(context)) => self.take(event),
                _ = ticks.tick() => self.tick(),
            }
        }
    }

    pub async fn passes(&mut self, time: Duration) {
        let end = Instant::now() + time;
        self.until("time", |_| Instant::now() >= end).await;
    }

    fn tick(&mut self) {
        let frame: Vec<i16> = (0..self.frame).map(|_| self.mouth.pop_front().unwrap_or(2)).collect();
        self.session.hear(&frame);
        let count = self.playout.len().min(self.frame);
        self.heard.extend(self.playout.drain(..count).chain(std::iter::repeat_n(0, self.frame - count)));
        self.played += count;
        if self.speaking && self.playout.is_empty() {
            self.drained();
        }
    }

    fn drained(&mut self) {
        (self.speaking, self.played) = (false, 0);
        self.session.playout_drained();
    }

    fn take(&mut self, event: EngineEvent) {
        match &event {
            EngineEvent::Audio(samples) => {
                self.speaking = true;
                self.playout.extend(samples);
            }
            EngineEvent::Interrupted => {
                self.playout.clear();
                if self.speaking {
                    self.session.cut_off(Duration::from_micros(self.played as u64 * 125));
                    self.drained();
                }
            }
            _ => {}
        }
        let event = if let EngineEvent::Audio(samples) = event { EngineEvent::Audio(vec![samples.len() as i16]) } else { event };
        self.events.push((Instant::now(), event));
    }

    /// For how long a tone of this pitch was heard.
    pub fn hears(&self, hz: f64) -> Duration {
        let frames =
            self.heard.chunks(SAMPLES).filter(|frame| callie_lab::analysis::is_voiced(frame) && tone_share(frame, hz) > 0.8);
        FRAME * u32::try_from(frames.count()).unwrap_or(u32::MAX)
    }

    /// For how long anything was heard.
    pub fn voiced(&self) -> Duration {
        let frames = self.heard.chunks(SAMPLES).filter(|frame| callie_lab::analysis::is_voiced(frame));
        FRAME * u32::try_from(frames.count()).unwrap_or(u32::MAX)
    }

    /// Nobody speaks.
    pub fn is_quiet(&self) -> bool {
        self.playout.is_empty() && self.mouth.is_empty()
    }

    pub fn count(&self, wanted: impl Fn(&EngineEvent) -> bool) -> usize {
        self.events.iter().filter(|(_, event)| wanted(event)).count()
    }

    pub fn has(&self, wanted: &EngineEvent) -> bool {
        self.events.iter().any(|(_, event)| event == wanted)
    }

    pub fn said(&self) -> String {
        self.events
            .iter()
            .filter_map(|(_, event)| if let EngineEvent::Said(text) = event { Some(text.as_str()) } else { None })
            .collect()
    }

    pub fn words_heard(&self) -> Vec<&str> {
        self.events
            .iter()
            .filter_map(|(_, event)| if let EngineEvent::Heard(text) = event { Some(text.as_str()) } else { None })
            .collect()
    }

    pub fn notices(&self) -> Vec<&str> {
        self.events
            .iter()
            .filter_map(|(_, event)| if let EngineEvent::Notice(text) = event { Some(text.as_str()) } else { None })
            .collect()
    }

    pub fn changes(&self) -> usize {
        self.count(|event| matches!(event, EngineEvent::SessionChanged { resumed: false, .. }))
    }

    pub fn failure(&self) -> Option<EngineCause> {
        self.events.iter().find_map(|(_, event)| if let EngineEvent::Failed(error) = event { Some(error.cause) } else { None })
    }

    /// What happened, without the audio.
    pub fn story(&self) -> Vec<&EngineEvent> {
        self.events.iter().map(|(_, event)| event).filter(|event| !matches!(event, EngineEvent::Audio(_))).collect()
    }
}

pub fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}
