//! How the service is let in to: by an API key of the developers' API, or on Vertex by an OAuth token of a project.

use crate::{EngineCause, EngineError};
use async_trait::async_trait;
use callie_domain::Secret;
use std::{fmt, sync::Arc};

/// One of the two doors. They lead to the same protocol, with differences that [`super::wire::setup`] knows.
#[derive(Debug, Clone)]
pub enum Access {
    Key(Secret),
    Vertex(Vertex),
}

/// Vertex AI, now called the Gemini Enterprise Agent Platform.
#[derive(Debug, Clone)]
pub struct Vertex {
    pub project: String,
    /// A region such as `europe-west4`, or `global`.
    pub location: String,
    pub tokens: Arc<dyn TokenSource>,
}

/// Where OAuth access tokens of the scope `cloud-platform` come from. They are looked at when a session is opened, and not
/// again.
#[async_trait]
pub trait TokenSource: Send + Sync + fmt::Debug {
    /// A token that is good now. The error's cause says whether asking again may help.
    async fn token(&self) -> Result<Secret, EngineError>;
}

/// What goes into the request's head for one session.
pub(super) struct Credential {
    pub header: &'static str,
    /// Before the secret, as `Bearer `.
    pub scheme: &'static str,
    pub secret: Secret,
}

/// Of Vertex in this region, or `global`.
pub fn vertex_base_url(location: &str) -> String {
    match location {
        "global" => "wss://aiplatform.googleapis.com".into(),
        region => format!("wss://{region}-aiplatform.googleapis.com"),
    }
}

impl Access {
    /// Of the developers' API and of Vertex.
    const PATH: &'static str = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent";
    const VERTEX_PATH: &'static str = "/ws/google.cloud.aiplatform.v1beta1.LlmBidiService/BidiGenerateContent";

    pub(super) fn path(&self) -> &'static str {
        match self {
            Self::Key(_) => Self::PATH,
            Self::Vertex(_) => Self::VERTEX_PATH,
        }
    }

    /// Where the service lives unless the operator says otherwise.
    pub(super) fn default_base_url(&self) -> String {
        match self {
            Self::Key(_) => "wss://generativelanguage.googleapis.com".into(),
            Self::Vertex(Vertex { location, .. }) => vertex_base_url(location),
        }
    }

    /// The model's name as the setup wants it; `model` may be one already.
    pub fn qualified(&self, model: &str) -> String {
        let bare = model.strip_prefix("models/").unwrap_or(model);
        match self {
            _ if bare.contains('/') => bare.to_owned(),
            Self::Key(_) => format!("models/{bare}"),
            Self::Vertex(Vertex { project, location, .. }) => {
                format!("projects/{project}/locations/{location}/publishers/google/models/{bare}")
            }
        }
    }

    pub(super) fn check(&self) -> Result<(), EngineError> {
        let config = |why: &str| Err(EngineError::new(EngineCause::Config, why));
        let is_name = |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.:_".contains(&b));
        match self {
            Self::Key(key) if key.is_empty() => config("the API key of Gemini is missing"),
            Self::Key(key) if !is_header(key) => config("the API key of Gemini holds characters that no key has"),
            Self::Vertex(vertex) if !is_name(&vertex.project) => config("the project of Vertex is no name of one"),
            Self::Vertex(vertex) if !is_name(&vertex.location) => config("the location of Vertex is no name of one"),
            Self::Key(_) | Self::Vertex(_) => Ok(()),
        }
    }

    /// For one session, fetched anew where it runs out.
    pub(super) async fn credential(&self) -> Result<Credential, EngineError> {
        match self {
            Self::Key(key) => Ok(Credential { header: "x-goog-api-key", scheme: "", secret: key.clone() }),
            Self::Vertex(vertex) => {
                let secret = vertex.tokens.token().await?;
                if secret.is_empty() || !is_header(&secret) {
                    return Err(EngineError::new(EngineCause::KeyRefused, "the access token is none that could be sent"));
                }
                Ok(Credential { header: "authorization", scheme: "Bearer ", secret })
            }
        }
    }
}

/// No character that would end a header.
fn is_header(secret: &Secret) -> bool {
    secret.expose().bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Tokens(&'static str);

    #[async_trait]
    impl TokenSource for Tokens {
        async fn token(&self) -> Result<Secret, EngineError> {
            Ok(Secret::new(self.0))
        }
    }

    fn vertex(project: &str, location: &str, token: &'static str) -> Access {
        Access::Vertex(Vertex { project: project.into(), location: location.into(), tokens: Arc::new(Tokens(token)) })
    }

    #[test]
    fn models_have_their_full_names() {
        let (key, vertex) = (Access::Key(Secret::new("k")), vertex("p-1", "europe-west4", "t"));
        let resource = "projects/p-1/locations/europe-west4/publishers/google/models/gemini-live-2.5-flash-native-audio";
        for (access, model, expected) in [
            (&key, "gemini-3.8-live", "models/gemini-3.8-live"),
            (&key, "models/gemini-3.8-live", "models/gemini-3.8-live"),
            (&vertex, "gemini-live-2.5-flash-native-audio", resource),
            (&vertex, "models/gemini-live-2.5-flash-native-audio", resource),
            (&vertex, resource, resource),
        ] {
            assert_eq!(access.qualified(model), expected);
        }
        assert_eq!(vertex.default_base_url(), "wss://europe-west4-aiplatform.googleapis.com");
        assert_eq!(self::vertex("p", "global", "t").default_base_url(), "wss://aiplatform.googleapis.com");
    }

    #[tokio::test]
    async fn a_token_goes_where_it_belongs_or_nowhere() {
        let credential = vertex("p", "l", "ya29.abc").credential().await.expect("a token");
        assert_eq!((credential.header, credential.scheme, credential.secret.expose()), ("authorization", "Bearer ", "ya29.abc"));
        for token in ["", "a b", "a\r\nX-Evil: 1"] {
            let error = vertex("p", "l", token).credential().await.err().expect("refused");
            assert!(error.cause == EngineCause::KeyRefused && !error.detail.contains("Evil"), "{error}");
        }
    }

    #[test]
    fn names_that_cannot_be_right_are_refused() {
        for (project, location) in [("", "l"), ("p", ""), ("p/q", "l"), ("p", "l\r\n"), ("p q", "l")] {
            assert_eq!(vertex(project, location, "t").check().expect_err("refused").cause, EngineCause::Config);
        }
        assert!(vertex("example.com:project-1", "us-central1", "t").check().is_ok());
    }
}
