//! OpenAI Realtime at the seam: opens a session for each call.

use super::{
    connect::Connector,
    conversation::{Conversation, Terms},
    dialect::Dialect,
    options::OpenAiOptions,
    refusal::Refusals,
    session::{OpenAiSession, Opener},
    wire::setup::Setup,
};
use crate::{
    Brief, Capabilities, Engine, EngineCause, EngineError, EngineSession,
    realtime::{alarm::now, instruction},
};
use async_trait::async_trait;
use callie_domain::Offer;
use jiff::Zoned;
use std::sync::Arc;

/// One instance serves all calls; it holds the key and nothing of a call.
#[derive(Debug)]
pub struct OpenAiEngine {
    options: OpenAiOptions,
    dialect: Dialect,
    /// Of users who name none.
    model: String,
    connector: Arc<Connector>,
    refusals: Arc<Refusals>,
}

impl OpenAiEngine {
    pub const NAME: &'static str = "openai";

    /// Fails with [`EngineCause::Config`] where an option cannot be right. Connects to nothing.
    pub fn new(options: OpenAiOptions) -> Result<Self, EngineError> {
        let config = |why: String| EngineError::new(EngineCause::Config, why);
        if !(20..=100).contains(&options.uplink_ms) {
            return Err(config("messages of caller audio must hold 20 to 100 milliseconds".into()));
        }
        let dialect = Dialect::named(&options.dialect)
            .ok_or_else(|| config(format!("there is no dialect of that name; there are: {}", Dialect::names().join(", "))))?;
        if !dialect.turn_detections().any(|known| known == options.turn_detection) {
            let known = dialect.turn_detections().collect::<Vec<_>>().join(", ");
            return Err(config(format!("{} detects turns by: {known}", dialect.title)));
        }
        let model = options.model.clone().or_else(|| dialect.model.clone()).filter(|model| !model.trim().is_empty());
        let model = model.ok_or_else(|| config(format!("the model of {} is missing: everybody has another", dialect.title)))?;
        let refusals = Arc::new(Refusals::new(options.api_key.clone()));
        let connector = Arc::new(Connector::new(&options, dialect.clone(), refusals.clone())?);
        Ok(Self { options, dialect, model, connector, refusals })
    }

    /// What it is, for people.
    pub fn describe(&self) -> String {
        format!("{}, model {}", self.dialect.title, self.model)
    }

    /// What a user may choose, where there is no such engine yet: as with OpenAI itself.
    pub fn known() -> Offer {
        Dialect::named(Dialect::DEFAULT).map(|dialect| Self::offer_of(&dialect, dialect.model.as_deref())).unwrap_or_default()
    }

    fn offer_of(dialect: &Dialect, model: Option<&str>) -> Offer {
        let mut models = dialect.models.clone();
        if let Some(model) = model.filter(|model| !models.iter().any(|known| known == model)) {
            models.insert(0, model.to_owned());
        }
        Offer {
            title: dialect.title.clone(),
            models,
            model: model.map(str::to_owned),
            voices: dialect.voices.clone(),
            voice: dialect.voice.clone(),
            languages: Vec::new(),
            listens: true,
            takes_hints: true,
            takes_temperature: dialect.takes_temperature(),
        }
    }

    fn model_of<'a>(&'a self, brief: &'a Brief) -> &'a str {
        brief.model.as_deref().map(str::trim).filter(|model| !model.is_empty()).unwrap_or(&self.model)
    }

    fn setup(&self, brief: &Brief, instructions: &str) -> Result<String, EngineError> {
        let setup = Setup {
            dialect: &self.dialect,
            instructions,
            voice: brief.voice.as_deref(),
            language: brief.language.as_deref(),
            tools: &brief.tools,
            turn_detection: &self.options.turn_detection,
            end_of_speech_ms: self.options.end_of_speech_ms,
            temperature: brief.temperature.map(f64::from).or(self.options.temperature),
        };
        setup.message().ok_or_else(|| EngineError::new(EngineCause::Internal, "a dialect without its session"))
    }
}

#[async_trait]
impl Engine for OpenAiEngine {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn takes_hints(&self) -> bool {
        true
    }

    fn offer(&self) -> Offer {
        Self::offer_of(&self.dialect, Some(&self.model))
    }

    fn model(&self, brief: &Brief) -> Option<String> {
        Some(self.model_of(brief).to_owned())
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            listens: true,
            detects_interruption: true,
            input_rate: self.dialect.input.hertz(),
            output_rate: self.dialect.output.hertz(),
        }
    }

    async fn open(&self, brief: Brief) -> Result<Box<dyn EngineSession>, EngineError> {
        let instructions = instruction::system(&brief, &Zoned::now());
        let opener = Opener {
            connector: self.connector.clone(),
            model: self.model_of(&brief).to_owned(),
            setup: self.setup(&brief, &instructions)?,
        };
        let link = opener.open().await.map_err(|ending| ending.error)?;
        let terms = Terms {
            dialect: &self.dialect,
            brief: &brief,
            instructions,
            refusals: self.refusals.clone(),
            reconnect_budget: self.options.reconnect_budget,
            life: link.life,
        };
        let conversation = Conversation::new(terms, now());
        Ok(Box::new(OpenAiSession::new(
            opener,
            link,
            conversation,
            self.dialect.input,
            self.options.uplink_ms,
            self.refusals.clone(),
        )))
    }
}
