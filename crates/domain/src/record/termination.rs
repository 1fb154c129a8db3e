//! How a call ended: one result and one reason from closed lists, chosen where the end is decided. The same words stand in
//! the API, the metrics and the dashboard.

use serde::{Deserialize, Serialize};

/// The outcome in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallResult {
    /// It was answered, and ended as calls do.
    Completed,
    /// The caller gave up before the answer.
    Cancelled,
    /// We turned it away.
    Rejected,
    Busy,
    NoAnswer,
    Declined,
    NotFound,
    /// Something broke; the reason says what.
    Failed,
    /// The process died while the call was up.
    Lost,
}

macro_rules! end_reasons {
    ($($variant:ident, $result:ident, $text:literal, $remedy:literal;)*) => {
        /// Why a call ended.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum EndReason { $($variant),* }

        impl EndReason {
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The result that goes with this reason.
            pub fn result(self) -> CallResult {
                match self { $(Self::$variant => CallResult::$result),* }
            }
            /// What happened, for a person.
            pub fn text(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }
            /// What to do about it; empty when nothing need be done.
            pub fn remedy(self) -> &'static str {
                match self { $(Self::$variant => $remedy),* }
            }
        }
    };
}

end_reasons! {
    RemoteHungUp, Completed, "the other side hung up", "";
    AgentEnded, Completed, "the agent said goodbye and hung up", "";
    CallerSilent, Completed, "nobody spoke any more, and the agent said goodbye", "";
    OperatorHungUp, Completed, "ended through the API", "";
    MaxDuration, Completed, "max_call_duration was reached", "raise max_call_duration of the user if calls may last longer";
    ServerShutdown, Completed, "the server was stopped", "";
    Transferred, Completed, "the call was handed over to somebody else", "";
    Replaced, Completed, "another call took this one's place", "";
    MachineAnswered, Completed, "an answering machine answered, and we hung up", "set calls.voicemail of the user to drop or talk if it should be spoken to";
    MessageLeft, Completed, "a message was left on an answering machine", "";
    FaxAnswered, Completed, "a fax machine answered", "check the number: people are reached at another one";
    CallerCancelled, Cancelled, "the caller hung up before the answer", "";
    OperatorCancelled, Cancelled, "ended through the API before the answer", "";
    UserInactive, Rejected, "the user is not active or not connected (480)", "activate and connect the user";
    TooManyCalls, Rejected, "the user is at its limit of concurrent calls (486)", "wait for a call to end or raise the limit";
    NoCommonCodec, Rejected, "no codec in common (488)", "allow PCMU or PCMA at the provider";
    RtpPortsExhausted, Rejected, "no RTP port is free in the range (503)", "widen rtp_port_min and rtp_port_max, or set use_fixed_rtp_port to false";
    DestinationNotAllowed, Rejected, "the user's limits do not allow this destination", "add the number or its beginning to limits.allowed_prefixes of the user, if it is meant";
    DoNotCall, Rejected, "the number is on the user's do-not-call list", "DELETE it from /users/{user_id}/do-not-call, if they want to be called again";
    OutsideCallingWindow, Rejected, "it is no time to call there", "call within limits.calling_windows of the user, or change them";
    LimitReached, Rejected, "a limit of the user is reached; the detail names it", "wait, or raise the limit in limits of the user";
    ShuttingDown, Rejected, "the server is stopping (503)", "call again after the restart";
    CalleeBusy, Busy, "the called party is busy", "";
    NoAnswer, NoAnswer, "nobody answered within answer_timeout", "raise answer_timeout of the user if it should ring longer";
    CalleeDeclined, Declined, "the called party declined", "";
    NumberNotFound, NotFound, "the provider does not know the number", "check the number and its prefix";
    NotReachable, NotFound, "the network says that the number cannot be reached (special information tone)", "listen to the announcement in the recording; check the number";
    Congestion, Failed, "the network has no way to the called party (congestion tone)", "try again later; ask the provider if it lasts";
    AuthenticationFailed, Failed, "the provider refused our credentials for the call", "check sip_username, auth_username and sip_password";
    Forbidden, Failed, "the provider does not allow this call (403)", "check caller_id, the number and the account's rights";
    ServiceUnavailable, Failed, "the provider could not take the call (5xx)", "try again later; ask the provider if it lasts";
    ProviderRefused, Failed, "the provider answered with an unexpected status", "see the call's events for the status";
    SignallingTimeout, Failed, "the provider did not answer our request", "check sip_server, sip_port, the firewall and the network";
    TransportFailed, Failed, "the request could not be sent", "check sip_server, transport and the network";
    BadAnswer, Failed, "the other side's SDP could not be used", "see the call's SIP trace; allow PCMU or PCMA at the provider";
    AckMissing, Failed, "our answer was never acknowledged (no ACK within 32 s)", "check external_address, NAT and SIP ALG: the provider cannot reach our Contact";
    SessionExpired, Failed, "the other side stopped refreshing the session (RFC 4028)", "ask the provider why its refreshes cease; a firewall may have closed the way between";
    PeerVanished, Failed, "the other side no longer knows the call or no longer answers", "check the network and the provider; its refusal is in the detail";
    RtpLost, Failed, "no audio arrived any more from the other side", "check NAT and firewall for the RTP ports if this is frequent";
    MediaFailed, Failed, "the audio path could not be opened", "see the log; check the RTP port range and file limits";
    EngineFailed, Failed, "the conversation engine failed", "see the call's events; check the engine's key and network";
    InternalError, Failed, "a fault of this server", "please report it with the call's events";
    ProcessLost, Lost, "the server died during the call", "";
}

/// The end of a call. `detail` is the evidence: a status line, an error text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Termination {
    pub result: CallResult,
    pub reason: EndReason,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

impl Termination {
    pub fn new(reason: EndReason) -> Self {
        Self { result: reason.result(), reason, detail: None }
    }

    pub fn because(reason: EndReason, detail: impl Into<String>) -> Self {
        Self { detail: Some(detail.into()), ..Self::new(reason) }
    }

    /// The end that a final error response to our INVITE means (RFC 3261 §21).
    pub fn of_response(code: u16, phrase: &str) -> Self {
        let reason = match code {
            486 | 600 => EndReason::CalleeBusy,
            408 | 480 => EndReason::NoAnswer,
            487 => EndReason::OperatorCancelled,
            603 | 607 => EndReason::CalleeDeclined,
            404 | 410 | 484 | 604 => EndReason::NumberNotFound,
            401 | 407 => EndReason::AuthenticationFailed,
            403 => EndReason::Forbidden,
            488 | 606 => EndReason::NoCommonCodec,
            500..=599 => EndReason::ServiceUnavailable,
            _ => EndReason::ProviderRefused,
        };
        let mut end = Self::because(reason, format!("{code} {phrase}"));
        if reason == EndReason::NoCommonCodec {
            // The list gives this reason to calls that we refuse; here the other side refused ours.
            end.result = CallResult::Failed;
        }
        end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_of_outbound_calls_are_told_apart() {
        for (code, want) in [
            (486, CallResult::Busy),
            (600, CallResult::Busy),
            (480, CallResult::NoAnswer),
            (603, CallResult::Declined),
            (404, CallResult::NotFound),
            (407, CallResult::Failed),
            (503, CallResult::Failed),
            (488, CallResult::Failed),
            (499, CallResult::Failed),
        ] {
            assert_eq!(Termination::of_response(code, "x").result, want, "{code}");
        }
    }

    #[test]
    fn words_are_stable() {
        let json = serde_json::to_string(&Termination::new(EndReason::RtpLost)).expect("serialises");
        assert_eq!(json, r#"{"result":"failed","reason":"rtp_lost"}"#);
        assert!(EndReason::ALL.iter().all(|r| !r.text().is_empty()));
    }
}
