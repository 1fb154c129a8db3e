//! The lab's Gemini Live for the demo: it speaks with the offline voice and knows what Maria will say.

use crate::call::rates::Converter;
use crate::config::engines::Gemini;
use anyhow::Context;
use callie_ai::local::Synthesiser;
use callie_domain::Secret;
use callie_lab::gemini::{Converse, Exchange, FakeGemini, FakeGeminiOptions, SPEECH_RATE_HZ, Script, Speech};
use callie_lab::samples::Line;
use tokio::sync::mpsc;

/// Of the offline voice.
const NARROW_HZ: u32 = 8_000;

/// Maria's call takes these turns; whoever calls next gets the same.
pub async fn start() -> anyhow::Result<FakeGemini> {
    let voice = Synthesiser::start()?;
    let name_and_matter = format!("{} {}", Line::Maria1.words(), Line::Maria2.words());
    let script = Converse {
        greeting: Some(speak(&voice, "Hi! This is Alice's assistant. How can I help you?").await?),
        exchanges: vec![
            Exchange::new(
                &name_and_matter,
                speak(&voice, "Thank you, Maria Lopez. The invoice has the wrong address on it. Is that right?").await?,
            ),
            Exchange::new(Line::Maria3.words(), speak(&voice, "I will pass it on. Goodbye.").await?).then_end_call(),
        ],
        beyond: Some(speak(&voice, "Thank you. Goodbye.").await?),
        ..Converse::default()
    };
    let options = FakeGeminiOptions { script: Script::Converse(script), ..FakeGeminiOptions::default() };
    FakeGemini::start(options).await.context("the stand-in for Gemini Live does not start")
}

/// How the server reaches it.
pub fn settings(stand_in: &FakeGemini) -> Gemini {
    let options = FakeGeminiOptions::default();
    let model = options.models.first().map_or("gemini-3.8-live", |model| model.trim_start_matches("models/")).to_owned();
    Gemini { api_key: Secret::new(options.api_key), model, base_url: stand_in.base_url() }
}

async fn speak(voice: &Synthesiser, words: &str) -> anyhow::Result<Speech> {
    let (reply, mut spoken) = mpsc::channel(1);
    voice.speak(words.to_owned(), reply)?;
    let narrow = spoken.recv().await.context("the offline voice gave nothing")?;
    let wide = Converter::between(NARROW_HZ, SPEECH_RATE_HZ as u32).map(|mut converter| converter.convert(&narrow));
    Ok(Speech::new(words, &wide.unwrap_or(narrow)))
}
