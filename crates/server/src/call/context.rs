//! What every call is given: handles to the parts it uses, and the limits of this server.

use crate::records::{LiveFeed, SinkHandle};
use callie_ai::Engine;
use callie_media::{engine::MediaEngine, ports::RtpPorts};
use callie_sip::SipStack;
use std::{collections::BTreeMap, ops::RangeInclusive, path::PathBuf, sync::Arc, time::Duration};

/// Handles shared by all calls.
#[derive(Clone)]
pub struct CallContext {
    pub stack: Arc<SipStack>,
    pub media: Arc<MediaEngine>,
    pub ports: Arc<RtpPorts>,
    pub engines: Engines,
    pub sink: SinkHandle,
    pub feed: LiveFeed,
    pub limits: CallLimits,
}

/// Limits and places, from the process configuration.
#[derive(Debug, Clone)]
pub struct CallLimits {
    /// Ports of users without a range of their own.
    pub rtp_ports: RangeInclusive<u16>,
    /// No RTP for so long ends a call.
    pub rtp_timeout: Duration,
    /// Folder of the recordings; `None` records nothing.
    pub recordings: Option<PathBuf>,
    pub calls_per_user: usize,
}

/// The conversation engines of this server by name.
#[derive(Debug, Clone)]
pub struct Engines {
    by_name: BTreeMap<&'static str, Arc<dyn Engine>>,
    default: Arc<dyn Engine>,
}

impl Engines {
    pub fn new(default: Arc<dyn Engine>) -> Self {
        Self { by_name: BTreeMap::from([(default.name(), default.clone())]), default }
    }

    /// The engine a user asks for. An unknown name yields the default and a warning for the call's record.
    pub fn choose(&self, wanted: Option<&str>) -> (Arc<dyn Engine>, Option<String>) {
        match wanted.map(|name| (name, self.by_name.get(name))) {
            None => (self.default.clone(), None),
            Some((_, Some(engine))) => (engine.clone(), None),
            Some((name, None)) => {
                let known: Vec<_> = self.by_name.keys().copied().collect();
                let warning = format!(
                    "ai.engine {name:?} is not available here (available: {}); {} talks instead",
                    known.join(", "),
                    self.default.name()
                );
                (self.default.clone(), Some(warning))
            }
        }
    }
}
