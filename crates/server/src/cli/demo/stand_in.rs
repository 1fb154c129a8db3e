//! The lab's Gemini Live and OpenAI Realtime for the demo: they speak with the offline voice and know what Maria will say.

use crate::call::rates::Converter;
use crate::config::engines::{DefaultEngine, Engines, Gemini, OpenAi};
use anyhow::Context;
use callie_ai::local::Synthesiser;
use callie_ai::openai::Dialect;
use callie_domain::Secret;
use callie_lab::gemini::{FakeGemini, FakeGeminiOptions, SPEECH_RATE_HZ, Script, Speech};
use callie_lab::openai::{FakeOpenAi, FakeOpenAiOptions};
use callie_lab::samples::Line;
use callie_lab::{gemini, openai};
use tokio::sync::mpsc;

/// Of the offline voice.
const NARROW_HZ: u32 = 8_000;

/// Begins every hint, as engines tell it.
const HINT: &str = "private note of your supervisor";

/// A service on this machine.
pub enum StandIn {
    Gemini(FakeGemini),
    OpenAi(FakeOpenAi),
}

/// What the service says, in turn. Whoever calls after Maria gets the same.
struct Lines {
    greeting: Speech,
    answer: Speech,
    goodbye: Speech,
    beyond: Speech,
    /// Upon a hint, whatever is in it.
    heeded: Speech,
}

impl StandIn {
    pub async fn of_gemini() -> anyhow::Result<Self> {
        let Lines { greeting, answer, goodbye, beyond, heeded } = Lines::spoken().await?;
        let script = gemini::Converse {
            greeting: Some(greeting),
            exchanges: vec![
                gemini::Exchange::new(&name_and_matter(), answer),
                gemini::Exchange::new(Line::Maria3.words(), goodbye).then_end_call(),
            ],
            beyond: Some(beyond),
            texts: vec![(HINT.to_owned(), gemini::Exchange::new("", heeded))],
            ..gemini::Converse::default()
        };
        let options = FakeGeminiOptions { script: Script::Converse(script), ..FakeGeminiOptions::default() };
        let fake = FakeGemini::start(options).await.context("the stand-in for Gemini Live does not start")?;
        Ok(Self::Gemini(fake))
    }

    pub async fn of_openai() -> anyhow::Result<Self> {
        let Lines { greeting, answer, goodbye, beyond, heeded } = Lines::spoken().await?;
        let script = openai::Converse {
            greeting: Some(greeting),
            exchanges: vec![
                openai::Exchange::new(&name_and_matter(), answer),
                openai::Exchange::new(Line::Maria3.words(), goodbye).then_end_call(),
            ],
            beyond: Some(beyond),
            texts: vec![(HINT.to_owned(), openai::Exchange::new("", heeded))],
            ..openai::Converse::default()
        };
        let options = FakeOpenAiOptions { script, ..FakeOpenAiOptions::default() };
        let fake = FakeOpenAi::start(options).await.context("the stand-in for OpenAI Realtime does not start")?;
        Ok(Self::OpenAi(fake))
    }

    pub async fn stop(self) {
        match self {
            Self::Gemini(fake) => fake.stop().await,
            Self::OpenAi(fake) => fake.stop().await,
        }
    }

    /// The server reaches it, and it talks.
    pub fn set_up(&self, engines: &mut Engines) {
        match self {
            Self::Gemini(fake) => {
                let FakeGeminiOptions { api_key, models, .. } = FakeGeminiOptions::default();
                let model = models.first().map_or("gemini-3.8-live", |model| model.trim_start_matches("models/")).to_owned();
                engines.default = DefaultEngine::Gemini;
                engines.gemini = Some(Gemini::with_key(Secret::new(api_key), model, fake.base_url()));
            }
            Self::OpenAi(fake) => {
                engines.default = DefaultEngine::OpenAi;
                engines.openai = Some(OpenAi {
                    api_key: Some(Secret::new(FakeOpenAiOptions::default().api_key)),
                    dialect: Dialect::DEFAULT.to_owned(),
                    model: None,
                    base_url: Some(fake.base_url()),
                    turn_detection: "server_vad".to_owned(),
                });
            }
        }
    }
}

impl Lines {
    async fn spoken() -> anyhow::Result<Self> {
        let voice = Synthesiser::start()?;
        Ok(Self {
            greeting: speak(&voice, "Hi! This is Alice's assistant. How can I help you?").await?,
            answer: speak(&voice, "Thank you, Maria Lopez. The invoice has the wrong address on it. Is that right?").await?,
            goodbye: speak(&voice, "I will pass it on. Goodbye.").await?,
            beyond: speak(&voice, "Thank you. Goodbye.").await?,
            heeded: speak(&voice, "One more thing: we could come on Tuesday at ten. Would that suit you?").await?,
        })
    }
}

fn name_and_matter() -> String {
    format!("{} {}", Line::Maria1.words(), Line::Maria2.words())
}

async fn speak(voice: &Synthesiser, words: &str) -> anyhow::Result<Speech> {
    let (reply, mut spoken) = mpsc::channel(1);
    voice.speak(words.to_owned(), reply)?;
    let narrow = spoken.recv().await.context("the offline voice gave nothing")?;
    let wide = Converter::between(NARROW_HZ, SPEECH_RATE_HZ as u32).map(|mut converter| converter.convert(&narrow));
    Ok(Speech::new(words, &wide.unwrap_or(narrow)))
}
