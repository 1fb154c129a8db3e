//! What the parts are built upon.

use super::tasks::Tasks;
use crate::accounts::LineDirectory;
use crate::call::Registry;
use crate::config::Config;
use crate::doctor::Doctor;
use crate::exchange::Exchange;
use crate::records::{LiveFeed, Metrics, Recordings};
use crate::switchboard::Switchboard;
use crate::telemetry::Tracer;
use callie_media::engine::MediaEngine;
use callie_sip::SipStack;
use callie_store::{ConfigStore, SqliteStore};
use std::sync::Arc;

/// Handles that several parts take a copy of.
pub(super) struct Ground<'a> {
    pub config: &'a Config,
    /// With the user of version 1's environment laid over.
    pub users: Arc<dyn ConfigStore>,
    pub records: Arc<SqliteStore>,
    pub recordings: Recordings,
    pub feed: LiveFeed,
    pub metrics: Metrics,
    pub tracer: Tracer,
    pub media: Arc<MediaEngine>,
    pub stack: Arc<SipStack>,
    pub directory: LineDirectory,
    pub tasks: &'a Tasks,
}

impl Ground<'_> {
    pub fn doctor(&self, registry: &Registry) -> Doctor {
        let (view, directory) = (self.users.watch(), self.directory.clone());
        Doctor::new(self.stack.clone(), view, directory, registry.clone(), self.records.clone())
    }

    /// What the API sees of calls and lines.
    pub fn exchange(&self, registry: &Registry, doctor: &Doctor) -> Arc<dyn Exchange> {
        Arc::new(Switchboard {
            view: self.users.watch(),
            directory: self.directory.clone(),
            registry: registry.clone(),
            doctor: doctor.clone(),
            stack: self.stack.clone(),
            feed: self.feed.clone(),
            media: self.media.clone(),
        })
    }
}
