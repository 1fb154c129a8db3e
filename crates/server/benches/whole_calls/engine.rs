//! An engine that never stops: it speaks a chord 300 ms ahead of what was heard, in chunks of 100 ms at 24 kHz, and looks at
//! every sample of the caller at 16 kHz.

use async_trait::async_trait;
use callie_ai::{Brief, Capabilities, Engine, EngineError, EngineEvent, EngineSession, Prompt};
use std::{
    hint::black_box,
    task::{Context, Poll, Waker},
};

const RATE: u32 = 24_000;
const CHUNK_MS: u32 = 100;
/// Spoken ahead of the caller's clock.
const AHEAD_MS: u32 = 300;

#[derive(Debug)]
pub struct Endless;

#[derive(Default)]
struct Session {
    started: bool,
    heard_ms: u32,
    spoken_ms: u32,
    energy: u64,
    waker: Option<Waker>,
}

#[async_trait]
impl Engine for Endless {
    fn name(&self) -> &'static str {
        "endless"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { listens: true, detects_interruption: true, input_rate: 16_000, output_rate: RATE }
    }

    async fn open(&self, _brief: Brief) -> Result<Box<dyn EngineSession>, EngineError> {
        Ok(Box::new(Session::default()))
    }
}

impl EngineSession for Session {
    fn start(&mut self) {
        self.started = true;
        self.waker.take().into_iter().for_each(Waker::wake);
    }

    fn hear(&mut self, samples: &[i16]) {
        self.energy += samples.iter().map(|s| u64::from(s.unsigned_abs())).sum::<u64>();
        black_box(self.energy);
        self.heard_ms += 20;
        self.waker.take().into_iter().for_each(Waker::wake);
    }

    fn dtmf(&mut self, _digit: char) {}

    fn prompt(&mut self, _prompt: Prompt) {}

    fn playout_drained(&mut self) {}

    fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<EngineEvent> {
        if !self.started || self.spoken_ms >= self.heard_ms + AHEAD_MS {
            self.waker = Some(context.waker().clone());
            return Poll::Pending;
        }
        let from = self.spoken_ms * RATE / 1_000;
        self.spoken_ms += CHUNK_MS;
        let samples = (from..from + RATE * CHUNK_MS / 1_000).map(|n| if n % 54 < 27 { 6_000 } else { -6_000 });
        Poll::Ready(EngineEvent::Audio(samples.collect()))
    }
}
