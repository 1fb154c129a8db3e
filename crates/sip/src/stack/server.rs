//! Server transactions: requests from peers, and our answers to them.

use super::flow::Flow;
use super::message::{Field, Method, all, first, header, tag_of};
use crate::door::SetupPlace;
use futures::stream::{BoxStream, StreamExt};
use rsipstack::sip::headers::Header;
use rsipstack::sip::{Request, Response, SipMessage, StatusCode};
use rsipstack::transaction::endpoint::EndpointInnerRef;
use rsipstack::transaction::transaction::{Transaction, TransactionEvent, TransactionEventSender};
use std::net::IpAddr;
use std::sync::OnceLock;
use std::time::Duration;
use tokio::time::Instant;

/// A peer that does not read its connection gets no more of our time than this.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// What we say to a request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Answer {
    pub code: u16,
    pub fields: Vec<Field>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn of(code: u16) -> Self {
        Self { code, ..Self::default() }
    }

    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.fields.push((name, value.into()));
        self
    }

    pub fn with_fields(mut self, fields: Vec<Field>) -> Self {
        self.fields.extend(fields);
        self
    }

    pub fn with_sdp(mut self, sdp: String) -> Self {
        self.fields.push(("Content-Type", "application/sdp".into()));
        self.body = sdp.into_bytes();
        self
    }
}

/// A request that waits for an answer. Dropping it unanswered leaves the peer to its timers.
pub(crate) struct Incoming {
    tx: Box<Transaction>,
    pub method: Method,
    flow: Option<Box<Flow>>,
}

impl Incoming {
    pub(super) fn new(tx: Transaction, flow: Option<Flow>) -> Self {
        let method = Method::from_stack(*tx.original.method());
        Self { tx: Box::new(tx), method, flow: flow.map(Box::new) }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        first(&self.tx.original.headers, name)
    }

    pub fn headers<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        all(&self.tx.original.headers, name)
    }

    pub fn body(&self) -> &[u8] {
        &self.tx.original.body
    }

    /// User part of the Request-URI.
    pub fn uri_user(&self) -> Option<&str> {
        self.tx.original.uri.auth.as_ref().map(|auth| auth.user.as_str()).filter(|user| !user.is_empty())
    }

    pub fn call_id(&self) -> &str {
        self.header("Call-ID").unwrap_or_default()
    }

    pub fn to_tag(&self) -> Option<&str> {
        self.header("To").and_then(tag_of).filter(|tag| !tag.is_empty())
    }

    pub fn cseq(&self) -> Option<u32> {
        self.header("CSeq")?.split_whitespace().next()?.parse().ok()
    }

    pub fn source(&self) -> Option<IpAddr> {
        self.flow.as_ref().map(|flow| flow.remote.ip())
    }

    /// The way it came.
    pub fn flow(&self) -> Option<Flow> {
        self.flow.as_deref().cloned()
    }

    /// Puts our tag into To, if the peer's request has none, so that all answers carry it (RFC 3261 §8.2.6.2).
    pub fn tag_to(&mut self, tag: &str) {
        for field in self.tx.original.headers.0.iter_mut() {
            if let Header::To(to) = field
                && tag_of(to.value()).is_none()
            {
                *field = Header::To(format!("{};tag={tag}", to.value()).into());
            }
        }
    }

    /// Answers for good. The stack repeats the answer to repeated requests for 64·T1.
    pub async fn answer(mut self, answer: Answer) {
        self.tag_to(&super::random_token(10));
        let Some(response) = response(&self.tx.endpoint_inner, &self.tx.original, answer) else { return };
        if let Ok(Err(error)) = tokio::time::timeout(ANSWER_WITHIN, self.tx.respond(response)).await {
            tracing::debug!(%error, "answer not sent");
        }
    }

    /// An INVITE that will have several answers.
    /// `place`: its room until the ACK.
    pub fn into_invite(mut self, local_tag: &str, place: Option<SetupPlace>) -> InviteServer {
        self.tag_to(local_tag);
        let (request, endpoint, answers) = (self.tx.original.clone(), self.tx.endpoint_inner.clone(), self.tx.tu_sender.clone());
        let (heard, final_at) = (invite_events(self.tx), OnceLock::new());
        InviteServer { request, endpoint, answers, heard, final_at, _place: place }
    }
}

/// What happens to an INVITE that we serve.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum InviteHeard {
    Cancel,
    /// With the body of the ACK.
    Ack(Vec<u8>),
    /// 64·T1 have passed, or the acknowledged transaction has ended.
    Over,
}

/// An INVITE being served. It must be polled by [`InviteServer::next`] for anything to happen, answers included.
pub(crate) struct InviteServer {
    request: Request,
    endpoint: EndpointInnerRef,
    answers: TransactionEventSender,
    heard: BoxStream<'static, InviteHeard>,
    _place: Option<SetupPlace>,
    /// When it was answered for good.
    final_at: OnceLock<Instant>,
}

impl InviteServer {
    /// What happens next. May be dropped and called again. [`InviteHeard::Over`] comes for ever once over.
    pub async fn next(&mut self) -> InviteHeard {
        let Some(final_at) = self.final_at.get().copied() else {
            return self.heard.next().await.unwrap_or(InviteHeard::Over);
        };
        // An answer that could not be sent, to a Via that leads nowhere, starts none of the stack's timers: without an end of our
        // own such an INVITE would stay. It is later than Timers H and L, which speak first.
        let patience = self.endpoint.option.t1x64;
        tokio::select! {
            heard = self.heard.next() => heard.unwrap_or(InviteHeard::Over),
            () = tokio::time::sleep_until(final_at + patience + patience / 4) => InviteHeard::Over,
        }
    }

    /// Hands an answer to the transaction; a 2xx or a refusal is repeated by the stack until the ACK.
    pub fn answer(&self, answer: Answer) {
        if answer.code >= 200 {
            self.final_at.get_or_init(Instant::now);
        }
        if let Some(response) = response(&self.endpoint, &self.request, answer) {
            self.answers.send(TransactionEvent::Respond(response)).ok();
        }
    }
}

fn invite_events(tx: Box<Transaction>) -> BoxStream<'static, InviteHeard> {
    futures::stream::unfold(tx, |mut tx| async move {
        loop {
            let SipMessage::Request(request) = tx.receive().await? else { continue };
            match Method::from_stack(*request.method()) {
                Method::Cancel => return Some((InviteHeard::Cancel, tx)),
                Method::Ack => return Some((InviteHeard::Ack(request.body), tx)),
                _ => {}
            }
        }
    })
    .fuse()
    .boxed()
}

fn response(endpoint: &EndpointInnerRef, request: &Request, answer: Answer) -> Option<Response> {
    let body = (!answer.body.is_empty()).then_some(answer.body);
    let mut response = endpoint.make_response(request, StatusCode::from(answer.code), body);
    if answer.code > 100 && answer.code < 300 {
        // The dialog's route is copied from the request (RFC 3261 §12.1.1).
        let routes = request.headers.0.iter().filter(|h| matches!(h, Header::RecordRoute(_))).cloned();
        response.headers.0.extend(routes);
    }
    for (name, value) in answer.fields {
        match header(name, value) {
            Ok(field) => response.headers.push(field),
            Err(error) => {
                tracing::error!(%error, "answer dropped");
                return None;
            }
        }
    }
    Some(response)
}
