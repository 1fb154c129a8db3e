//! The conversation engines that a user may ask for, and whether this server has them.

use super::state::ServerInfo;
use super::words::EngineWord;
use callie_domain::user::ENGINES;
use serde::Serialize;
use utoipa::ToSchema;

/// A conversation engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct EngineDocument {
    #[schema(value_type = EngineWord, example = "gemini")]
    pub name: &'static str,
    /// This server has it. Users who ask for one that it has not get the default engine.
    pub available: bool,
    /// Talks for users who ask for none.
    pub default: bool,
    /// What it is, or what it lacks.
    pub detail: String,
}

/// Every engine that there is.
pub fn documents(info: &ServerInfo) -> Vec<EngineDocument> {
    ENGINES.into_iter().map(|name| document(info, name)).collect()
}

fn document(info: &ServerInfo, name: &'static str) -> EngineDocument {
    match info.engines.iter().find(|engine| engine.name == name) {
        Some(engine) => EngineDocument { name, available: true, default: engine.default, detail: engine.detail.text() },
        None => EngineDocument { name, available: false, default: false, detail: lack(name).to_owned() },
    }
}

fn lack(name: &str) -> &'static str {
    match name {
        "gemini" => "there is no key: set GEMINI_API_KEY",
        "openai" => "there is no key: set OPENAI_API_KEY",
        _ => "does not run on this server; the log says why",
    }
}
