//! The loop that sends: takes what is due, a few at once for each receiver, and puts down what came of it.

use super::meters::Meters;
use super::retry::{Pace, Tried, judge};
use super::signature;
use crate::outside::{GuardedClient, HeaderMap, HeaderValue, Method, Outgoing, OutsideError};
use crate::telemetry::{TraceParent, Tracer};
use callie_domain::user::Webhook;
use callie_domain::{Secret, UserId};
use callie_store::delivery::{Attempt, Next};
use callie_store::{ConfigStore, Delivery, DeliveryState, DeliveryStore, StoreError, UserView};
use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

/// Attempts at once.
const AT_ONCE: u32 = 32;
/// Of these to one receiver.
const PER_RECEIVER: u32 = 4;
/// Of an answer that is read, for the evidence.
const ANSWER_BYTES: usize = 1_024;
/// What was settled is kept so long.
const KEPT: SignedDuration = SignedDuration::from_hours(24 * 7);
const PRUNE_EVERY: Duration = Duration::from_secs(3_600);
/// After a fault of the store.
const PAUSE: Duration = Duration::from_secs(1);
/// Writers of a document that may be quicker than we are.
const RETRIES: usize = 3;

/// See the module.
#[derive(Clone)]
pub struct Dispatcher {
    pub queue: Arc<dyn DeliveryStore>,
    pub users: Arc<dyn ConfigStore>,
    pub view: watch::Receiver<Arc<UserView>>,
    pub client: GuardedClient,
    pub meters: Arc<Meters>,
    pub pace: Pace,
    pub tracer: Tracer,
}

impl Dispatcher {
    /// Runs until `end`. What is under way then is tried again after the next start.
    pub async fn run(self, end: CancellationToken) {
        let mut changed = self.queue.deliveries_changed();
        let mut running = FuturesUnordered::new();
        let mut under_way = BTreeSet::new();
        let mut prune_at = Instant::now();
        loop {
            changed.mark_unchanged();
            if prune_at <= Instant::now() {
                prune_at = Instant::now() + PRUNE_EVERY;
                self.prune().await;
            }
            let next = match self.launch(&mut under_way).await {
                Ok(Launched { started, next }) => {
                    running.extend(started);
                    next
                }
                Err(error) => {
                    tracing::warn!(%error, "the queue of the webhooks cannot be read; it is tried again");
                    Some(Instant::now() + PAUSE)
                }
            };
            let wake = next.unwrap_or(prune_at).min(prune_at);
            tokio::select! {
                () = end.cancelled() => return,
                Some(done) = running.next() => drop(under_way.remove(&done)),
                _ = changed.changed() => {}
                () = sleep_until(wake) => {}
            }
        }
    }

    async fn launch(&self, under_way: &mut BTreeSet<i64>) -> Result<Launched, StoreError> {
        let room = AT_ONCE.saturating_sub(u32::try_from(under_way.len()).unwrap_or(AT_ONCE));
        let now = Timestamp::now();
        let busy: Vec<i64> = under_way.iter().copied().collect();
        let due = if room == 0 { Vec::new() } else { self.queue.due(now, PER_RECEIVER, room, &busy).await? };
        let mut started: Vec<BoxFuture<'static, i64>> = Vec::new();
        for delivery in due {
            under_way.insert(delivery.seq);
            let sender = self.clone();
            started.push(Box::pin(async move {
                sender.attempt(&delivery).await;
                delivery.seq
            }));
        }
        let busy: Vec<i64> = under_way.iter().copied().collect();
        // What is due and was not started waits for a place, which the end of an attempt gives.
        let next = self.queue.next_due(&busy).await?.filter(|next| *next > now || under_way.is_empty());
        let until = |next: Timestamp| Duration::try_from(next.duration_since(now)).unwrap_or_default();
        Ok(Launched { started, next: next.map(|next| Instant::now() + until(next)) })
    }

    /// One attempt, and what follows from it.
    async fn attempt(&self, delivery: &Delivery) {
        let Some(hook) = self.receiver(delivery) else {
            self.meters.drop_one();
            let error = Some("the webhook is not in the user's document, or not active".to_owned());
            let next = Next::Settle(DeliveryState::Dropped);
            return self.put_down(delivery, Attempt { at: Timestamp::now(), status: None, error, next }).await;
        };
        self.meters.attempt();
        let span = super::span::Told::begin(&self.tracer, delivery);
        let parent = span.as_ref().map(super::span::Told::parent);
        let outcome = self.client.ask(request(delivery, &hook.secret, self.pace.attempt, parent)).await;
        self.tracer.tell(span.and_then(|span| span.end(&outcome)));
        if matches!(outcome, Err(OutsideError::Refused(_))) {
            self.meters.guard();
        }
        let tried = Tried { attempts: delivery.attempts, since: delivery.since };
        let verdict = judge(&self.pace, &outcome, tried, Timestamp::now(), rand::random());
        self.count(delivery, &verdict.attempt);
        if verdict.is_gone {
            // Before the next of its lane is due.
            self.retire(&delivery.user_id, &delivery.url).await;
        }
        self.put_down(delivery, verdict.attempt).await;
    }

    fn receiver(&self, delivery: &Delivery) -> Option<Webhook> {
        let view = self.view.borrow();
        let user = &view.users.get(&delivery.user_id)?.usable()?.user;
        user.webhooks.iter().find(|hook| hook.url == delivery.url && hook.active).cloned()
    }

    fn count(&self, delivery: &Delivery, attempt: &Attempt) {
        let (user, event, attempts) = (&delivery.user_id, &delivery.event, delivery.attempts + 1);
        let error = attempt.error.as_deref().unwrap_or_default();
        match attempt.next {
            Next::Settle(DeliveryState::Delivered) => self.meters.deliver(),
            Next::Settle(DeliveryState::Failed) => {
                self.meters.give_up();
                tracing::error!(user.id = %user, event, attempts, error, "a webhook was given up after a day");
            }
            Next::Settle(_) => self.meters.drop_one(),
            Next::Retry { at, .. } => {
                self.meters.retry();
                tracing::debug!(user.id = %user, event, attempts, error, next = %at, "a webhook is tried again");
            }
        }
    }

    async fn put_down(&self, delivery: &Delivery, attempt: Attempt) {
        if let Err(error) = self.queue.settle(delivery.id, &attempt).await {
            // It is tried again, so that the receiver may hear it twice.
            tracing::error!(%error, "what came of a webhook could not be put down");
            sleep(PAUSE).await;
        }
    }

    /// The receiver wants no more: its webhook is switched off in the document. What waits for it is dropped when its turn comes.
    async fn retire(&self, user: &UserId, url: &str) {
        match self.switch_off(user, url).await {
            Ok(true) => tracing::warn!(user.id = %user, "the receiver of a webhook answered 410: it is not active any more"),
            Ok(false) => {}
            Err(error) => tracing::error!(user.id = %user, %error, "a webhook whose receiver is gone could not be switched off"),
        }
    }

    async fn switch_off(&self, user: &UserId, url: &str) -> Result<bool, StoreError> {
        for _ in 0..=RETRIES {
            let Some(stored) = self.users.get(user).await? else { return Ok(false) };
            let mut changed = (*stored.user).clone();
            let Some(hook) = changed.webhooks.iter_mut().find(|hook| hook.url == url && hook.active) else { return Ok(false) };
            hook.active = false;
            changed.updated_at = Timestamp::now();
            match self.users.put(&changed, stored.revision).await {
                Err(StoreError::Conflict(_)) => {}
                written => return written.map(|_| true),
            }
        }
        Err(StoreError::Conflict(user.clone()))
    }

    async fn prune(&self) {
        let before = Timestamp::now().saturating_sub(KEPT).unwrap_or(Timestamp::MIN);
        if let Err(error) = self.queue.prune_deliveries(before).await {
            tracing::warn!(%error, "old deliveries of webhooks could not be deleted");
        }
    }
}

struct Launched {
    started: Vec<BoxFuture<'static, i64>>,
    next: Option<Instant>,
}

fn request(delivery: &Delivery, secret: &Secret, within: Duration, parent: Option<String>) -> Outgoing {
    let mut headers = HeaderMap::new();
    if let Some(value) = parent.and_then(|parent| HeaderValue::from_str(&parent).ok()) {
        headers.insert(TraceParent::HEADER, value);
    }
    let signature = signature::of(secret, Timestamp::now(), &delivery.body);
    for (name, value) in [
        ("content-type", "application/json"),
        ("callie-event", &delivery.event),
        ("callie-delivery", &delivery.id.to_string()),
        (signature::HEADER, &signature),
    ] {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    }
    Outgoing {
        method: Method::POST,
        url: delivery.url.clone(),
        headers,
        body: delivery.body.clone().into_bytes(),
        within,
        most_bytes: ANSWER_BYTES,
    }
}
