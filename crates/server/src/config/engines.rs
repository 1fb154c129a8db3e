//! Which conversation engines this server has, and which one talks when a user asks for none.

use super::{first_version, parse::Reader};
use callie_ai::{ChatOptions, GeminiOptions, gemini::vertex_base_url, openai::Dialect};
use callie_domain::{HostPort, Secret};
use std::path::{Path, PathBuf};

#[derive(Debug, Clone)]
pub struct Engines {
    /// Of users who ask for none.
    pub default: DefaultEngine,
    /// With an API key, or a project of Google Cloud.
    pub gemini: Option<Gemini>,
    /// With an API key, or a service that wants none.
    pub openai: Option<OpenAi>,
    /// Of Gemini's speech, 0 to 2; the service's own when not set.
    pub temperature: Option<f64>,
    /// The folder with the weights of the offline engine, whether it is there or not; `None` looks nowhere.
    pub models_dir: Option<PathBuf>,
    /// Of the offline engine.
    pub voice: LocalVoice,
    /// Where greetings in that voice are kept; `None` keeps none.
    pub voice_dir: Option<PathBuf>,
    /// Where the offline engine asks for its words.
    pub chat: Option<Chat>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DefaultEngine {
    Local,
    Gemini,
    OpenAi,
}

/// Of the offline engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LocalVoice {
    /// Built in.
    #[default]
    Flite,
    /// Where the machine is too slow for it, for greetings.
    Kokoro,
    /// Kokoro where its weights are and the machine is fast enough.
    Auto,
}

#[derive(Debug, Clone)]
pub struct Gemini {
    pub access: GeminiAccess,
    pub model: String,
    /// Scheme and host, without a slash at the end: `wss://generativelanguage.googleapis.com`.
    pub base_url: String,
}

#[derive(Debug, Clone)]
pub enum GeminiAccess {
    Key(Secret),
    Vertex(Vertex),
}

/// Gemini through a project of Google Cloud.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vertex {
    pub project: String,
    pub location: String,
    /// Of an account that may use it; what the machine has when `None`.
    pub credentials: Option<PathBuf>,
}

/// OpenAI Realtime, or a service that speaks its protocol.
#[derive(Debug, Clone)]
pub struct OpenAi {
    pub api_key: Option<Secret>,
    /// One of [`Dialect::names`].
    pub dialect: String,
    /// The dialect's own when `None`.
    pub model: Option<String>,
    /// Up to `/v1`, without a slash at the end; the dialect's own when `None`.
    pub base_url: Option<String>,
    /// One of those that the dialect knows.
    pub turn_detection: String,
}

/// An OpenAI-compatible chat endpoint.
#[derive(Debug, Clone)]
pub struct Chat {
    /// Up to `/v1`, without a slash at the end: `http://127.0.0.1:11434/v1`.
    pub url: String,
    pub model: String,
    pub key: Option<Secret>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Auto,
    Local,
    Gemini,
    OpenAi,
}

impl Gemini {
    pub fn with_key(api_key: Secret, model: String, base_url: String) -> Self {
        Self { access: GeminiAccess::Key(api_key), model, base_url }
    }
}

impl DefaultEngine {
    /// As in `ai.engine` of a user.
    pub fn name(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Gemini => "gemini",
            Self::OpenAi => "openai",
        }
    }
}

impl Chat {
    pub fn options(&self) -> ChatOptions {
        ChatOptions { base_url: self.url.clone(), api_key: self.key.clone(), model: self.model.clone() }
    }
}

impl LocalVoice {
    pub fn name(self) -> &'static str {
        match self {
            Self::Flite => "flite",
            Self::Kokoro => "kokoro",
            Self::Auto => "auto",
        }
    }
}

/// `models_here`: there is a folder `models` beside the process.
pub(super) fn read(reader: &mut Reader, data_dir: &Path, models_here: bool) -> Engines {
    let (gemini, openai) = (gemini(reader), openai(reader));
    let default = match reader.read("CALLIE_ENGINE", wanted).unwrap_or(Wanted::Auto) {
        Wanted::Gemini | Wanted::Auto if gemini.is_some() => DefaultEngine::Gemini,
        Wanted::OpenAi | Wanted::Auto if openai.is_some() => DefaultEngine::OpenAi,
        Wanted::Local | Wanted::Auto => DefaultEngine::Local,
        Wanted::Gemini => without_key(reader, DefaultEngine::Gemini, "GEMINI_API_KEY"),
        Wanted::OpenAi => without_key(reader, DefaultEngine::OpenAi, "OPENAI_API_KEY"),
    };
    let models = if models_here { PathBuf::from("./models") } else { data_dir.join("models") };
    let models_dir = Some(reader.path("CALLIE_MODELS_DIR").unwrap_or(models));
    let voice = reader.read("CALLIE_LOCAL_VOICE", local_voice).unwrap_or_default();
    let temperature = first_version::temperature(reader);
    Engines {
        default,
        gemini,
        openai,
        temperature,
        models_dir,
        voice,
        voice_dir: Some(data_dir.join("voice")),
        chat: chat(reader),
    }
}

fn without_key(reader: &mut Reader, engine: DefaultEngine, key: &str) -> DefaultEngine {
    let problem = format!("is {}, but there is no key for it: set {key}, or choose auto or local", engine.name());
    reader.fault("CALLIE_ENGINE", problem);
    engine
}

fn gemini(reader: &mut Reader) -> Option<Gemini> {
    // All of them are read, so that a fault is told before there is a key.
    let model = reader.read("GEMINI_MODEL", model).map(|model| first_version::live_model(reader, model));
    let base_url = reader.read("GEMINI_BASE_URL", socket_url);
    let api_key = reader.read("GEMINI_API_KEY", key);
    if let Some(vertex) = vertex(reader) {
        return Some(Gemini {
            model: model
                .filter(|_| reader.is_given("GEMINI_MODEL"))
                .unwrap_or_else(|| GeminiOptions::DEFAULT_VERTEX_MODEL.into()),
            base_url: base_url
                .filter(|_| reader.is_given("GEMINI_BASE_URL"))
                .unwrap_or_else(|| vertex_base_url(&vertex.location)),
            access: GeminiAccess::Vertex(vertex),
        });
    }
    Some(Gemini::with_key(api_key?, model.unwrap_or_default(), base_url.unwrap_or_default()))
}

/// It goes before a key: whoever names a project wants it used.
fn vertex(reader: &mut Reader) -> Option<Vertex> {
    let project = reader.read("GEMINI_VERTEX_PROJECT", cloud_name);
    let location = reader.read("GEMINI_VERTEX_LOCATION", cloud_name);
    let credentials = reader.path("GOOGLE_APPLICATION_CREDENTIALS").or_else(|| reader.path("FIREBASE_SERVICE_ACCOUNT_PATH"));
    Some(Vertex { project: project?, location: location?, credentials })
}

/// Of a project or a region; it goes into an address.
fn cloud_name(text: &str) -> Result<String, String> {
    let is_name = text.len() <= 64 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.:".contains(&b));
    if is_name { Ok(text.to_owned()) } else { Err(format!("must be a name of letters, digits and hyphens, is {text:?}")) }
}

fn openai(reader: &mut Reader) -> Option<OpenAi> {
    // All of them are read, so that a fault is told before there is a key.
    let dialect = reader.read("OPENAI_DIALECT", |name| Dialect::named(name).ok_or_else(|| no_dialect(name)));
    let name = reader.read("OPENAI_DIALECT", |name| Ok(name.to_owned()));
    let model = reader.read("OPENAI_MODEL", model);
    let base_url = reader.read("OPENAI_BASE_URL", realtime_url);
    let turn_detection = reader.read("OPENAI_TURN_DETECTION", |text| Ok(text.to_owned())).unwrap_or_default();
    let api_key = reader.read("OPENAI_API_KEY", key);
    let (dialect, name) = (dialect?, name?);
    let is_wanted = api_key.is_some() || !dialect.key.required && reader.is_given("OPENAI_DIALECT");
    if !is_wanted {
        return None;
    }
    let missing = [
        ("OPENAI_BASE_URL", base_url.is_none() && dialect.base_url.is_none() && !reader.is_given("OPENAI_BASE_URL")),
        ("OPENAI_MODEL", model.is_none() && dialect.model.is_none() && !reader.is_given("OPENAI_MODEL")),
    ];
    for (setting, _) in missing.into_iter().filter(|(_, missing)| *missing) {
        reader.fault("OPENAI_DIALECT", format!("is {name}, for which everybody has another address and model: set {setting}"));
    }
    if !dialect.turn_detections().any(|known| known == turn_detection) {
        let known = dialect.turn_detections().collect::<Vec<_>>().join(", ");
        reader.fault("OPENAI_TURN_DETECTION", format!("must be one of those that {} knows: {known}", dialect.title));
    }
    Some(OpenAi { api_key, dialect: name, model, base_url, turn_detection })
}

fn no_dialect(name: &str) -> String {
    format!("must be one of {}, is {name:?}", Dialect::names().join(", "))
}

fn chat(reader: &mut Reader) -> Option<Chat> {
    let asked = reader.is_given("CALLIE_CHAT_URL");
    let url = reader.read("CALLIE_CHAT_URL", chat_url);
    let model = reader.read("CALLIE_CHAT_MODEL", model);
    let key = reader.read("CALLIE_CHAT_KEY", key);
    if asked && !reader.is_given("CALLIE_CHAT_MODEL") {
        reader.fault("CALLIE_CHAT_URL", "stands without CALLIE_CHAT_MODEL: name the model that is to answer".to_owned());
    }
    for name in ["CALLIE_CHAT_MODEL", "CALLIE_CHAT_KEY"] {
        if !asked && reader.is_given(name) {
            reader.fault(name, "stands without CALLIE_CHAT_URL: say where to ask, or leave it out".to_owned());
        }
    }
    Some(Chat { url: url?, model: model?, key })
}

fn wanted(text: &str) -> Result<Wanted, String> {
    match text {
        "auto" => Ok(Wanted::Auto),
        "local" => Ok(Wanted::Local),
        "gemini" => Ok(Wanted::Gemini),
        "openai" => Ok(Wanted::OpenAi),
        _ => Err(format!("must be auto, local, gemini or openai, is {text:?}")),
    }
}

fn local_voice(text: &str) -> Result<LocalVoice, String> {
    match text {
        "flite" => Ok(LocalVoice::Flite),
        "kokoro" => Ok(LocalVoice::Kokoro),
        "auto" => Ok(LocalVoice::Auto),
        _ => Err(format!("must be flite, kokoro or auto, is {text:?}; a voice of kokoro's is chosen by ai.voice of a user")),
    }
}

fn model(text: &str) -> Result<String, String> {
    let is_name = text.len() <= 128 && text.chars().all(|c| c.is_ascii_graphic());
    if is_name { Ok(text.to_owned()) } else { Err(format!("must be the name of a model without spaces, is {text:?}")) }
}

/// It goes into a header or an address, and is not quoted in a fault.
fn key(text: &str) -> Result<Secret, String> {
    if text.chars().all(|c| c.is_ascii_graphic()) {
        return Ok(Secret::new(text));
    }
    Err("must be a key of letters, digits and signs without spaces".to_owned())
}

fn socket_url(text: &str) -> Result<String, String> {
    let url = parts(text).filter(|url| matches!(url.scheme, "ws" | "wss") && url.path.is_empty());
    let problem = || "must be scheme and host only, ws or wss, such as wss://generativelanguage.googleapis.com".to_owned();
    url.map(|url| url.whole()).ok_or_else(problem)
}

fn realtime_url(text: &str) -> Result<String, String> {
    let url = parts(text).filter(|url| matches!(url.scheme, "wss" | "ws" | "https" | "http"));
    let url = url.filter(|url| !url.path.ends_with("/realtime"));
    let problem = || "must be the address of a Realtime API up to /v1, such as wss://api.openai.com/v1".to_owned();
    url.map(|url| url.whole()).ok_or_else(problem)
}

fn chat_url(text: &str) -> Result<String, String> {
    let url = parts(text).filter(|url| matches!(url.scheme, "http" | "https"));
    let url = url.filter(|url| !url.path.ends_with("/completions"));
    let problem = || "must be the address of an OpenAI-compatible API up to /v1, such as http://127.0.0.1:11434/v1".to_owned();
    url.map(|url| url.whole()).ok_or_else(problem)
}

struct Parts<'a> {
    scheme: &'a str,
    authority: &'a str,
    /// Without a slash at the end.
    path: &'a str,
}

impl Parts<'_> {
    fn whole(&self) -> String {
        format!("{}://{}{}", self.scheme, self.authority, self.path)
    }
}

/// An address without a user, a query and a fragment. It is not quoted in a fault: people put keys there.
fn parts(text: &str) -> Option<Parts<'_>> {
    let (scheme, rest) = text.split_once("://")?;
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let is_host = authority.parse::<HostPort>().is_ok();
    let is_plain = path.chars().all(|c| c.is_ascii_graphic()) && !text.contains(['@', '?', '#', '"', '<', '>', '\\']);
    (is_host && is_plain).then_some(Parts { scheme, authority, path: path.trim_end_matches('/') })
}
