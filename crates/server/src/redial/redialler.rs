//! The loop: dials what is due, and puts down what came of it.

use super::judge;
use crate::exchange::{DialRequest, Exchange, LiveEvent};
use callie_domain::CallId;
use callie_domain::record::Cdr;
use callie_store::order::{Step, Then};
use callie_store::{Order, OrderState, OrderStore, RecordStore, StoreError};
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

/// Orders that are dialled in one go.
const AT_ONCE: u32 = 16;
/// Nothing that is told can be missed for longer: then all orders under way are looked at.
const LOOK_AGAIN: Duration = Duration::from_secs(60);
/// After a fault of the store.
const PAUSE: Duration = Duration::from_secs(1);
/// A call's record is there so long after it was to be dialled, or never.
const RECORD_WITHIN: SignedDuration = SignedDuration::from_secs(60);
/// Settled orders, and their keys, are kept so long.
const KEPT: SignedDuration = SignedDuration::from_hours(48);

/// See the module.
pub struct Redialler {
    pub orders: Arc<dyn OrderStore>,
    pub records: Arc<dyn RecordStore>,
    pub exchange: Arc<dyn Exchange>,
    pub feed: broadcast::Receiver<Arc<LiveEvent>>,
}

impl Redialler {
    /// Runs until `end`. Calls that are up then are judged after the next start.
    pub async fn run(mut self, end: CancellationToken) {
        let mut changed = self.orders.orders_changed();
        // Those that the last run has left behind are judged first.
        let mut look_at = Instant::now();
        loop {
            changed.mark_unchanged();
            if look_at <= Instant::now() {
                look_at = Instant::now() + LOOK_AGAIN;
                self.report(self.look_at_all().await);
            }
            let wake = match self.dial_due().await {
                Ok(Some(next)) => look_at.min(next),
                Ok(None) => look_at,
                Err(error) => {
                    self.report(Err(error));
                    Instant::now() + PAUSE
                }
            };
            tokio::select! {
                () = end.cancelled() => return,
                event = self.feed.recv() => match event {
                    Ok(event) => self.take(&event).await,
                    Err(RecvError::Lagged(_)) => look_at = Instant::now(),
                    // The server ends.
                    Err(RecvError::Closed) => return,
                },
                _ = changed.changed() => {}
                () = sleep_until(wake) => {}
            }
        }
    }

    fn report(&self, done: Result<(), StoreError>) {
        if let Err(error) = done {
            tracing::warn!(%error, "the pending calls cannot be read or written; it is tried again");
        }
    }

    async fn take(&self, event: &LiveEvent) {
        let LiveEvent::CallRecorded { cdr } = event else { return };
        let done = async {
            let calling = self.orders.calling_orders().await?;
            match calling.iter().find(|order| order.last_call == cdr.id) {
                Some(order) => self.settle_by(order, cdr).await,
                None => Ok(()),
            }
        };
        self.report(done.await);
    }

    /// Judges every order under way by the record of its call, and forgets what is old.
    async fn look_at_all(&self) -> Result<(), StoreError> {
        let now = Timestamp::now();
        for order in self.orders.calling_orders().await? {
            match self.records.get(order.last_call).await? {
                Some(cdr) => self.settle_by(&order, &cdr).await?,
                None if self.is_lost(&order, now) => self.put_down(&order, judge::after_nothing(&order, now)).await?,
                None => {}
            }
        }
        let before = now.saturating_sub(KEPT).unwrap_or(Timestamp::MIN);
        self.orders.prune_orders(before).await.map(|_| ())
    }

    fn is_lost(&self, order: &Order, now: Timestamp) -> bool {
        // The name of a call tells when it was to begin.
        let begun = order.last_call.began_at().unwrap_or(order.created_at);
        let is_up = self.exchange.active_calls().iter().any(|call| call.id == order.last_call);
        !is_up && now.duration_since(begun) >= RECORD_WITHIN
    }

    async fn settle_by(&self, order: &Order, cdr: &Cdr) -> Result<(), StoreError> {
        match judge::after_call(order, cdr, Timestamp::now()) {
            Some(step) => self.put_down(order, step).await,
            None => Ok(()),
        }
    }

    async fn put_down(&self, order: &Order, step: Step) -> Result<(), StoreError> {
        let (user, number) = (&order.user_id, callie_domain::dial::masked(&order.number));
        let reason = step.reason.as_deref().unwrap_or_default();
        match step.then {
            Then::Wait { at, .. } => tracing::info!(user.id = %user, %number, reason, next = %at, "a call is tried again"),
            Then::Settle { state: OrderState::GivenUp, .. } => {
                tracing::warn!(user.id = %user, %number, reason, note = step.note.as_deref(), "a call is not tried any more");
            }
            Then::Settle { .. } => {}
        }
        self.orders.settle_attempt(order.id, order.last_call, &step).await.map(|_| ())
    }

    /// Dials what is due. When the next is, if one is known.
    async fn dial_due(&self) -> Result<Option<Instant>, StoreError> {
        for order in self.orders.due_orders(Timestamp::now(), AT_ONCE).await? {
            self.dial(order).await?;
        }
        let next = self.orders.next_order_due().await?;
        let until = |next: Timestamp| Duration::try_from(next.duration_since(Timestamp::now())).unwrap_or_default();
        Ok(next.map(|next| Instant::now() + until(next)))
    }

    async fn dial(&self, order: Order) -> Result<(), StoreError> {
        let now = Timestamp::now();
        let call = CallId::new(now, rand::random());
        // First put down, then dialled: a process that dies in between has made the attempt.
        if !self.orders.begin_attempt(order.id, call).await? {
            return Ok(());
        }
        let order = Order { attempts: order.attempts + 1, last_call: call, ..order };
        let request = match serde_json::from_str::<DialRequest>(&order.request) {
            Ok(request) => DialRequest { id: Some(call), ..request },
            Err(error) => {
                let note = Some(format!("the order cannot be read: {error}"));
                let then = Then::Settle { state: OrderState::GivenUp, made: false };
                return self.put_down(&order, Step { reason: None, note, then }).await;
            }
        };
        match self.exchange.dial(request).await {
            Ok(_) => Ok(()),
            Err(refusal) => self.put_down(&order, judge::after_refusal(&order, &refusal, now)).await,
        }
    }
}
