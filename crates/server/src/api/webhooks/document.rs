//! Deliveries as the API shows them.

use crate::api::words::DeliveryStateWord;
use callie_domain::{DeliveryId, UserId};
use callie_store::{Delivery, DeliveryState};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// A page of deliveries, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeliveryList {
    pub deliveries: Vec<DeliveryDocument>,
    /// Pass it as `before` for the next page; null on the last.
    pub next: Option<i64>,
}

/// What came of a test.
#[derive(Debug, Serialize, ToSchema)]
pub struct Tested {
    /// One for each receiver. One that is still `waiting` is tried again as every other delivery is.
    pub deliveries: Vec<DeliveryDocument>,
}

/// One thing told to one receiver.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct DeliveryDocument {
    /// The `id` of the body: the same at each attempt.
    #[schema(value_type = String, example = "01JD3V6Q0X3N2Z7Y5W4T8R9P1M")]
    pub id: DeliveryId,
    #[schema(value_type = String, example = "alice")]
    pub user_id: UserId,
    #[schema(example = "https://example.com/hook")]
    pub url: String,
    #[schema(example = "call.ended")]
    pub event: String,
    #[schema(value_type = DeliveryStateWord)]
    pub state: DeliveryState,
    pub created_at: Timestamp,
    pub attempts: u32,
    pub last_attempt_at: Option<Timestamp>,
    /// Null when it is settled, or waits for an earlier one of the same call.
    pub next_attempt_at: Option<Timestamp>,
    /// HTTP status of the receiver's last answer.
    pub last_status: Option<u16>,
    #[schema(example = "the receiver answered: 500 Internal Server Error")]
    pub last_error: Option<String>,
}

/// A delivery with its body.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeliveryDetail {
    #[serde(flatten)]
    pub delivery: DeliveryDocument,
    /// What is sent, as JSON.
    #[schema(value_type = Object)]
    pub body: Value,
}

impl From<Delivery> for DeliveryDocument {
    fn from(delivery: Delivery) -> Self {
        Self {
            id: delivery.id,
            user_id: delivery.user_id,
            url: delivery.url,
            event: delivery.event,
            state: delivery.state,
            created_at: delivery.created_at,
            attempts: delivery.attempts,
            last_attempt_at: delivery.tried_at,
            next_attempt_at: delivery.next_attempt_at,
            last_status: delivery.status,
            last_error: delivery.error,
        }
    }
}

impl From<Delivery> for DeliveryDetail {
    fn from(delivery: Delivery) -> Self {
        let body = serde_json::from_str(&delivery.body).unwrap_or_default();
        Self { delivery: delivery.into(), body }
    }
}
