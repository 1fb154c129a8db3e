//! Servers of the Model Context Protocol: `ai.tools.mcp`. A server brings tools of its own; the model sees them as
//! `{server}_{tool}`.

use super::super::field::Field;
use super::headers::Headers;
use super::http::kept_headers;
use super::reading::{list, require};
use crate::Faults;
use serde_json::{Map, Value};

/// Each is a connection, or a process, for as long as somebody calls.
pub const MOST: usize = 8;
const MOST_WORDS: usize = 32;
const MOST_TOOLS: usize = 64;

/// How a server is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum McpWay {
    /// Over Streamable HTTP.
    Http { url: String, headers: Option<Headers> },
    /// Over its input and output: the command and its arguments. The operator decides which may be run.
    Command(Vec<String>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct McpServer {
    /// Unique; it stands before the names of its tools.
    pub name: String,
    pub way: McpWay,
    /// Those of its tools that are offered; `None` means all.
    pub allow: Option<Vec<String>>,
    pub timeout_s: u32,
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
    pub way: McpWayInput,
    pub allow: Option<Vec<String>>,
    pub timeout_s: u32,
    pub filler: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum McpWayInput {
    /// Without headers those of the server of that name stay, if it is at the same place.
    Http {
        url: String,
        headers: Option<Option<Headers>>,
    },
    Command(Vec<String>),
}

pub(super) fn apply(wanted: Vec<McpServerInput>, old: &[McpServer], faults: &mut Faults) -> Vec<McpServer> {
    let mut settle = |(index, input): (usize, McpServerInput)| {
        let known = old.iter().find(|known| known.name == input.name).map(|known| &known.way);
        let way = match input.way {
            McpWayInput::Command(words) => McpWay::Command(words),
            McpWayInput::Http { url, headers } => {
                let old = known.and_then(|way| match way {
                    McpWay::Http { url, headers } => Some((url.as_str(), headers.as_ref()?)),
                    McpWay::Command(_) => None,
                });
                let path = format!("ai.tools.mcp[{index}].headers");
                let headers = kept_headers(headers, &url, old, &path, faults);
                McpWay::Http { url, headers }
            }
        };
        let McpServerInput { name, allow, timeout_s, filler, .. } = input;
        McpServer { name, way, allow, timeout_s, filler }
    };
    wanted.into_iter().enumerate().map(&mut settle).collect()
}

fn read_one(path: &str, map: &Map<String, Value>, faults: &mut Faults) -> Option<McpServerInput> {
    let (mut name, mut url, mut headers, mut command, mut args) = (None, None, None, None, Some(Vec::new()));
    let (mut allow, mut timeout_s, mut filler) = (Some(None), Some(McpServer::USUAL_TIMEOUT_S), None);
    for (key, value) in map {
        let path = format!("{path}.{key}");
        let field = Field { path: &path, value };
        match key.as_str() {
            "name" => name = field.tool_name(faults, 24),
            "url" => url = field.optional(|field| field.web_address(faults)),
            "headers" => headers = field.headers(faults),
            "command" => command = field.optional(|field| field.text(faults, 1, 256)),
            "args" => args = read_texts(&field, faults, MOST_WORDS),
            "allow" => allow = read_allow(&field, faults),
            "timeout_s" => timeout_s = field.number(faults, 1, 60),
            "filler" => filler = field.optional(|field| field.text(faults, 1, 200)).flatten(),
            // Shown by the API.
            "has_headers" => {}
            _ => faults.add(path, "is not a known field"),
        }
    }
    require(path, map, &["name"], faults);
    let (url, command) = (url.flatten(), command.flatten());
    let way = match (url, command) {
        (Some(url), None) => McpWayInput::Http { url, headers },
        (None, Some(command)) => McpWayInput::Command([vec![command], args?].concat()),
        _ => {
            let named = |key: &str| map.get(key).is_some_and(|value| !value.is_null());
            if named("url") == named("command") {
                faults.add(path, "must have either url or command");
            }
            return None;
        }
    };
    Some(McpServerInput { name: name?, way, allow: allow?, timeout_s: timeout_s?, filler })
}

fn read_allow(field: &Field<'_>, faults: &mut Faults) -> Option<Option<Vec<String>>> {
    match field.value {
        Value::Null => Some(None),
        _ => read_texts(field, faults, MOST_TOOLS).map(Some),
    }
}

fn read_texts(field: &Field<'_>, faults: &mut Faults, most: usize) -> Option<Vec<String>> {
    let text = |item: &Value| {
        let text = item.as_str()?;
        ((1..=256).contains(&text.len()) && !text.chars().any(char::is_control)).then(|| text.to_owned())
    };
    let texts: Option<Vec<String>> = match field.value {
        Value::Null => Some(Vec::new()),
        Value::Array(items) if items.len() <= most => items.iter().map(text).collect(),
        _ => None,
    };
    if texts.is_none() {
        faults.add(field.path, format!("must be a list of at most {most} texts of one line"));
    }
    texts
}

/// The whole list.
pub(super) fn read_all(field: &Field<'_>, faults: &mut Faults) -> Option<Vec<McpServerInput>> {
    list(field, faults, MOST, read_one, |server| &server.name)
}
