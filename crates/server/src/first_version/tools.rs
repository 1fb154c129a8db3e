//! What an agent can do in a call besides talking, as the first version described it.

use callie_ai::tools::{Tool, Toolbox, calculate::Calculate, take_message::TakeMessage};
use callie_ai::{GeminiEngine, OpenAiEngine};
use serde_json::Value;
use std::sync::Arc;

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

/// The tools of an agent that is offered any and whose user chooses none.
pub fn usual() -> Vec<ToolInfo> {
    let toolbox = Toolbox::default().with([Arc::new(Calculate) as Arc<dyn Tool>, Arc::new(TakeMessage)]);
    let tools = toolbox.iter();
    tools
        .map(|tool| ToolInfo {
            name: tool.name().to_owned(),
            description: tool.description().to_owned(),
            parameters: tool.parameters(),
        })
        .collect()
}
