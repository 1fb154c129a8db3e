//! A session that is set up: the WebSocket dialled, the setup sent and taken, each with the caller's patience.

use super::{
    access::{Access, Credential},
    options::GeminiOptions,
    refusal::{Ending, Phase, Refusals},
    wire::server,
};
use crate::{
    EngineCause, EngineError,
    realtime::{
        dial::{Dialer, Request, Stream},
        origin::Origin,
        socket::{Closed, Socket},
    },
};
use futures::{SinkExt, StreamExt};
use std::{sync::Arc, time::Duration};
use tokio::time::timeout;
use tokio_tungstenite::{WebSocketStream, tungstenite::Message};
use zeroize::Zeroizing;

/// Opens sessions of one service.
#[derive(Debug)]
pub struct Connector {
    dialer: Dialer,
    access: Access,
    connect_timeout: Duration,
    setup_timeout: Duration,
}

/// A session that is set up.
pub struct Link {
    pub socket: Socket,
    /// Knows the secret by which this session was opened.
    pub refusals: Refusals,
}

impl Connector {
    pub fn new(options: &GeminiOptions) -> Result<Self, EngineError> {
        options.access.check()?;
        let origin = Origin::parse("Gemini", &options.base_url)?;
        if !origin.path.is_empty() {
            let why = "the base URL of Gemini must end after host and port: the path is the protocol's";
            return Err(EngineError::new(EngineCause::Config, why));
        }
        let dialer = Dialer::new("Gemini", origin).map_err(|error| EngineError::new(EngineCause::Internal, error.to_string()))?;
        Ok(Self {
            dialer,
            access: options.access.clone(),
            connect_timeout: options.connect_timeout,
            setup_timeout: options.setup_timeout,
        })
    }

    /// A session that has taken `setup`, a whole message.
    pub async fn open(self: Arc<Self>, setup: String) -> Result<Link, Ending> {
        let late = |what: &str, patience: Duration| format!("{what} within {patience:?}");
        let connected = timeout(self.connect_timeout, Box::pin(self.connect())).await;
        let (mut stream, refusals) =
            connected.map_err(|_| EngineError::new(EngineCause::Unreachable, late("no connection", self.connect_timeout)))??;
        let set_up = timeout(self.setup_timeout, set_up(&mut stream, setup, &refusals)).await;
        set_up.map_err(|_| EngineError::new(EngineCause::Stalled, late("no answer to the setup", self.setup_timeout)))??;
        Ok(Link { socket: Socket::new(stream), refusals })
    }

    async fn connect(&self) -> Result<(WebSocketStream<Stream>, Refusals), Ending> {
        let Credential { header, scheme, secret } = self.access.credential().await?;
        let refusals = Refusals::new(secret.clone());
        let value = Zeroizing::new(format!("{scheme}{}", secret.expose()));
        let request = Request { target: self.access.path(), headers: &[(header, value.as_str())] };
        match self.dialer.dial(request).await {
            Ok(stream) => Ok((stream, refusals)),
            Err(error) => Err(refusals.of_dial(error)),
        }
    }
}

async fn set_up(stream: &mut WebSocketStream<Stream>, setup: String, refusals: &Refusals) -> Result<(), Ending> {
    let refused = |closed: Closed| refusals.of_closed(&closed, Phase::Setup);
    stream.send(Message::text(setup)).await.map_err(|error| refused(Closed::Broken(error)))?;
    loop {
        let frame = match stream.next().await {
            Some(Ok(Message::Text(text))) => text.into(),
            Some(Ok(Message::Binary(bytes))) => bytes,
            Some(Ok(Message::Close(frame))) => return Err(refused(Closed::ByService(frame))),
            Some(Ok(_)) => continue,
            Some(Err(error)) => return Err(refused(Closed::Broken(error))),
            None => return Err(refused(Closed::ByService(None))),
        };
        if server::parse(&frame).is_ok_and(|message| message.setup_complete.is_some()) {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use callie_domain::Secret;

    #[test]
    fn faulty_options_are_told_without_the_key() {
        let options =
            |key: &str, base_url: &str| GeminiOptions { base_url: base_url.into(), ..GeminiOptions::new(Secret::new(key)) };
        for (key, base_url, expected) in [
            ("", "wss://x.example", "missing"),
            ("a b\r\nX-Evil: 1", "wss://x.example", "characters"),
            ("k3y", "https://x.example", "wss://"),
            ("k3y", "wss://x.example/path", "the path"),
        ] {
            let error = Connector::new(&options(key, base_url)).expect_err("refused");
            assert_eq!(error.cause, EngineCause::Config);
            assert!(error.detail.contains(expected) && !error.detail.contains("Evil"), "{error}");
        }
    }
}
