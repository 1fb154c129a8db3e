//! What the agent can do besides talking: the map `ai.tools` of the document. A change applies to the next call.
//!
//! | module | holds |
//! |---|---|
//! | [`http`] | tools that ask a web service |
//! | [`mcp`] | servers of the Model Context Protocol, which bring tools of their own |
//! | [`headers`] | what is sent to both, and kept secret |

pub mod headers;
pub mod http;
pub mod mcp;
mod reading;

use super::field::Field;
use crate::Faults;
pub use headers::Headers;
pub use http::{HttpMethod, HttpTool, HttpToolInput};
pub use mcp::{McpServer, McpServerInput};
use reading::words;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::str::FromStr;

/// A tool of our own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BuiltIn {
    EndCall,
    /// To one of `routing.transfer_targets`, and only while there are some.
    TransferCall,
    CurrentTime,
    Calculate,
    TakeMessage,
    LookupContact,
    SendDtmf,
}

impl BuiltIn {
    pub const ALL: &[Self] = &[
        Self::EndCall,
        Self::TransferCall,
        Self::CurrentTime,
        Self::Calculate,
        Self::TakeMessage,
        Self::LookupContact,
        Self::SendDtmf,
    ];

    /// Those of a user who chooses none: what tells nothing of the user to a stranger, and reaches nobody else.
    pub const USUAL: &[Self] = &[Self::EndCall, Self::TransferCall, Self::CurrentTime, Self::Calculate, Self::TakeMessage];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::EndCall => "end_call",
            Self::TransferCall => "transfer_call",
            Self::CurrentTime => "current_time",
            Self::Calculate => "calculate",
            Self::TakeMessage => "take_message",
            Self::LookupContact => "lookup_contact",
            Self::SendDtmf => "send_dtmf",
        }
    }
}

impl FromStr for BuiltIn {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.iter().copied().find(|tool| tool.as_str() == text).ok_or(())
    }
}

/// Which keys the agent may press: whoever talks it into more could dial on from where it was put through to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyLimits {
    /// Some of `0123456789*#ABCD`.
    pub digits: String,
    /// In one call.
    pub most: u32,
}

impl Default for KeyLimits {
    fn default() -> Self {
        Self { digits: "0123456789*#".to_owned(), most: 20 }
    }
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ToolSettings {
    /// `None` means [`BuiltIn::USUAL`].
    pub enabled: Option<Vec<BuiltIn>>,
    pub keys: KeyLimits,
    pub http: Vec<HttpTool>,
    pub mcp: Vec<McpServer>,
}

impl ToolSettings {
    pub fn enabled(&self) -> &[BuiltIn] {
        self.enabled.as_deref().unwrap_or(BuiltIn::USUAL)
    }

    pub fn has(&self, tool: BuiltIn) -> bool {
        self.enabled().contains(&tool)
    }
}

/// What a client or a document says of it; `None` where it says nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ToolsInput {
    pub enabled: Option<Option<Vec<BuiltIn>>>,
    pub keys: Option<KeyLimits>,
    pub http: Option<Vec<HttpToolInput>>,
    pub mcp: Option<Vec<McpServerInput>>,
}

impl ToolsInput {
    /// The settings after this change.
    pub(super) fn apply(self, old: &ToolSettings, faults: &mut Faults) -> ToolSettings {
        ToolSettings {
            enabled: self.enabled.unwrap_or_else(|| old.enabled.clone()),
            keys: self.keys.unwrap_or_else(|| old.keys.clone()),
            http: self.http.map_or_else(|| old.http.clone(), |wanted| http::apply(wanted, &old.http, faults)),
            mcp: self.mcp.map_or_else(|| old.mcp.clone(), |wanted| mcp::apply(wanted, &old.mcp, faults)),
        }
    }
}

/// Reads `ai.tools`; `null` gives back all defaults.
pub(super) fn read(field: &Field<'_>, faults: &mut Faults) -> Option<ToolsInput> {
    let map = match field.value {
        Value::Null => {
            return Some(ToolsInput {
                enabled: Some(None),
                keys: Some(KeyLimits::default()),
                http: Some(Vec::new()),
                mcp: Some(Vec::new()),
            });
        }
        Value::Object(map) => map,
        _ => {
            faults.add(field.path, "must be an object");
            return None;
        }
    };
    let mut input = ToolsInput::default();
    for (key, value) in map {
        let path = format!("{}.{key}", field.path);
        let field = Field { path: &path, value };
        match key.as_str() {
            "enabled" => input.enabled = field.optional(|field| words(field, faults, BuiltIn::ALL, |tool| tool.as_str())),
            "keys" => input.keys = read_keys(&field, faults),
            "http" => input.http = http::read_all(&field, faults),
            "mcp" => input.mcp = mcp::read_all(&field, faults),
            _ => faults.add(path, "is not a known field"),
        }
    }
    Some(input)
}

/// Most keys in one call: nobody's menu is that deep.
const MOST_KEYS: u64 = 200;

fn read_keys(field: &Field<'_>, faults: &mut Faults) -> Option<KeyLimits> {
    let map = match field.value {
        Value::Null => return Some(KeyLimits::default()),
        Value::Object(map) => map,
        _ => {
            faults.add(field.path, "must be an object with digits and most");
            return None;
        }
    };
    let mut limits = KeyLimits::default();
    let before = faults.0.len();
    for (key, value) in map {
        let path = format!("{}.{key}", field.path);
        let field = Field { path: &path, value };
        match key.as_str() {
            "digits" => limits.digits = read_digits(&field, faults).unwrap_or_default(),
            "most" => limits.most = field.number(faults, 1, MOST_KEYS).unwrap_or_default(),
            _ => faults.add(path, "is not a known field"),
        }
    }
    (faults.0.len() == before).then_some(limits)
}

fn read_digits(field: &Field<'_>, faults: &mut Faults) -> Option<String> {
    let text = field.text(faults, 1, 16)?.to_ascii_uppercase();
    let is_key = |c: char| "0123456789*#ABCD".contains(c);
    if text.chars().all(is_key) {
        return Some(text);
    }
    faults.add(field.path, "may name the keys 0 to 9, *, # and A to D");
    None
}

#[cfg(test)]
mod tests;
