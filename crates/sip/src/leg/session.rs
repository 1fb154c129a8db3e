//! What a leg and the small tasks beside it share: the dialog, its credentials, the way to the peer; and how a request
//! is sent inside the dialog, challenged or not.

use super::dialog::Dialog;
use super::refer::Refers;
use super::refresh::Timing;
use super::reliable::Ringing;
use super::session_timer::SessionTimer;
use super::turn::Turns;
use super::{Facts, LegFailure};
use crate::account::Line;
use crate::digest::{AuthAttempt, Verdict};
use crate::door::Held;
use crate::error::SipError;
use crate::header;
use crate::stack::{Answer, Draft, Field, Flow, Heard, Hop, Method, NamedCall, Wire};
use crate::trace::CallTrace;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio_util::sync::CancellationToken;

pub(super) struct Session {
    pub wire: Arc<Wire>,
    pub line: Arc<Line>,
    pub user_agent: String,
    pub facts: Arc<Facts>,
    /// We made the Call-ID: the call is ours.
    pub owns_call_id: bool,
    dialog: Mutex<Dialog>,
    auth: Mutex<AuthAttempt>,
    /// The way the dialog was set up.
    flow: Flow,
    /// Whose offer is under way.
    pub turns: Arc<Turns>,
    /// Our last description, and the peer's.
    local_sdp: Mutex<Option<String>>,
    remote_sdp: Mutex<Option<Vec<u8>>>,
    pub timing: Timing,
    /// Inbound: provisional responses that the caller acknowledges.
    pub ringing: Ringing,
    pub refers: Refers,
    /// INFO goes out one after the other: keys have an order.
    pub infos: tokio::sync::Mutex<()>,
    /// Why the leg cannot go on, found out beside its own loop.
    failure: Mutex<Option<LegFailure>>,
    pub broken: CancellationToken,
    /// Ends what runs beside the leg.
    pub over: CancellationToken,
    named: NamedCall,
    /// The peer is no stranger.
    _known: Held,
}

/// A request to be sent inside the dialog.
#[derive(Debug, Clone)]
pub(super) struct Ask {
    pub method: Method,
    fields: Vec<Field>,
    body: Vec<u8>,
}

impl Ask {
    pub fn new(method: Method) -> Self {
        Self { method, fields: Vec::new(), body: Vec::new() }
    }

    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.fields.push((name, value.into()));
        self
    }

    pub fn with_fields(mut self, fields: Vec<Field>) -> Self {
        self.fields.extend(fields);
        self
    }

    pub fn with_body(self, kind: impl Into<String>, body: &str) -> Self {
        let mut ask = self.with("Content-Type", kind);
        ask.body = body.as_bytes().to_vec();
        ask
    }
}

/// How a session comes about.
pub(super) struct Founding {
    pub wire: Arc<Wire>,
    pub line: Arc<Line>,
    pub dialog: Dialog,
    pub flow: Flow,
    pub auth: AuthAttempt,
    pub facts: Arc<Facts>,
    pub owns_call_id: bool,
    pub timer: SessionTimer,
}

impl Session {
    pub fn new(founding: Founding) -> Arc<Self> {
        let Founding { wire, line, dialog, flow, auth, facts, owns_call_id, timer } = founding;
        let user_agent = line.account().user_agent.clone();
        let invite_cseq = dialog.remote_cseq.unwrap_or_default();
        let named = wire.name_call(&dialog.call_id, &user_agent);
        let known = wire.door.hold(flow.remote.ip());
        let over = wire.cancel.child_token();
        Arc::new(Self {
            wire,
            line,
            user_agent,
            facts,
            owns_call_id,
            dialog: Mutex::new(dialog),
            auth: Mutex::new(auth),
            flow,
            turns: Arc::default(),
            local_sdp: Mutex::default(),
            remote_sdp: Mutex::default(),
            timing: Timing::new(timer),
            ringing: Ringing::new(invite_cseq),
            refers: Refers::default(),
            infos: tokio::sync::Mutex::default(),
            failure: Mutex::default(),
            broken: CancellationToken::new(),
            over,
            named,
            _known: known,
        })
    }

    /// The same parties in another dialog: a branch of a forked call.
    pub fn fork(&self, dialog: Dialog) -> Arc<Self> {
        Self::new(Founding {
            wire: self.wire.clone(),
            line: self.line.clone(),
            facts: Arc::new(Facts::new(&dialog.call_id)),
            dialog,
            flow: self.flow.clone(),
            auth: self.auth().clone(),
            owns_call_id: self.owns_call_id,
            timer: SessionTimer::new(Some(0), self.wire.ask_peer_every),
        })
    }

    pub fn dialog(&self) -> MutexGuard<'_, Dialog> {
        self.dialog.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn auth(&self) -> MutexGuard<'_, AuthAttempt> {
        self.auth.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn trace(&self) -> CallTrace {
        self.named.trace.clone()
    }

    pub fn contact(&self) -> String {
        format!("<{}>", self.dialog().contact)
    }

    /// An answer with what all our answers inside a dialog have.
    pub fn answer(&self, code: u16) -> Answer {
        Answer::of(code).with("Allow", Method::ALLOW).with("User-Agent", self.user_agent.clone())
    }

    /// Remembers what we described last: a refresh repeats it.
    pub fn described(&self, sdp: &str) {
        *self.local_sdp.lock().unwrap_or_else(PoisonError::into_inner) = Some(sdp.to_owned());
    }

    pub fn description(&self) -> Option<String> {
        self.local_sdp.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes in a description of the peer, where there is one.
    pub fn heard_description(&self, sdp: &[u8]) {
        if !sdp.is_empty() {
            *self.remote_sdp.lock().unwrap_or_else(PoisonError::into_inner) = Some(sdp.to_vec());
        }
    }

    /// The peer's last description.
    pub fn heard(&self) -> Option<Vec<u8>> {
        self.remote_sdp.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Runs beside the leg's loop, until the leg is over.
    pub fn beside(self: Arc<Self>, work: impl Future<Output = ()> + Send + 'static) {
        let over = self.over.clone();
        self.wire.tracker.spawn(async move {
            tokio::select! {
                () = over.cancelled() => {}
                () = work => {}
            }
        });
    }

    /// The leg cannot go on; its loop takes the first reason and says BYE.
    pub fn fail(&self, failure: LegFailure) {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(failure);
        self.broken.cancel();
    }

    /// Our 200 was never acknowledged: with what was seen of it.
    pub fn ack_missing(&self) -> LegFailure {
        LegFailure::AckMissing {
            sent: self.named.trace.answers_sent(),
            to: self.flow.remote,
            contact: self.dialog().contact.clone(),
            waited: self.wire.patience(),
        }
    }

    /// See [`Session::fail`].
    pub fn failure(&self) -> LegFailure {
        let failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone();
        failure.unwrap_or(LegFailure::Timeout)
    }

    /// Sends a request inside the dialog and waits for its final reply; answers challenges.
    pub async fn ask(&self, ask: &Ask) -> Result<Heard, SipError> {
        // A proxy and the peer may both ask, and a nonce may be stale.
        const ROUNDS: usize = 4;
        let flow = self.next_hop().await?;
        let mut heard = Heard::Timeout;
        for _ in 0..ROUNDS {
            let mut draft = self.dialog().request(ask.method);
            draft.fields.push(("User-Agent", self.user_agent.clone()));
            let credentials = self.line.authorize(&mut self.auth(), ask.method, &draft.uri);
            draft.fields.extend(credentials);
            draft.fields.extend(ask.fields.iter().cloned());
            draft.body.clone_from(&ask.body);
            heard = match ask.method {
                Method::Invite => self.invite(draft, &flow).await?,
                _ => self.wire.send(draft, &flow).await?.outcome().await,
            };
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
        if let Heard::Reply(reply) = &heard {
            self.facts.learn(reply.headers("Allow"), reply.headers("Supported"));
        }
        Ok(heard)
    }

    /// A re-INVITE. Nobody has to lift a receiver, so that one without a final reply is cancelled soon.
    async fn invite(&self, draft: Draft, flow: &Flow) -> Result<Heard, SipError> {
        let patience = self.wire.patience();
        let mut invite = self.wire.send(draft.clone(), flow).await?;
        let heard = match tokio::time::timeout(patience * 2, invite.outcome()).await {
            Ok(heard) => heard,
            Err(_) => {
                let mut cancel = self.wire.send(draft.cancel(&invite.via), flow).await?;
                cancel.outcome().await;
                tokio::time::timeout(patience, invite.outcome()).await.unwrap_or(Heard::Timeout)
            }
        };
        if matches!(&heard, Heard::Reply(reply) if reply.code < 300) {
            // It stays to acknowledge copies of the answer (RFC 3261 §13.2.2.4).
            let over = self.over.clone();
            self.wire.tracker.spawn(async move {
                tokio::select! {
                    () = over.cancelled() => {}
                    () = async { while invite.next().await.is_some() {} } => {}
                }
            });
        }
        Ok(heard)
    }

    /// A live connection is the way, wherever the dialog points; otherwise where it points.
    async fn next_hop(&self) -> Result<Flow, SipError> {
        if self.flow.transport.is_stream() && !self.flow.is_closed() {
            return Ok(self.flow.clone());
        }
        let hop = format!("<{}>", self.dialog().next_hop());
        let Some(target) = header::redirect_targets(std::iter::once(hop.as_str())).into_iter().next() else {
            return Ok(self.flow.clone());
        };
        let transport = target.transport.unwrap_or(self.flow.transport);
        let account = self.line.account();
        match self.wire.resolver.first(&target.host.host, target.host.port, transport).await {
            Ok(address) => {
                // The same peer again: it proves to be who it was, whatever its route calls it.
                let known = self.flow.server_name().filter(|_| address == self.flow.remote);
                let named = Hop::of(&account, &target.host.host);
                self.wire.flow_to(transport, address, Hop { server_name: known.or(named.server_name), ..named }).await
            }
            // The peer's name means nothing to us: answer where it came from.
            Err(_) => Ok(self.flow.clone()),
        }
    }
}
