//! A service that does what a test tells it, and a caller who waits for events with a deadline.

use base64_simd::STANDARD;
use callie_ai::{Brief, Engine, EngineError, EngineEvent, EngineSession, GeminiEngine, GeminiOptions};
use callie_domain::Secret;
use futures::{SinkExt, StreamExt};
use serde_json::Value;
use std::{future::poll_fn, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_tungstenite::{
    WebSocketStream, accept_hdr_async,
    tungstenite::{
        Message,
        handshake::server::{ErrorResponse, Request, Response},
        protocol::CloseFrame,
    },
};

pub const KEY: &str = "k3y-of-the-test";
const PATIENCE: Duration = Duration::from_secs(30);

/// `serverContent` with two samples that can be heard.
pub const AUDIO: &str = r#"{"modelTurn":{"parts":[{"inlineData":{"mimeType":"audio/pcm;rate=24000","data":"QB/A4A=="}}]}}"#;

/// What becomes of [`AUDIO`].
pub fn audio() -> EngineEvent {
    EngineEvent::Audio(vec![8_000, -8_000])
}

/// The samples of a message of caller audio.
pub fn samples(message: &Value) -> Vec<i16> {
    let audio = &message["realtimeInput"]["audio"];
    assert_eq!(audio["mimeType"], "audio/pcm;rate=16000", "{message}");
    let bytes = STANDARD.decode_to_vec(audio["data"].as_str().expect("data")).expect("base64");
    bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
}

pub struct Service {
    listener: TcpListener,
}

impl Service {
    pub async fn listen() -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").await.expect("a port") }
    }

    pub fn url(&self) -> String {
        format!("ws://{}", self.listener.local_addr().expect("bound"))
    }

    /// A connection without a WebSocket on it yet.
    pub async fn accept_raw(&self) -> TcpStream {
        timeout(PATIENCE, self.listener.accept()).await.expect("in time").expect("connects").0
    }

    /// A connection that has been upgraded.
    pub async fn accept(&self) -> Peer {
        let (mut path, mut key, mut token) = (String::new(), None, None);
        #[expect(clippy::result_large_err, reason = "the library's own signature")]
        let note = |request: &Request, response: Response| -> Result<Response, ErrorResponse> {
            path = request.uri().to_string();
            let header = |name| request.headers().get(name).map(|value| value.as_bytes().to_vec());
            (key, token) = (header("x-goog-api-key"), header("authorization"));
            Ok(response)
        };
        let socket = accept_hdr_async(self.accept_raw().await, note).await.expect("upgrades");
        Peer { socket, path, key, token, setup: Value::Null }
    }

    /// The engine's session, and this service's view of it.
    pub async fn pair(&self) -> (Caller, Peer) {
        let (caller, peer) = tokio::join!(open(options(&self.url())), self.session());
        (caller.expect("opens"), peer)
    }

    /// A session that is set up.
    pub async fn session(&self) -> Peer {
        let mut peer = self.accept().await;
        peer.setup = peer.next().await["setup"].clone();
        assert!(peer.setup.is_object());
        peer.send(r#"{"setupComplete": {}}"#).await;
        peer
    }
}

/// One connection of the engine, seen from the service.
pub struct Peer {
    pub socket: WebSocketStream<TcpStream>,
    pub path: String,
    pub key: Option<Vec<u8>>,
    pub token: Option<Vec<u8>>,
    /// Of a session that is set up.
    pub setup: Value,
}

impl Peer {
    /// As the real service does: JSON in a binary frame.
    pub async fn send(&mut self, message: &str) {
        self.socket.send(Message::binary(message.to_owned().into_bytes())).await.expect("sends");
    }

    pub async fn content(&mut self, content: &str) {
        self.send(&format!("{{\n  \"serverContent\": {content}\n}}\n")).await;
    }

    pub async fn close(&mut self, code: u16, reason: &str) {
        let frame = CloseFrame { code: code.into(), reason: reason.to_owned().into() };
        // The engine may be gone before it has answered.
        let _ = self.socket.close(Some(frame)).await;
    }

    /// The next message of the engine, `None` once it has hung up.
    pub async fn next_if_any(&mut self) -> Option<Value> {
        loop {
            match timeout(PATIENCE, self.socket.next()).await.expect("in time") {
                Some(Ok(Message::Text(text))) => return Some(serde_json::from_str(&text).expect("JSON")),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                other => panic!("{other:?}"),
            }
        }
    }

    pub async fn next(&mut self) -> Value {
        self.next_if_any().await.expect("a message")
    }

    /// Waits until the engine has read what came so far.
    pub async fn is_read(&mut self) {
        self.socket.send(Message::Ping("?".into())).await.expect("sends");
        loop {
            match timeout(PATIENCE, self.socket.next()).await.expect("in time") {
                Some(Ok(Message::Pong(_))) => return,
                Some(Ok(_)) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// Waits until the engine has hung up.
    pub async fn gone(&mut self) {
        while self.next_if_any().await.is_some() {}
    }
}

pub fn options(url: &str) -> GeminiOptions {
    GeminiOptions { base_url: url.to_owned(), ..GeminiOptions::new(Secret::new(KEY)) }
}

pub fn brief() -> Brief {
    Brief {
        greeting: "Hello, this is Alice.".into(),
        display_name: "Alice".into(),
        instructions: Some("Be brief.".into()),
        model: None,
        voice: Some("Kore".into()),
        language: None,
        remote_party: "bob".into(),
        outbound: false,
        transfer_targets: Vec::new(),
        tools: callie_ai::tools::Toolbox::default(),
        temperature: None,
        history: Vec::new(),
    }
}

pub async fn open(options: GeminiOptions) -> Result<Caller, EngineError> {
    let engine = GeminiEngine::new(options)?;
    Ok(Caller { session: timeout(PATIENCE, engine.open(brief())).await.expect("in time")? })
}

/// The call's side of a session.
pub struct Caller {
    pub session: Box<dyn EngineSession>,
}

impl Caller {
    pub async fn event(&mut self) -> EngineEvent {
        timeout(PATIENCE, poll_fn(|context| self.session.poll_event(context))).await.expect("an event in time")
    }

    pub async fn events(&mut self, count: usize) -> Vec<EngineEvent> {
        let mut events = Vec::new();
        while events.len() < count {
            events.push(self.event().await);
        }
        events
    }

    /// The end, and what was told before it.
    pub async fn failure(&mut self) -> (EngineError, Vec<EngineEvent>) {
        let mut before = Vec::new();
        loop {
            match self.event().await {
                EngineEvent::Failed(error) => return (error, before),
                event => before.push(event),
            }
        }
    }

    /// The next event but notices and usage.
    pub async fn telling_event(&mut self) -> EngineEvent {
        loop {
            match self.event().await {
                EngineEvent::Notice(_) | EngineEvent::Usage(_) => {}
                event => return event,
            }
        }
    }

    /// Drives the session while nothing is expected of it.
    pub async fn idle_until<T>(&mut self, done: impl Future<Output = T>) -> T {
        tokio::select! {
            biased;
            value = done => value,
            event = poll_fn(|context| self.session.poll_event(context)) => panic!("{event:?}"),
        }
    }
}

/// A fresh pair: the engine's session, and the service's view of it.
pub async fn pair() -> (Caller, Peer) {
    let service = Service::listen().await;
    service.pair().await
}
