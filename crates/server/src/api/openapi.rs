//! The description of the API: its preamble, and what every operation has in common.

use super::access;
use super::error::Problem;
use super::users::summary::UserSummary;
use super::words::LineWord;
use axum::http::Method;
use callie_domain::Need;
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    ContentBuilder, OpenApi, Ref, RefOr, Response, ResponseBuilder, path::Operation, path::PathItem, tag::TagBuilder,
};
use utoipa::{OpenApi as _, ToSchema};

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Callie Caller",
        description = "Keeps the SIP accounts of many users registered, answers and places their calls with an AI voice, and \
            keeps the evidence. Bodies are read as JSON whatever their content type. Every error is a problem document \
            (RFC 9457) that names each faulty field.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0")
    ),
    // Those that no derived schema leads to.
    components(schemas(Problem, UserSummary, LineWord))
)]
struct Preamble;

const TAGS: [(&str, &str); 8] = [
    ("users", "Users with their SIP credentials, device, call settings and AI"),
    ("lines", "Connecting and disconnecting a user's line"),
    ("calls", "Placing calls, calls that are up, call records and recordings"),
    ("webhooks", "What the receivers of users were told, and what they answered"),
    ("live", "The live feed"),
    ("access", "Who is let in: sessions, keys, and the audit of what they did"),
    ("server", "Status and health"),
    ("first version", "The paths of the first version, which had one line: they serve user `primary`"),
];

pub fn preamble() -> OpenApi {
    let mut document = Preamble::openapi();
    document.info.contact = None;
    document.info.version = env!("CARGO_PKG_VERSION").to_owned();
    let tag = |(name, text): &(&str, &str)| TagBuilder::new().name(*name).description(Some(*text)).build();
    document.tags = Some(TAGS.iter().map(tag).collect());
    document
}

/// The finished description, as served under `/openapi.json` and printed by `callie openapi`.
pub fn document() -> OpenApi {
    super::router::described().1
}

/// The document as it is committed: pretty JSON with a final line break.
pub fn document_text() -> String {
    let mut text = document().to_pretty_json().unwrap_or_default();
    text.push('\n');
    text
}

/// Adds to every operation what it needs, the answers that any of them can give, and to every answer a description.
pub fn complete(document: &mut OpenApi) {
    let components = document.components.get_or_insert_default();
    let bearer =
        HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("An API key, or a token of the identity provider"));
    components.add_security_scheme("bearer", SecurityScheme::Http(bearer.build()));
    let cookie =
        ApiKeyValue::with_description("callie_session", "Set by POST /session; changes need the header X-CSRF-Token too");
    components.add_security_scheme("session", SecurityScheme::ApiKey(ApiKey::Cookie(cookie)));
    for (path, item) in &mut document.paths.paths {
        for (method, operation) in operations(item) {
            let need = access::need(&method, Some(path)).unwrap_or(Need::Admin);
            operation.security = Some(match need {
                Need::Nobody => Vec::new(),
                _ => ["bearer", "session"].map(|name| SecurityRequirement::new(name, [""; 0])).to_vec(),
            });
            let extension = Extensions::builder().add("x-callie-role", word_of(need)).build();
            operation.extensions = Some(extension);
            let known = (need != Need::Nobody).then_some(("401", "Nobody is known: no key, token or session, or not a good one"));
            for (status, text) in known.into_iter().chain([
                ("403", "Your role does not allow it, or another web site sent this request"),
                ("421", "The Host header is not one of this server's names"),
                ("429", "You ask too often; Retry-After says how long to wait"),
                ("500", "A fault of this server"),
                ("503", "A store cannot be reached"),
            ]) {
                operation.responses.responses.entry(status.to_owned()).or_insert_with(|| RefOr::T(problem(text)));
            }
            for (status, response) in &mut operation.responses.responses {
                if let RefOr::T(response) = response
                    && response.description.is_empty()
                {
                    response.description = meaning(status).to_owned();
                }
            }
        }
    }
}

/// The description of a success that has none of its own; the format asks for one.
fn meaning(status: &str) -> &'static str {
    match status {
        "201" => "Created",
        "202" => "Begun",
        _ => "As asked",
    }
}

/// Who may, in one word: `own` is the user in the path or of the call, and every operator.
fn word_of(need: Need) -> &'static str {
    match need {
        Need::Nobody => "anybody",
        Need::AnyRole | Need::Narrowed => "any",
        Need::OwnUser | Need::OwnCall => "own",
        Need::Operator => "operator",
        Need::Admin => "admin",
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = (Method, &mut Operation)> {
    let all = [
        (Method::GET, &mut item.get),
        (Method::PUT, &mut item.put),
        (Method::POST, &mut item.post),
        (Method::DELETE, &mut item.delete),
    ];
    all.into_iter().filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

/// A response that is a problem document.
pub fn problem(text: &str) -> Response {
    let schema = RefOr::<utoipa::openapi::Schema>::Ref(Ref::from_schema_name(Problem::name()));
    let content = ContentBuilder::new().schema(Some(schema)).build();
    ResponseBuilder::new().description(text).content("application/problem+json", content).build()
}

/// Sets of responses that several operations share.
macro_rules! problem_sets {
    ($($(#[$doc:meta])* $name:ident: $($status:literal $text:literal),+;)*) => {$(
        $(#[$doc])*
        pub struct $name;
        impl utoipa::IntoResponses for $name {
            fn responses() -> std::collections::BTreeMap<String, RefOr<Response>> {
                [$(($status.to_owned(), RefOr::T(problem($text)))),+].into_iter().collect()
            }
        }
    )*};
}
problem_sets! {
    /// What a body can be refused for.
    BodyProblems: "400" "The body is not JSON; the detail names line and column", "413" "The body has more than 64 KiB",
        "422" "Fields are missing, faulty or unknown; all of them are named";
    /// A limit of the user is in the way.
    LimitProblems: "403" "The user's limits do not allow it, `limit` says which; or your role does not, or another web site sent this request",
        "429" "A limit of the user is reached, `limit` says which; or it is at the server's limit of concurrent calls";
    /// It is a WebSocket.
    WebSocketProblems: "426" "The request does not ask for a WebSocket";
    /// The user in the path is not there.
    UserProblems: "404" "There is no such user";
    /// The call in the path is not there.
    CallProblems: "404" "There is no such call";
    /// A store can be away.
    StoreProblems: "503" "The store cannot be reached";
    /// Query parameters can be faulty.
    QueryProblems: "422" "Query parameters are faulty or unknown";
}

/// A closed list of words as a schema.
pub fn word_list<T: serde::Serialize>(words: &[T], text: &str) -> RefOr<utoipa::openapi::Schema> {
    let values: Vec<serde_json::Value> = words.iter().filter_map(|w| serde_json::to_value(w).ok()).collect();
    let object = utoipa::openapi::ObjectBuilder::new()
        .schema_type(utoipa::openapi::schema::Type::String)
        .description(Some(text))
        .enum_values(Some(values))
        .build();
    RefOr::T(utoipa::openapi::Schema::Object(object))
}
