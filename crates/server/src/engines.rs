//! The conversation engines of this server, from its configuration: the offline one always, Gemini Live and OpenAI Realtime
//! with a key.

mod google_tokens;

use crate::{
    api::{EngineDetail, EngineInfo},
    call::Engines,
    config::{
        self,
        engines::{DefaultEngine, GeminiAccess, LocalVoice},
    },
};
use anyhow::Context;
use callie_ai::{
    Engine, GeminiEngine, GeminiOptions, LocalEngine, LocalOptions, OpenAiEngine, OpenAiOptions, VoiceChoice, gemini::Vertex,
};
use callie_domain::{Offer, Secret};
use google_tokens::GoogleTokens;
use std::sync::Arc;

/// The engines and what the status tells of them.
pub struct Talkers {
    pub engines: Engines,
    pub infos: Arc<[EngineInfo]>,
    /// Of each engine that there is.
    pub offers: Arc<[(&'static str, Offer)]>,
    /// The offline one, when these are the server's own.
    pub local: Option<LocalEngine>,
}

/// Engines that a caller has made, for tests and measurements.
impl From<Engines> for Talkers {
    fn from(engines: Engines) -> Self {
        Self { engines, infos: Arc::default(), offers: Arc::default(), local: None }
    }
}

impl Talkers {
    pub fn start(config: &config::engines::Engines) -> anyhow::Result<Self> {
        let local = LocalEngine::start(local_options(config)).context("the offline engine does not start")?;
        if let Some(limitation) = local.limitation() {
            tracing::warn!("{limitation}");
        }
        let mut infos = vec![EngineInfo {
            name: LocalEngine::NAME,
            detail: EngineDetail::of({
                let local = local.clone();
                move || local.describe()
            }),
            default: config.default == DefaultEngine::Local,
        }];
        // What an engine offers before there is a key for it, then what it does.
        let mut offers = vec![
            (LocalEngine::NAME, local.offer()),
            (GeminiEngine::NAME, GeminiEngine::known()),
            (OpenAiEngine::NAME, OpenAiEngine::known()),
        ];
        let offline: Arc<dyn Engine> = Arc::new(local.clone());
        let mut others: Vec<Arc<dyn Engine>> = Vec::new();
        if let Some(gemini) = &config.gemini {
            let mut options = gemini_options(gemini)?;
            options.temperature = config.temperature;
            let engine = GeminiEngine::new(options).context("Gemini Live cannot be used")?;
            infos.push(EngineInfo {
                name: GeminiEngine::NAME,
                detail: describe(gemini).into(),
                default: config.default == DefaultEngine::Gemini,
            });
            others.push(Arc::new(engine));
        }
        if let Some(openai) = &config.openai {
            let engine = OpenAiEngine::new(openai_options(openai)).context("OpenAI Realtime cannot be used")?;
            infos.push(EngineInfo {
                name: OpenAiEngine::NAME,
                detail: engine.describe().into(),
                default: config.default == DefaultEngine::OpenAi,
            });
            others.push(Arc::new(engine));
        }
        for engine in &others {
            offers.retain(|(name, _)| *name != engine.name());
            offers.push((engine.name(), engine.offer()));
        }
        for info in &infos {
            tracing::info!(engine = info.name, default = info.default, "{}", info.detail.text());
        }
        Ok(Self {
            engines: arrange(offline, others, config.default),
            infos: infos.into(),
            offers: offers.into(),
            local: Some(local),
        })
    }
}

fn gemini_options(gemini: &config::Gemini) -> anyhow::Result<GeminiOptions> {
    let mut options = match &gemini.access {
        GeminiAccess::Key(key) => GeminiOptions::new(key.clone()),
        GeminiAccess::Vertex(vertex) => {
            let tokens = Arc::new(GoogleTokens::read(vertex.credentials.as_deref())?);
            GeminiOptions::vertex(Vertex { project: vertex.project.clone(), location: vertex.location.clone(), tokens })
        }
    };
    options.model.clone_from(&gemini.model);
    options.base_url.clone_from(&gemini.base_url);
    Ok(options)
}

fn describe(gemini: &config::Gemini) -> String {
    let way = match &gemini.access {
        GeminiAccess::Key(_) => String::new(),
        GeminiAccess::Vertex(vertex) => format!(", through project {} in {}", vertex.project, vertex.location),
    };
    format!("Gemini Live, model {}{way}", gemini.model)
}

fn openai_options(openai: &config::OpenAi) -> OpenAiOptions {
    let mut options = OpenAiOptions::new(openai.api_key.clone().unwrap_or_else(|| Secret::new("")));
    options.dialect.clone_from(&openai.dialect);
    options.model.clone_from(&openai.model);
    options.base_url.clone_from(&openai.base_url);
    options.turn_detection.clone_from(&openai.turn_detection);
    options
}

fn local_options(config: &config::engines::Engines) -> LocalOptions {
    let chat = config.chat.as_ref().map(config::Chat::options);
    let voice = match config.voice {
        LocalVoice::Flite => VoiceChoice::Flite,
        LocalVoice::Kokoro => VoiceChoice::Kokoro,
        LocalVoice::Auto => VoiceChoice::Auto,
    };
    LocalOptions { models_dir: config.models_dir.clone(), voice, voice_dir: config.voice_dir.clone(), chat }
}

/// The offline engine takes over from every other.
fn arrange(local: Arc<dyn Engine>, others: Vec<Arc<dyn Engine>>, default: DefaultEngine) -> Engines {
    let first = others.iter().find(|engine| engine.name() == default.name()).unwrap_or(&local).clone();
    let mut engines = Engines::new(first);
    for engine in others {
        engines = engines.with(engine);
    }
    engines.with_fallback(local)
}
