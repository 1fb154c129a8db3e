//! A caller at the telephone, in steps of 20 ms: speaks, hears what is played, and notes when.

use super::*;
use line::Line;
use std::collections::VecDeque;

const STEP: Duration = Duration::from_millis(20);
/// Of what goes up and of what is played.
const FRAME: usize = 320;
const PLAYED: usize = 480;
/// Line noise is never quite silent.
const NOISE: [i16; FRAME] = [20; FRAME];
const VOICE: [i16; FRAME] = [3_000; FRAME];

pub struct Phone {
    pub line: Line,
    pub now: Instant,
    begun: Instant,
    playout: VecDeque<i16>,
    /// The agent's speech is not whole yet.
    turn_is_open: bool,
    played: bool,
    last_heard: Option<Instant>,
    /// The longest time for which nothing was played in the middle of a turn.
    pub longest_stutter: Duration,
    dry_since: Option<Instant>,
    log: Vec<(Instant, EngineEvent)>,
}

impl Phone {
    /// The line is open, and the agent is asked to begin.
    pub fn call(service: FakeGeminiOptions, options: GeminiOptions, brief: Brief) -> Self {
        let mut phone = Self::ringing(service, options, brief);
        phone.line.talk.start(phone.now);
        phone
    }

    pub fn ringing(service: FakeGeminiOptions, options: GeminiOptions, brief: Brief) -> Self {
        let mut now = Instant::now();
        let line = Line::open(service, options, &brief, &mut now);
        Self {
            line,
            now,
            begun: now,
            playout: VecDeque::new(),
            turn_is_open: false,
            played: true,
            last_heard: None,
            longest_stutter: Duration::ZERO,
            dry_since: None,
            log: Vec::new(),
        }
    }

    pub fn events(&self) -> impl Iterator<Item = &EngineEvent> {
        self.log.iter().map(|(_, event)| event)
    }

    /// What happened when, for who has to understand a failure.
    pub fn story(&self) -> String {
        self.log.iter().map(|(at, event)| format!("\n{:>7} ms {event:?}", (*at - self.begun).as_millis())).collect()
    }

    /// The agent's words so far.
    pub fn said(&self) -> String {
        let words =
            self.events().filter_map(|event| if let EngineEvent::Said(words) = event { Some(words.as_str()) } else { None });
        words.collect()
    }

    /// One step of the telephone. True when the agent could be heard in it.
    fn step(&mut self, speaks: bool) -> bool {
        self.line.talk.hear(if speaks { &VOICE } else { &NOISE }, self.now);
        let mut events = Vec::new();
        self.line.settle(self.now, &mut events);
        events.into_iter().for_each(|event| self.take(event));
        let heard = self.play();
        self.now += STEP;
        heard
    }

    fn take(&mut self, event: EngineEvent) {
        match event {
            EngineEvent::Audio(samples) => {
                self.playout.extend(samples);
                (self.turn_is_open, self.played) = (true, false);
                return;
            }
            EngineEvent::Interrupted => self.playout.clear(),
            EngineEvent::TurnComplete => self.turn_is_open = false,
            _ => {}
        }
        self.log.push((self.now, event));
    }

    fn play(&mut self) -> bool {
        let frame: Vec<i16> = self.playout.drain(..PLAYED.min(self.playout.len())).collect();
        let heard = frame.iter().any(|sample| sample.unsigned_abs() > 1_000);
        if heard {
            let dry = self.dry_since.take().map_or(Duration::ZERO, |since| self.now - since);
            self.longest_stutter = self.longest_stutter.max(dry);
            self.last_heard = Some(self.now);
        }
        if self.playout.is_empty() {
            if self.turn_is_open {
                self.dry_since.get_or_insert(self.now);
            } else {
                self.dry_since = None;
            }
            if !std::mem::replace(&mut self.played, true) {
                self.line.talk.playout_drained(self.now);
            }
        }
        heard
    }

    /// Says nothing for so long.
    pub fn wait(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.step(false);
        }
    }

    pub fn wait_ms(&mut self, milliseconds: u64) {
        self.wait(Duration::from_millis(milliseconds));
    }

    pub fn speak_ms(&mut self, milliseconds: u64) {
        let end = self.now + Duration::from_millis(milliseconds);
        while self.now < end {
            self.step(true);
        }
    }

    /// Listens until the agent has begun and finished. How long it took to begin.
    pub fn listen(&mut self) -> Duration {
        let begins = self.until_heard().unwrap_or_else(|| panic!("nothing was heard: {}", self.story()));
        self.until_quiet();
        begins
    }

    /// How long it takes until the agent can be heard; `None` within a minute.
    pub fn until_heard(&mut self) -> Option<Duration> {
        let start = self.now;
        while self.now - start < Duration::from_secs(60) {
            if self.step(false) {
                return Some(self.now - start);
            }
        }
        None
    }

    /// Until nothing has been heard for a fifth of a second.
    pub fn until_quiet(&mut self) {
        while self.last_heard.is_some_and(|last| self.now - last < Duration::from_millis(200)) {
            self.step(false);
        }
    }

    /// A question of a second and a quarter. How long its answer took to begin, after the end of the question.
    pub fn ask(&mut self) -> Duration {
        self.speak_ms(1_260);
        self.listen()
    }
}
