//! Client transactions: a draft goes out, replies come back.
//!
//! The stack's `Transaction::receive` must not be dropped half way, so it lives inside a stream that is polled wherever
//! its owner selects: dropping a `next()` leaves the stream, and the transaction with it, as it was. The stack repeats
//! requests, gives up after 64·T1 and acknowledges final responses to INVITE, each copy of a 200 included.

use super::flow::Flow;
use super::message::{Draft, Heard, Method};
use super::{Wire, flow};
use crate::error::SipError;
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
        let is_invite = draft.method == Method::Invite;
        let request = draft.into_request(&via)?;
        let failed = |reason: String| SipError::Send { address: flow.remote, reason };
        let key = TransactionKey::from_request(&request, TransactionRole::Client).map_err(|e| failed(e.to_string()))?;
        let connection = Some(flow.connection.clone());
        let mut tx = Box::new(Transaction::new_client(key, request, self.endpoint.inner.clone(), connection));
        tx.destination = Some(flow.destination());
        match tokio::time::timeout(SEND_WITHIN, tx.send()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(failed(error.to_string())),
            Err(_) => return Err(failed(format!("not taken within {SEND_WITHIN:?}"))),
        }
        Ok(ClientTransaction { heard: replies(tx, is_invite), via })
    }

    fn new_via(&self, flow: &Flow) -> Result<String, SipError> {
        let sent_by = flow::sip_addr(flow.transport, self.socket_toward(flow.remote.ip()));
        let via = self.endpoint.inner.get_via(Some(sent_by), None).map_err(|e| SipError::Stack(e.to_string()))?;
        Ok(rsipstack::sip::headers::Via::from(via).value().to_owned())
    }
}

fn replies(tx: Box<Transaction>, is_invite: bool) -> BoxStream<'static, Heard> {
    futures::stream::unfold(Some(tx), move |tx| async move {
        let mut tx = tx?;
        loop {
            let SipMessage::Response(response) = tx.receive().await? else { continue };
            let heard = Heard::from(response);
            // An INVITE stays to acknowledge repeated and forked answers; anything else is over with its final reply.
            let over = !is_invite && !matches!(&heard, Heard::Reply(reply) if reply.code < 200);
            return Some((heard, if over { None } else { Some(tx) }));
        }
    })
    .boxed()
}
