//! What a leg tells, and why one fails.

use super::ReferTo;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::sync::oneshot;

/// What happened on a leg.
#[derive(Debug)]
pub enum LegEvent {
    /// Outbound: a provisional response above 100, with the description of early media where it has one.
    Ringing {
        code: u16,
        sdp: Option<Vec<u8>>,
    },
    /// Outbound: the peer has answered, with its SDP answer (empty when it sent none). Acknowledged already.
    Answered {
        sdp: Vec<u8>,
    },
    /// Outbound: a final response of 300 or above.
    Refused {
        code: u16,
        phrase: String,
    },
    /// Inbound, and after a re-INVITE: the ACK has come, with the peer's SDP where our answer was an offer.
    Acknowledged {
        sdp: Option<Vec<u8>>,
    },
    /// Inbound: the caller gave up before the answer.
    Cancelled,
    /// The peer said BYE. `reason` is its Reason header (RFC 3326).
    HungUp {
        reason: Option<String>,
    },
    /// A re-INVITE, or an UPDATE with a description. Reply with our SDP or with a status code; without a reply in time
    /// the peer gets 500. `sdp` is `None` when the peer wants our offer.
    Reoffer {
        sdp: Option<Vec<u8>>,
        reply: oneshot::Sender<Result<String, u16>>,
    },
    /// The peer's answer to a session refresh of ours describes something else than before.
    Reanswered {
        sdp: Vec<u8>,
    },
    /// A key pressed, signalled by INFO.
    Dtmf(char),
    /// What the peer tells of the transfer that [`super::LegControl::refer`] asked for: 202 when it has taken it, then how its own
    /// call to the target goes. `done` comes once; a code below 300 with it means success.
    TransferProgress {
        code: u16,
        phrase: String,
        done: bool,
    },
    /// The peer asks us to call somebody else (REFER, RFC 3515). Reply `Ok` and keep it informed by
    /// [`super::LegControl::report_refer`], or refuse with a status code; without a reply in time the peer gets 603.
    ReferAsked {
        target: ReferTo,
        /// `Referred-By` (RFC 3892), as written.
        referred_by: Option<String>,
        reply: oneshot::Sender<Result<(), u16>>,
    },
    Failed(LegFailure),
}

/// Why a leg failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LegFailure {
    #[error("no response in time")]
    Timeout,
    #[error("{0}")]
    Transport(String),
    #[error(
        "our 200 was sent {sent} times to {to}; the Contact we named: {contact}; no ACK within {waited:?}; \
         check external_address, NAT and SIP ALG"
    )]
    AckMissing { sent: u32, to: SocketAddr, contact: String, waited: Duration },
    /// Inbound: the caller demanded reliable ringing (RFC 3262) and never acknowledged it.
    #[error("our 180 was sent {sent} times and the caller, who demanded 100rel, sent no PRACK")]
    PrackMissing { sent: u32 },
    #[error("authentication failed: {0}")]
    AuthenticationFailed(String),
    /// A request inside the call showed that the peer does not know it any more, or is not there (RFC 3261 §12.2.1.2).
    #[error("{0}")]
    PeerVanished(String),
    /// Nobody refreshed the session in time (RFC 4028 §10).
    #[error("{0}")]
    SessionExpired(String),
}

/// Why a request of ours inside a call came to nothing. The call goes on unless [`LegEvent::Failed`] says otherwise.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestFailure {
    #[error("{code} {phrase}")]
    Refused { code: u16, phrase: String },
    #[error("no response in time")]
    Timeout,
    #[error("{0}")]
    Transport(String),
    /// Not answered yet, or over.
    #[error("the call is not up")]
    NotUp,
    /// An offer of the peer is being answered, or one of ours has not been answered.
    #[error("another offer is under way")]
    Busy,
}

impl RequestFailure {
    /// The peer's status code, where it has answered.
    pub fn code(&self) -> Option<u16> {
        match self {
            Self::Refused { code, .. } => Some(*code),
            _ => None,
        }
    }
}

/// Why we hang up, told to the peer in a Reason header (RFC 3326).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HangUpCause {
    #[default]
    Normal,
    /// A CANCEL because another telephone was quicker: the one that rang shows no missed call.
    AnsweredElsewhere,
    /// The peer's session refreshes ceased (RFC 4028 §10).
    SessionExpired,
    /// Nobody is heard any more.
    MediaLost,
}

impl HangUpCause {
    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::Normal => "Q.850;cause=16;text=\"Normal call clearing\"",
            Self::AnsweredElsewhere => "SIP;cause=200;text=\"Call completed elsewhere\"",
            Self::SessionExpired => "SIP;cause=408;text=\"Session expired\"",
            Self::MediaLost => "Q.850;cause=41;text=\"No audio\"",
        }
    }
}
