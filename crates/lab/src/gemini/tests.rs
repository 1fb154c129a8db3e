//! The fake as a client sees it, over real sockets.

pub mod client;
mod faults;
mod streams;
mod strict;
mod talk;
mod tools;

use super::*;
use crate::realtime::callers::{caller, silence};
use client::{Client, Event, setup};
use serde_json::{Value, json};

const DEADLINE: Duration = Duration::from_secs(10);

async fn fake(script: Script) -> FakeGemini {
    FakeGemini::start(FakeGeminiOptions { script, ..FakeGeminiOptions::default() }).await.expect("a free port")
}

fn tone(words: &str, milliseconds: u64) -> Speech {
    Speech::tone(words, 500.0, Duration::from_millis(milliseconds))
}
