//! The offline engine: what it has, what it lacks and why, and how it opens sessions.

use super::{
    announcement::Announcement,
    conversation::Conversation,
    ears,
    kokoro::Choice,
    listening::Listening,
    mouth::Mouth,
    recogniser::{Transcriber, Weights},
    synthesiser::SAMPLE_RATE,
    voice::Voices,
};
use crate::chat::{ChatClient, ChatOptions, Talk};
use crate::{Brief, Capabilities, Engine, EngineError, EngineEvent, EngineSession};
use async_trait::async_trait;
use callie_domain::Offer;
use std::path::PathBuf;

/// What the engine may use besides what is built in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LocalOptions {
    /// Where `scripts/models.sh` has put the weights; without the recogniser's the engine does not understand the caller.
    pub models_dir: Option<PathBuf>,
    pub voice: Choice,
    /// Where greetings in the Kokoro voice are kept; none are kept without.
    pub voice_dir: Option<PathBuf>,
    /// A chat model to answer; without one there is the built-in receptionist.
    pub chat: Option<ChatOptions>,
}

/// The engine that is always there.
#[derive(Debug, Clone)]
pub struct LocalEngine {
    voices: Voices,
    /// Or why there is none.
    transcriber: Result<Transcriber, String>,
    chat: Option<ChatClient>,
}

impl LocalEngine {
    pub const NAME: &'static str = "local";

    /// Loads voice and weights: about half a second. The Kokoro voice comes later, when it is loaded and measured.
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
        let voices = Voices::start(options.voice, options.models_dir.as_deref(), options.voice_dir)?;
        Ok(Self { voices, transcriber, chat })
    }

    /// Why the engine does not understand the caller, when it does not.
    pub fn limitation(&self) -> Option<String> {
        let why = self.transcriber.as_ref().err()?;
        Some(format!("the offline engine greets and records but does not understand the caller: {why}"))
    }

    /// What it consists of at present, for logs and the API.
    pub fn describe(&self) -> String {
        let voice = self.voices.describe();
        match (&self.transcriber, &self.chat) {
            (Err(_), _) => format!("offline engine: {voice}, announces and records"),
            (Ok(_), None) => format!("offline engine: {voice}, moonshine tiny, built-in receptionist"),
            (Ok(_), Some(chat)) => format!("offline engine: {voice}, moonshine tiny, chat model {}", chat.model()),
        }
    }

    /// Waits until it is known which voice speaks: some seconds after the start when Kokoro is wanted, else no time.
    pub async fn settled(&self) {
        self.voices.settled().await;
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

    fn offer(&self) -> Offer {
        Offer {
            title: "Offline engine".to_owned(),
            models: Vec::new(),
            model: None,
            voices: self.voices.names(),
            voice: self.voices.names().into_iter().next(),
            languages: vec!["en-US".to_owned()],
            listens: self.transcriber.is_ok(),
            takes_hints: self.takes_hints(),
            takes_temperature: false,
        }
    }

    /// Returns when the first sentence of the greeting is ready to be played.
    async fn open(&self, brief: Brief) -> Result<Box<dyn EngineSession>, EngineError> {
        let (voice, said) = self.voices.for_call(brief.voice.as_deref());
        let mut mouth = Mouth::new(voice);
        if let Some(said) = said {
            mouth.report(EngineEvent::Notice(said));
        }
        let Ok(transcriber) = &self.transcriber else {
            return Ok(Box::new(Announcement::open(mouth, brief).await?));
        };
        let talk = self.chat.clone().map(|client| Talk::new(client, &brief));
        Ok(Box::new(Conversation::open(mouth, Listening::new(transcriber.clone()), talk, brief).await?))
    }
}
