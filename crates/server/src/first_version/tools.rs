//! What an agent can do in a call besides talking, as the first version described it.

use callie_ai::{GeminiEngine, OpenAiEngine, tools::Toolbox};
use serde_json::Value;

/// One tool.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolInfo {
    pub name: String,
    /// As the model reads it.
    pub description: String,
    /// JSON Schema of its arguments.
    pub parameters: Value,
}

/// Whether the engine is offered the tools: the offline one goes by its own book.
pub fn are_offered_to(engine: &str) -> bool {
    [GeminiEngine::NAME, OpenAiEngine::NAME].contains(&engine)
}

/// The tools of every agent that is offered any.
pub fn all() -> Vec<ToolInfo> {
    let toolbox = Toolbox::default();
    let tools = toolbox.iter();
    tools
        .map(|tool| ToolInfo {
            name: tool.name().to_owned(),
            description: tool.description().to_owned(),
            parameters: tool.parameters(),
        })
        .collect()
}
