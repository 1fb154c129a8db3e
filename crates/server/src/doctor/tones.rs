//! The two ends of the call to itself: each says its tone without end and listens for the other's.

use async_trait::async_trait;
use callie_ai::{Brief, Capabilities, Engine, EngineError, EngineEvent, EngineSession, Prompt};
use std::{
    f32::consts::TAU,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, Waker},
};

const RATE: u32 = 8_000;
/// Samples in 20 ms, the length of the frames that are heard, and of the chunks that are said.
const FRAME: usize = 160;
/// Said ahead of what was heard, frames: a call's own jitter buffer must not run dry.
const AHEAD: u32 = 10;
/// Loud, and far from clipping.
const AMPLITUDE: f32 = 8_000.0;
/// Share of a frame's power that must lie in the tone.
const PURE: f32 = 0.5;
/// Below this a frame is silence, whatever its tone: mean square of 16-bit samples.
const QUIET: f32 = 10_000.0;

/// A tone at each end, hertz: whole periods in a frame of 20 ms, and neither a harmonic of the other nor a key's.
pub const OUT_HZ: f32 = 450.0;
pub const BACK_HZ: f32 = 1_050.0;

/// What an end has heard.
#[derive(Debug, Clone, Default)]
pub struct Heard {
    pub frames: u32,
    pub with_tone: u32,
    pub keys: String,
}

impl Heard {
    /// Of the frames since `before`, how many had the tone: 0 to 1.
    pub fn share_since(&self, before: &Self) -> f32 {
        let frames = self.frames.saturating_sub(before.frames);
        let with_tone = self.with_tone.saturating_sub(before.with_tone);
        if frames == 0 { 0.0 } else { with_tone as f32 / frames as f32 }
    }
}

/// One end.
#[derive(Debug, Clone)]
pub struct End {
    says_hz: f32,
    listens_for_hz: f32,
    heard: Arc<Mutex<Heard>>,
}

impl End {
    pub fn new(says_hz: f32, listens_for_hz: f32) -> Self {
        Self { says_hz, listens_for_hz, heard: Arc::default() }
    }

    pub fn heard(&self) -> Heard {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl Engine for End {
    fn name(&self) -> &'static str {
        "doctor"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { listens: true, detects_interruption: true, input_rate: RATE, output_rate: RATE }
    }

    async fn open(&self, _brief: Brief) -> Result<Box<dyn EngineSession>, EngineError> {
        Ok(Box::new(Session { end: self.clone(), started: false, heard: 0, said: 0, waker: None }))
    }
}

struct Session {
    end: End,
    started: bool,
    /// Frames.
    heard: u32,
    said: u32,
    waker: Option<Waker>,
}

impl Session {
    fn wake(&mut self) {
        self.waker.take().into_iter().for_each(Waker::wake);
    }
}

impl EngineSession for Session {
    fn start(&mut self) {
        self.started = true;
        self.wake();
    }

    fn hear(&mut self, samples: &[i16]) {
        self.heard += 1;
        let mut heard = self.end.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.frames += 1;
        heard.with_tone += u32::from(is_tone(samples, self.end.listens_for_hz));
        drop(heard);
        self.wake();
    }

    fn dtmf(&mut self, digit: char) {
        self.end.heard.lock().unwrap_or_else(PoisonError::into_inner).keys.push(digit);
    }

    fn prompt(&mut self, _prompt: Prompt) {}

    fn playout_drained(&mut self) {}

    fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<EngineEvent> {
        if !self.started || self.said >= self.heard + AHEAD {
            self.waker = Some(context.waker().clone());
            return Poll::Pending;
        }
        self.said += 1;
        Poll::Ready(EngineEvent::Audio(tone(self.end.says_hz)))
    }
}

/// 20 ms; the next follows without a step.
fn tone(hertz: f32) -> Vec<i16> {
    (0..FRAME).map(|n| (AMPLITUDE * (TAU * hertz * n as f32 / RATE as f32).sin()) as i16).collect()
}

/// Whether most of the frame's power lies at this frequency (Goertzel's algorithm).
fn is_tone(samples: &[i16], hertz: f32) -> bool {
    let power: f32 = samples.iter().map(|s| f32::from(*s).powi(2)).sum();
    let len = samples.len() as f32;
    if samples.is_empty() || power / len < QUIET {
        return false;
    }
    let coefficient = 2.0 * (TAU * hertz / RATE as f32).cos();
    let (mut last, mut before) = (0.0f32, 0.0f32);
    for sample in samples {
        let next = coefficient.mul_add(last, f32::from(*sample)) - before;
        (before, last) = (last, next);
    }
    let at_tone = last.mul_add(last, before * before) - coefficient * last * before;
    // A pure sine has half of len times its power there.
    2.0 * at_tone / (len * power) > PURE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tones_are_told_apart() {
        for (said, listened_for, want) in
            [(OUT_HZ, OUT_HZ, true), (BACK_HZ, BACK_HZ, true), (OUT_HZ, BACK_HZ, false), (BACK_HZ, OUT_HZ, false)]
        {
            assert_eq!(is_tone(&tone(said), listened_for), want, "{said} Hz for {listened_for} Hz");
        }
        let noise: Vec<i16> = (0..FRAME as i32).map(|n| (n * 7_919 % 16_001 - 8_000) as i16).collect();
        assert!(!is_tone(&noise, OUT_HZ) && !is_tone(&noise, BACK_HZ));
        assert!(!is_tone(&[0; FRAME], OUT_HZ) && !is_tone(&[], OUT_HZ));
    }

    #[test]
    fn an_end_says_as_much_as_it_hears_and_some_ahead() {
        let end = End::new(OUT_HZ, BACK_HZ);
        let mut session = Session { end: end.clone(), started: false, heard: 0, said: 0, waker: None };
        let mut context = Context::from_waker(Waker::noop());
        assert!(session.poll_event(&mut context).is_pending());
        session.start();
        session.hear(&tone(BACK_HZ));
        session.hear(&tone(OUT_HZ));
        session.dtmf('5');
        let said = std::iter::from_fn(|| session.poll_event(&mut context).is_ready().then_some(())).count();
        assert_eq!(said, 2 + AHEAD as usize);
        let heard = end.heard();
        assert_eq!((heard.frames, heard.with_tone, heard.keys.as_str()), (2, 1, "5"));
        assert_eq!(heard.share_since(&Heard::default()), 0.5);
    }
}
