//! What the composition root hands to the API. A handler takes only the handles that it uses.

use super::FirstVersionApi;
use super::authorize::TrustedProxies;
use super::guard::Names;
use super::headers::Secure;
use crate::exchange::Exchange;
use crate::health::Board;
use crate::hooks::Meters;
use crate::identity::Door;
use crate::records::erasure::Eraser;
use crate::records::{Metrics, Recordings};
use crate::telemetry::Tracer;
use axum::extract::FromRef;
use callie_domain::Offer;
use callie_store::{
    AnalyticsStore, AuditStore, ConfigStore, ContactStore, DeliveryStore, OrderStore, RecordStore, TollStore, VersionStore,
};
use jiff::Timestamp;
use std::{net::SocketAddr, sync::Arc};
use tokio::sync::watch;

/// All handles of the API.
#[derive(Clone)]
pub struct ApiState {
    pub users: Users,
    pub records: Records,
    pub contacts: Contacts,
    pub exchange: Lines,
    pub hooks: Hooks,
    pub metrics: Metrics,
    pub health: Board,
    pub tracer: Tracer,
    pub orders: Orders,
    pub toll: Toll,
    pub versions: Versions,
    pub analytics: Analytics,
    pub recordings: Recordings,
    pub clock: Clock,
    pub info: ServerInfo,
    pub phase: Phases,
    pub first_version: FirstVersionApi,
    pub eraser: Eraser,
    pub door: Door,
    pub audit: Audit,
    pub proxies: TrustedProxies,
    pub names: Names,
    pub secure: Secure,
}

pub type Users = Arc<dyn ConfigStore>;
pub type Records = Arc<dyn RecordStore>;
pub type Contacts = Arc<dyn ContactStore>;
pub type Lines = Arc<dyn Exchange>;
pub type Audit = Arc<dyn AuditStore>;
pub type Orders = Arc<dyn OrderStore>;

pub type Toll = Arc<dyn TollStore>;

pub type Versions = Arc<dyn VersionStore>;
pub type Analytics = Arc<dyn AnalyticsStore>;

/// What receivers are told, and how that goes.
#[derive(Clone)]
pub struct Hooks {
    pub queue: Arc<dyn DeliveryStore>,
    pub meters: Arc<Meters>,
}

/// Tells the time: the system's, or a test's.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    pub fn system() -> Self {
        Self::of(Timestamp::now)
    }

    pub fn of(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    pub fn now(&self) -> Timestamp {
        (self.0)()
    }
}

/// What an engine is at present; it may learn more about itself after the start.
#[derive(Clone)]
pub struct EngineDetail(Arc<dyn Fn() -> String + Send + Sync>);

impl EngineDetail {
    pub fn of(text: impl Fn() -> String + Send + Sync + 'static) -> Self {
        Self(Arc::new(text))
    }

    pub fn text(&self) -> String {
        (self.0)()
    }
}

impl From<String> for EngineDetail {
    fn from(text: String) -> Self {
        Self::of(move || text.clone())
    }
}

impl std::fmt::Debug for EngineDetail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text())
    }
}

/// A conversation engine that this server has.
#[derive(Debug, Clone)]
pub struct EngineInfo {
    /// As in `ai.engine` of a user.
    pub name: &'static str,
    /// What it is and how well it is, for people: "offline engine, with speech recognition".
    pub detail: EngineDetail,
    /// Talks for users who ask for none.
    pub default: bool,
}

/// What this server is.
#[derive(Debug, Clone)]
pub struct ServerInfo {
    pub version: &'static str,
    /// The backend of the user documents: `sqlite`.
    pub store: &'static str,
    /// The address that really is listened on; the guard compares Host headers with it.
    pub listening: SocketAddr,
    pub started_at: Timestamp,
    /// The engines that this server has.
    pub engines: Arc<[EngineInfo]>,
    /// What users may choose of each engine that there is, by name, also of those that this server has not.
    pub offers: Arc<[(&'static str, Offer)]>,
}

/// Where the process stands in its life. The composition root sends, the API reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    Starting,
    Running,
    /// No new calls; the live feed ends so that connections can.
    Stopping,
}

/// The present phase, and a way to wait for the end.
#[derive(Debug, Clone)]
pub struct Phases(pub watch::Receiver<Phase>);

impl Phases {
    pub fn now(&self) -> Phase {
        *self.0.borrow()
    }

    /// Returns when the server stops, or its composition root is gone.
    pub async fn stopping(mut self) {
        // An error means that the sender is gone, which is the end as well.
        let _ = self.0.wait_for(|phase| *phase == Phase::Stopping).await;
    }
}

macro_rules! handles {
    ($($field:ident: $handle:ty),* $(,)?) => {$(
        impl FromRef<ApiState> for $handle {
            fn from_ref(state: &ApiState) -> Self {
                state.$field.clone()
            }
        }
    )*};
}
handles! {
    users: Users,
    records: Records,
    contacts: Contacts,
    exchange: Lines,
    hooks: Hooks,
    metrics: Metrics,
    health: Board,
    orders: Orders,
    toll: Toll,
    versions: Versions,
    analytics: Analytics,
    recordings: Recordings,
    clock: Clock,
    info: ServerInfo,
    phase: Phases,
    first_version: FirstVersionApi,
    eraser: Eraser,
    door: Door,
    audit: Audit,
}
