//! The offline engine: what it has, what it lacks and why, and how it opens sessions.

use super::{
    announcement::Announcement,
    conversation::Conversation,
    ears,
    listening::Listening,
    mouth::Mouth,
    recogniser::{Transcriber, Weights},
    synthesiser::{SAMPLE_RATE, Synthesiser},
};
use crate::chat::{ChatClient, ChatOptions, Talk};
use crate::{Brief, Capabilities, Engine, EngineError, EngineSession};
use async_trait::async_trait;
use std::path::PathBuf;

/// What the engine may use besides what is built in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LocalOptions {
    /// Where `scripts/models.sh` has put the recogniser's weights; without them the engine does not understand the caller.
    pub models_dir: Option<PathBuf>,
    /// A chat model to answer; without one there is the built-in receptionist.
    pub chat: Option<ChatOptions>,
}

/// The engine that is always there.
#[derive(Debug, Clone)]
pub struct LocalEngine {
    synthesiser: Synthesiser,
    /// Or why there is none.
    transcriber: Result<Transcriber, String>,
    chat: Option<ChatClient>,
}

impl LocalEngine {
    pub const NAME: &'static str = "local";

    /// Loads voice and weights: about half a second.
    ///
    /// # Errors
    /// When the voice does not load, or the chat endpoint's address is none. Weights that are missing are a
    /// [limitation](Self::limitation), no error.
    pub fn start(options: LocalOptions) -> Result<Self, EngineError> {
        let transcriber = match &options.models_dir {
            None => Err("no folder for speech recognition weights is set".to_owned()),
            Some(folder) => Weights::find(folder).and_then(|weights| Transcriber::start(&weights)).map_err(|e| e.to_string()),
        };
        let chat = options.chat.map(ChatClient::new).transpose()?;
        Ok(Self { synthesiser: Synthesiser::start()?, transcriber, chat })
    }

    /// Why the engine does not understand the caller, when it does not.
    pub fn limitation(&self) -> Option<String> {
        let why = self.transcriber.as_ref().err()?;
        Some(format!("the offline engine greets and records but does not understand the caller: {why}"))
    }

    /// What it consists of, for logs and the API.
    pub fn describe(&self) -> String {
        match (&self.transcriber, &self.chat) {
            (Err(_), _) => "offline engine: flite kal voice, announces and records".into(),
            (Ok(_), None) => "offline engine: flite kal voice, moonshine tiny, built-in receptionist".into(),
            (Ok(_), Some(chat)) => format!("offline engine: flite kal voice, moonshine tiny, chat model {}", chat.model()),
        }
    }
}

#[async_trait]
impl Engine for LocalEngine {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn capabilities(&self) -> Capabilities {
        let listens = self.transcriber.is_ok();
        let input_rate = if listens { ears::SAMPLE_RATE } else { SAMPLE_RATE };
        Capabilities { listens, detects_interruption: listens, input_rate, output_rate: SAMPLE_RATE }
    }

    /// Returns when the first sentence of the greeting is ready to be played.
    async fn open(&self, brief: Brief) -> Result<Box<dyn EngineSession>, EngineError> {
        let mouth = Mouth::new(self.synthesiser.clone());
        let Ok(transcriber) = &self.transcriber else {
            return Ok(Box::new(Announcement::open(mouth, brief).await?));
        };
        let talk = self.chat.clone().map(|client| Talk::new(client, &brief));
        Ok(Box::new(Conversation::open(mouth, Listening::new(transcriber.clone()), talk, brief).await?))
    }
}
