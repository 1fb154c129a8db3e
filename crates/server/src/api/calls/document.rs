//! A call as the API shows it.

use super::summary::{EngineFailure, LatencySummary};
use super::transcript::TurnDocument;
use crate::api::costs::CostDocument;
use crate::api::words::{
    AfterCallStateWord, AnsweredByWord, CallResultWord, ClaimKindWord, ClaimStandingWord, DirectionWord, EndReasonWord,
};
use crate::exchange::ActiveCall;
use crate::telemetry::TraceId;
use callie_domain::record::{
    AfterCallReport, AfterCallState, AnsweredBy, CallEvent, CallResult, Cdr, Claim, ClaimKind, ClaimStanding, Direction,
    EndReason, LegSummary, MediaSummary, TalkSummary, Termination,
};
use callie_domain::{CallId, UserId};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// The record of one call.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CallDocument {
    #[schema(value_type = String, example = "01JD3V6Q0X3N2Z7Y5W4T8R9P1M")]
    pub id: CallId,
    #[schema(value_type = String, example = "alice")]
    pub user_id: UserId,
    #[schema(value_type = DirectionWord)]
    pub direction: Direction,
    pub from: String,
    pub to: String,
    pub started_at: Timestamp,
    pub answered_at: Option<Timestamp>,
    /// Absent while the call is up.
    pub ended_at: Option<Timestamp>,
    /// Milliseconds from answer to end.
    pub talk_ms: Option<i64>,
    /// How it ended; absent while the call is up.
    pub termination: Option<TerminationDocument>,
    /// Revision of the user's document that the call ran with.
    pub config_revision: u64,
    /// Where that version of the document is shown, as long as it is kept.
    #[schema(example = "/users/alice/versions/12")]
    pub config_url: String,
    pub sip_call_id: Option<String>,
    /// The call's trace, where the server exports them (OTLP), and in the log's lines of the call: its id in hexadecimal.
    #[schema(example = "019347b35c1d1d45f3f8bc269184d834")]
    pub trace_id: String,
    pub engine: Option<String>,
    /// Where the stereo WAV is: caller left, agent right.
    #[schema(example = "/calls/01JD3V6Q0X3N2Z7Y5W4T8R9P1M/recording")]
    pub recording_url: Option<String>,
    /// Its file name below the recordings folder.
    pub recording: Option<String>,
    pub media: Option<MediaDocument>,
    /// Further legs: those to whom the caller was handed over, and those that another took the place of.
    pub legs: Vec<LegDocument>,
    /// What the caller of the API attached.
    pub message: Option<String>,
    /// Of a call that we placed: who answered, as far as it was recognised.
    #[schema(value_type = Option<AnsweredByWord>)]
    pub answered_by: Option<AnsweredBy>,
    /// What it cost, as far as the price table knows; absent while the call is up.
    pub cost: Option<CostDocument>,
    /// What the agent said it did, as far as it was recognised (in English and German), against what the call's tools did.
    pub claims: Vec<ClaimDocument>,
    /// Who spoke for how long, and how quickly the agent answered; null when nobody spoke.
    pub talk: Option<TalkDocument>,
    /// Of a user who wants a summary or fields (`ai.after_call`): what became of them.
    pub after_call: Option<AfterCallDocument>,
}

/// A call in figures.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct TalkDocument {
    pub turns: u32,
    /// Speech of the caller, milliseconds.
    pub caller_ms: u64,
    pub agent_ms: u64,
    /// The agent's part of all speech, 0 to 1.
    #[schema(example = 0.61)]
    pub agent_share: Option<f64>,
    /// Answers that were measured: end of the caller's speech to first audible packet.
    pub answers: u32,
    pub latency_p50_ms: Option<u32>,
    pub latency_p95_ms: Option<u32>,
    pub latency_max_ms: Option<u32>,
}

/// What a text model made of a call when it was over.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct AfterCallDocument {
    #[schema(value_type = AfterCallStateWord)]
    pub state: AfterCallState,
    #[schema(example = "Maria's boiler leaks; a plumber is to call her back today.")]
    pub summary: Option<String>,
    /// By `ai.after_call.fields` of the user.
    #[schema(value_type = Option<Object>)]
    pub fields: Option<Value>,
    pub model: Option<String>,
    pub attempts: u32,
    /// Why it was skipped, or what went wrong last.
    #[schema(example = "the server has no text model: set CALLIE_CHAT_URL and CALLIE_CHAT_MODEL")]
    pub note: Option<String>,
    /// When it was put down.
    pub at: Option<Timestamp>,
}

/// Something that the agent said it did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ClaimDocument {
    #[schema(value_type = ClaimKindWord)]
    pub kind: ClaimKind,
    #[schema(value_type = ClaimStandingWord)]
    pub standing: ClaimStanding,
    /// Index of the turn in the transcript.
    pub turn: u32,
    #[schema(example = "I'm transferring you to sales now.")]
    pub text: String,
    /// The tool that did it, or failed to.
    #[schema(example = "transfer_call")]
    pub tool: Option<String>,
}

/// A leg of the call beside its own.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LegDocument {
    /// The number or address dialled.
    pub to: String,
    pub sip_call_id: String,
    pub answered_at: Option<Timestamp>,
    pub media: Option<MediaDocument>,
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct TerminationDocument {
    #[schema(value_type = CallResultWord)]
    pub result: CallResult,
    #[schema(value_type = EndReasonWord)]
    pub reason: EndReason,
    /// The reason, for people.
    #[schema(example = "the other side hung up")]
    pub text: &'static str,
    /// What to do about it, where something can be done.
    pub remedy: Option<&'static str>,
    /// The evidence: a status line, an error text.
    pub detail: Option<String>,
}

/// The audio path in figures.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct MediaDocument {
    #[schema(example = "PCMU")]
    pub codec: String,
    pub local_port: u16,
    /// Address and port that our SDP names.
    pub local_address: Option<String>,
    /// Address and port that the other side's SDP names.
    pub sdp_address: Option<String>,
    /// Where its RTP really came from.
    pub remote_address: Option<String>,
    pub packets_received: u64,
    pub packets_sent: u64,
    pub packets_lost: u64,
    pub packets_late: u64,
    pub packets_rejected: u64,
    /// Packets that were not encrypted under the key of the other side.
    pub packets_unauthentic: u64,
    /// Milliseconds, at the end.
    pub jitter_ms: f32,
    /// 20 ms frames of the caller that were concealed.
    pub frames_concealed: u64,
    /// Suite of SRTP; null when the audio was not encrypted.
    #[schema(example = "AES_CM_128_HMAC_SHA1_80")]
    pub srtp: Option<String>,
    /// The other side sent RTCP reports.
    pub rtcp: bool,
    pub rtcp_address: Option<String>,
    /// Round trip as last measured by RTCP, milliseconds.
    pub rtt_ms: Option<f32>,
    /// How the other side sounds here by the E-model (ITU-T G.107), 1 to 4.5: the average over windows of 10 s.
    #[schema(example = 4.37)]
    pub mos: Option<f32>,
    /// The worst of the windows.
    #[schema(example = 4.12)]
    pub mos_min: Option<f32>,
    /// Of what we sent, by the other side's reports.
    pub remote_loss_percent: Option<f32>,
    pub remote_jitter_ms: Option<f32>,
    /// How we sound there, estimated from its reports.
    pub remote_mos: Option<f32>,
}

/// Something that happened in a call.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(example = json!({"at": "2026-01-15T10:30:02.1Z", "offset_ms": 2100, "event": "ringing", "code": 180}))]
pub struct CallEventDocument {
    pub at: Timestamp,
    /// Milliseconds since the call began.
    pub offset_ms: u64,
    /// What happened: `invited`, `dialled`, `ringing`, `answered`, `speech_started`, `turn`, `tool_used`, `engine_failed`,
    /// `tone_heard`, `answered_by`, `dtmf`, `transfer_started`, `transfer_completed`, `claim_unsupported`, `ended`, … A `turn` of an index that came before replaces it.
    pub event: String,
    /// The event's own fields.
    #[serde(flatten)]
    pub facts: Map<String, Value>,
}

/// A record in a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct ListedCall {
    #[serde(flatten)]
    pub call: CallDocument,
    /// Of a call found by `q`: the first turns in which one of its words occurs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub matches: Vec<TurnDocument>,
}

/// A record with its events.
#[derive(Debug, Serialize, ToSchema)]
pub struct CallDetail {
    #[serde(flatten)]
    pub call: CallDocument,
    /// How quickly the agent answered; null when no answer was measured.
    pub latency: Option<LatencySummary>,
    /// The conversation engines that failed, with cause and remedy.
    pub engine_failures: Vec<EngineFailure>,
    /// In the order they happened.
    pub events: Vec<CallEventDocument>,
}

/// A call that is up now.
#[derive(Debug, Serialize, ToSchema)]
pub struct ActiveCallDocument {
    #[schema(value_type = String, example = "01JD3V6Q0X3N2Z7Y5W4T8R9P1M")]
    pub id: CallId,
    #[schema(value_type = String, example = "alice")]
    pub user_id: UserId,
    #[schema(value_type = DirectionWord)]
    pub direction: Direction,
    pub remote_party: String,
    pub started_at: Timestamp,
    pub answered: bool,
}

impl From<Cdr> for CallDocument {
    fn from(cdr: Cdr) -> Self {
        Self {
            talk_ms: cdr.talk_ms(),
            recording_url: cdr.recording.as_ref().map(|_| format!("/calls/{}/recording", cdr.id)),
            config_url: format!("/users/{}/versions/{}", cdr.user_id, cdr.config_revision),
            id: cdr.id,
            user_id: cdr.user_id,
            direction: cdr.direction,
            from: cdr.from,
            to: cdr.to,
            started_at: cdr.started_at,
            answered_at: cdr.answered_at,
            ended_at: cdr.ended_at,
            termination: cdr.termination.map(Into::into),
            config_revision: cdr.config_revision,
            sip_call_id: cdr.sip_call_id,
            trace_id: TraceId::of(cdr.id).to_string(),
            engine: cdr.engine,
            recording: cdr.recording,
            media: cdr.media.map(Into::into),
            legs: cdr.legs.into_iter().map(Into::into).collect(),
            message: cdr.message,
            answered_by: cdr.answered_by,
            cost: cdr.cost.map(Into::into),
            claims: cdr.claims.into_iter().map(Into::into).collect(),
            talk: cdr.talk.map(Into::into),
            after_call: cdr.after_call.map(Into::into),
        }
    }
}

impl From<Claim> for ClaimDocument {
    fn from(Claim { kind, standing, turn, text, tool }: Claim) -> Self {
        Self { kind, standing, turn, text, tool }
    }
}

impl From<TalkSummary> for TalkDocument {
    fn from(talk: TalkSummary) -> Self {
        let all = talk.caller_ms.saturating_add(talk.agent_ms);
        Self {
            turns: talk.turns,
            caller_ms: talk.caller_ms,
            agent_ms: talk.agent_ms,
            agent_share: (all > 0).then(|| talk.agent_ms as f64 / all as f64),
            answers: talk.answers,
            latency_p50_ms: talk.latency_p50_ms,
            latency_p95_ms: talk.latency_p95_ms,
            latency_max_ms: talk.latency_max_ms,
        }
    }
}

impl From<AfterCallReport> for AfterCallDocument {
    fn from(AfterCallReport { state, summary, fields, model, attempts, note, at }: AfterCallReport) -> Self {
        Self { state, summary, fields, model, attempts, note, at }
    }
}

impl From<LegSummary> for LegDocument {
    fn from(LegSummary { to, sip_call_id, answered_at, media }: LegSummary) -> Self {
        Self { to, sip_call_id, answered_at, media: media.map(Into::into) }
    }
}

impl From<Termination> for TerminationDocument {
    fn from(Termination { result, reason, detail }: Termination) -> Self {
        let remedy = Some(reason.remedy()).filter(|remedy| !remedy.is_empty());
        Self { result, reason, text: reason.text(), remedy, detail }
    }
}

impl From<MediaSummary> for MediaDocument {
    fn from(media: MediaSummary) -> Self {
        Self {
            codec: media.codec,
            local_port: media.local_port,
            remote_address: media.remote_address,
            packets_received: media.packets_received,
            packets_sent: media.packets_sent,
            packets_lost: media.packets_lost,
            packets_late: media.packets_late,
            packets_rejected: media.packets_rejected,
            jitter_ms: media.jitter_ms,
            frames_concealed: media.frames_concealed,
            local_address: media.local_address,
            sdp_address: media.sdp_address,
            packets_unauthentic: media.packets_unauthentic,
            srtp: media.srtp,
            rtcp: media.rtcp,
            rtcp_address: media.rtcp_address,
            rtt_ms: media.rtt_ms,
            mos: media.mos,
            mos_min: media.mos_min,
            remote_loss_percent: media.remote_loss_percent,
            remote_jitter_ms: media.remote_jitter_ms,
            remote_mos: media.remote_mos,
        }
    }
}

impl From<CallEvent> for CallEventDocument {
    fn from(CallEvent { at, offset_ms, fact }: CallEvent) -> Self {
        let mut facts = match serde_json::to_value(fact) {
            Ok(Value::Object(facts)) => facts,
            _ => Map::new(),
        };
        let event = match facts.remove("event") {
            Some(Value::String(event)) => event,
            _ => "unknown".to_owned(),
        };
        Self { at, offset_ms, event, facts }
    }
}

impl From<ActiveCall> for ActiveCallDocument {
    fn from(call: ActiveCall) -> Self {
        let ActiveCall { id, user_id, direction, remote_party, started_at, answered } = call;
        Self { id, user_id, direction, remote_party, started_at, answered }
    }
}
