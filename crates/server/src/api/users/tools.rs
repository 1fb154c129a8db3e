//! The map `ai.tools` of a user, as it is shown and as it is sent.

use crate::api::words::{BuiltInWord, HttpMethodWord};
use crate::tools::http::validator;
use callie_domain::user::tools::{HttpMethod, HttpTool, KeyLimits, McpServer};
use callie_domain::user::{BuiltIn, ToolSettings};
use callie_domain::{Faults, User};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// What the agent can do besides talking.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ToolsDocument {
    /// Of our own tools; null means the usual ones: all but `lookup_contact` and `send_dtmf`.
    #[schema(value_type = Option<Vec<BuiltInWord>>)]
    pub enabled: Option<Vec<BuiltIn>>,
    pub keys: KeysDocument,
    pub http: Vec<HttpToolDocument>,
    pub mcp: Vec<McpServerDocument>,
}

/// Which keys `send_dtmf` may press.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct KeysDocument {
    #[schema(example = "0123456789*#")]
    pub digits: String,
    /// In one call.
    pub most: u32,
}

/// A tool that asks a web service.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct HttpToolDocument {
    #[schema(example = "find_order")]
    pub name: String,
    pub description: String,
    /// JSON Schema of the arguments.
    #[schema(value_type = Object)]
    pub parameters: Value,
    #[schema(value_type = HttpMethodWord)]
    pub method: HttpMethod,
    #[schema(example = "https://crm.example/orders/{number}")]
    pub url: String,
    /// Headers are never shown; send `headers` to change them.
    pub has_headers: bool,
    pub timeout_s: u32,
    pub retries: u32,
    pub allow_hosts: Vec<String>,
    pub filler: Option<String>,
}

/// A server of the Model Context Protocol.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct McpServerDocument {
    #[schema(example = "calendar")]
    pub name: String,
    #[schema(example = "https://mcp.example/mcp")]
    pub url: String,
    /// Headers are never shown; send `headers` to change them.
    pub has_headers: bool,
    /// Null means all.
    pub allow: Option<Vec<String>>,
    pub timeout_s: u32,
    pub filler: Option<String>,
}

impl ToolsDocument {
    pub fn of(settings: &ToolSettings) -> Self {
        let KeyLimits { digits, most } = settings.keys.clone();
        Self {
            enabled: settings.enabled.clone(),
            keys: KeysDocument { digits, most },
            http: settings.http.iter().map(HttpToolDocument::of).collect(),
            mcp: settings.mcp.iter().map(McpServerDocument::of).collect(),
        }
    }
}

impl HttpToolDocument {
    fn of(tool: &HttpTool) -> Self {
        Self {
            name: tool.name.clone(),
            description: tool.description.clone(),
            parameters: tool.parameters.clone(),
            method: tool.method,
            url: tool.url.clone(),
            has_headers: tool.headers.is_some(),
            timeout_s: tool.timeout_s,
            retries: tool.retries,
            allow_hosts: tool.allow_hosts.clone(),
            filler: tool.filler.clone(),
        }
    }
}

impl McpServerDocument {
    fn of(server: &McpServer) -> Self {
        Self {
            name: server.name.clone(),
            url: server.url.clone(),
            has_headers: server.headers.is_some(),
            allow: server.allow.clone(),
            timeout_s: server.timeout_s,
            filler: server.filler.clone(),
        }
    }
}

/// What the domain cannot tell: whether the schemas are some.
pub fn check(user: &User) -> Result<(), Faults> {
    let mut faults = Faults::default();
    for (index, tool) in user.tools.http.iter().enumerate() {
        if let Err(problem) = validator(&tool.parameters) {
            faults.add(format!("ai.tools.http[{index}].parameters"), problem);
        }
    }
    if let Some(Err(problem)) = user.ai.after_call.fields.as_ref().map(validator) {
        faults.add("ai.after_call.fields", problem);
    }
    faults.into_result(())
}

/// What the agent can do besides talking. What is absent stays; null gives back the default.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub struct ToolsChange {
    /// Of our own tools; null means the usual ones: all but `lookup_contact` and `send_dtmf`.
    #[schema(value_type = Option<Vec<BuiltInWord>>)]
    enabled: Option<Vec<String>>,
    keys: Option<KeysChange>,
    /// The whole list; null empties it.
    #[schema(max_items = 24)]
    http: Option<Vec<HttpToolChange>>,
    /// The whole list; null empties it.
    #[schema(max_items = 8)]
    mcp: Option<Vec<McpServerChange>>,
}

/// Which keys `send_dtmf` may press.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub struct KeysChange {
    #[schema(default = "0123456789*#")]
    digits: Option<String>,
    /// In one call.
    #[schema(default = 20, minimum = 1, maximum = 200)]
    most: Option<u32>,
}

/// A tool that asks a web service. Its address is reached only where it is public, or where the operator allows it.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub struct HttpToolChange {
    /// Small letters, digits and _; unique, and none of our own tools.
    #[schema(example = "find_order", max_length = 48)]
    name: String,
    /// For the model: what it does and when to use it.
    #[schema(max_length = 2000)]
    description: String,
    /// JSON Schema of the arguments, an object; what does not fit it is not sent.
    #[schema(value_type = Option<Object>)]
    parameters: Option<Value>,
    #[schema(value_type = Option<HttpMethodWord>, default = "GET")]
    method: Option<String>,
    /// `{name}` in path and query stands for the argument of that name. The other arguments go into the query, or as JSON into
    /// the body of POST, PUT and PATCH.
    #[schema(example = "https://crm.example/orders/{number}", max_length = 2048)]
    url: String,
    /// An object such as `{"Authorization": "Bearer abc"}`, or a text of such lines; null takes them away. Absent ones stay as long
    /// as `url` names the same server.
    #[schema(write_only, value_type = Option<Object>)]
    headers: Option<Value>,
    /// Seconds for everything.
    #[schema(default = 10, minimum = 1, maximum = 60)]
    timeout_s: Option<u32>,
    /// After a failed connection; after an answer of 429 or 5xx only with GET, PUT and DELETE.
    #[schema(default = 0, maximum = 3)]
    retries: Option<u32>,
    /// Hosts to which a GET may be redirected, besides its own.
    #[schema(max_items = 8)]
    allow_hosts: Option<Vec<String>>,
    /// What the agent says when the answer takes longer than a pause.
    #[schema(example = "One moment, I look that up.", max_length = 200)]
    filler: Option<String>,
}

/// A server of the Model Context Protocol, reached where it is public or the operator allows it. The model sees its tools as
/// `{name}_{tool}`.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub struct McpServerChange {
    /// Small letters, digits and _; unique.
    #[schema(example = "calendar", max_length = 24)]
    name: String,
    /// Of its Streamable HTTP.
    #[schema(example = "https://mcp.example/mcp")]
    url: String,
    /// As for `http`.
    #[schema(write_only, value_type = Option<Object>)]
    headers: Option<Value>,
    /// Those of its tools that are offered; null means all.
    #[schema(max_items = 64)]
    allow: Option<Vec<String>>,
    /// Seconds for each use of a tool.
    #[schema(default = 15, minimum = 1, maximum = 60)]
    timeout_s: Option<u32>,
    #[schema(max_length = 200)]
    filler: Option<String>,
}
