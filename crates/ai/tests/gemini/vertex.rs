//! Gemini by way of Vertex: another path, a token for each session, the model's full name.

use crate::service::{AUDIO, Caller, Service, brief};
use async_trait::async_trait;
use callie_ai::{
    Engine, EngineCause, EngineError, EngineEvent, GeminiEngine, GeminiOptions,
    gemini::{TokenSource, Vertex},
};
use callie_domain::Secret;
use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

/// Gives `token-1`, then `token-2`, and so on.
#[derive(Debug, Default)]
struct Tokens(AtomicU32);

#[async_trait]
impl TokenSource for Tokens {
    async fn token(&self) -> Result<Secret, EngineError> {
        Ok(Secret::new(format!("token-{}", self.0.fetch_add(1, Ordering::Relaxed) + 1)))
    }
}

#[derive(Debug)]
struct NoTokens;

#[async_trait]
impl TokenSource for NoTokens {
    async fn token(&self) -> Result<Secret, EngineError> {
        Err(EngineError::new(EngineCause::KeyRefused, "the account is disabled"))
    }
}

fn options(service: &Service, tokens: Arc<dyn TokenSource>) -> GeminiOptions {
    let vertex = Vertex { project: "p-1".into(), location: "europe-west4".into(), tokens };
    GeminiOptions { base_url: service.url(), ..GeminiOptions::vertex(vertex) }
}

#[tokio::test]
async fn each_session_has_a_fresh_token_and_the_models_full_name() {
    let service = Service::listen().await;
    let engine = GeminiEngine::new(options(&service, Arc::new(Tokens::default()))).expect("right");
    let (session, mut peer) = tokio::join!(engine.open(brief()), service.session());
    let mut caller = Caller { session: session.expect("opens") };
    assert_eq!(peer.path, "/ws/google.cloud.aiplatform.v1beta1.LlmBidiService/BidiGenerateContent");
    assert_eq!((peer.key.as_deref(), peer.token.as_deref()), (None, Some(b"Bearer token-1".as_slice())));
    let resource = "projects/p-1/locations/europe-west4/publishers/google/models/gemini-live-2.5-flash-native-audio";
    assert_eq!(peer.setup["model"], resource);
    peer.content(AUDIO).await;
    assert_eq!(caller.event().await, crate::service::audio());

    let serve = async {
        // Whatever it says, no token gets into the record.
        peer.close(1011, "token-1 has expired").await;
        service.session().await
    };
    let (event, peer) = tokio::join!(caller.telling_event(), serve);
    assert_eq!(
        event,
        EngineEvent::SessionChanged { reason: "service_failed: closed with 1011: (key) has expired".into(), resumed: false }
    );
    assert_eq!(peer.token.as_deref(), Some(b"Bearer token-2".as_slice()));
}

#[tokio::test]
async fn who_gets_no_token_says_why() {
    let service = Service::listen().await;
    let engine = GeminiEngine::new(options(&service, Arc::new(NoTokens))).expect("right");
    let error = engine.check(brief()).await.expect_err("no token");
    assert_eq!(error, EngineError::new(EngineCause::KeyRefused, "the account is disabled"));
}
