//! `/users/{user_id}/costs`: what a user's calls came to, by engine, model and kind; and the cost of one call as its record shows it.

use super::error::Problem;
use super::extract::{Parameters, UserPath};
use super::openapi::{QueryProblems, StoreProblems, UserProblems};
use super::state::{Clock, Toll, Users};
use super::webhooks::known;
use super::words::{ModalityWord, UnitWord};
use axum::{Json, extract::State};
use callie_domain::prices::{Cost, CostLine, Modality, Unit};
use callie_domain::user::limits::Micros;
use callie_domain::{Faults, UserId};
use callie_store::toll::CostSum;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Without `from`.
const USUAL_SPAN: SignedDuration = SignedDuration::from_hours(30 * 24);

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct CostQuery {
    /// Calls begun at or after this time; thirty days before `to` without it.
    #[param(value_type = Option<Timestamp>, example = "2026-01-01T00:00:00Z")]
    from: Option<String>,
    /// Calls begun before this time; now without it.
    #[param(value_type = Option<Timestamp>)]
    to: Option<String>,
}

/// What a user's calls came to.
#[derive(Debug, Serialize, ToSchema)]
pub struct UserCosts {
    #[schema(value_type = String, example = "alice")]
    pub user_id: UserId,
    pub from: Timestamp,
    pub to: Timestamp,
    pub calls: i64,
    /// From answer to end, of all calls together.
    pub talk_seconds: i64,
    /// One for each currency that a price table had when calls ended.
    pub totals: Vec<CostTotal>,
    pub lines: Vec<CostLineDocument>,
}

/// A sum in one currency.
#[derive(Debug, Serialize, ToSchema)]
pub struct CostTotal {
    #[schema(example = "USD")]
    pub currency: String,
    /// Of all that has a price.
    #[schema(example = 1.23)]
    pub amount: f64,
    /// Everything had a price.
    pub complete: bool,
}

/// One kind of thing that was used.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CostLineDocument {
    /// An engine, `chat` for the text model, or `carrier`.
    #[schema(example = "gemini")]
    pub engine: String,
    /// Of the carrier, the number that was called; absent in sums.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(example = "gemini-3.8-live")]
    pub model: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<ModalityWord>)]
    pub modality: Option<Modality>,
    pub quantity: i64,
    #[schema(value_type = UnitWord)]
    pub unit: Unit,
    /// Per million tokens, or per minute; null where the price table has none, and in sums.
    pub price: Option<f64>,
    /// When that price was looked up.
    pub price_date: Option<String>,
    #[schema(example = 0.0123)]
    pub amount: f64,
    #[schema(example = "USD")]
    pub currency: String,
    /// All of it had a price.
    pub priced: bool,
}

/// What one call cost, as far as the price table knows.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CostDocument {
    #[schema(example = "USD")]
    pub currency: String,
    /// Of all that has a price.
    #[schema(example = 0.0417)]
    pub total: f64,
    /// Everything had a price.
    pub complete: bool,
    pub lines: Vec<CostLineDocument>,
}

/// Sums up what the user's calls cost.
#[utoipa::path(get, path = "/users/{user_id}/costs", operation_id = "get_user_costs", tag = "calls",
    params(("user_id" = String, Path, example = "alice"), CostQuery),
    responses((status = 200, body = UserCosts), UserProblems, QueryProblems, StoreProblems))]
pub async fn of_user(
    State(toll): State<Toll>,
    State(users): State<Users>,
    State(clock): State<Clock>,
    UserPath(id): UserPath,
    Parameters(query): Parameters<CostQuery>,
) -> Result<Json<UserCosts>, Problem> {
    known(&users, &id)?;
    let mut faults = Faults::default();
    let to = time("to", query.to, &mut faults).unwrap_or_else(|| clock.now());
    let from = time("from", query.from, &mut faults).unwrap_or_else(|| to.saturating_sub(USUAL_SPAN).unwrap_or(to));
    if from > to {
        faults.add("from", "must not be after to");
    }
    faults.into_result(())?;
    let costs = toll.costs(&id, from, to).await?;
    let totals = totals(&costs.sums);
    let lines = costs.sums.into_iter().map(Into::into).collect();
    let talk_seconds = costs.talk_ms / 1_000;
    Ok(Json(UserCosts { user_id: id, from, to, calls: costs.calls, talk_seconds, totals, lines }))
}

fn time(field: &str, text: Option<String>, faults: &mut Faults) -> Option<Timestamp> {
    text?.parse().map_err(|_| faults.add(field, "must be a time such as 2026-01-15T00:00:00Z")).ok()
}

fn totals(sums: &[CostSum]) -> Vec<CostTotal> {
    let mut totals: Vec<(&str, i64, bool)> = Vec::new();
    for sum in sums {
        let is_priced = sum.priced == sum.quantity;
        match totals.iter_mut().find(|(currency, ..)| *currency == sum.currency) {
            Some((_, amount, complete)) => {
                *amount = amount.saturating_add(sum.amount_micros);
                *complete &= is_priced;
            }
            None => totals.push((&sum.currency, sum.amount_micros, is_priced)),
        }
    }
    let total = |(currency, amount, complete): (&str, i64, bool)| CostTotal {
        currency: currency.to_owned(),
        amount: Micros(amount).units(),
        complete,
    };
    totals.into_iter().map(total).collect()
}

impl From<CostSum> for CostLineDocument {
    fn from(sum: CostSum) -> Self {
        Self {
            engine: sum.engine,
            model: sum.model,
            modality: sum.modality,
            quantity: sum.quantity,
            unit: sum.unit,
            price: None,
            price_date: None,
            amount: Micros(sum.amount_micros).units(),
            currency: sum.currency,
            priced: sum.priced == sum.quantity,
        }
    }
}

impl From<Cost> for CostDocument {
    fn from(cost: Cost) -> Self {
        let Cost { currency, total_micros, is_complete, lines } = cost;
        let line = |line: CostLine| CostLineDocument {
            engine: line.engine,
            model: line.model,
            modality: line.modality,
            quantity: i64::try_from(line.quantity).unwrap_or(i64::MAX),
            unit: line.unit,
            price: line.price,
            price_date: line.price_date,
            amount: Micros(line.amount_micros).units(),
            currency: currency.clone(),
            priced: line.price.is_some(),
        };
        let lines = lines.into_iter().map(line).collect();
        Self { total: Micros(total_micros).units(), complete: is_complete, lines, currency }
    }
}
