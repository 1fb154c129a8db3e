//! Client transactions: a draft goes out, replies come back.
//!
//! The stack's `Transaction::receive` must not be dropped half way, so it lives inside a stream that is polled wherever
//! its owner selects: dropping a `next()` leaves the stream, and the transaction with it, as it was. The stack repeats
//! requests, gives up after 64·T1 and acknowledges final responses to INVITE, each copy of a 200 included.

use super::flow::Flow;
use super::message::{Draft, Heard, Method};
use super::{Wire, flow};
use crate::error::SipError;
use callie_domain::Transport;
use futures::stream::{BoxStream, StreamExt};
use rsipstack::sip::SipMessage;
use rsipstack::transaction::key::{TransactionKey, TransactionRole};
use rsipstack::transaction::transaction::Transaction;
use std::sync::Arc;
use std::time::Duration;

const SEND_WITHIN: Duration = Duration::from_secs(10);

/// A request under way. Dropping it forgets the transaction; late replies are then ignored (or acknowledged by the
/// stack, where they are copies of an answered INVITE's).
pub(crate) struct ClientTransaction {
    heard: BoxStream<'static, Heard>,
    /// Ours, for the CANCEL.
    pub via: String,
}

impl ClientTransaction {
    /// The next reply; `None` when the transaction is over. May be dropped and called again.
    pub async fn next(&mut self) -> Option<Heard> {
        self.heard.next().await
    }

    /// The first final reply.
    pub async fn outcome(&mut self) -> Heard {
        while let Some(heard) = self.next().await {
            match heard {
                Heard::Reply(reply) if reply.code < 200 => {}
                other => return other,
            }
        }
        Heard::Timeout
    }
}

impl Wire {
    /// Sends a request along `flow`.
    pub async fn send(self: &Arc<Self>, mut draft: Draft, flow: &Flow) -> Result<ClientTransaction, SipError> {
        let via = match draft.via.take() {
            Some(via) => via,
            None => self.new_via(flow)?,
        };
        self.door.expect(flow.remote.ip());
        let is_invite = draft.method == Method::Invite;
        let request = draft.into_request(&via)?;
        let failed = |reason: String| SipError::Send { address: flow.remote, reason };
        if flow.is_closed() {
            return Err(failed(flow.loss()));
        }
        let key = TransactionKey::from_request(&request, TransactionRole::Client).map_err(|e| failed(e.to_string()))?;
        let connection = Some(flow.connection.clone());
        let mut tx = Box::new(Transaction::new_client(key, request, self.endpoint.inner.clone(), connection));
        tx.destination = Some(flow.destination());
        match tokio::time::timeout(SEND_WITHIN, tx.send()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(failed(error.to_string())),
            Err(_) => return Err(failed(format!("not taken within {SEND_WITHIN:?}"))),
        }
        Ok(ClientTransaction { heard: replies(tx, is_invite, flow.clone()), via })
    }

    fn new_via(&self, flow: &Flow) -> Result<String, SipError> {
        let sent_by = flow::sip_addr(flow.transport, self.socket_of(flow));
        let via = self.endpoint.inner.get_via(Some(sent_by), None).map_err(|e| SipError::Stack(e.to_string()))?;
        Ok(rsipstack::sip::headers::Via::from(via).value().to_owned())
    }
}

/// A transaction and what is known of it.
struct Awaited {
    tx: Box<Transaction>,
    flow: Flow,
    is_invite: bool,
    /// The highest status code so far.
    code: u16,
}

impl Awaited {
    /// The loss of its connection ends the transaction (RFC 3261 §17.1.4). Not when the peer, who is ringing already, can
    /// still answer over a connection of its own (§18.2.2), and not when it has answered.
    fn needs_connection(&self) -> bool {
        self.code <= 100 || self.code < 200 && (!self.is_invite || self.flow.transport == Transport::Tls)
    }

    async fn next(&mut self) -> Option<Heard> {
        loop {
            let received = if self.needs_connection() {
                tokio::select! {
                    biased;
                    received = self.tx.receive() => received,
                    () = self.flow.closed() => return Some(Heard::ConnectionLost),
                }
            } else {
                self.tx.receive().await
            };
            if let SipMessage::Response(response) = received? {
                return Some(Heard::from(response));
            }
        }
    }
}

fn replies(tx: Box<Transaction>, is_invite: bool, flow: Flow) -> BoxStream<'static, Heard> {
    let awaited = Awaited { tx, flow, is_invite, code: 0 };
    futures::stream::unfold(Some(awaited), |awaited| async move {
        let mut awaited = awaited?;
        let heard = awaited.next().await?;
        if let Heard::Reply(reply) = &heard {
            awaited.code = awaited.code.max(reply.code);
        }
        // An INVITE stays to acknowledge repeated and forked answers; anything else is over with its final reply.
        let goes_on = match &heard {
            Heard::Reply(reply) => awaited.is_invite || reply.code < 200,
            Heard::Timeout => awaited.is_invite,
            Heard::ConnectionLost => false,
        };
        Some((heard, goes_on.then_some(awaited)))
    })
    .boxed()
}
