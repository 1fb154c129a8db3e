//! `/stats` and `/info`: how the line of user `primary` does, and what there is.

use super::{FirstVersionApi, conversations, refusal::Refusal, tools};
use crate::api::openapi::{StoreProblems, UserProblems};
use crate::api::state::{Clock, EngineInfo, Lines, Phase, Phases, Records, ServerInfo, Users};
use axum::{Json, extract::State};
use callie_domain::User;
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// Calls that are counted.
const COUNTED: usize = 1_000;

/// Figures since the server started; of more than 1,000 calls the newest.
#[derive(Debug, Serialize, ToSchema)]
pub struct Stats {
    /// Calls and correspondences.
    pub total_conversations: usize,
    /// Calls that are up.
    pub active_conversations: usize,
    pub completed_conversations: usize,
    /// What was said or written, by either side.
    pub total_messages: usize,
    /// Seconds, of the calls that have ended.
    pub average_duration: f64,
    pub agent_running: bool,
    pub sip_registered: bool,
    /// The User-Agent.
    #[schema(example = "Yealink SIP-T46S 66.85.0.5 ~00:15:65:12:34:56")]
    pub device_emulation: String,
    pub inbound_calls_enabled: bool,
    #[schema(example = "sip.zoho.com")]
    pub sip_server: String,
    pub sip_username: String,
    pub function_calling_enabled: bool,
    pub available_tools: Vec<String>,
    pub tool_count: usize,
}

/// What there is.
#[derive(Debug, Serialize, ToSchema)]
pub struct Info {
    #[schema(example = "Callie Caller")]
    pub service: &'static str,
    pub version: &'static str,
    pub capabilities: Abilities,
    pub sip_configuration: SipSummary,
    pub ai_configuration: AiSummary,
    pub contact_info: ContactInfo,
    /// By name, with what they are for.
    pub endpoints: BTreeMap<&'static str, &'static str>,
}

/// What the server can do for the line.
#[derive(Debug, Serialize, ToSchema)]
pub struct Abilities {
    pub outbound_calls: bool,
    pub inbound_calls: bool,
    pub real_time_ai: bool,
    pub sip_registered: bool,
    /// Not in this version.
    pub voicemail_detection: bool,
    /// Transcripts are kept.
    pub conversation_memory: bool,
    pub function_calling: bool,
    pub ai_tools: Vec<String>,
}

/// The line.
#[derive(Debug, Serialize, ToSchema)]
pub struct SipSummary {
    pub server: String,
    pub username: String,
    pub device_emulation: String,
}

/// Who talks.
#[derive(Debug, Serialize, ToSchema)]
pub struct AiSummary {
    pub model: String,
    pub real_time_voice: bool,
    pub greeting: String,
}

/// Whose line it is, and where to read on.
#[derive(Debug, Serialize, ToSchema)]
pub struct ContactInfo {
    pub account_label: String,
    #[schema(example = "/docs")]
    pub documentation: &'static str,
}

const ENDPOINTS: [(&str, &str); 9] = [
    ("/health", "whether the server is well"),
    ("/call", "place a call: POST with number and message"),
    ("/conversations", "calls and what was written, newest first"),
    ("/stats", "figures since the server started"),
    ("/info", "this page"),
    ("/tools", "what the agent can do in a call besides talking"),
    ("/sms", "take a text message: POST a form with from and text"),
    ("/chat", "answer in writing: POST with message"),
    ("/docs", "everything else"),
];

/// Counts conversations of user `primary`, and tells how its line does.
#[utoipa::path(get, path = "/stats", operation_id = "first_version_stats", tag = "first version",
    responses((status = 200, body = Stats), UserProblems, StoreProblems))]
pub async fn stats(
    State(users): State<Users>,
    State(records): State<Records>,
    State(lines): State<Lines>,
    State(clock): State<Clock>,
    State(info): State<ServerInfo>,
    State(phases): State<Phases>,
    State(first_version): State<FirstVersionApi>,
) -> Result<Json<Stats>, Refusal> {
    let user = first_version.primary(&users.watch().borrow().clone())?;
    let since = Some(info.started_at);
    let calls = conversations::calls(&records, &user.id, since, COUNTED, |_| true, COUNTED).await?;
    let letters = first_version.letters.kept();
    let mut total_messages = letters.iter().map(|letter| letter.lines.len()).sum();
    for call in &calls {
        total_messages += records.turns(call.id).await?.len();
    }
    let durations: Vec<f64> =
        calls.iter().filter(|call| call.ended_at.is_some()).map(|call| conversations::duration(call, clock.now())).collect();
    let available_tools = tool_names(&info, &user);
    Ok(Json(Stats {
        total_conversations: calls.len() + letters.len(),
        active_conversations: calls.len() - durations.len(),
        completed_conversations: durations.len() + letters.len(),
        total_messages,
        average_duration: if durations.is_empty() { 0.0 } else { durations.iter().sum::<f64>() / durations.len() as f64 },
        agent_running: phases.now() == Phase::Running,
        sip_registered: is_registered(&lines, &user),
        device_emulation: user.user_agent(),
        inbound_calls_enabled: true,
        sip_server: user.sip.server.to_string(),
        sip_username: user.sip.username.clone(),
        function_calling_enabled: !available_tools.is_empty(),
        tool_count: available_tools.len(),
        available_tools,
    }))
}

/// Describes the server and the line of user `primary`.
#[utoipa::path(get, path = "/info", operation_id = "first_version_info", tag = "first version",
    responses((status = 200, body = Info), UserProblems))]
pub async fn info(
    State(users): State<Users>,
    State(lines): State<Lines>,
    State(info): State<ServerInfo>,
    State(first_version): State<FirstVersionApi>,
) -> Result<Json<Info>, Refusal> {
    let user = first_version.primary(&users.watch().borrow().clone())?;
    let ai_tools = tool_names(&info, &user);
    Ok(Json(Info {
        service: "Callie Caller",
        version: info.version,
        capabilities: Abilities {
            outbound_calls: true,
            inbound_calls: true,
            real_time_ai: true,
            sip_registered: is_registered(&lines, &user),
            voicemail_detection: false,
            conversation_memory: true,
            function_calling: !ai_tools.is_empty(),
            ai_tools,
        },
        sip_configuration: SipSummary {
            server: user.sip.server.to_string(),
            username: user.sip.username.clone(),
            device_emulation: user.user_agent(),
        },
        ai_configuration: AiSummary {
            model: first_version.model(&info, &user),
            real_time_voice: true,
            greeting: user.calls.default_greeting.clone(),
        },
        contact_info: ContactInfo { account_label: user.sip.account_label.clone(), documentation: "/docs" },
        endpoints: ENDPOINTS.into_iter().collect(),
    }))
}

fn is_registered(lines: &Lines, user: &User) -> bool {
    lines.line(&user.id).is_some_and(|line| line.registration.is_registered())
}

fn tool_names(info: &ServerInfo, user: &User) -> Vec<String> {
    let enabled = FirstVersionApi::uses_tools(FirstVersionApi::engine(info, Some(user)));
    if enabled { tools::documents().into_keys().collect() } else { Vec::new() }
}

impl FirstVersionApi {
    /// Who talks for the user, by the model's name where it has one.
    fn model(&self, info: &ServerInfo, user: &User) -> String {
        match Self::engine(info, Some(user)) {
            engine @ Some(EngineInfo { name, .. }) if Self::uses_tools(engine) => {
                let model = user.ai.model.as_deref().or(self.model.as_deref());
                model.unwrap_or(name).to_owned()
            }
            Some(engine) => engine.detail.text(),
            None => "none".to_owned(),
        }
    }
}
