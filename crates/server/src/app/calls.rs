//! Calls: what each is given, and what writes down what comes of them.

use super::aftercare;
use super::ground::Ground;
use crate::call::{CallContext, CallLimits, Engines, Gate, Registry};
use crate::outside::GuardedClient;
use crate::records::{RecordSink, Traces};
use crate::tools::{ToolShop, mcp::Catalogue};
use anyhow::Context;
use callie_media::ports::RtpPorts;
use callie_sip::InboundCall;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// From now on calls can be taken and placed.
pub(super) async fn open(ground: &Ground<'_>, engines: Engines, ports: Arc<RtpPorts>) -> anyhow::Result<Registry> {
    let Ground { config, users, records, feed, tasks, .. } = ground;
    let sink = RecordSink::start(records.clone(), feed.clone(), ground.metrics.clone(), &tasks.records);
    let traces = Traces::default();
    tasks.records.spawn(traces.clone().write_down(sink.clone(), tasks.stack_end.clone()));
    let outside = GuardedClient::new(config.private_targets.clone()).context("no HTTP client for tools")?;
    let servers = Catalogue::new(outside.clone(), tasks.stack.clone(), tasks.stack_end.child_token());
    tasks.beside(servers.clone().follow(users.watch()));
    let (prices, gate) = (Arc::new(aftercare::prices(config)?), Gate::load(records.clone()).await?);
    let summariser = aftercare::summariser(config, records, users, prices.clone(), gate.clone(), feed.clone())?;
    tasks.stack.spawn(summariser.run(tasks.stack_end.clone()));
    let context = CallContext {
        stack: ground.stack.clone(),
        media: ground.media.clone(),
        ports,
        engines,
        tools: ToolShop::new(outside, records.clone(), servers),
        sink,
        traces,
        feed: feed.clone(),
        tracer: ground.tracer.clone(),
        limits: CallLimits {
            rtp_ports: config.media.rtp_ports.clone(),
            rtp_timeout: config.media.rtp_timeout,
            recordings: config.media.recordings.is_on().then(|| ground.recordings.clone()),
            calls_per_user: config.limits.calls_per_user,
            silence_prompt: config.limits.silence_prompt,
        },
        prices,
        gate,
    };
    Ok(Registry::new(context, users.watch(), ground.directory.clone(), TaskTracker::new()))
}

/// Takes those that come in. `ended` is cancelled when the stack gives no more.
pub(super) async fn admit(mut inbound: mpsc::Receiver<InboundCall>, registry: Registry, ended: CancellationToken) {
    let _ended = ended.drop_guard();
    while let Some(call) = inbound.recv().await {
        registry.admit(call);
    }
}
