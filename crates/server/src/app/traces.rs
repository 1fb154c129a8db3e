//! Traces of calls: what makes them, and what sends them away. Both end last, when all records are written.

use crate::config::Config;
use crate::records::{CallSpans, LiveFeed};
use crate::telemetry::{Exporter, Tracer};
use anyhow::Context;
use callie_store::SqliteStore;
use std::sync::Arc;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Running, where a collector is named.
pub struct Tracing {
    pub tracer: Tracer,
    making: (CancellationToken, TaskTracker),
    sending: (CancellationToken, TaskTracker),
}

impl Tracing {
    pub fn start(config: &Config, records: &Arc<SqliteStore>, feed: &LiveFeed) -> anyhow::Result<Self> {
        let tracing = |tracer| Self { tracer, making: Default::default(), sending: Default::default() };
        let Some(settings) = config.traces.clone() else { return Ok(tracing(Tracer::default())) };
        tracing::info!(collector = settings.endpoint.host_str(), "traces of calls are exported");
        let (tracer, exporter) = Exporter::new(settings).context("no HTTP client for traces")?;
        let own = tracing(tracer.clone());
        let ((make, makers), (send, senders)) = (&own.making, &own.sending);
        senders.spawn(exporter.run(send.clone()));
        makers.spawn(CallSpans { tracer, store: records.clone() }.follow(feed.subscribe(), make.clone()));
        Ok(own)
    }

    /// Every call that has ended becomes a trace, and what waits is sent, as far as the collector takes it in time.
    pub async fn stop(self) {
        for (end, tasks) in [self.making, self.sending] {
            end.cancel();
            super::tasks::wind_down("traces", &tasks).await;
        }
    }
}
