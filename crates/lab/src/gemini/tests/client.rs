//! A client without manners: it sends what it is told and shows what comes.

use super::*;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use futures::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

pub const PATH: &str = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent";

pub struct Client {
    socket: WebSocketStream<TcpStream>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    Message(Value),
    /// Not JSON.
    Junk,
    Ping,
    Closed(u16, String),
    /// Gone without a close frame.
    Lost,
}

pub fn setup() -> Value {
    json!({"setup": {
        "model": "models/gemini-3.8-live",
        "generationConfig": {"responseModalities": ["AUDIO"]},
        "inputAudioTranscription": {},
        "outputAudioTranscription": {},
        "realtimeInputConfig": {"automaticActivityDetection": {"silenceDurationMs": 500}},
        "tools": [{"functionDeclarations": [
            {"name": "end_call", "behavior": "BLOCKING"},
            {"name": "current_time", "behavior": "NON_BLOCKING"},
        ]}],
    }})
}

impl Client {
    /// Up to the upgrade; an HTTP status if that is refused.
    pub async fn upgrade(fake: &FakeGemini, path: &str, key: Option<&str>) -> Result<Self, u16> {
        let mut request = format!("{}{path}", fake.base_url()).into_client_request().expect("a request");
        if let Some(key) = key {
            request.headers_mut().insert("x-goog-api-key", key.parse().expect("a header"));
        }
        let stream = TcpStream::connect(fake.address()).await.expect("listening");
        match client_async(request, stream).await {
            Ok((socket, _)) => Ok(Self { socket }),
            Err(Error::Http(response)) => Err(response.status().as_u16()),
            Err(_) => Err(0),
        }
    }

    pub async fn connect(fake: &FakeGemini) -> Self {
        Self::upgrade(fake, PATH, Some("lab-key")).await.expect("accepted")
    }

    /// Up to `setupComplete`.
    pub async fn set_up(fake: &FakeGemini, setup: Value) -> Self {
        let mut client = Self::connect(fake).await;
        client.send(setup).await;
        assert_eq!(client.next().await, Event::Message(json!({"setupComplete": {}})));
        client
    }

    pub async fn send(&mut self, message: Value) {
        // The fake may have closed already: the test sees that in what comes.
        _ = self.socket.send(Message::Text(message.to_string().into())).await;
    }

    pub async fn text(&mut self, text: &str) {
        self.send(json!({"realtimeInput": {"text": text}})).await;
    }

    /// Audio at 16 kHz in messages of 40 ms, faster than real time, in both alphabets.
    pub async fn say(&mut self, samples: &[i16]) {
        for (index, part) in samples.chunks(640).enumerate() {
            let bytes: Vec<u8> = part.iter().flat_map(|sample| sample.to_le_bytes()).collect();
            let data = if index % 2 == 0 { STANDARD.encode(bytes) } else { URL_SAFE_NO_PAD.encode(bytes) };
            self.send(json!({"realtimeInput": {"audio": {"mimeType": "audio/pcm;rate=16000", "data": data}}})).await;
        }
    }

    pub async fn close(mut self) {
        _ = self.socket.close(None).await;
        while let Some(Ok(_)) = self.socket.next().await {}
    }

    pub async fn next(&mut self) -> Event {
        let received = timeout(DEADLINE, self.socket.next()).await.expect("something came");
        let json = |bytes: &[u8]| serde_json::from_slice(bytes).map_or(Event::Junk, Event::Message);
        match received {
            Some(Ok(Message::Text(text))) => json(text.as_bytes()),
            Some(Ok(Message::Binary(bytes))) => json(&bytes),
            Some(Ok(Message::Ping(_))) => Event::Ping,
            Some(Ok(Message::Close(Some(frame)))) => Event::Closed(frame.code.into(), frame.reason.to_string()),
            Some(Ok(other)) => panic!("{other:?}"),
            Some(Err(_)) | None => Event::Lost,
        }
    }

    /// All messages up to the first in which `pointer` leads somewhere, with that one.
    pub async fn until(&mut self, pointer: &str) -> Heard {
        let mut heard = Heard::default();
        loop {
            match self.next().await {
                Event::Message(message) => {
                    let found = message.pointer(pointer).is_some();
                    heard.messages.push(message);
                    if found {
                        return heard;
                    }
                }
                other => panic!("{other:?} instead of {pointer} after {:?}", heard.messages.len()),
            }
        }
    }

    /// Up to the end of the turn.
    pub async fn turn(&mut self) -> Heard {
        self.until("/serverContent/turnComplete").await
    }

    /// Reads until the end of the connection.
    pub async fn end(&mut self) -> Event {
        loop {
            match self.next().await {
                Event::Message(_) | Event::Ping | Event::Junk => {}
                end => return end,
            }
        }
    }
}

/// What came.
#[derive(Debug, Default)]
pub struct Heard {
    pub messages: Vec<Value>,
}

impl Heard {
    /// 24 kHz.
    pub fn samples(&self) -> Vec<i16> {
        let parts = self.messages.iter().filter_map(|message| message.pointer("/serverContent/modelTurn/parts")?.as_array());
        let data = parts.flatten().filter_map(|part| part.pointer("/inlineData/data")?.as_str());
        let bytes: Vec<u8> = data.flat_map(|data| STANDARD.decode(data).expect("base64")).collect();
        bytes.as_chunks::<2>().0.iter().map(|sample| i16::from_le_bytes(*sample)).collect()
    }

    pub fn count(&self, pointer: &str) -> usize {
        self.messages.iter().filter(|message| message.pointer(pointer).is_some()).count()
    }

    /// The first message with that.
    pub fn place(&self, pointer: &str) -> Option<usize> {
        self.messages.iter().position(|message| message.pointer(pointer).is_some())
    }

    pub fn get(&self, pointer: &str) -> Value {
        self.messages.iter().find_map(|message| message.pointer(pointer)).cloned().unwrap_or_default()
    }

    fn words(&self, pointer: &str) -> String {
        self.messages.iter().filter_map(|message| message.pointer(pointer)?.as_str()).collect()
    }

    pub fn said(&self) -> String {
        self.words("/serverContent/outputTranscription/text")
    }

    pub fn heard(&self) -> String {
        self.words("/serverContent/inputTranscription/text")
    }
}
