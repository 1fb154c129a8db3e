//! `/tools`: what the agent can do in a call besides talking.

use super::FirstVersionApi;
use crate::api::state::{ServerInfo, Users};
use crate::first_version::tools::{self as toolbox, ToolInfo};
use axum::{Json, extract::State};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// The tools of who talks for user `primary`.
#[derive(Debug, Serialize, ToSchema)]
pub struct Tools {
    pub function_calling_enabled: bool,
    pub tool_count: usize,
    /// By name.
    pub tools: BTreeMap<String, ToolDocument>,
    pub summary: String,
}

/// One tool.
#[derive(Debug, Serialize, ToSchema)]
pub struct ToolDocument {
    #[schema(example = "end_call")]
    pub name: String,
    /// As the model reads it.
    pub description: String,
    /// JSON Schema of its arguments.
    #[schema(value_type = Object)]
    pub parameters: Value,
}

/// Lists the tools that the agent may use in a call.
#[utoipa::path(get, path = "/tools", operation_id = "first_version_tools", tag = "first version", responses((status = 200, body = Tools)))]
pub async fn tools(
    State(users): State<Users>,
    State(info): State<ServerInfo>,
    State(first_version): State<FirstVersionApi>,
) -> Json<Tools> {
    let view = users.watch().borrow().clone();
    let user = first_version.primary(&view).ok();
    let engine = FirstVersionApi::engine(&info, user.as_deref());
    let enabled = FirstVersionApi::uses_tools(engine);
    let tools = if enabled { documents() } else { BTreeMap::new() };
    let summary = match (engine, enabled) {
        (Some(engine), true) => format!("{} may use {} in a call", engine.name, names(&tools)),
        _ => format!(
            "the offline engine uses no tools; with GEMINI_API_KEY or OPENAI_API_KEY the agent has {}",
            names(&documents())
        ),
    };
    Json(Tools { function_calling_enabled: enabled, tool_count: tools.len(), tools, summary })
}

/// Of an agent that uses tools and whose user chooses none.
pub fn documents() -> BTreeMap<String, ToolDocument> {
    let document = |ToolInfo { name, description, parameters }| (name.clone(), ToolDocument { name, description, parameters });
    toolbox::usual().into_iter().map(document).collect()
}

fn names(tools: &BTreeMap<String, ToolDocument>) -> String {
    tools.keys().map(String::as_str).collect::<Vec<_>>().join(", ")
}
