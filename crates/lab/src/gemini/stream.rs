//! Patterns for measuring: the caller's own voice back, a tone without end, a turn every so often. Pure: time is an argument.

use super::reply::Reply;
use super::script::{CONTINUOUS_TONE_HZ, Exchange, Script};
use super::speech::{PIECE_SAMPLES, Piece, Speech, bare_piece, samples_last, tone};
use callie_media::resample::{Down16To8, Up8To24};
use std::time::{Duration, Instant};

#[derive(Debug)]
pub(super) enum Stream {
    None,
    Echo(Box<Echo>),
    Tone(Tone),
    Turns(Turns),
}

impl Stream {
    pub fn of(script: &Script) -> Self {
        match script {
            Script::Echo => Self::Echo(Box::default()),
            Script::Continuous { lead_ms } => Self::Tone(Tone {
                // Whole periods fit into a piece, so that it can be repeated for ever.
                piece: bare_piece(&tone(CONTINUOUS_TONE_HZ, PIECE_SAMPLES)),
                lead: Duration::from_millis((*lead_ms).into()),
                next: None,
            }),
            Script::Turns { every, speech } => Self::Turns(Turns { every: *every, speech: speech.clone(), next: None }),
            Script::Converse(_) | Script::Silent => Self::None,
        }
    }

    /// The first input has come.
    pub fn begin(&mut self, now: Instant) {
        match self {
            Self::Tone(tone) => _ = tone.next.get_or_insert_with(|| now.checked_sub(tone.lead).unwrap_or(now)),
            Self::Turns(turns) => _ = turns.next.get_or_insert(now),
            Self::None | Self::Echo(_) => {}
        }
    }

    /// Caller audio at 16 kHz.
    pub fn hear(&mut self, samples: &[i16], out: &mut Vec<Reply>) {
        if let Self::Echo(echo) = self {
            out.push(Reply::audio(&bare_piece(&echo.resample(samples))));
        }
    }

    /// What is due now: audio straight away, and a turn for the conversation.
    pub fn tick(&mut self, now: Instant, out: &mut Vec<Reply>) -> Option<Exchange> {
        match self {
            Self::Tone(tone) => {
                tone.tick(now, out);
                None
            }
            Self::Turns(turns) => turns.tick(now),
            Self::None | Self::Echo(_) => None,
        }
    }

    pub fn wake(&self) -> Option<Instant> {
        match self {
            Self::Tone(tone) => tone.next,
            Self::Turns(turns) => turns.next,
            Self::None | Self::Echo(_) => None,
        }
    }
}

/// From 16 to 24 kHz by way of 48: both converters know ratios only.
#[derive(Debug, Default)]
pub(super) struct Echo {
    up: Up8To24,
    down: Down16To8,
    /// 48 kHz samples that have no partner yet.
    rest: Vec<f32>,
}

impl Echo {
    fn resample(&mut self, samples: &[i16]) -> Vec<i16> {
        let narrow: Vec<f32> = samples.iter().copied().map(f32::from).collect();
        let held = self.rest.len();
        self.rest.resize(held + narrow.len() * 3, 0.0);
        self.up.process(&narrow, self.rest.get_mut(held..).unwrap_or_default());
        let even = self.rest.len() / 2 * 2;
        let high: Vec<f32> = self.rest.drain(..even).collect();
        let mut out = vec![0.0; even / 2];
        self.down.process(&high, &mut out);
        out.into_iter().map(|sample| sample as i16).collect()
    }
}

#[derive(Debug)]
pub(super) struct Tone {
    piece: Piece,
    lead: Duration,
    /// When the next piece is due; it is played `lead` later.
    next: Option<Instant>,
}

impl Tone {
    fn tick(&mut self, now: Instant, out: &mut Vec<Reply>) {
        while let Some(next) = self.next.filter(|next| *next <= now) {
            out.push(Reply::audio(&self.piece));
            self.next = Some(next + samples_last(self.piece.samples));
        }
    }
}

#[derive(Debug)]
pub(super) struct Turns {
    every: Duration,
    speech: Speech,
    next: Option<Instant>,
}

impl Turns {
    fn tick(&mut self, now: Instant) -> Option<Exchange> {
        let next = self.next.filter(|next| *next <= now)?;
        self.next = Some(next + self.every);
        Some(Exchange::new("", self.speech.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gemini::record::Sent;

    fn sound(replies: &[Reply]) -> usize {
        replies.iter().map(|reply| if let Sent::Audio { samples } = reply.sent { samples } else { 0 }).sum()
    }

    #[test]
    fn the_tone_stays_ahead_of_real_time() {
        let mut stream = Stream::of(&Script::Continuous { lead_ms: 500 });
        let (start, mut out) = (Instant::now(), Vec::new());
        stream.tick(start, &mut out);
        assert!(out.is_empty() && stream.wake().is_none());
        stream.begin(start);
        for (tick_ms, wanted_ms) in [(0, 600), (90, 600), (100, 700), (1000, 1600)] {
            stream.tick(start + Duration::from_millis(tick_ms), &mut out);
            assert_eq!(samples_last(sound(&out)).as_millis(), wanted_ms);
        }
    }

    #[test]
    fn the_echo_has_the_callers_pitch() {
        let mut echo = Echo::default();
        // 16 kHz; pieces whose triple is odd.
        let caller: Vec<i16> = tone(440.0, 48_000).into_iter().step_by(3).flat_map(|sample| [sample; 2]).collect();
        let heard: Vec<i16> = caller.chunks(321).flat_map(|part| echo.resample(part)).collect();
        assert!(heard.len().abs_diff(caller.len() * 3 / 2) <= 1);
        let narrow: Vec<i16> = heard.into_iter().step_by(3).collect();
        assert!(crate::analysis::tone_share(narrow.get(800..).expect("long"), 440.0) > 0.9);
    }
}
