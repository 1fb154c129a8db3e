//! The conversation engines of this server, from its configuration: the offline one always, Gemini Live with a key.

use crate::{
    api::EngineInfo,
    call::Engines,
    config::{self, engines::DefaultEngine},
};
use anyhow::Context;
use callie_ai::{ChatOptions, Engine, GeminiEngine, GeminiOptions, LocalEngine, LocalOptions};
use std::sync::Arc;

/// The engines and what the status tells of them.
pub struct Talkers {
    pub engines: Engines,
    pub infos: Arc<[EngineInfo]>,
}

/// Engines that a caller has made, for tests and measurements.
impl From<Engines> for Talkers {
    fn from(engines: Engines) -> Self {
        Self { engines, infos: Arc::default() }
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
            detail: local.describe(),
            default: config.default == DefaultEngine::Local,
        }];
        let local: Arc<dyn Engine> = Arc::new(local);
        let mut others: Vec<Arc<dyn Engine>> = Vec::new();
        if let Some(gemini) = &config.gemini {
            let mut options = GeminiOptions::new(gemini.api_key.clone());
            options.model.clone_from(&gemini.model);
            options.base_url.clone_from(&gemini.base_url);
            let engine = GeminiEngine::new(options).context("Gemini Live cannot be used")?;
            infos.push(EngineInfo {
                name: GeminiEngine::NAME,
                detail: format!("Gemini Live, model {}", gemini.model),
                default: config.default == DefaultEngine::Gemini,
            });
            others.push(Arc::new(engine));
        }
        for info in &infos {
            tracing::info!(engine = info.name, default = info.default, "{}", info.detail);
        }
        Ok(Self { engines: arrange(local, others, config.default), infos: infos.into() })
    }
}

fn local_options(config: &config::engines::Engines) -> LocalOptions {
    let chat = config.chat.as_ref().map(|chat| ChatOptions {
        base_url: chat.url.clone(),
        api_key: chat.key.clone(),
        model: chat.model.clone(),
    });
    LocalOptions { models_dir: config.models_dir.clone(), chat }
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
