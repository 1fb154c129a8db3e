//! Asks a web service, again where that does no harm, and elsewhere where it says so and the document allows it.

use super::super::asked::Asked;
use super::answer::{MOST_BYTES, is_retryable, outcome_of, outcome_of_error};
use super::request::Request;
use crate::outside::{Answer, GuardedClient, HeaderMap, HeaderName, HeaderValue, Method, Outgoing, OutsideError};
use crate::telemetry::TraceParent;
use callie_ai::tools::Outcome;
use callie_domain::record::ToolRequest;
use callie_domain::user::tools::{HttpMethod, HttpTool};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;
use url::Url;

const MOST_REDIRECTS: usize = 3;
/// Before the first retry; twice as long before each after it.
const PAUSE: Duration = Duration::from_millis(300);
/// Less than this is not worth another attempt.
const SHORTEST: Duration = Duration::from_millis(200);

pub struct Asking {
    pub settings: HttpTool,
    pub client: GuardedClient,
    /// Of the call, which the service is told.
    pub trace: Option<TraceParent>,
}

impl Asking {
    pub async fn ask(self: Arc<Self>, request: Request) -> Outcome {
        let begun = Instant::now();
        let until = begun + Duration::from_secs(self.settings.timeout_s.into());
        let mut requests = Vec::new();
        let mut pause = PAUSE;
        for attempt in 0.. {
            let answered = self.follow(&request, begun, until, &mut requests).await;
            let is_last = attempt >= self.settings.retries || Instant::now() + pause + SHORTEST > until;
            if is_last || !self.may_ask_again(&answered) {
                let outcome = match answered {
                    Ok(answer) => outcome_of(&answer, self.settings.headers.as_ref()),
                    Err(error) => outcome_of_error(&error),
                };
                return Outcome { requests, ..outcome };
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        Outcome::error("the service could not be asked", true)
    }

    /// What has not reached the service does no harm when it is sent again; what may have, only by methods that mean the same twice.
    fn may_ask_again(&self, answered: &Result<Answer, OutsideError>) -> bool {
        match answered {
            Ok(answer) => is_retryable(answer.status) && self.settings.method.is_idempotent(),
            Err(OutsideError::Unreachable(..)) => true,
            Err(OutsideError::TooSlow { .. } | OutsideError::Broken(..)) => self.settings.method.is_idempotent(),
            Err(OutsideError::BadAddress(_) | OutsideError::Refused(_)) => false,
        }
    }

    async fn follow(
        &self,
        request: &Request,
        begun: Instant,
        until: Instant,
        requests: &mut Vec<ToolRequest>,
    ) -> Result<Answer, OutsideError> {
        let mut url = request.url.clone();
        for _ in 0..MOST_REDIRECTS {
            let (answer, asked) = self.ask_once(&url, request, begun, until).await;
            requests.push(asked);
            let answer = answer?;
            match self.redirected(&url, &answer) {
                Some(next) => url = next,
                None => return Ok(answer),
            }
        }
        let (answer, asked) = self.ask_once(&url, request, begun, until).await;
        requests.push(asked);
        answer
    }

    async fn ask_once(
        &self,
        url: &Url,
        request: &Request,
        begun: Instant,
        until: Instant,
    ) -> (Result<Answer, OutsideError>, ToolRequest) {
        let method = method(self.settings.method);
        let asked = Asked::begin(method.as_str(), url, begun);
        let mut headers = HeaderMap::new();
        if let Some(value) = self.trace.and_then(|trace| HeaderValue::from_str(&trace.of(asked.span)).ok()) {
            headers.insert(TraceParent::HEADER, value);
        }
        let outgoing = Outgoing {
            method,
            url: url.to_string(),
            headers: self.headers(headers, url, request),
            body: request.body.clone().unwrap_or_default(),
            within: until.saturating_duration_since(Instant::now()),
            most_bytes: MOST_BYTES,
        };
        let answer = self.client.ask(outgoing).await;
        let asked = match &answer {
            Ok(answer) => asked.answered(Some(answer.status)),
            Err(error) => asked.failed(error.word()),
        };
        (answer, asked)
    }

    /// Only what asks and changes nothing is sent on, over encryption if it was, and within the allowed hosts.
    fn redirected(&self, from: &Url, answer: &Answer) -> Option<Url> {
        let is_redirect = matches!(answer.status, 301 | 302 | 303 | 307 | 308) && self.settings.method == HttpMethod::Get;
        let location = answer.headers.get("location").filter(|_| is_redirect)?.to_str().ok()?;
        let to = from.join(location).ok()?;
        let host = to.host_str()?;
        let home = Url::parse(&self.settings.url.replace(['{', '}'], "")).ok();
        let is_home = home.as_ref().and_then(Url::host_str) == Some(host);
        let is_allowed = is_home || self.settings.allow_hosts.iter().any(|allowed| allowed == host);
        let is_safe = to.scheme() == from.scheme() || to.scheme() == "https";
        (is_allowed && is_safe).then_some(to)
    }

    /// The user's go to the server that they are meant for, and to no other.
    fn headers(&self, mut headers: HeaderMap, url: &Url, request: &Request) -> HeaderMap {
        headers.insert("accept", HeaderValue::from_static("application/json, text/*;q=0.9, */*;q=0.1"));
        if request.body.is_some() {
            headers.insert("content-type", HeaderValue::from_static("application/json"));
        }
        if url.origin() == request.url.origin() {
            for (name, value) in self.settings.headers.iter().flat_map(|headers| headers.iter()) {
                if let (Ok(name), Ok(mut value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
                    value.set_sensitive(true);
                    headers.insert(name, value);
                }
            }
        }
        headers
    }
}

fn method(method: HttpMethod) -> Method {
    match method {
        HttpMethod::Get => Method::GET,
        HttpMethod::Post => Method::POST,
        HttpMethod::Put => Method::PUT,
        HttpMethod::Patch => Method::PATCH,
        HttpMethod::Delete => Method::DELETE,
    }
}
