//! What every call is given: handles to the parts it uses, and the limits of this server.

use super::gate::Gate;
use crate::records::{LiveFeed, Recordings, SinkHandle, Traces};
use crate::telemetry::Tracer;
use crate::tools::ToolShop;
use callie_ai::Engine;
use callie_domain::prices::PriceTable;
use callie_media::{engine::MediaEngine, ports::RtpPorts};
use callie_sip::SipStack;
use std::{collections::BTreeMap, ops::RangeInclusive, sync::Arc, time::Duration};

/// Handles shared by all calls.
#[derive(Clone)]
pub struct CallContext {
    pub stack: Arc<SipStack>,
    pub media: Arc<MediaEngine>,
    pub ports: Arc<RtpPorts>,
    pub engines: Engines,
    pub tools: ToolShop,
    pub sink: SinkHandle,
    /// Where the SIP messages of a leg go.
    pub traces: Traces,
    pub feed: LiveFeed,
    /// What other systems are told of the call's trace.
    pub tracer: Tracer,
    pub limits: CallLimits,
    pub prices: Arc<PriceTable>,
    /// Asked before anything is dialled.
    pub gate: Gate,
}

/// Limits and places, from the process configuration.
#[derive(Debug, Clone)]
pub struct CallLimits {
    /// Ports of users without a range of their own.
    pub rtp_ports: RangeInclusive<u16>,
    /// No RTP for so long ends a call.
    pub rtp_timeout: Duration,
    /// `None` records nothing.
    pub recordings: Option<Recordings>,
    pub calls_per_user: usize,
    /// Silence of both sides before the agent asks whether the caller is still there.
    pub silence_prompt: Duration,
}

/// The conversation engines of this server by name.
#[derive(Debug, Clone)]
pub struct Engines {
    by_name: BTreeMap<&'static str, Arc<dyn Engine>>,
    default: Arc<dyn Engine>,
    fallback: Option<Arc<dyn Engine>>,
}

/// The engines of one call.
#[derive(Debug, Clone)]
pub struct Chosen {
    pub engine: Arc<dyn Engine>,
    /// Those that take over, in this order.
    pub others: Vec<Arc<dyn Engine>>,
    /// Why it is not the engine that the user asked for; for the call's record.
    pub warning: Option<String>,
}

impl Engines {
    /// One engine, which talks unless a user asks for another.
    pub fn new(default: Arc<dyn Engine>) -> Self {
        Self { by_name: BTreeMap::from([(default.name(), default.clone())]), default, fallback: None }
    }

    /// One more engine, for users who ask for it.
    #[must_use]
    pub fn with(mut self, engine: Arc<dyn Engine>) -> Self {
        self.by_name.insert(engine.name(), engine);
        self
    }

    /// One more engine; it takes over when another fails.
    #[must_use]
    pub fn with_fallback(mut self, fallback: Arc<dyn Engine>) -> Self {
        self.by_name.insert(fallback.name(), fallback.clone());
        self.fallback = Some(fallback);
        self
    }

    /// The engines that a user asks for, those that are to be had; the default when there is none. The offline one is always the
    /// last.
    pub fn choose(&self, wanted: &[&str]) -> Chosen {
        let found: Vec<_> = wanted.iter().filter_map(|name| self.by_name.get(name)).cloned().collect();
        let missing: Vec<_> = wanted.iter().filter(|name| !self.by_name.contains_key(**name)).copied().collect();
        let mut order = found.into_iter();
        let engine = order.next().unwrap_or_else(|| self.default.clone());
        let last = self.fallback.clone().into_iter();
        let mut others: Vec<Arc<dyn Engine>> = Vec::new();
        for other in order.chain(last) {
            if other.name() != engine.name() && others.iter().all(|listed| listed.name() != other.name()) {
                others.push(other);
            }
        }
        let warning = (!missing.is_empty()).then(|| {
            let known: Vec<_> = self.by_name.keys().copied().collect();
            format!(
                "ai.engine {} is not available here (available: {}); {} talks instead",
                missing.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", "),
                known.join(", "),
                engine.name()
            )
        });
        Chosen { engine, others, warning }
    }
}
