//! What can be asked of a leg.

use super::{DialogId, Facts, HangUpCause, PeerAbilities, ReferTo, RequestFailure};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// Commands to a leg. Each returns when the leg has taken the command (those with a result: when it is there), and does
/// nothing once the leg is over.
#[derive(Debug, Clone)]
pub struct LegControl {
    commands: mpsc::Sender<Command>,
    facts: Arc<Facts>,
}

pub(super) type Outcome<T> = oneshot::Sender<Result<T, RequestFailure>>;

/// See [`LegControl`].
#[derive(Debug)]
pub(crate) enum Command {
    Ring,
    Answer(String),
    Reject(u16),
    HangUp(HangUpCause),
    Offer(String, Outcome<Vec<u8>>),
    Refer(ReferTo),
    ReportRefer { code: u16, phrase: String },
    Info { kind: String, body: String, outcome: Outcome<()> },
}

impl LegControl {
    pub(super) fn new(commands: mpsc::Sender<Command>, facts: Arc<Facts>) -> Self {
        Self { commands, facts }
    }

    /// Inbound: 180 Ringing.
    pub async fn ring(&self) {
        self.send(Command::Ring).await;
    }

    /// Inbound: 200 with this SDP (the answer, or our offer when the INVITE had none).
    pub async fn answer(&self, sdp: String) {
        self.send(Command::Answer(sdp)).await;
    }

    /// Inbound: a refusal, 300 to 699.
    pub async fn reject(&self, code: u16) {
        self.send(Command::Reject(code)).await;
    }

    /// BYE; CANCEL while an outbound call is unanswered; 480 while an inbound one is.
    pub async fn hang_up(&self) {
        self.hang_up_because(HangUpCause::Normal).await;
    }

    /// The same, with a reason for the peer.
    pub async fn hang_up_because(&self, cause: HangUpCause) {
        self.send(Command::HangUp(cause)).await;
    }

    /// Offers another description inside the call (re-INVITE), and returns the peer's answer. A challenge is answered, and an
    /// offer that crosses the peer's (491) is repeated (RFC 3261 §14.1).
    pub async fn reoffer(&self, sdp: String) -> Result<Vec<u8>, RequestFailure> {
        let (outcome, told) = oneshot::channel();
        self.send(Command::Offer(sdp, outcome)).await;
        told.await.unwrap_or(Err(RequestFailure::NotUp))
    }

    /// Asks the peer to call `target` in our place (REFER, RFC 3515). What comes of it is told by
    /// [`super::LegEvent::TransferProgress`]; our own leg goes on until somebody hangs up.
    pub async fn refer(&self, target: ReferTo) {
        self.send(Command::Refer(target)).await;
    }

    /// Tells the peer how the call goes that it asked for by [`super::LegEvent::ReferAsked`]; 200 and above is the last word.
    pub async fn report_refer(&self, code: u16, phrase: impl Into<String>) {
        self.send(Command::ReportRefer { code, phrase: phrase.into() }).await;
    }

    /// An INFO with this body, after those before it: keys, mostly (`application/dtmf-relay`, `Signal=5\r\nDuration=160\r\n`).
    pub async fn send_info(&self, content_type: &str, body: impl Into<String>) -> Result<(), RequestFailure> {
        let (outcome, told) = oneshot::channel();
        self.send(Command::Info { kind: content_type.to_owned(), body: body.into(), outcome }).await;
        told.await.unwrap_or(Err(RequestFailure::NotUp))
    }

    pub fn sip_call_id(&self) -> &str {
        self.facts.call_id()
    }

    /// The dialog's name; `None` while an outbound call has not been answered.
    pub fn dialog_id(&self) -> Option<DialogId> {
        self.facts.dialog_id()
    }

    /// What the peer has said that it can do; empty while it has said nothing.
    pub fn peer(&self) -> PeerAbilities {
        self.facts.peer()
    }

    async fn send(&self, command: Command) {
        self.commands.send(command).await.ok();
    }
}
