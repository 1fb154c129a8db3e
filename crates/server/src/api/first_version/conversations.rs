//! `/conversations`: the calls of user `primary`, and what was written.

use super::letters::Correspondence;
use super::{FirstVersionApi, refusal::Refusal};
use crate::api::error::Problem;
use crate::api::extract::Parameters;
use crate::api::openapi::{QueryProblems, StoreProblems, UserProblems};
use crate::api::state::{Clock, Records, Users};
use axum::{Json, extract::State};
use callie_domain::record::{CallEvent, CallFact, Cdr, Direction, Message, Speaker};
use callie_domain::{DialTarget, UserId};
use callie_store::{CallFilter, StoreError};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Conversations of one answer.
const MOST: usize = 200;
/// Calls that are looked through for those of one number.
const LOOKED_THROUGH: usize = 2_000;
/// Calls read at once.
const PAGE: usize = 200;
/// Characters of a summary.
const LONGEST_SUMMARY: usize = 200;

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ConversationQuery {
    /// Only those with this number.
    phone_number: Option<String>,
    /// At most so many, 200 at the most.
    #[param(default = 10)]
    limit: Option<usize>,
}

/// Conversations, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct Conversations {
    pub conversations: Vec<Conversation>,
}

/// A call, or a correspondence.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Conversation {
    /// Of a call: its id, as in /calls.
    pub id: String,
    /// The other side.
    pub phone_number: String,
    /// Seconds since 1970.
    #[schema(example = 1794315900.25)]
    pub start_time: f64,
    /// Seconds until now or the end.
    pub duration: f64,
    /// What was said or written, by either side.
    pub message_count: usize,
    /// The message that was taken, or how the call ended.
    pub summary: String,
    /// `call`, `sms` or `chat`.
    pub kind: &'static str,
    /// What was written; a call's words are under /calls/{id}/transcript.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub messages: Vec<WrittenLine>,
}

/// One message.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct WrittenLine {
    /// `user` or `assistant`.
    pub role: &'static str,
    pub content: String,
}

/// Lists conversations of user `primary`, newest first: all calls, and what was written since the server started.
#[utoipa::path(get, path = "/conversations", operation_id = "first_version_conversations", tag = "first version",
    params(ConversationQuery), responses((status = 200, body = Conversations), UserProblems, QueryProblems, StoreProblems))]
pub async fn conversations(
    State(users): State<Users>,
    State(records): State<Records>,
    State(clock): State<Clock>,
    State(first_version): State<FirstVersionApi>,
    query: Result<Parameters<ConversationQuery>, Problem>,
) -> Result<Json<Conversations>, Refusal> {
    let Parameters(query) = query?;
    first_version.primary(&users.watch().borrow().clone())?;
    let limit = query.limit.unwrap_or(10).min(MOST);
    let is_wanted = |number: &str| query.phone_number.as_deref().is_none_or(|wanted| is_same(wanted, number));
    let cdrs = calls(&records, first_version.user(), None, LOOKED_THROUGH, |cdr| is_wanted(remote(cdr)), limit).await?;
    let mut found = Vec::new();
    for cdr in cdrs {
        let events = records.events(cdr.id).await?;
        let turns = records.turns(cdr.id).await?.len();
        found.push(Conversation::of_call(&cdr, turns, &events, clock.now()));
    }
    let letters = first_version.letters.kept();
    found.extend(letters.into_iter().filter(|letter| is_wanted(&letter.phone_number)).map(Conversation::of_letter));
    found.sort_by(|a, b| b.start_time.total_cmp(&a.start_time));
    found.truncate(limit);
    Ok(Json(Conversations { conversations: found }))
}

/// At most `limit` of the user's newest `looked_through` calls begun at or after `from`.
pub async fn calls(
    records: &Records,
    user: &UserId,
    from: Option<Timestamp>,
    looked_through: usize,
    is_wanted: impl Fn(&Cdr) -> bool,
    limit: usize,
) -> Result<Vec<Cdr>, StoreError> {
    let mut filter = CallFilter { user_id: Some(user.clone()), from, limit: PAGE, ..CallFilter::default() };
    let (mut found, mut seen) = (Vec::new(), 0);
    while found.len() < limit && seen < looked_through {
        let page = records.list(&filter).await?;
        seen += page.calls.len();
        found.extend(page.calls.into_iter().filter(&is_wanted));
        filter.before = page.next;
        if page.next.is_none() {
            break;
        }
    }
    found.truncate(limit);
    Ok(found)
}

fn remote(cdr: &Cdr) -> &str {
    match cdr.direction {
        Direction::Inbound => &cdr.from,
        Direction::Outbound => &cdr.to,
    }
}

/// Without visual separators, and without the host of an address.
fn is_same(a: &str, b: &str) -> bool {
    let user = |text: &str| text.parse::<DialTarget>().map_or_else(|_| text.trim().to_owned(), |target| target.user);
    user(a) == user(b)
}

impl Conversation {
    fn of_call(cdr: &Cdr, turns: usize, events: &[CallEvent], now: Timestamp) -> Self {
        Self {
            id: cdr.id.to_string(),
            phone_number: remote(cdr).to_owned(),
            start_time: seconds(cdr.started_at),
            duration: duration(cdr, now),
            message_count: turns,
            summary: summary(cdr, events),
            kind: "call",
            messages: Vec::new(),
        }
    }

    fn of_letter(letter: Correspondence) -> Self {
        let last = letter.lines.iter().rfind(|(speaker, _)| *speaker == Speaker::Caller);
        let summary = last.map(|(_, text)| shortened(text)).unwrap_or_default();
        let messages = letter.lines.iter().map(|(speaker, text)| {
            let role = if *speaker == Speaker::Caller { "user" } else { "assistant" };
            WrittenLine { role, content: text.clone() }
        });
        Self {
            id: letter.id(),
            start_time: seconds(letter.started_at),
            duration: seconds(letter.last_at) - seconds(letter.started_at),
            message_count: letter.lines.len(),
            summary,
            kind: letter.kind.name(),
            messages: messages.collect(),
            phone_number: letter.phone_number,
        }
    }
}

fn seconds(time: Timestamp) -> f64 {
    time.as_millisecond() as f64 / 1_000.0
}

/// Seconds from the beginning until now or the end.
pub fn duration(cdr: &Cdr, now: Timestamp) -> f64 {
    (cdr.ended_at.unwrap_or(now).as_millisecond() - cdr.started_at.as_millisecond()) as f64 / 1_000.0
}

fn summary(cdr: &Cdr, events: &[CallEvent]) -> String {
    let taken = events.iter().rev().find_map(|event| match &event.fact {
        CallFact::MessageTaken { message } => Some(told(message)),
        _ => None,
    });
    match (taken, &cdr.termination) {
        (Some(taken), _) => shortened(&taken),
        (None, Some(end)) => end.reason.text().to_owned(),
        (None, None) => "the call is up".to_owned(),
    }
}

/// Who called, and why.
fn told(message: &Message) -> String {
    let parts = [message.name.as_deref().unwrap_or_default(), &message.text];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(": ")
}

fn shortened(text: &str) -> String {
    let mut short: String = text.chars().take(LONGEST_SUMMARY).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}
