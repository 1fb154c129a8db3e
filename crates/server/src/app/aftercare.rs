//! What goes on beside the calls and after them: receivers are told, a text model writes summaries.

use crate::api::{Hooks, calls::document::CallDocument};
use crate::call::Gate;
use crate::config::Config;
use crate::exchange::LiveEvent;
use crate::hooks::registration::LineNews;
use crate::hooks::retry::Pace;
use crate::hooks::{Dispatcher, HookAnnouncer, Meters};
use crate::outside::GuardedClient;
use crate::records::LiveFeed;
use crate::summaries::{Pace as SummaryPace, Summariser};
use crate::telemetry::Tracer;
use anyhow::Context;
use callie_ai::chat::letter::Writer;
use callie_domain::prices::PriceTable;
use callie_domain::record::Cdr;
use callie_store::{ConfigStore, DeliveryStore, SqliteStore};
use serde_json::Value;
use std::sync::Arc;
use tokio::sync::broadcast;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Built before the first record is written.
pub(super) struct Aftercare {
    pub hooks: Hooks,
    users: Arc<dyn ConfigStore>,
    queue: Arc<dyn DeliveryStore>,
    client: GuardedClient,
}

impl Aftercare {
    /// From now on records are told of.
    pub async fn new(config: &Config, records: &Arc<SqliteStore>, users: &Arc<dyn ConfigStore>) -> anyhow::Result<Self> {
        let client = GuardedClient::new(config.private_targets.clone()).context("no HTTP client for webhooks")?;
        records.announce_with(Arc::new(HookAnnouncer::new(users.watch(), shown))).await?;
        let queue: Arc<dyn DeliveryStore> = records.clone();
        let hooks = Hooks { queue: queue.clone(), meters: Arc::new(Meters::default()) };
        Ok(Self { hooks, users: users.clone(), queue, client })
    }

    /// Runs until `end`.
    pub fn run(self, feed: broadcast::Receiver<Arc<LiveEvent>>, tracer: Tracer, tracker: &TaskTracker, end: &CancellationToken) {
        let Self { hooks, users, queue, client } = self;
        let lines = LineNews { feed, view: users.watch(), queue: queue.clone() };
        tracker.spawn(lines.run(end.clone()));
        let (view, meters, pace) = (users.watch(), hooks.meters, Pace::default());
        let dispatcher = Dispatcher { queue, view, users, client, meters, pace, tracer };
        tracker.spawn(dispatcher.run(end.clone()));
    }
}

/// With the chat endpoint as its model, where there is one.
pub(super) fn summariser(
    config: &Config,
    records: &Arc<SqliteStore>,
    users: &Arc<dyn ConfigStore>,
    prices: Arc<PriceTable>,
    gate: Gate,
    feed: LiveFeed,
) -> anyhow::Result<Summariser> {
    let writer = config.engines.chat.as_ref().map(|chat| Writer::new(chat.options())).transpose()?;
    Ok(Summariser {
        queue: records.clone(),
        records: records.clone(),
        view: users.watch(),
        writer,
        prices,
        spend: Arc::new(move |user, cost| gate.spend(user, cost)),
        feed,
        pace: SummaryPace::default(),
    })
}

/// The table that the operator names, or the one that is built in.
pub(super) fn prices(config: &Config) -> anyhow::Result<PriceTable> {
    let Some(file) = &config.prices_file else { return Ok(PriceTable::built_in()) };
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("the price table {} (CALLIE_PRICES_FILE) cannot be read", file.display()))?;
    PriceTable::parse(&text)
        .map_err(|problem| anyhow::anyhow!("the price table {} (CALLIE_PRICES_FILE): {problem}", file.display()))
}

fn shown(cdr: &Cdr) -> Value {
    serde_json::to_value(CallDocument::from(cdr.clone())).unwrap_or_default()
}
