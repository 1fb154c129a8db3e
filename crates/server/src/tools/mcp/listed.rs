//! What a server says of one of its tools, as far as a model may see it.

use super::super::http::validator;
use callie_domain::user::McpServer;
use serde_json::Value;

/// Of one server. Every word of them is paid for in every turn.
pub const MOST_TOOLS: usize = 32;
/// Models take names of 64 at most.
const LONGEST_NAME: usize = 64;
const LONGEST_DESCRIPTION: usize = 1_000;
/// Bytes of JSON.
const LONGEST_SCHEMA: usize = 16_384;

/// One tool.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    /// As the server calls it.
    pub name: String,
    pub description: String,
    /// JSON Schema of its arguments: an object.
    pub parameters: Value,
}

/// Those that may be offered, and why the others are not.
pub fn usable(server: &McpServer, listed: Vec<Listed>) -> (Vec<Listed>, Vec<String>) {
    let mut usable: Vec<Listed> = Vec::new();
    let mut complaints = Vec::new();
    for tool in listed.into_iter().filter(|tool| server.allows(&tool.name)) {
        let problem = if usable.len() == MOST_TOOLS {
            complaints
                .push(format!("the server {} has more than {MOST_TOOLS} tools; name those that you want in allow", server.name));
            break;
        } else if name_for_model(server, &tool.name).is_none() {
            Some("has no name that a model could use".to_owned())
        } else if usable.iter().any(|known| name_for_model(server, &known.name) == name_for_model(server, &tool.name)) {
            Some("has the name of another one".to_owned())
        } else {
            problem(&tool.parameters)
        };
        match problem {
            Some(problem) => complaints.push(format!("the tool {} of {} {problem}", shown(&tool.name), server.name)),
            None => usable.push(Listed { description: described(&tool), ..tool }),
        }
    }
    (usable, complaints)
}

/// `{server}_{tool}`, with `_` for what models do not take.
pub fn name_for_model(server: &McpServer, tool: &str) -> Option<String> {
    let clean = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let name: String = format!("{}_{tool}", server.name).chars().map(clean).collect();
    (!tool.is_empty() && name.len() <= LONGEST_NAME).then_some(name)
}

fn problem(schema: &Value) -> Option<String> {
    let is_object = schema.get("type").and_then(Value::as_str) == Some("object");
    if !is_object || schema.get("properties").is_some_and(|properties| !properties.is_object()) {
        return Some("has no schema of an object".to_owned());
    }
    if schema.to_string().len() > LONGEST_SCHEMA {
        return Some(format!("has a schema of more than {LONGEST_SCHEMA} bytes"));
    }
    validator(schema).err().map(|problem| format!("cannot be used: its parameters {problem}"))
}

fn described(tool: &Listed) -> String {
    let clean = tool.description.chars().map(|c| if c.is_control() { ' ' } else { c });
    let text: String = clean.take(LONGEST_DESCRIPTION).collect();
    if text.trim().is_empty() { shown(&tool.name) } else { text.trim().to_owned() }
}

/// A stranger's name in our own texts.
fn shown(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(LONGEST_NAME).collect()
}
