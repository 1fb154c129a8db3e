//! A session that is set up: the WebSocket dialled, the session asked for and granted, each with the caller's patience.

use super::{
    dialect::{Dialect, Format},
    options::OpenAiOptions,
    refusal::{Ending, Refusals},
    wire::server::{self, ServerEvent, Session, SessionAudio},
};
use crate::{
    EngineCause, EngineError,
    realtime::{
        dial::{Dialer, Request, Stream},
        origin::Origin,
        socket::{Closed, Socket},
    },
};
use bytes::Bytes;
use callie_domain::Secret;
use futures::{SinkExt, StreamExt};
use jiff::Timestamp;
use std::{sync::Arc, time::Duration};
use tokio::time::timeout;
use tokio_tungstenite::{WebSocketStream, tungstenite::Message};
use zeroize::Zeroizing;

/// Where `session.updated` cannot be relied upon, so long it is waited for.
const UNCONFIRMED: Duration = Duration::from_secs(1);
/// What a service may say about the end of a session, and be believed.
const LIVES: std::ops::RangeInclusive<i64> = 60..=86_400;

/// Opens sessions of one service.
#[derive(Debug)]
pub struct Connector {
    dialer: Dialer,
    key: Secret,
    dialect: Dialect,
    connect_timeout: Duration,
    setup_timeout: Duration,
    life: Option<Duration>,
    refusals: Arc<Refusals>,
}

/// A session that is set up.
pub struct Link {
    pub socket: Socket,
    /// How long it may live.
    pub life: Option<Duration>,
}

impl Connector {
    pub fn new(options: &OpenAiOptions, dialect: Dialect, refusals: Arc<Refusals>) -> Result<Self, EngineError> {
        let config = |why: String| EngineError::new(EngineCause::Config, why);
        let service = dialect.title.clone();
        if options.api_key.is_empty() && dialect.key.required {
            return Err(config(format!("the API key of {service} is missing")));
        }
        if !options.api_key.expose().bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(config(format!("the API key of {service} holds characters that no key has")));
        }
        let base_url = options.base_url.clone().or_else(|| dialect.base_url.clone());
        let base_url = base_url.ok_or_else(|| config(format!("the base URL of {service} is missing: everybody has another")))?;
        let origin = Origin::parse(&service, &socket_url(&base_url))?;
        let dialer = Dialer::new(&service, origin).map_err(|error| EngineError::new(EngineCause::Internal, error.to_string()))?;
        let life = options.session_life.or(dialect.session_minutes.map(|minutes| Duration::from_secs(u64::from(minutes) * 60)));
        Ok(Self {
            dialer,
            key: options.api_key.clone(),
            dialect,
            connect_timeout: options.connect_timeout,
            setup_timeout: options.setup_timeout,
            life,
            refusals,
        })
    }

    /// A session of that model that has taken `setup`, a whole message.
    pub async fn open(self: Arc<Self>, model: String, setup: String) -> Result<Link, Ending> {
        let late = |what: &str, patience: Duration| format!("{what} within {patience:?}");
        let target = format!("{}/realtime?model={}", self.dialer.origin().path, encoded(&model));
        let authorisation = Zeroizing::new(format!("{}{}", self.dialect.key.scheme, self.key.expose()));
        let headers = [(self.dialect.key.header.as_str(), authorisation.as_str())];
        let headers = if self.key.is_empty() { &[][..] } else { &headers[..] };
        let dialling = self.dialer.dial(Request { target: &target, headers });
        let connected = timeout(self.connect_timeout, Box::pin(dialling)).await;
        let connected =
            connected.map_err(|_| self.refusals.error(EngineCause::Unreachable, &late("no connection", self.connect_timeout)))?;
        let mut stream = connected.map_err(|error| self.refusals.of_dial(error))?;
        let set_up = timeout(self.setup_timeout, self.set_up(&mut stream, setup)).await;
        let life = set_up
            .map_err(|_| self.refusals.error(EngineCause::Stalled, &late("no answer to the setup", self.setup_timeout)))??;
        Ok(Link { socket: Socket::new(stream), life })
    }

    /// Caller audio must not go up before the service has taken the format: it would be read as another.
    async fn set_up(&self, stream: &mut WebSocketStream<Stream>, setup: String) -> Result<Option<Duration>, Ending> {
        stream.send(Message::text(setup)).await.map_err(|error| self.refusals.of_closed(&Closed::Broken(error)))?;
        let (mut life, mut greeted) = (None, false);
        loop {
            let unconfirmed = greeted && !self.dialect.confirms_update;
            let patience = if unconfirmed { UNCONFIRMED } else { self.setup_timeout };
            let frame = match timeout(patience, self.frame(stream)).await {
                Ok(frame) => frame?,
                Err(_) if unconfirmed => break,
                Err(_) => continue,
            };
            let Ok(event) = server::parse(&frame) else { continue };
            life = life.or(event.session.as_ref().and_then(remaining));
            match event.kind.as_ref() {
                "session.created" | "conversation.created" => greeted = true,
                "session.updated" => {
                    self.check(event.session.as_ref())?;
                    break;
                }
                "error" => return Err(self.refused(event)),
                _ => {}
            }
        }
        // The nearer end of what the service says and what is known of it.
        Ok([life, self.life].into_iter().flatten().min())
    }

    async fn frame(&self, stream: &mut WebSocketStream<Stream>) -> Result<Bytes, Ending> {
        loop {
            return match stream.next().await {
                Some(Ok(Message::Text(text))) => Ok(text.into()),
                Some(Ok(Message::Binary(bytes))) => Ok(bytes),
                Some(Ok(Message::Close(frame))) => Err(self.refusals.of_closed(&Closed::ByService(frame))),
                Some(Ok(_)) => continue,
                Some(Err(error)) => Err(self.refusals.of_closed(&Closed::Broken(error))),
                None => Err(self.refusals.of_closed(&Closed::ByService(None))),
            };
        }
    }

    fn refused(&self, event: ServerEvent<'_>) -> Ending {
        let ending = self.refusals.of_error(&event.error.unwrap_or_default());
        match ending.error.cause {
            // The only thing we have asked for is the session.
            EngineCause::ServiceFailed if !ending.retry => {
                EngineError { cause: EngineCause::SetupRefused, ..ending.error }.into()
            }
            _ => ending,
        }
    }

    /// Some services take what they know and pass over the rest: audio of another format would be noise.
    fn check(&self, session: Option<&Session>) -> Result<(), EngineError> {
        let Some(SessionAudio { input, output }) = session.and_then(|session| session.audio.as_ref()) else { return Ok(()) };
        for (direction, asked) in [(input, self.dialect.input), (output, self.dialect.output)] {
            let granted = direction.as_ref().and_then(|direction| direction.format.as_ref()).map(|format| format.kind.as_str());
            if granted.is_some_and(|granted| !granted.is_empty() && granted != name_of(asked)) {
                let evidence = format!(
                    "asked for {}, the service gives {}: choose another dialect",
                    name_of(asked),
                    granted.unwrap_or_default()
                );
                return Err(self.refusals.error(EngineCause::SetupRefused, &evidence));
            }
        }
        Ok(())
    }
}

fn name_of(format: Format) -> &'static str {
    match format {
        Format::Pcmu => "audio/pcmu",
        Format::Pcma => "audio/pcma",
        Format::Pcm16000 | Format::Pcm24000 => "audio/pcm",
    }
}

/// As the service says itself, if it does.
fn remaining(session: &Session) -> Option<Duration> {
    let seconds = i64::try_from(session.expires_at.0).ok()? - Timestamp::now().as_second();
    LIVES.contains(&seconds).then(|| Duration::from_secs(seconds.unsigned_abs()))
}

/// People write the address of the API as they know it from elsewhere.
fn socket_url(base_url: &str) -> String {
    let url = base_url.trim();
    match url.split_once("://") {
        Some(("https", rest)) => format!("wss://{rest}"),
        Some(("http", rest)) => format!("ws://{rest}"),
        _ => url.to_owned(),
    }
}

/// For a query (RFC 3986 §2.3).
fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faulty_options_are_told_without_the_key() {
        for (dialect, key, base_url, expected) in [
            ("openai", "", None, "missing"),
            ("openai", "a b\r\nX-Evil: 1", None, "characters"),
            ("openai", "k3y", Some("ftp://x.example/v1"), "wss://"),
            ("openai", "k3y", Some("https://x.example/v1?key=k3y"), "query"),
            ("azure", "k3y", None, "everybody has another"),
        ] {
            let options = OpenAiOptions { base_url: base_url.map(str::to_owned), ..OpenAiOptions::new(Secret::new(key)) };
            let refusals = Arc::new(Refusals::new(Secret::new(key)));
            let dialect = Dialect::named(dialect).expect("known");
            let error = Connector::new(&options, dialect, refusals).expect_err("refused");
            assert_eq!(error.cause, EngineCause::Config);
            assert!(error.detail.contains(expected) && !error.detail.contains("Evil"), "{error}");
        }
        let free = OpenAiOptions::new(Secret::new(""));
        let dialect = Dialect::named("localai").expect("known");
        assert!(Connector::new(&free, dialect, Arc::new(Refusals::new(Secret::new("")))).is_ok());
    }

    #[test]
    fn addresses_are_taken_as_people_write_them() {
        for (url, expected) in [
            ("https://api.openai.com/v1", "wss://api.openai.com/v1"),
            (" http://127.0.0.1:8080/v1 ", "ws://127.0.0.1:8080/v1"),
            ("wss://x.example", "wss://x.example"),
            ("nonsense", "nonsense"),
        ] {
            assert_eq!(socket_url(url), expected);
        }
        assert_eq!(encoded("gpt-realtime-2.1"), "gpt-realtime-2.1");
        assert_eq!(encoded("my model&x=1\r\n"), "my%20model%26x%3D1%0D%0A");
    }
}
