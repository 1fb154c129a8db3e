//! Gemini at the seam: opens a session for each call.

use super::{
    connect::Connector,
    conversation::Conversation,
    family::Family,
    instruction,
    options::GeminiOptions,
    refusal::Refusals,
    session::GeminiSession,
    socket::{Outbox, Socket},
    wire::{downlink, setup::Setup, uplink},
};
use crate::{Brief, Capabilities, Engine, EngineCause, EngineError, EngineSession};
use async_trait::async_trait;
use jiff::Zoned;
use std::sync::Arc;

/// How much of the caller's audio may wait for the socket, milliseconds.
const UPLINK_PATIENCE_MS: u32 = 2_000;

/// One instance serves all calls; it holds the key and nothing of a call.
#[derive(Debug)]
pub struct GeminiEngine {
    options: GeminiOptions,
    connector: Connector,
    refusals: Arc<Refusals>,
}

impl GeminiEngine {
    pub const NAME: &'static str = "gemini";

    /// Fails with [`EngineCause::Config`] where an option cannot be right. Connects to nothing.
    pub fn new(options: GeminiOptions) -> Result<Self, EngineError> {
        let refusals = Arc::new(Refusals::new(options.api_key.clone()));
        if !(20..=100).contains(&options.uplink_ms) {
            return Err(EngineError::new(EngineCause::Config, "messages of caller audio must hold 20 to 100 milliseconds"));
        }
        if options.model.trim().is_empty() {
            return Err(EngineError::new(EngineCause::Config, "the name of the Gemini model is empty"));
        }
        let connector = Connector::new(&options, refusals.clone())?;
        Ok(Self { options, connector, refusals })
    }

    fn model<'a>(&'a self, brief: &'a Brief) -> &'a str {
        brief.model.as_deref().map(str::trim).filter(|model| !model.is_empty()).unwrap_or(&self.options.model)
    }

    fn setup(&self, brief: &Brief) -> String {
        let instruction = instruction::system(brief, &Zoned::now());
        let language = brief.language.as_deref().filter(|_| self.options.send_language_code);
        Setup {
            model: self.model(brief),
            instruction: &instruction,
            voice: brief.voice.as_deref(),
            language_code: language,
            tools: &brief.tools,
            end_of_speech_ms: self.options.end_of_speech_ms,
            temperature: self.options.temperature,
        }
        .message()
    }
}

#[async_trait]
impl Engine for GeminiEngine {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { listens: true, detects_interruption: true, input_rate: uplink::RATE, output_rate: downlink::RATE }
    }

    async fn open(&self, brief: Brief) -> Result<Box<dyn EngineSession>, EngineError> {
        let stream = self.connector.open(self.setup(&brief)).await?;
        let outbox = Outbox::new((UPLINK_PATIENCE_MS / self.options.uplink_ms) as usize);
        let conversation = Conversation::new(&brief, Family::of(self.model(&brief)));
        let uplink = uplink::Uplink::new(self.options.uplink_ms);
        Ok(Box::new(GeminiSession::new(Socket::new(stream, outbox), conversation, uplink, self.refusals.clone())))
    }
}
