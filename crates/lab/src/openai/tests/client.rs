//! A client without manners: it sends what it is told and shows what comes.

use super::*;
use crate::samples::Line;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use callie_media::codec::G711;
use futures::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

pub struct Client {
    socket: WebSocketStream<TcpStream>,
}

/// The status with which an upgrade is refused.
pub async fn refused(fake: &FakeOpenAi, target: &str, headers: &[(&str, &str)]) -> Option<u16> {
    Client::connect(fake, target, headers).await.err()
}

pub fn update() -> Value {
    json!({"type": "session.update", "event_id": "u-1", "session": {
        "type": "realtime",
        "audio": {
            "input": {"format": {"type": "audio/pcmu"}, "transcription": {"model": "gpt-transcribe"},
                      "turn_detection": {"type": "server_vad", "silence_duration_ms": 500}},
            "output": {"format": {"type": "audio/pcmu"}, "voice": "marin"},
        },
        "tools": [{"type": "function", "name": "end_call", "parameters": {"type": "object"}}],
    }})
}

impl Client {
    async fn connect(fake: &FakeOpenAi, target: &str, headers: &[(&str, &str)]) -> Result<Self, u16> {
        let stream = TcpStream::connect(fake.address()).await.expect("somebody listens");
        stream.set_nodelay(true).expect("a socket option");
        let mut request = format!("ws://{}{target}", fake.address()).into_client_request().expect("a request");
        for (name, value) in headers {
            let name: tokio_tungstenite::tungstenite::http::HeaderName = name.parse().expect("a name");
            request.headers_mut().insert(name, value.parse().expect("a value"));
        }
        match client_async(request, stream).await {
            Ok((socket, _)) => Ok(Self { socket }),
            Err(Error::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }

    pub async fn open(fake: &FakeOpenAi) -> Self {
        let headers = [("authorization", "Bearer sk-lab")];
        let mut client = Self::connect(fake, "/v1/realtime?model=gpt-realtime-2.1", &headers).await.expect("let in");
        assert_eq!(client.next().await["type"], "session.created");
        client
    }

    pub async fn set_up(fake: &FakeOpenAi) -> Self {
        let mut client = Self::open(fake).await;
        client.send(update()).await;
        client.until("session.updated").await;
        client
    }

    pub async fn send(&mut self, message: Value) {
        self.socket.send(Message::text(message.to_string())).await.expect("sent");
    }

    /// At 8 kHz, with the silence that ends a turn, all at once.
    pub async fn say(&mut self, line: Line) {
        let samples: Vec<i16> = line.samples().iter().copied().chain([0; 8_000]).collect();
        for frame in samples.chunks(800) {
            let mut codes = vec![0; frame.len()];
            G711::Pcmu.encode_i16(frame, &mut codes);
            self.send(json!({"type": "input_audio_buffer.append", "audio": STANDARD.encode(codes)})).await;
        }
    }

    /// The next event; null when the socket is closed.
    pub async fn next(&mut self) -> Value {
        match timeout(DEADLINE, self.socket.next()).await.expect("in time") {
            Some(Ok(Message::Text(text))) => serde_json::from_str(&text).unwrap_or_default(),
            Some(Ok(Message::Binary(_))) => json!({"type": "binary"}),
            Some(Ok(Message::Close(frame))) => json!({"type": "close", "code": frame.map(|frame| u16::from(frame.code))}),
            _ => Value::Null,
        }
    }

    /// All events up to the first of this type.
    pub async fn until(&mut self, kind: &str) -> Vec<Value> {
        let mut events = Vec::new();
        loop {
            let event = self.next().await;
            assert!(!event.is_null(), "closed before {kind}: {events:#?}");
            let found = event["type"] == kind;
            events.push(event);
            if found {
                return events;
            }
        }
    }

    pub async fn respond(&mut self, instructions: &str) -> Vec<Value> {
        self.send(json!({"type": "response.create", "response": {"instructions": instructions}})).await;
        self.until("response.done").await
    }
}

pub fn kinds(events: &[Value]) -> Vec<&str> {
    events.iter().filter_map(|event| event["type"].as_str()).collect()
}

pub fn place(events: &[Value], kind: &str) -> Option<usize> {
    events.iter().position(|event| event["type"] == kind)
}

pub fn deltas(events: &[Value], kind: &str) -> String {
    events.iter().filter(|event| event["type"] == kind).filter_map(|event| event["delta"].as_str()).collect()
}
