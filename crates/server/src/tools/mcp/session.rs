//! The protocol: a session with a server over Streamable HTTP, by the official SDK. Nothing else names that.
//!
//! A session that is dropped is closed behind our back: the SDK's tasks end with it, within seconds.

use super::listed::Listed;
use crate::outside::{GuardedClient, HeaderName, HeaderValue, OutsideError};
use crate::telemetry::{SpanId, TraceParent};
use callie_ai::tools::Object;
use callie_domain::user::{McpServer, tools::Headers};
use rmcp::model::{
    CallToolRequestParams, ClientCapabilities, ClientConfig, ContentBlock, ErrorCode, Implementation, PaginatedRequestParams,
    ProtocolVersion, RequestParamsMeta,
};
use rmcp::service::{ClientInitializeError, ClientLifecycleMode, ClientServiceExt, RunningService, ServiceError};
use rmcp::transport::common::client_side_sse::FixedInterval;
use rmcp::transport::streamable_http_client::{StreamableHttpClientTransportConfig, StreamableHttpError};
use rmcp::transport::{DynamicTransportError, StreamableHttpClientTransport};
use rmcp::{Peer, RoleClient};
use serde_json::Value;
use std::{collections::HashMap, sync::Arc, time::Duration};
use url::Url;

/// Of one message of a server.
const MOST_BYTES: usize = 1 << 20;
/// Of the text of a refusal.
const MOST_ERROR_BYTES: usize = 2_000;
/// Pages of a list of tools.
const MOST_PAGES: usize = 8;
const AGAIN: Duration = Duration::from_secs(1);
const AGAIN_AT_MOST: usize = 3;

/// Why a server gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum McpFault {
    #[error(transparent)]
    Outside(#[from] OutsideError),
    /// Where the headers are wrong, most of the time.
    #[error("the server wants to be told who asks: check its headers")]
    WhoAsks,
    #[error("no session: {0}")]
    NoSession(String),
    #[error("the server refused: {0}")]
    Refused(String, bool),
    #[error("the connection to the server broke: {0}")]
    Broken(String),
}

impl McpFault {
    /// In one word, for traces.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Outside(error) => error.word(),
            Self::WhoAsks => "unauthorized",
            Self::NoSession(_) => "no_session",
            Self::Refused(..) => "refused",
            Self::Broken(_) => "broken",
        }
    }

    /// Whether another attempt may go better.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Outside(error) => error.is_retryable(),
            Self::WhoAsks => false,
            Self::NoSession(_) | Self::Broken(_) => true,
            Self::Refused(_, mendable) => *mendable,
        }
    }
}

/// What a tool gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// JSON where the server gave some.
    pub text: String,
    pub is_json: bool,
    pub is_error: bool,
}

/// With one server.
pub struct Session {
    running: RunningService<RoleClient, ClientConfig>,
    /// Does not stand in what is told.
    url: Url,
}

impl Session {
    /// `trace`: of the call whose session it is.
    pub async fn open(client: &GuardedClient, server: &McpServer, trace: Option<TraceParent>) -> Result<Self, McpFault> {
        let url = Url::parse(&server.url).map_err(|_| OutsideError::BadAddress("is no URL"))?;
        let http = client.client_for(&url)?.clone();
        let mut retry = FixedInterval::default();
        (retry.max_times, retry.duration) = (Some(AGAIN_AT_MOST), AGAIN);
        let mut config = StreamableHttpClientTransportConfig::with_uri(url.as_str())
            .custom_headers(custom(server.headers.as_ref(), trace))
            .max_sse_event_size(MOST_BYTES)
            .max_json_response_size(MOST_BYTES)
            .max_error_response_size(MOST_ERROR_BYTES);
        config.retry_config = Arc::new(retry);
        let transport = StreamableHttpClientTransport::with_client(http, config);
        let us = ClientConfig::new(ClientCapabilities::default(), Implementation::new("callie", env!("CARGO_PKG_VERSION")));
        // Servers of 2026-07-28 have no handshake any more, those before it know nothing else.
        let preferred_versions = vec![ProtocolVersion::V_2026_07_28];
        let mode = ClientLifecycleMode::Auto { preferred_versions, legacy_version: None };
        match us.serve_with_lifecycle(transport, mode).await {
            Ok(running) => Ok(Self { running, url }),
            Err(error) => Err(of_start(&error, &url)),
        }
    }

    pub fn is_over(&self) -> bool {
        self.running.is_closed() || self.peer().is_transport_closed()
    }

    fn peer(&self) -> &Peer<RoleClient> {
        self.running.peer()
    }

    /// As many as `most` and one more.
    pub async fn list(&self, most: usize) -> Result<Vec<Listed>, McpFault> {
        let mut listed = Vec::new();
        let mut cursor = None;
        for _ in 0..MOST_PAGES {
            let page = PaginatedRequestParams::default().with_cursor(cursor);
            let page = self.peer().list_tools(Some(page)).await.map_err(|error| self.fault(error))?;
            listed.extend(page.tools.into_iter().map(|tool| Listed {
                name: tool.name.into_owned(),
                description: tool.description.map(std::borrow::Cow::into_owned).or(tool.title).unwrap_or_default(),
                parameters: Value::Object(tool.input_schema.as_ref().clone()),
            }));
            cursor = page.next_cursor;
            if cursor.is_none() || listed.len() > most {
                break;
            }
        }
        listed.truncate(most + 1);
        Ok(listed)
    }

    /// `traceparent`: of this use, which HTTP's header cannot tell: one connection is there for all (SEP-414).
    pub async fn call(&self, tool: &str, arguments: Object, traceparent: Option<String>) -> Result<Given, McpFault> {
        let mut request = CallToolRequestParams::new(tool.to_owned()).with_arguments(arguments);
        if let Some(value) = traceparent {
            request.set_traceparent(&value);
        }
        let result = self.peer().call_tool(request).await.map_err(|error| self.fault(error))?;
        let is_error = result.is_error == Some(true);
        if let Some(value) = result.structured_content.filter(|_| !is_error) {
            return Ok(Given { text: value.to_string(), is_json: true, is_error });
        }
        let texts: Vec<String> = result.content.iter().map(text_of).collect();
        Ok(Given { text: texts.join("\n"), is_json: false, is_error })
    }

    fn fault(&self, error: ServiceError) -> McpFault {
        match error {
            ServiceError::McpError(error) => {
                let mendable = matches!(error.code, ErrorCode::INVALID_PARAMS | ErrorCode::INTERNAL_ERROR);
                McpFault::Refused(shortened(&error.message), mendable)
            }
            error if error.is_authorization_required() => McpFault::WhoAsks,
            ServiceError::TransportSend(error) => of_transport(&error, &self.url),
            error => McpFault::Broken(shortened(&error.to_string())),
        }
    }
}

fn text_of(block: &ContentBlock) -> String {
    match block {
        ContentBlock::Text(text) => text.text.clone(),
        ContentBlock::Image(_) => "(an image, which cannot be shown in a call)".to_owned(),
        ContentBlock::Audio(_) => "(a recording, which cannot be played in a call)".to_owned(),
        _ => "(a document, which was not read)".to_owned(),
    }
}

fn custom(headers: Option<&Headers>, trace: Option<TraceParent>) -> HashMap<HeaderName, HeaderValue> {
    let parent = trace.and_then(|trace| HeaderValue::from_str(&trace.of(SpanId::root(trace.trace))).ok());
    let parent = parent.map(|value| (HeaderName::from_static(TraceParent::HEADER), value));
    let pairs = headers.into_iter().flat_map(Headers::iter).filter_map(|(name, value)| {
        let mut value = HeaderValue::from_str(value).ok()?;
        value.set_sensitive(true);
        Some((name.parse::<HeaderName>().ok()?, value))
    });
    parent.into_iter().chain(pairs).collect()
}

fn of_start(error: &ClientInitializeError, url: &Url) -> McpFault {
    match error {
        error if error.is_authorization_required() => McpFault::WhoAsks,
        ClientInitializeError::TransportError { error, .. } => match of_transport(error, url) {
            McpFault::Broken(why) => McpFault::NoSession(why),
            fault => fault,
        },
        ClientInitializeError::LegacyFallbackFailed { fallback, .. } => of_start(fallback, url),
        error => McpFault::NoSession(shortened(&error.to_string())),
    }
}

/// Without the address: its query may hold a key.
fn of_transport(error: &DynamicTransportError, url: &Url) -> McpFault {
    let host = url.host_str().unwrap_or_default();
    match error.error.downcast_ref::<StreamableHttpError<reqwest::Error>>() {
        Some(StreamableHttpError::Client(error)) => OutsideError::of(host.to_owned(), error).into(),
        Some(error) => McpFault::Broken(shortened(&error.to_string().replace(url.as_str(), host))),
        None => McpFault::Broken(shortened(&error.error.to_string().replace(url.as_str(), host))),
    }
}

fn shortened(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect()
}
