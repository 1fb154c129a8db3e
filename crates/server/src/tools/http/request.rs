//! Arguments and settings to a request. Whatever the arguments are, it goes to the host and below the path that the document
//! names.

use callie_ai::tools::Object;
use callie_domain::user::tools::HttpTool;
use serde_json::Value;
use url::Url;

/// What is to be asked; the headers are the settings'.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    pub url: Url,
    /// JSON.
    pub body: Option<Vec<u8>>,
}

/// # Errors
/// A sentence for the model.
pub fn of(settings: &HttpTool, arguments: &Object) -> Result<Request, String> {
    let mut rest = arguments.clone();
    let mut url = settings.url.clone();
    let query_begins = url.find('?').unwrap_or(url.len());
    for name in settings.placeholders() {
        let placeholder = format!("{{{name}}}");
        let in_path = settings.url.find(&placeholder).is_some_and(|at| at < query_begins);
        let text = arguments.get(name).and_then(text_of).ok_or_else(|| format!("{name} is required"))?;
        // A segment that is empty or made of dots would lead to another place than the document names.
        if in_path && text.chars().all(|c| c == '.') {
            return Err(format!("{name} must not be empty, nor dots"));
        }
        url = url.replace(&placeholder, &encoded(&text));
        rest.remove(name);
    }
    let mut url = Url::parse(&url).map_err(|_| "the arguments make no address".to_owned())?;
    if !is_where_it_should_be(settings, &url) {
        return Err("the arguments would lead to another place".to_owned());
    }
    if settings.method.has_body() {
        let body = Some(Value::Object(rest).to_string().into_bytes());
        return Ok(Request { url, body });
    }
    if !rest.is_empty() {
        let mut query = url.query_pairs_mut();
        for (name, value) in &rest {
            for text in texts_of(value) {
                query.append_pair(name, &text);
            }
        }
    }
    Ok(Request { url, body: None })
}

/// The same host, and as many segments as the template has.
fn is_where_it_should_be(settings: &HttpTool, url: &Url) -> bool {
    let filled =
        settings.placeholders().iter().fold(settings.url.clone(), |text, name| text.replace(&format!("{{{name}}}"), "x"));
    let Ok(template) = Url::parse(&filled) else { return false };
    let segments = |url: &Url| url.path_segments().map_or(0, Iterator::count);
    template.origin() == url.origin() && segments(&template) == segments(url) && url.fragment().is_none()
}

/// A single value as text; nothing for what is missing.
fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// One for each of a list.
fn texts_of(value: &Value) -> Vec<String> {
    match value {
        Value::Array(items) => items.iter().filter_map(text_of).collect(),
        other => text_of(other).into_iter().collect(),
    }
}

/// All but the unreserved characters (RFC 3986 §2.3) as `%XX`.
fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(byte)),
            other => encoded.push_str(&format!("%{other:02X}")),
        }
    }
    encoded
}
