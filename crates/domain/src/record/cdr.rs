//! The call detail record.

use super::{AfterCallReport, AnsweredBy, Claim, TalkSummary, Termination};
use crate::prices::Cost;
use crate::{CallId, UserId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    Inbound,
    Outbound,
}

/// One call. Written when it begins (without an end), and again when it ends, so that a crash leaves a trace.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cdr {
    pub id: CallId,
    pub user_id: UserId,
    pub direction: Direction,
    pub from: String,
    pub to: String,
    pub started_at: Timestamp,
    pub answered_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
    pub termination: Option<Termination>,
    /// Revision of the user's configuration that the call ran with.
    pub config_revision: u64,
    pub sip_call_id: Option<String>,
    pub engine: Option<String>,
    /// File name below the recordings folder.
    pub recording: Option<String>,
    pub media: Option<MediaSummary>,
    /// Further legs of the call: those to whom the caller was handed over, and those that another took the place of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub legs: Vec<LegSummary>,
    /// What the caller of the API attached to an outbound call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    /// Who answered a call that we placed, as far as it was recognised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered_by: Option<AnsweredBy>,
    /// What it cost, as far as the price table knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<Cost>,
    /// What the agent said it did, as far as it was recognised.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub claims: Vec<Claim>,
    /// Who spoke for how long, and how quickly the agent answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub talk: Option<TalkSummary>,
    /// Of a user who wants a summary or fields of calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_call: Option<AfterCallReport>,
}

impl Cdr {
    /// A call of which nothing else is known yet. Whoever knows more names it over this: `Cdr { from, to, ..Cdr::begun(…) }`.
    pub fn begun(id: CallId, user_id: UserId, direction: Direction, started_at: Timestamp) -> Self {
        Self {
            id,
            user_id,
            direction,
            from: String::new(),
            to: String::new(),
            started_at,
            answered_at: None,
            ended_at: None,
            termination: None,
            config_revision: 0,
            sip_call_id: None,
            engine: None,
            recording: None,
            media: None,
            legs: Vec::new(),
            message: None,
            metadata: BTreeMap::new(),
            answered_by: None,
            cost: None,
            claims: Vec::new(),
            talk: None,
            after_call: None,
        }
    }

    /// Milliseconds from answer to end.
    pub fn talk_ms(&self) -> Option<i64> {
        Some(self.ended_at?.as_millisecond() - self.answered_at?.as_millisecond())
    }

    /// Legs that we dialled.
    pub fn dialled_legs(&self) -> usize {
        usize::from(self.direction == Direction::Outbound) + self.legs.len()
    }

    /// Milliseconds of the legs that we dialled and that were answered, by whom was dialled. A leg that was handed over to ends with its call.
    pub fn dialled_talk(&self) -> Vec<(&str, i64)> {
        let Some(ended) = self.ended_at else { return Vec::new() };
        let own = (self.to.as_str(), self.answered_at.filter(|_| self.direction == Direction::Outbound));
        let further = self.legs.iter().map(|leg| (leg.to.as_str(), leg.answered_at));
        let talk =
            |(to, answered): (_, Option<Timestamp>)| Some((to, (ended.as_millisecond() - answered?.as_millisecond()).max(0)));
        [own].into_iter().chain(further).filter_map(talk).collect()
    }
}

/// A leg of the call beside its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LegSummary {
    /// Whom it was to: the number or address dialled.
    pub to: String,
    pub sip_call_id: String,
    pub answered_at: Option<Timestamp>,
    pub media: Option<MediaSummary>,
}

/// The audio path in figures.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct MediaSummary {
    pub codec: String,
    pub local_port: u16,
    /// Address and port that our SDP names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local_address: Option<String>,
    /// Address and port that the other side's SDP names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sdp_address: Option<String>,
    /// Where its RTP really came from.
    pub remote_address: Option<String>,
    pub packets_received: u64,
    pub packets_sent: u64,
    /// Packets that never came.
    pub packets_lost: u64,
    /// Packets that came too late to be played.
    pub packets_late: u64,
    /// Datagrams on the RTP port that were not usable RTP.
    pub packets_rejected: u64,
    /// Packets that were not encrypted under the key of the other side.
    #[serde(default)]
    pub packets_unauthentic: u64,
    /// Interarrival jitter at the end, milliseconds (RFC 3550 §6.4.1).
    pub jitter_ms: f32,
    /// 20 ms frames of the caller that were concealed.
    pub frames_concealed: u64,
    /// Suite of SRTP, as SDP names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub srtp: Option<String>,
    /// The other side sent RTCP reports.
    #[serde(default)]
    pub rtcp: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rtcp_address: Option<String>,
    /// Round trip as last measured by RTCP, milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rtt_ms: Option<f32>,
    /// How the other side sounds here by the E-model (ITU-T G.107), 1 to 4.5: the average over windows of 10 s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mos: Option<f32>,
    /// The worst of the windows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mos_min: Option<f32>,
    /// Of what we sent, by the other side's reports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote_loss_percent: Option<f32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote_jitter_ms: Option<f32>,
    /// How we sound there, estimated from its reports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote_mos: Option<f32>,
}
