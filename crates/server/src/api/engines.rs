//! The conversation engines that a user may ask for, and whether this server has them.

use super::state::ServerInfo;
use super::words::EngineWord;
use axum::{Json, extract::State};
use callie_domain::{Offer, user::ENGINES};
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

/// Every engine, with what users may choose of it.
#[derive(Debug, Serialize, ToSchema)]
pub struct EngineOffers {
    pub engines: Vec<EngineOffer>,
}

/// What a user may choose of an engine. Services may know more models and voices: `POST /users/{user_id}/ai/check` tells.
#[derive(Debug, Serialize, ToSchema)]
pub struct EngineOffer {
    #[schema(value_type = EngineWord, example = "gemini")]
    pub name: &'static str,
    #[schema(example = "Gemini Live")]
    pub title: String,
    /// This server has it. Users who ask for one that it has not get the default engine.
    pub available: bool,
    /// Talks for users who ask for none.
    pub default: bool,
    /// What the operator has to set before it can be used; null where nothing is missing.
    #[schema(example = "GEMINI_API_KEY")]
    pub needs: Option<&'static str>,
    /// For `ai.model`; empty where there is none to choose.
    pub models: Vec<String>,
    /// Of users who name none.
    #[schema(example = "gemini-3.8-live")]
    pub model: Option<String>,
    /// For `ai.voice`.
    pub voices: Vec<String>,
    /// Of users who name none; null where the service chooses.
    pub voice: Option<String>,
    /// Language tags (BCP 47) that it is limited to. Empty: it speaks what its instructions ask for.
    pub languages: Vec<String>,
    /// Understands the caller; without it the engine only speaks.
    pub listens: bool,
    /// Takes what `POST /calls/{call_id}/hint` whispers.
    pub takes_hints: bool,
    /// Heeds `ai.temperature`.
    pub takes_temperature: bool,
}

/// Lists the conversation engines with their models, voices and languages.
#[utoipa::path(get, path = "/engines", operation_id = "list_engines", tag = "users", responses((status = 200, body = EngineOffers)))]
pub async fn list(State(info): State<ServerInfo>) -> Json<EngineOffers> {
    Json(EngineOffers { engines: ENGINES.into_iter().map(|name| offered(&info, name)).collect() })
}

fn offered(info: &ServerInfo, name: &'static str) -> EngineOffer {
    let here = info.engines.iter().find(|engine| engine.name == name);
    let offer = info.offers.iter().find(|(of, _)| *of == name).map(|(_, offer)| offer.clone());
    let Offer { title, models, model, voices, voice, languages, listens, takes_hints, takes_temperature } =
        offer.unwrap_or_else(|| Offer { title: name.to_owned(), ..Offer::default() });
    EngineOffer {
        name,
        title,
        available: here.is_some(),
        default: here.is_some_and(|engine| engine.default),
        needs: if here.is_some() { None } else { key(name) },
        models,
        model,
        voices,
        voice,
        languages,
        listens,
        takes_hints,
        takes_temperature,
    }
}

fn key(name: &str) -> Option<&'static str> {
    match name {
        "gemini" => Some("GEMINI_API_KEY"),
        "openai" => Some("OPENAI_API_KEY"),
        _ => None,
    }
}
