//! The composition root: every part is built here, run here, and ended here, in order.
//!
//! ```text
//! start: store ─ webhooks ─ orphans closed ─ media ─ SIP ─ calls ─ lines ─ HTTP ─ ready
//! stop:  no new calls ─ calls end ─ lines unregister ─ HTTP ends ─ records written ─ traces sent ─ store closed
//! ```
//!
//! | module | builds and runs |
//! |---|---|
//! | [`ground`] | nothing: the handles that the others take copies of |
//! | [`tasks`] | nothing: the groups that everything runs in |
//! | [`keeping`] | recordings |
//! | [`aftercare`] | webhooks, summaries |
//! | [`calls`] | calls, and who writes them down |
//! | [`lines`], [`forgetting`] | registrations, and what follows the users' documents |
//! | [`serving`], [`front`], [`https`] | the HTTP API, who is let in, certificates |
//! | [`traces`], [`vitals`] | traces of calls, the server's health |

mod aftercare;
mod calls;
mod forgetting;
mod front;
mod ground;
mod https;
mod keeping;
mod lines;
mod options;
mod serving;
mod tasks;
mod traces;
mod vitals;

use crate::{
    accounts::LineDirectory,
    api::{Phase, Phases},
    call::Registry,
    config::Config,
    doctor::Doctor,
    engines::Talkers,
    exchange::{
        ActiveCall, DialError, DialRequest, ExaminationError, ExaminationRequest, LiveEvent, TransferError, TransferOrder,
    },
    first_version::lay_over,
    health::Board,
    records::recordings::Found,
    records::{LiveFeed, Metrics, Recordings},
    redial::Redialler,
    stores::Stores,
};
use aftercare::Aftercare;
use anyhow::Context;
use callie_domain::examination::Report;
use callie_domain::record::Cdr;
use callie_domain::registration::RegistrationState;
use callie_domain::{CallId, UserId};
use callie_media::{engine::MediaEngine, ports::RtpPorts};
use callie_sip::SipStack;
use ground::Ground;
use serving::{Served, Serving};
use std::{fs::File, net::SocketAddr, path::Path, sync::Arc, time::Duration};
use tasks::{Tasks, wind_down};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::{broadcast, watch},
};
use tokio_util::sync::CancellationToken;
use traces::Tracing;

/// How long calls may take to end once they were told to.
const HANG_UP_DEADLINE: Duration = Duration::from_secs(5);

/// A running server.
pub struct App {
    pub http_address: SocketAddr,
    pub sip_address: SocketAddr,
    pub stores: Stores,
    stack: Arc<SipStack>,
    ports: Arc<RtpPorts>,
    registry: Registry,
    doctor: Doctor,
    directory: LineDirectory,
    feed: LiveFeed,
    phase: watch::Sender<Phase>,
    tasks: Tasks,
    tracing: Tracing,
    recordings: Recordings,
    /// Held as long as the server runs.
    _folder_lock: File,
}

/// `callie serve`: runs until SIGTERM or SIGINT.
pub async fn run(config: Config) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    let app = App::start(&config, Talkers::start(&config.engines)?).await?;
    tracing::info!(http = %app.http_address, sip = %app.sip_address, "ready: http://{} takes requests, SIP listens on {}", app.http_address, app.sip_address);
    tokio::select! {
        _ = terminate.recv() => tracing::info!("SIGTERM: stopping"),
        _ = interrupt.recv() => tracing::info!("SIGINT: stopping"),
    }
    app.stop().await;
    tracing::info!("stopped");
    Ok(())
}

impl App {
    pub async fn start(config: &Config, talkers: impl Into<Talkers>) -> anyhow::Result<Self> {
        let Talkers { engines, infos, offers, .. } = talkers.into();
        let folder_lock = lock_folder(&config.data_dir)?;
        let stores = Stores::open(config).await?;
        let tasks = Tasks::default();
        let primary = config.first_version.primary.as_ref();
        let users = lay_over(stores.users.clone(), primary, &tasks.lines, tasks.lines_end.child_token());
        let aftercare = Aftercare::new(config, &stores.records, &users).await?;
        let recordings = keeping::open(config, &stores.records).await?;

        let media = MediaEngine::start(options::media(config)).context("the media threads do not start")?;
        let feed = LiveFeed::new();
        let line_news = feed.subscribe();
        let metrics = Metrics::default();
        tasks.beside(metrics.clone().follow(feed.subscribe()));
        let tracing = Tracing::start(config, &stores.records, &feed)?;
        let (stack, inbound) = SipStack::start(options::sip(config), &tasks.stack, tasks.stack_end.clone())
            .await
            .context("SIP does not start: another program may use the port; set CALLIE_SIP_LISTEN or CALLIE_SIP_TLS_LISTEN")?;
        let ground = Ground {
            config,
            users,
            records: stores.records.clone(),
            recordings,
            feed,
            metrics,
            tracer: tracing.tracer.clone(),
            media: Arc::new(media),
            stack: Arc::new(stack),
            directory: LineDirectory::default(),
            tasks: &tasks,
        };

        let ports = Arc::new(RtpPorts::new());
        let registry = calls::open(&ground, engines, ports.clone()).await?;
        let sip_ended = CancellationToken::new();
        tasks.stack.spawn(calls::admit(inbound, registry.clone(), sip_ended.clone()));
        let health = Board::default();
        tasks.beside(vitals::watch(&ground, health.clone(), sip_ended).run(ground.feed.subscribe()));
        lines::follow(&ground);

        let doctor = ground.doctor(&registry);
        let exchange = ground.exchange(&registry, &doctor);
        let serving = Serving::open(&ground).await?;
        let http_address = serving.address;
        let (phase, phases) = watch::channel(Phase::Starting);
        let (hooks, phases) = (aftercare.hooks.clone(), Phases(phases));
        serving.begin(&ground, Served { exchange: exchange.clone(), hooks, health, engines: infos, offers, phases })?;
        aftercare.run(line_news, ground.tracer.clone(), &tasks.stack, &tasks.stack_end);
        let (orders, records) = (stores.records.clone(), stores.records.clone());
        let redialler = Redialler { orders, records, exchange, feed: ground.feed.subscribe() };
        tasks.lines.spawn(redialler.run(tasks.lines_end.child_token()));
        phase.send_replace(Phase::Running);
        let Ground { recordings, feed, stack, directory, .. } = ground;
        Ok(Self {
            http_address,
            sip_address: stack.local_address(),
            stores,
            stack,
            ports,
            registry,
            doctor,
            directory,
            feed,
            phase,
            tasks,
            tracing,
            recordings,
            _folder_lock: folder_lock,
        })
    }

    /// The live feed, as `/events` gives it.
    pub fn live(&self) -> broadcast::Receiver<Arc<LiveEvent>> {
        self.feed.subscribe()
    }

    /// As `POST /users/{id}/call` does.
    pub fn dial(&self, request: DialRequest) -> Result<CallId, DialError> {
        self.registry.dial(request)
    }

    /// As `POST /users/{id}/doctor` does.
    pub async fn examine(&self, request: ExaminationRequest) -> Result<Arc<Report>, ExaminationError> {
        self.doctor.examine(request).await
    }

    /// The WAV file of a call that was recorded, as `GET /calls/{id}/recording` gives it.
    pub async fn recording(&self, cdr: &Cdr) -> anyhow::Result<Vec<u8>> {
        let name = cdr.recording.as_ref().context("the call was not recorded")?;
        Ok(match self.recordings.open(cdr.id, name).await? {
            Found::Plain(path) => tokio::fs::read(path).await?,
            Found::Sealed(player) => player.wav().await?,
        })
    }

    pub fn active_calls(&self) -> Vec<ActiveCall> {
        self.registry.active()
    }

    /// `false` when there is no such call.
    pub fn hang_up(&self, call: CallId) -> bool {
        self.registry.hang_up(call)
    }

    /// As `POST /calls/{id}/transfer` and its like do.
    pub async fn transfer(&self, call: CallId, order: TransferOrder) -> Result<(), TransferError> {
        self.registry.transfer(call, order).await
    }

    /// The state of a user's line; `None` when none runs.
    pub fn line_state(&self, user: &UserId) -> Option<RegistrationState> {
        self.directory.status(user).map(|status| status.state)
    }

    /// What is held now; after all calls have ended it must be back at its base.
    pub fn footprint(&self) -> Footprint {
        let stats = self.stack.stats();
        Footprint {
            calls: self.registry.active().len(),
            rtp_ports: self.ports.reserved(),
            dialogs: stats.dialogs,
            transactions: stats.running_transactions,
        }
    }

    /// SIP transactions that are over and kept for 64·T1, to answer what is sent twice.
    pub fn lingering_transactions(&self) -> usize {
        let stats = self.stack.stats();
        stats.finished_transactions.max(stats.waiting_ack)
    }

    pub async fn stop(self) {
        self.phase.send_replace(Phase::Stopping);
        let left = self.registry.drain(HANG_UP_DEADLINE).await;
        if left > 0 {
            tracing::warn!(left, "calls did not end in time and are left behind");
        }
        self.tasks.lines_end.cancel();
        wind_down("lines", &self.tasks.lines).await;
        self.tasks.stack_end.cancel();
        wind_down("HTTP connections", &self.tasks.http).await;
        wind_down("SIP", &self.tasks.stack).await;
        // The registry holds the last handle of the record sink.
        drop((self.registry, self.doctor));
        wind_down("records", &self.tasks.records).await;
        self.tracing.stop().await;
        self.stores.close().await;
    }
}

/// Resources held by calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Footprint {
    pub calls: usize,
    pub rtp_ports: usize,
    pub dialogs: usize,
    pub transactions: usize,
}

/// Makes the data folder ours: a second server on it would take the first one's calls for lost.
fn lock_folder(folder: &Path) -> anyhow::Result<File> {
    let shown = folder.display();
    std::fs::create_dir_all(folder).with_context(|| format!("cannot create the data folder {shown} (CALLIE_DATA_DIR)"))?;
    let lock = File::create(folder.join("callie.lock")).with_context(|| format!("cannot write to the data folder {shown}"))?;
    lock.try_lock().with_context(|| {
        format!("another server uses the data folder {shown}: stop it, or set CALLIE_DATA_DIR to another folder")
    })?;
    Ok(lock)
}
