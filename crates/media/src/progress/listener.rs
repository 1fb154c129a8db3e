//! One call's listening, frame by frame.

use super::{
    bursts::Bursts,
    cadence::Cadence,
    plans::Plan,
    special::{SitClass, Special, Specials},
    spectrum::{BLOCK, Spectrum},
    talk::Talk,
};
use crate::{FRAME, FRAME_SAMPLES};
use std::{collections::VecDeque, fmt, time::Duration};

/// What one frame can bring: a signal of each block, one that was waiting, a mark.
const PENDING: usize = 4;

/// What a tone says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// A tone of a country's plan; told again with each further burst.
    Progress(&'static Plan),
    Special(SitClass),
    /// A fax machine that calls (CNG).
    FaxCalling,
    /// A fax machine or a modem that answers (CED).
    FaxAnswering,
    /// One short tone by itself; told 100 ms after its end.
    Beep {
        hertz: u16,
        length: Duration,
    },
}

/// What was heard; `ago` counts back from the frame that was given last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    Signal(Signal),
    /// Talk began or ended, known 100 ms and 240 ms later.
    Talk {
        on: bool,
        ago: Duration,
    },
}

/// See the module. Allocates once.
#[derive(Debug)]
pub struct ProgressListener {
    spectrum: Spectrum,
    bursts: Bursts,
    cadence: Cadence,
    specials: Specials,
    talk: Talk,
    now_ms: u32,
    heard: VecDeque<Heard>,
}

impl Default for ProgressListener {
    fn default() -> Self {
        Self {
            spectrum: Spectrum::default(),
            bursts: Bursts::default(),
            cadence: Cadence::default(),
            specials: Specials::default(),
            talk: Talk::default(),
            now_ms: 0,
            heard: VecDeque::with_capacity(PENDING),
        }
    }
}

impl ProgressListener {
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next 20 ms at 8 kHz, of this level.
    pub fn hear(&mut self, frame: &[f32; FRAME_SAMPLES], rms: f32) {
        let mut tones = 0;
        for block in frame.as_chunks::<BLOCK>().0 {
            self.now_ms += 10;
            let (sound, energy) = self.spectrum.hear(block);
            if let Some(burst) = self.bursts.hear(sound, energy) {
                let plan = self.cadence.hear(burst);
                self.tell(plan.map(Signal::Progress));
                let special = self.specials.hear(burst);
                self.tell(special.map(Signal::from));
            }
            let special = self.specials.pass(self.now_ms, self.bursts.now());
            self.tell(special.map(Signal::from));
            tones += u32::from(self.bursts.sounds());
        }
        if let Some(mark) = self.talk.hear(rms, tones > 0) {
            self.push(Heard::Talk { on: mark.on, ago: FRAME * mark.frames_ago });
        }
    }

    /// What the last frames brought; ask until there is nothing.
    pub fn poll(&mut self) -> Option<Heard> {
        self.heard.pop_front()
    }

    fn tell(&mut self, signal: Option<Signal>) {
        if let Some(signal) = signal {
            self.push(Heard::Signal(signal));
        }
    }

    fn push(&mut self, heard: Heard) {
        if self.heard.len() < PENDING {
            self.heard.push_back(heard);
        }
    }
}

impl From<Special> for Signal {
    fn from(special: Special) -> Self {
        match special {
            Special::Sit(class) => Self::Special(class),
            Special::FaxCalling => Self::FaxCalling,
            Special::FaxAnswering => Self::FaxAnswering,
            Special::Beep { hertz, length_ms } => Self::Beep { hertz, length: Duration::from_millis(length_ms.into()) },
        }
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Progress(plan) => write!(f, "{plan}"),
            Self::Special(class) => write!(f, "special information tone ({})", class.name()),
            Self::FaxCalling => f.write_str("fax calling tone (1100 Hz)"),
            Self::FaxAnswering => f.write_str("fax answering tone (2100 Hz)"),
            Self::Beep { hertz, length } => write!(f, "beep of {hertz} Hz, {} ms", length.as_millis()),
        }
    }
}
