//! `/analytics` and `/users/{user_id}/analytics`: what came of calls and lines, in figures, over any range and by hour, day or week.
//!
//! | module | holds |
//! |---|---|
//! | [`query`] | the parameters |
//! | [`figures`] | the figures of one group |

pub mod figures;
pub mod query;

use super::authorize::Viewer;
use super::csv;
use super::error::Problem;
use super::extract::{Parameters, UserPath};
use super::openapi::{QueryProblems, StoreProblems, UserProblems};
use super::state::{Analytics, Clock, Users};
use super::webhooks::known;
use axum::body::Body;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::{Json, extract::State};
use callie_domain::UserId;
use callie_domain::analytics::uptimes;
use figures::{Figures, FiguresDocument};
use jiff::Timestamp;
use query::{AnalyticsQuery, Asked};
use serde::Serialize;
use utoipa::ToSchema;

/// Calls and lines in figures.
#[derive(Debug, Serialize, ToSchema)]
pub struct AnalyticsReport {
    /// Of one user; null of all.
    #[schema(value_type = Option<String>, example = "alice")]
    pub user_id: Option<UserId>,
    /// As asked, to the quarter of an hour.
    pub from: Timestamp,
    pub to: Timestamp,
    #[schema(example = "Europe/Vienna")]
    pub time_zone: String,
    /// `hour`, `day`, `week` or `none`.
    #[schema(example = "day")]
    pub group: &'static str,
    pub total: FiguresDocument,
    /// In order of time; the first and the last may be parts. Empty with the group `none`.
    pub groups: Vec<GroupDocument>,
}

/// One hour, day or week.
#[derive(Debug, Serialize, ToSchema)]
pub struct GroupDocument {
    pub from: Timestamp,
    pub to: Timestamp,
    #[serde(flatten)]
    pub figures: FiguresDocument,
}

/// Shows calls and lines in figures, of all users; whoever is let in for one user sees that one's.
#[utoipa::path(get, path = "/analytics", operation_id = "get_analytics", tag = "calls", params(AnalyticsQuery),
    responses((status = 200, content((AnalyticsReport = "application/json"), (String = "text/csv"))), QueryProblems, StoreProblems))]
pub async fn of_all(
    State(analytics): State<Analytics>,
    State(clock): State<Clock>,
    viewer: Viewer,
    headers: HeaderMap,
    Parameters(query): Parameters<AnalyticsQuery>,
) -> Result<Response, Problem> {
    report(&analytics, viewer.only().cloned(), query.parse(clock.now(), &headers)?).await
}

/// Shows a user's calls and line in figures.
#[utoipa::path(get, path = "/users/{user_id}/analytics", operation_id = "get_user_analytics", tag = "calls",
    params(("user_id" = String, Path, example = "alice"), AnalyticsQuery),
    responses((status = 200, content((AnalyticsReport = "application/json"), (String = "text/csv"))), UserProblems, QueryProblems,
        StoreProblems))]
pub async fn of_user(
    State(analytics): State<Analytics>,
    State(users): State<Users>,
    State(clock): State<Clock>,
    UserPath(id): UserPath,
    headers: HeaderMap,
    Parameters(query): Parameters<AnalyticsQuery>,
) -> Result<Response, Problem> {
    known(&users, &id)?;
    report(&analytics, Some(id), query.parse(clock.now(), &headers)?).await
}

async fn report(analytics: &Analytics, user_id: Option<UserId>, asked: Asked) -> Result<Response, Problem> {
    let Asked { from, to, zone_name, group, groups, format } = asked;
    // Each on a reader of its own.
    let sums = analytics.sums(user_id.as_ref(), &groups);
    let (sums, spans) = tokio::try_join!(sums, analytics.line_spans(user_id.as_ref(), (from, to)))?;
    let figures: Vec<Figures> =
        sums.into_iter().zip(uptimes(&groups, &spans)).map(|(sums, uptime)| Figures { sums, uptime }).collect();
    if format == csv::Format::Csv {
        let rows = groups.iter().zip(&figures).map(|(span, figures)| figures.row(*span));
        let text: String = std::iter::once(Figures::header()).chain(rows).collect();
        return Ok(csv::answer("attachment; filename=\"analytics.csv\"", Body::from(text)));
    }
    let total = FiguresDocument::from(&figures.iter().fold(Figures::default(), |sum, next| sum.plus(next)));
    let shown = groups.iter().zip(&figures).filter(|_| group != "none");
    let groups = shown.map(|((from, to), figures)| GroupDocument { from: *from, to: *to, figures: figures.into() }).collect();
    Ok(Json(AnalyticsReport { user_id, from, to, time_zone: zone_name, group, total, groups }).into_response())
}
