//! Tools that ask a web service: `ai.tools.http`.

use super::super::field::Field;
use super::BuiltIn;
use super::headers::Headers;
use super::reading::{list, require};
use crate::Faults;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::str::FromStr;
use url::Url;

/// More than a model can tell apart.
pub const MOST: usize = 24;
/// Longest JSON Schema of a tool, bytes of JSON: every word of it is paid for in every turn.
const LONGEST_SCHEMA: usize = 16_384;
const LONGEST_URL: usize = 2_048;
const MOST_HOSTS: usize = 8;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum HttpMethod {
    #[default]
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl HttpMethod {
    pub const ALL: &[Self] = &[Self::Get, Self::Post, Self::Put, Self::Patch, Self::Delete];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }

    /// What the placeholders leave of the arguments goes into a body; otherwise into the query.
    pub fn has_body(self) -> bool {
        matches!(self, Self::Post | Self::Put | Self::Patch)
    }

    /// Asking twice does what asking once does (RFC 9110 §9.2.2).
    pub fn is_idempotent(self) -> bool {
        matches!(self, Self::Get | Self::Put | Self::Delete)
    }
}

impl FromStr for HttpMethod {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.iter().copied().find(|method| method.as_str().eq_ignore_ascii_case(text)).ok_or(())
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpTool {
    /// Unique, and none of our own.
    pub name: String,
    /// For the model: what it does and when to use it.
    pub description: String,
    /// JSON Schema of the arguments: an object.
    pub parameters: Value,
    pub method: HttpMethod,
    /// With `{name}` in path and query for arguments of that name; scheme, host and port are fixed.
    pub url: String,
    pub headers: Option<Headers>,
    /// For everything, redirects and retries with it.
    pub timeout_s: u32,
    pub retries: u32,
    /// Where redirects may lead besides the host of `url`.
    pub allow_hosts: Vec<String>,
    /// What the agent says when the answer takes longer than a pause.
    pub filler: Option<String>,
}

impl HttpTool {
    pub const USUAL_TIMEOUT_S: u32 = 10;

    /// The names in braces.
    pub fn placeholders(&self) -> Vec<&str> {
        placeholders(&self.url).unwrap_or_default()
    }
}

/// As a client or a document describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpToolInput {
    pub name: String,
    pub description: String,
    pub parameters: Value,
    pub method: HttpMethod,
    pub url: String,
    /// `None` keeps those of the tool of that name, if it asks the same server.
    pub headers: Option<Option<Headers>>,
    pub timeout_s: u32,
    pub retries: u32,
    pub allow_hosts: Vec<String>,
    pub filler: Option<String>,
}

/// Scheme, host and port: what a secret may be sent to once it was meant for it.
pub fn origin(url: &str) -> Option<String> {
    let rest = url.split_once("://")?.1;
    let authority = rest.split(['/', '?', '#']).next()?;
    let url = Url::parse(url.get(..url.len() - rest.len() + authority.len())?).ok()?;
    let (port, host) = (url.port_or_known_default()?, url.host_str()?);
    Some(format!("{}://{host}:{port}", url.scheme()))
}

/// The secret of an entry after a change of it. One that is kept does not go to another server than it was meant for.
pub(super) fn kept_headers(
    wanted: Option<Option<Headers>>,
    url: &str,
    old: Option<(&str, &Headers)>,
    path: &str,
    faults: &mut Faults,
) -> Option<Headers> {
    match (wanted, old) {
        (Some(headers), _) => headers,
        (None, None) => None,
        (None, Some((old_url, headers))) if origin(old_url) == origin(url) => Some(headers.clone()),
        (None, Some(_)) => {
            faults.add(path, "must be given again, or null: the address is that of another server now");
            None
        }
    }
}

pub(super) fn apply(wanted: Vec<HttpToolInput>, old: &[HttpTool], faults: &mut Faults) -> Vec<HttpTool> {
    let mut settle = |(index, input): (usize, HttpToolInput)| {
        let known = old.iter().find(|known| known.name == input.name);
        let old = known.and_then(|known| Some((known.url.as_str(), known.headers.as_ref()?)));
        let path = format!("ai.tools.http[{index}].headers");
        let headers = kept_headers(input.headers, &input.url, old, &path, faults);
        let HttpToolInput { name, description, parameters, method, url, timeout_s, retries, allow_hosts, filler, .. } = input;
        HttpTool { name, description, parameters, method, url, headers, timeout_s, retries, allow_hosts, filler }
    };
    wanted.into_iter().enumerate().map(&mut settle).collect()
}

fn read_one(path: &str, map: &Map<String, Value>, faults: &mut Faults) -> Option<HttpToolInput> {
    let (mut name, mut description, mut url) = (None, None, None);
    let mut parameters = Some(json!({"type": "object", "properties": {}}));
    let (mut method, mut headers, mut timeout_s, mut retries) =
        (Some(HttpMethod::Get), None, Some(HttpTool::USUAL_TIMEOUT_S), Some(0));
    let (mut allow_hosts, mut filler) = (Some(Vec::new()), None);
    for (key, value) in map {
        let path = format!("{path}.{key}");
        let field = Field { path: &path, value };
        match key.as_str() {
            "name" => name = read_name(&field, faults),
            "description" => description = field.prose(faults, 2_000),
            "parameters" => parameters = read_schema(&field, faults),
            "method" => method = field.word(faults, "GET, POST, PUT, PATCH or DELETE"),
            "url" => url = read_template(&field, faults),
            "headers" => headers = field.headers(faults),
            "timeout_s" => timeout_s = field.number(faults, 1, 60),
            "retries" => retries = field.number(faults, 0, 3),
            "allow_hosts" => allow_hosts = read_hosts(&field, faults),
            "filler" => filler = field.optional(|field| field.text(faults, 1, 200)).flatten(),
            // Shown by the API.
            "has_headers" => {}
            _ => faults.add(path, "is not a known field"),
        }
    }
    require(path, map, &["name", "description", "url"], faults);
    let (parameters, url) = (parameters?, url?);
    let known = parameters.get("properties").and_then(Value::as_object);
    for placeholder in placeholders(&url).unwrap_or_default() {
        if known.is_none_or(|known| !known.contains_key(placeholder)) {
            faults.add(format!("{path}.url"), format!("names {{{placeholder}}}, which is none of the parameters"));
        }
    }
    Some(HttpToolInput {
        name: name?,
        description: description?,
        parameters,
        method: method?,
        url,
        headers,
        timeout_s: timeout_s?,
        retries: retries?,
        allow_hosts: allow_hosts?,
        filler,
    })
}

fn read_name(field: &Field<'_>, faults: &mut Faults) -> Option<String> {
    let name = field.tool_name(faults, 48)?;
    if name.parse::<BuiltIn>().is_ok() || name == "complete_transfer" {
        return field.refuse(faults, "is the name of a tool of our own");
    }
    Some(name)
}

/// Only its shape: whether it is a schema is the server's to say.
pub(in crate::user) fn read_schema(field: &Field<'_>, faults: &mut Faults) -> Option<Value> {
    if field.value.to_string().len() > LONGEST_SCHEMA {
        return field.refuse(faults, "is too long: 16,384 bytes at most");
    }
    let properties = field.value.get("properties");
    let is_object = field.value.get("type").and_then(Value::as_str) == Some("object");
    if is_object && properties.is_none_or(Value::is_object) {
        return Some(field.value.clone());
    }
    field.refuse(faults, "must be a JSON Schema of the type object")
}

/// An address with placeholders behind the host.
fn read_template(field: &Field<'_>, faults: &mut Faults) -> Option<String> {
    let text = field.text(faults, 1, LONGEST_URL)?;
    let Some(names) = placeholders(&text) else {
        return field.refuse(faults, "must have names of letters, digits and _ in its braces, and none left open");
    };
    let filled = names.iter().fold(text.clone(), |text, name| text.replace(&format!("{{{name}}}"), "x"));
    let fits = super::super::webhooks::normal(&filled).is_some();
    let is_fixed = origin(&text).is_some() && origin(&text) == origin(&filled);
    if fits && is_fixed {
        return Some(text);
    }
    field.refuse(
        faults,
        "must be an address such as https://crm.example/customers/{id}, without user, password and #, and with a fixed host",
    )
}

/// The names in braces; `None` when a brace stands alone or holds something else.
fn placeholders(url: &str) -> Option<Vec<&str>> {
    let mut names = Vec::new();
    let mut rest = url;
    while let Some(at) = rest.find(['{', '}']) {
        let (name, behind) = rest.get(at..)?.strip_prefix('{')?.split_once('}')?;
        let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        names.push(Some(name).filter(|_| is_name)?);
        rest = behind;
    }
    Some(names)
}

fn read_hosts(field: &Field<'_>, faults: &mut Faults) -> Option<Vec<String>> {
    let host = |item: &Value| {
        let text = item.as_str()?.trim().to_lowercase();
        let url = Url::parse(&format!("https://{text}/")).ok()?;
        (url.host_str() == Some(text.as_str())).then_some(text)
    };
    let hosts: Option<Vec<String>> = match field.value {
        Value::Null => Some(Vec::new()),
        Value::Array(items) if items.len() <= MOST_HOSTS => items.iter().map(host).collect(),
        _ => None,
    };
    if hosts.is_none() {
        faults.add(field.path, format!("must be a list of at most {MOST_HOSTS} names of hosts such as api.example.com"));
    }
    hosts
}

/// The whole list.
pub(super) fn read_all(field: &Field<'_>, faults: &mut Faults) -> Option<Vec<HttpToolInput>> {
    list(field, faults, MOST, read_one, |tool| &tool.name)
}
