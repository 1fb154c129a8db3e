//! What a leg and the small tasks beside it share: the dialog, its credentials, the way to the peer; and how a request
//! is sent inside the dialog, challenged or not.

use super::dialog::Dialog;
use crate::account::Line;
use crate::digest::{AuthAttempt, Verdict};
use crate::error::SipError;
use crate::header;
use crate::stack::{Flow, Heard, Method, NamedCall, Wire};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio_util::sync::CancellationToken;

pub(super) struct Session {
    pub wire: Arc<Wire>,
    pub line: Arc<Line>,
    pub user_agent: String,
    dialog: Mutex<Dialog>,
    auth: Mutex<AuthAttempt>,
    /// The way the dialog was set up.
    flow: Flow,
    /// A re-INVITE of the peer is being answered: a second one has to wait (RFC 3261 §14.2).
    pub reoffered: AtomicBool,
    /// The answer to a re-INVITE was never acknowledged.
    pub broken: CancellationToken,
    /// Ends what runs beside the leg.
    pub over: CancellationToken,
    _named: NamedCall,
}

impl Session {
    pub fn new(wire: Arc<Wire>, line: Arc<Line>, dialog: Dialog, flow: Flow, auth: AuthAttempt) -> Arc<Self> {
        let user_agent = line.account().user_agent.clone();
        let named = wire.name_call(&dialog.call_id, &user_agent);
        let over = wire.cancel.child_token();
        Arc::new(Self {
            wire,
            line,
            user_agent,
            dialog: Mutex::new(dialog),
            auth: Mutex::new(auth),
            flow,
            reoffered: AtomicBool::new(false),
            broken: CancellationToken::new(),
            over,
            _named: named,
        })
    }

    pub fn dialog(&self) -> MutexGuard<'_, Dialog> {
        self.dialog.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn auth(&self) -> MutexGuard<'_, AuthAttempt> {
        self.auth.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn contact(&self) -> String {
        format!("<{}>", self.dialog().contact)
    }

    /// Sends a request inside the dialog and waits for its final reply; answers challenges.
    pub async fn request(&self, method: Method) -> Result<Heard, SipError> {
        // A proxy and the peer may both ask, and a nonce may be stale.
        const ROUNDS: usize = 4;
        let flow = self.next_hop().await?;
        let mut heard = Heard::Timeout;
        for _ in 0..ROUNDS {
            let mut draft = self.dialog().request(method);
            draft.fields.push(("User-Agent", self.user_agent.clone()));
            let credentials = self.line.authorize(&mut self.auth(), method, &draft.uri);
            draft.fields.extend(credentials);
            heard = self.wire.send(draft, &flow).await?.outcome().await;
            match &heard {
                Heard::Reply(reply) if matches!(reply.code, 401 | 407) => {
                    if self.line.challenged(&mut self.auth(), reply) != Verdict::Retry {
                        break;
                    }
                }
                _ => {
                    self.auth().accepted();
                    break;
                }
            }
        }
        Ok(heard)
    }

    async fn next_hop(&self) -> Result<Flow, SipError> {
        if self.flow.transport.is_stream() && !self.flow.is_closed() {
            return Ok(self.flow.clone());
        }
        let hop = format!("<{}>", self.dialog().next_hop());
        let Some(target) = header::redirect_targets(std::iter::once(hop.as_str())).into_iter().next() else {
            return Ok(self.flow.clone());
        };
        let transport = target.transport.unwrap_or(self.flow.transport);
        match self.wire.resolver.first(&target.host.host, target.host.port, transport).await {
            Ok(address) => self.wire.flow_to(transport, address).await,
            // The peer's name means nothing to us: answer where it came from.
            Err(_) => Ok(self.flow.clone()),
        }
    }
}

impl Session {
    /// The same parties in another dialog: a branch of a forked call.
    pub fn beside(&self, dialog: Dialog) -> Arc<Self> {
        Self::new(self.wire.clone(), self.line.clone(), dialog, self.flow.clone(), self.auth().clone())
    }
}
