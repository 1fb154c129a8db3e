//! One request to an address that somebody else has chosen: checked where it connects, bounded in time and size.

use super::names::{Forbidden, Lookup, Names, system};
use crate::config::PrivateTargets;
pub use reqwest::Method;
pub use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Response, redirect};
use std::{error::Error, net::IpAddr, time::Duration};
use tokio::time::{Instant, timeout_at};
use url::{Host, Url};

const CONNECT: Duration = Duration::from_secs(5);
/// Connections kept open to one host, and how long.
const KEPT: usize = 4;
const KEPT_FOR: Duration = Duration::from_secs(30);

/// A request.
#[derive(Debug, Clone)]
pub struct Outgoing {
    pub method: Method,
    /// `http` or `https`, without a user in it.
    pub url: String,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    /// For the whole of it.
    pub within: Duration,
    /// Of the answer's body; the rest is not read.
    pub most_bytes: usize,
}

/// What came back, whatever the status. Nothing has been followed.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    /// The body is whole: neither too long, nor too slow, nor broken off.
    pub is_whole: bool,
}

/// Why there is no answer. No text names more of an address than its host: people put keys into the rest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OutsideError {
    #[error("the address {0}")]
    BadAddress(&'static str),
    /// By the guard.
    #[error("{0}")]
    Refused(String),
    #[error("{0} cannot be reached: {1}")]
    Unreachable(String, String),
    #[error("{host} did not answer within {:.1} s", .within.as_secs_f32())]
    TooSlow { host: String, within: Duration },
    #[error("the connection to {0} broke: {1}")]
    Broken(String, String),
}

/// Reaches public addresses, and those that the operator allows. Cheap to clone; connections are shared.
#[derive(Clone)]
pub struct GuardedClient {
    http: Client,
    names: Names,
}

impl GuardedClient {
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(allowed: PrivateTargets) -> Result<Self, OutsideError> {
        Self::with_lookup(allowed, system())
    }

    pub(super) fn with_lookup(allowed: PrivateTargets, lookup: Lookup) -> Result<Self, OutsideError> {
        let names = Names::new(allowed, lookup);
        let http = Client::builder()
            .redirect(redirect::Policy::none())
            // A proxy would connect where we must not.
            .no_proxy()
            .referer(false)
            .dns_resolver(names.clone())
            .connect_timeout(CONNECT)
            .pool_max_idle_per_host(KEPT)
            .pool_idle_timeout(KEPT_FOR)
            .user_agent(concat!("Callie/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| OutsideError::Broken("this machine".to_owned(), chain(&error)))?;
        Ok(Self { http, names })
    }

    /// Asks once.
    pub async fn ask(&self, outgoing: Outgoing) -> Result<Answer, OutsideError> {
        let Outgoing { method, url, headers, body, within, most_bytes } = outgoing;
        let until = Instant::now() + within;
        let url = parsed(&url)?;
        let host = url.host_str().unwrap_or_default().to_owned();
        let client = self.client_for(&url)?;
        let sent = client.request(method, url).headers(headers).body(body).send();
        let response = match timeout_at(until, sent).await {
            Ok(sent) => sent.map_err(|error| OutsideError::of(host, &error))?,
            Err(_) => return Err(OutsideError::TooSlow { host, within }),
        };
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let (body, is_whole) = read(response, most_bytes, until).await;
        Ok(Answer { status, headers, body, is_whole })
    }

    /// The client itself, for those who speak a protocol of their own over it. It follows no redirect and connects names to
    /// nothing that is forbidden; an address instead of a name is checked here, so that each URL must pass here once.
    pub fn client_for(&self, url: &Url) -> Result<&Client, OutsideError> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(OutsideError::BadAddress("must begin with http:// or https://"));
        }
        let address = match url.host() {
            Some(Host::Ipv4(address)) => IpAddr::V4(address),
            Some(Host::Ipv6(address)) => IpAddr::V6(address),
            Some(Host::Domain(_)) => return Ok(&self.http),
            None => return Err(OutsideError::BadAddress("names no host")),
        };
        let host = url.host_str().unwrap_or_default();
        self.names.check(host, address).map_err(|forbidden| OutsideError::Refused(forbidden.to_string()))?;
        Ok(&self.http)
    }
}

impl std::fmt::Debug for GuardedClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("GuardedClient")
    }
}

fn parsed(text: &str) -> Result<Url, OutsideError> {
    let url = Url::parse(text).map_err(|_| OutsideError::BadAddress("is no URL"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(OutsideError::BadAddress("has a user or a password in it"));
    }
    Ok(url)
}

/// What of the body comes in time and is not too much.
async fn read(mut response: Response, most_bytes: usize, until: Instant) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    loop {
        match timeout_at(until, response.chunk()).await {
            Ok(Ok(Some(chunk))) => {
                let room = most_bytes - body.len();
                body.extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
                if chunk.len() > room {
                    return (body, false);
                }
            }
            Ok(Ok(None)) => return (body, true),
            Ok(Err(_)) | Err(_) => return (body, false),
        }
    }
}

impl OutsideError {
    /// Of what was asked of `host` by the client itself.
    pub fn of(host: String, error: &reqwest::Error) -> Self {
        let mut source: Option<&(dyn Error + 'static)> = Some(error);
        while let Some(cause) = source {
            if let Some(forbidden) = cause.downcast_ref::<Forbidden>() {
                return Self::Refused(forbidden.to_string());
            }
            source = cause.source();
        }
        if error.is_connect() {
            Self::Unreachable(host, chain(error))
        } else if error.is_builder() {
            Self::BadAddress("is none that can be asked")
        } else {
            Self::Broken(host, chain(error))
        }
    }

    /// In one word, for counters and traces.
    pub fn word(&self) -> &'static str {
        match self {
            Self::BadAddress(_) => "bad_address",
            Self::Refused(_) => "guarded",
            Self::Unreachable(..) => "unreachable",
            Self::TooSlow { .. } => "timeout",
            Self::Broken(..) => "broken",
        }
    }

    /// Whether asking again may go better.
    pub fn is_retryable(&self) -> bool {
        !matches!(self, Self::BadAddress(_) | Self::Refused(_))
    }
}

/// The causes from the outermost on, without the address.
fn chain(error: &reqwest::Error) -> String {
    let address = error.url().map(|url| format!(" for url ({url})")).unwrap_or_default();
    let mut texts = vec![error.to_string().replace(&address, "")];
    let mut source = error.source();
    while let Some(cause) = source {
        texts.push(cause.to_string());
        source = cause.source();
    }
    texts.dedup();
    texts.join(": ")
}
