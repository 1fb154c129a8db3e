//! The map `ai.tools`: entries of its lists are known by their names, and keep what we do not know of them. The headers that they
//! send are sealed for the server that they are sent to: who moves an entry to another address has to give them again.

use super::write::{set, set_optional, write_secret};
use super::{MCP_HEADERS, SecretField, TOOL_HEADERS, read::open};
use crate::DocFault;
use crate::seal::{AtRest, Keyring, SealError, classify};
use callie_domain::user::ToolSettings;
use callie_domain::user::tools::{Headers, HttpTool, KeyLimits, McpServer, ToolsInput, http::origin};
use callie_domain::{Faults, User, UserId};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

const FIELDS: [&str; 4] = ["enabled", "keys", "http", "mcp"];
const HTTP_FIELDS: [&str; 10] =
    ["name", "description", "parameters", "method", "url", "headers", "timeout_s", "retries", "allow_hosts", "filler"];
const MCP_FIELDS: [&str; 6] = ["name", "url", "headers", "allow", "timeout_s", "filler"];

/// With those fields that are settings and say something. What is of another shape is left for the parser.
pub(super) fn known(tools: &Value) -> Value {
    let Some(map) = tools.as_object() else { return tools.clone() };
    let mut kept = said(map, &FIELDS);
    for (list, fields) in [("http", &HTTP_FIELDS[..]), ("mcp", &MCP_FIELDS[..])] {
        for entry in kept.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(map) = entry.as_object() {
                *entry = Value::Object(said(map, fields));
            }
        }
    }
    Value::Object(kept)
}

fn said(map: &Map<String, Value>, fields: &[&str]) -> Map<String, Value> {
    let fields = fields.iter().filter_map(|field| Some(((*field).to_owned(), map.get(*field)?.clone())));
    fields.filter(|(_, value)| !value.is_null()).collect()
}

/// Sealed headers with the path that they are sealed for, by the places of their entries.
#[derive(Default)]
pub(super) struct SealedHeaders {
    http: Vec<Option<(String, String)>>,
    mcp: Vec<Option<(String, String)>>,
}

/// Takes the sealed headers out, so that the parser of clear ones does not see them.
pub(super) fn take_sealed(settings: &mut Map<String, Value>, faults: &mut Faults) -> SealedHeaders {
    let Some(tools) = settings.get_mut("ai").and_then(|ai| ai.get_mut("tools")) else { return SealedHeaders::default() };
    let mut take = |list: &str, secret: SecretField| {
        let entries = tools.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten().enumerate();
        let take = |(index, entry): (usize, &mut Value)| {
            let entry = entry.as_object_mut()?;
            if entry.get(secret.field).is_some_and(|headers| !headers.is_string()) {
                faults.add(
                    format!("ai.tools.{list}[{index}].{}", secret.field),
                    "must be a text of lines, so that it can be sealed",
                );
                entry.remove(secret.field);
            }
            let sealed = secret.stored(entry).filter(|text| classify(text) != AtRest::Plain)?.to_owned();
            entry.remove(secret.field);
            Some((secret.path_in(entry), sealed))
        };
        entries.map(take).collect()
    };
    SealedHeaders { http: take("http", TOOL_HEADERS), mcp: take("mcp", MCP_HEADERS) }
}

/// Puts what was taken out into the parsed entries, opened.
pub(super) fn put_back(
    id: &UserId,
    tools: Option<&mut ToolsInput>,
    sealed: SealedHeaders,
    keyring: &Keyring,
) -> Result<(), DocFault> {
    let Some(tools) = tools else { return Ok(()) };
    let opened = |sealed: (String, String)| -> Result<Option<Headers>, DocFault> {
        let (path, sealed) = sealed;
        let clear = open(id, &path, &sealed, keyring)?;
        Headers::parse(clear.expose()).map_err(|problem| DocFault::Fields(Faults::one(path, problem)))
    };
    for (tool, sealed) in tools.http.iter_mut().flatten().zip(sealed.http) {
        if let Some(sealed) = sealed {
            tool.headers = Some(opened(sealed)?);
        }
    }
    for (server, sealed) in tools.mcp.iter_mut().flatten().zip(sealed.mcp) {
        if let Some(sealed) = sealed {
            server.headers = Some(opened(sealed)?);
        }
    }
    Ok(())
}

/// What is the default is not written, unless it stands there already.
pub(super) fn write(ai: &mut Map<String, Value>, user: &User, keyring: &Keyring, now: Timestamp) -> Result<(), SealError> {
    let settings = &user.tools;
    if *settings == ToolSettings::default() && !ai.contains_key("tools") {
        return Ok(());
    }
    let mut tools = ai.get("tools").and_then(Value::as_object).cloned().unwrap_or_default();
    set_optional(&mut tools, "enabled", settings.enabled.as_ref());
    let keys = Some(&settings.keys).filter(|keys| **keys != KeyLimits::default() || tools.contains_key("keys"));
    set_optional(&mut tools, "keys", keys.map(|keys| json!({"digits": keys.digits, "most": keys.most})));
    let http = settings.http.iter().map(|tool| write_http(tool, old(&tools, "http", &tool.name), user, keyring, now));
    let http = http.collect::<Result<Vec<_>, _>>()?;
    let mcp = settings.mcp.iter().map(|server| write_mcp(server, old(&tools, "mcp", &server.name), user, keyring, now));
    let mcp = mcp.collect::<Result<Vec<_>, _>>()?;
    for (name, list) in [("http", http), ("mcp", mcp)] {
        if !list.is_empty() || tools.contains_key(name) {
            set(&mut tools, name, list);
        }
    }
    set(ai, "tools", tools);
    Ok(())
}

/// The entry of that name.
fn old(tools: &Map<String, Value>, list: &str, name: &str) -> Map<String, Value> {
    let entries = tools.get(list).and_then(Value::as_array).into_iter().flatten();
    let found = entries.filter_map(Value::as_object).find(|entry| entry.get("name").and_then(Value::as_str) == Some(name));
    found.cloned().unwrap_or_default()
}

fn write_http(
    tool: &HttpTool,
    mut entry: Map<String, Value>,
    user: &User,
    keyring: &Keyring,
    now: Timestamp,
) -> Result<Value, SealError> {
    set(&mut entry, "name", &tool.name);
    set(&mut entry, "description", &tool.description);
    set(&mut entry, "parameters", &tool.parameters);
    set(&mut entry, "method", tool.method);
    move_to(&mut entry, &tool.url);
    set(&mut entry, "timeout_s", tool.timeout_s);
    set(&mut entry, "retries", tool.retries);
    set_optional(&mut entry, "allow_hosts", Some(&tool.allow_hosts).filter(|hosts| !hosts.is_empty()));
    set_optional(&mut entry, "filler", tool.filler.as_ref());
    write_secret(&mut entry, TOOL_HEADERS, tool.headers.as_ref().map(Headers::text), user, keyring, now)?;
    Ok(Value::Object(entry))
}

fn write_mcp(
    server: &McpServer,
    mut entry: Map<String, Value>,
    user: &User,
    keyring: &Keyring,
    now: Timestamp,
) -> Result<Value, SealError> {
    set(&mut entry, "name", &server.name);
    move_to(&mut entry, &server.url);
    set_optional(&mut entry, "allow", server.allow.as_ref());
    set(&mut entry, "timeout_s", server.timeout_s);
    set_optional(&mut entry, "filler", server.filler.as_ref());
    write_secret(&mut entry, MCP_HEADERS, server.headers.as_ref().map(Headers::text), user, keyring, now)?;
    Ok(Value::Object(entry))
}

/// What was sealed for another server does not open for this one.
fn move_to(entry: &mut Map<String, Value>, url: &str) {
    let before = entry.get("url").and_then(Value::as_str).and_then(origin);
    if before != origin(url) {
        entry.remove(TOOL_HEADERS.field);
    }
    set(entry, "url", url);
}
