//! Servers of the Model Context Protocol, over Streamable HTTP: `ai.tools.mcp`. A server brings tools of its own; the model sees
//! them as `{server}_{tool}`. No program is started for a document (ADR 0020).

use super::super::field::Field;
use super::headers::Headers;
use super::http::kept_headers;
use super::reading::{list, require};
use crate::Faults;
use serde_json::{Map, Value};

/// Each is a connection for as long as somebody calls.
pub const MOST: usize = 8;
const MOST_TOOLS: usize = 64;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct McpServer {
    /// Unique; it stands before the names of its tools.
    pub name: String,
    pub url: String,
    pub headers: Option<Headers>,
    /// Those of its tools that are offered; `None` means all.
    pub allow: Option<Vec<String>>,
    /// For each use of a tool.
    pub timeout_s: u32,
    /// What the agent says when the answer takes longer than a pause.
    pub filler: Option<String>,
}

impl McpServer {
    pub const USUAL_TIMEOUT_S: u32 = 15;

    pub fn allows(&self, tool: &str) -> bool {
        self.allow.as_ref().is_none_or(|allow| allow.iter().any(|allowed| allowed == tool))
    }
}

/// As a client or a document describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct McpServerInput {
    pub name: String,
    pub url: String,
    /// `None` keeps those of the server of that name, if it is at the same place.
    pub headers: Option<Option<Headers>>,
    pub allow: Option<Vec<String>>,
    pub timeout_s: u32,
    pub filler: Option<String>,
}

pub(super) fn apply(wanted: Vec<McpServerInput>, old: &[McpServer], faults: &mut Faults) -> Vec<McpServer> {
    let mut settle = |(index, input): (usize, McpServerInput)| {
        let known = old.iter().find(|known| known.name == input.name);
        let old = known.and_then(|known| Some((known.url.as_str(), known.headers.as_ref()?)));
        let path = format!("ai.tools.mcp[{index}].headers");
        let headers = kept_headers(input.headers, &input.url, old, &path, faults);
        let McpServerInput { name, url, allow, timeout_s, filler, .. } = input;
        McpServer { name, url, headers, allow, timeout_s, filler }
    };
    wanted.into_iter().enumerate().map(&mut settle).collect()
}

fn read_one(path: &str, map: &Map<String, Value>, faults: &mut Faults) -> Option<McpServerInput> {
    let (mut name, mut url, mut headers) = (None, None, None);
    let (mut allow, mut timeout_s, mut filler) = (Some(None), Some(McpServer::USUAL_TIMEOUT_S), None);
    for (key, value) in map {
        let path = format!("{path}.{key}");
        let field = Field { path: &path, value };
        match key.as_str() {
            "name" => name = field.tool_name(faults, 24),
            "url" => url = field.web_address(faults),
            "headers" => headers = field.headers(faults),
            "allow" => allow = read_allow(&field, faults),
            "timeout_s" => timeout_s = field.number(faults, 1, 60),
            "filler" => filler = field.optional(|field| field.text(faults, 1, 200)).flatten(),
            // Shown by the API.
            "has_headers" => {}
            _ => faults.add(path, "is not a known field"),
        }
    }
    require(path, map, &["name", "url"], faults);
    Some(McpServerInput { name: name?, url: url?, headers, allow: allow?, timeout_s: timeout_s?, filler })
}

fn read_allow(field: &Field<'_>, faults: &mut Faults) -> Option<Option<Vec<String>>> {
    let text = |item: &Value| {
        let text = item.as_str()?;
        ((1..=256).contains(&text.len()) && !text.chars().any(char::is_control)).then(|| text.to_owned())
    };
    match field.value {
        Value::Null => return Some(None),
        Value::Array(items) if items.len() <= MOST_TOOLS => {
            if let Some(texts) = items.iter().map(text).collect::<Option<Vec<_>>>() {
                return Some(Some(texts));
            }
        }
        _ => {}
    }
    field.refuse(faults, "must be a list of at most 64 names of tools, or null")
}

/// The whole list.
pub(super) fn read_all(field: &Field<'_>, faults: &mut Faults) -> Option<Vec<McpServerInput>> {
    list(field, faults, MOST, read_one, |server| &server.name)
}
