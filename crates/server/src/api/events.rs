//! `/events`: the live feed as server-sent events.
//!
//! The feed has no memory: who connects again reads `/calls` and `/users` for what it missed.

use super::authorize::{Staying, Viewer};
use super::calls::document::{CallDocument, CallEventDocument};
use super::error::Problem;
use super::extract::Parameters;
use super::openapi::QueryProblems;
use super::state::{Lines, Phases};
use super::users::document::RegistrationDocument;
use super::words::DirectionWord;
use crate::exchange::LiveEvent;
use axum::{
    extract::State,
    response::sse::{Event, KeepAlive, Sse},
};
use callie_domain::record::Direction;
use callie_domain::{CallId, Faults, UserId};
use futures::{FutureExt, Stream, StreamExt};
use serde::{Deserialize, Serialize};
use std::{convert::Infallible, time::Duration};
use tokio_stream::wrappers::{BroadcastStream, errors::BroadcastStreamRecvError};
use utoipa::{IntoParams, ToSchema};

/// Between comments on a silent feed, so that proxies keep the connection.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// One message of the feed; the SSE event's name is the `type`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum LiveMessage {
    /// Something happened in a call; `event` says what. A `turn` comes when its words are known, and again when they change.
    Call {
        #[schema(value_type = String)]
        call_id: CallId,
        #[schema(value_type = String)]
        user_id: UserId,
        #[schema(value_type = DirectionWord)]
        direction: Direction,
        #[serde(flatten)]
        event: CallEventDocument,
    },
    /// A call's record is complete.
    CallRecorded { call: Box<CallDocument> },
    /// The summary and fields of a call are written, or never will be; `after_call` says which.
    CallSummarised { call: Box<CallDocument> },
    /// A registration changed.
    Registration {
        #[schema(value_type = String)]
        user_id: UserId,
        registration: RegistrationDocument,
    },
    /// A line has been down for longer than `CALLIE_LINE_ALERT_AFTER`; told once for each time that it is down.
    RegistrationAlert {
        #[schema(value_type = String)]
        user_id: UserId,
        registration: RegistrationDocument,
    },
    /// A user's document was created, changed or deleted.
    User {
        #[schema(value_type = String)]
        user_id: UserId,
        change: &'static str,
    },
    /// The last one, when whoever listens may not any more: a key was revoked, a session has ended, a token has expired.
    Ended { reason: &'static str },
    /// This reader was too slow: so many messages were dropped.
    Lagged { missed: u64 },
}

/// What to listen to.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct FeedQuery {
    /// Only this user's events.
    #[param(example = "alice")]
    user_id: Option<String>,
}

/// Everything that happens, as it happens.
///
/// Events are named `call`, `call_recorded`, `call_summarised`, `registration`, `registration_alert`, `user`, `lagged` and `ended`; `data` is a JSON object. What is said comes
/// as `call` with `"event": "turn"`, turn by turn. The connection ends when the server stops, and
/// after `ended` when who listens would not be let in any more.
#[utoipa::path(get, path = "/events", operation_id = "stream_events", tag = "live", params(FeedQuery),
    responses((status = 200, body = LiveMessage, content_type = "text/event-stream"), QueryProblems))]
pub async fn events(
    State(lines): State<Lines>,
    State(phases): State<Phases>,
    viewer: Viewer,
    Staying(mut stay): Staying,
    Parameters(query): Parameters<FeedQuery>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let only = query.user_id.map(|id| id.parse::<UserId>()).transpose();
    let only = viewer.narrow(only.map_err(|e| Faults::one("user_id", e.to_string()))?)?;
    let messages = BroadcastStream::new(lines.live()).filter_map(move |item| {
        let message = match item {
            Ok(event) if only.as_ref().is_some_and(|user| user != user_of(&event)) => None,
            Ok(event) => Some(LiveMessage::from(&*event)),
            Err(BroadcastStreamRecvError::Lagged(missed)) => Some(LiveMessage::Lagged { missed }),
        };
        std::future::ready(message)
    });
    // Headers go out with the first bytes: a comment says that the feed is open.
    let opened = futures::stream::iter([Event::default().comment("open")]);
    let numbered = messages.enumerate().map(|(n, message)| sse(n + 1, &message));
    let over = async move { stay.over().await }.shared();
    let ended = over.clone().map(|reason| sse_of(Event::default(), &LiveMessage::Ended { reason }));
    let while_let_in = opened.chain(numbered).take_until(over).chain(ended.into_stream());
    let feed = while_let_in.take_until(phases.stopping()).map(Ok);
    Ok(Sse::new(feed).keep_alive(KeepAlive::new().interval(KEEP_ALIVE).text("still here")))
}

fn user_of(event: &LiveEvent) -> &UserId {
    match event {
        LiveEvent::Call { user_id, .. }
        | LiveEvent::Registration { user_id, .. }
        | LiveEvent::RegistrationAlert { user_id, .. }
        | LiveEvent::User { user_id, .. } => user_id,
        LiveEvent::CallRecorded { cdr } | LiveEvent::CallSummarised { cdr } => &cdr.user_id,
    }
}

fn sse(number: usize, message: &LiveMessage) -> Event {
    sse_of(Event::default().id(number.to_string()), message)
}

fn sse_of(event: Event, message: &LiveMessage) -> Event {
    let event = event.event(message.name());
    // These types have text keys only, which cannot fail to serialise; the name alone is better than nothing.
    event.json_data(message).unwrap_or_else(|_| Event::default().event(message.name()))
}

impl LiveMessage {
    fn name(&self) -> &'static str {
        match self {
            Self::Call { .. } => "call",
            Self::CallRecorded { .. } => "call_recorded",
            Self::CallSummarised { .. } => "call_summarised",
            Self::Registration { .. } => "registration",
            Self::RegistrationAlert { .. } => "registration_alert",
            Self::User { .. } => "user",
            Self::Ended { .. } => "ended",
            Self::Lagged { .. } => "lagged",
        }
    }
}

impl From<&LiveEvent> for LiveMessage {
    fn from(event: &LiveEvent) -> Self {
        match event.clone() {
            LiveEvent::Call { call_id, user_id, direction, event } => {
                Self::Call { call_id, user_id, direction, event: event.into() }
            }
            LiveEvent::CallRecorded { cdr } => Self::CallRecorded { call: Box::new((*cdr).into()) },
            LiveEvent::CallSummarised { cdr } => Self::CallSummarised { call: Box::new((*cdr).into()) },
            LiveEvent::Registration { user_id, registration } => {
                Self::Registration { user_id, registration: registration.into() }
            }
            LiveEvent::RegistrationAlert { user_id, registration } => {
                Self::RegistrationAlert { user_id, registration: registration.into() }
            }
            LiveEvent::User { user_id, change } => Self::User { user_id, change },
        }
    }
}
