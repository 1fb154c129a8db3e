//! The composition root: every part is built here, run here, and ended here, in order.
//!
//! ```text
//! start: store ─ webhooks ─ orphans closed ─ engines ─ media ─ SIP ─ calls ─ lines ─ HTTP ─ ready
//! stop:  no new calls ─ calls end ─ lines unregister ─ HTTP ends ─ records written ─ traces sent ─ store closed
//! ```

mod aftercare;
mod forgetting;
mod front;
mod https;
mod traces;
mod vitals;

use crate::{
    accounts::{LineDirectory, Reconciler},
    api::{self, ApiState, Clock, FirstVersionApi, Phase, Phases, ServerInfo, authorize::Peer},
    call::{CallContext, CallLimits, Gate, Registry},
    config::{Config, RecordingsPlace},
    doctor::Doctor,
    engines::Talkers,
    exchange::{
        ActiveCall, DialError, DialRequest, ExaminationError, ExaminationRequest, Exchange, LiveEvent, TransferError,
        TransferOrder,
    },
    first_version::lay_over,
    health::Board,
    outside::GuardedClient,
    records::erasure::Eraser,
    records::recordings::{Bucket, BucketFault, Found, RecordingFault},
    records::{LineWatch, LiveFeed, Metrics, RecordSink, Recordings, Traces},
    redial::Redialler,
    stores::Stores,
    switchboard::Switchboard,
    tools::{ToolShop, mcp::Catalogue},
    ui,
    versions::VersionKeeper,
};
use aftercare::Aftercare;
use anyhow::Context;
use callie_domain::examination::Report;
use callie_domain::record::Cdr;
use callie_domain::registration::RegistrationState;
use callie_domain::{CallId, UserId};
use callie_media::{
    engine::{EngineOptions, MediaEngine},
    ports::RtpPorts,
};
use callie_sip::{InboundCall, SipOptions, SipStack, TlsListen};
use callie_store::{RecordStore, SqliteStore};
use front::Front;
use https::{Certificate, TlsListener};
use jiff::Timestamp;
use std::{fs::File, net::SocketAddr, num::NonZeroUsize, path::Path, sync::Arc, time::Duration};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::{broadcast, mpsc, watch},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use traces::Tracing;

/// How long calls may take to end once they were told to.
const HANG_UP_DEADLINE: Duration = Duration::from_secs(5);
/// How long lines may take to unregister, and HTTP connections to end.
const WIND_DOWN_DEADLINE: Duration = Duration::from_secs(5);

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
    /// Cancelled when lines are to go, then when the SIP stack is.
    lines_cancel: CancellationToken,
    stack_cancel: CancellationToken,
    lines: TaskTracker,
    http: TaskTracker,
    records: TaskTracker,
    tracing: Tracing,
    stack_tasks: TaskTracker,
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
        let (lines_cancel, stack_cancel) = (CancellationToken::new(), CancellationToken::new());
        let (lines, http, records, stack_tasks) =
            (TaskTracker::new(), TaskTracker::new(), TaskTracker::new(), TaskTracker::new());
        let primary = config.first_version.primary.as_ref();
        let users = lay_over(stores.users.clone(), primary, &lines, lines_cancel.child_token());
        let outside = GuardedClient::new(config.private_targets.clone()).context("no HTTP client for tools")?;
        let aftercare = Aftercare::new(config, &stores.records, &users).await?;
        let recordings = kept_in(config, &stores.records).await?;
        close_orphans(&stores.records, &recordings).await?;

        let media = Arc::new(MediaEngine::start(media_options(config)).context("the media threads do not start")?);
        let ports = Arc::new(RtpPorts::new());
        let feed = LiveFeed::new();
        let line_news = feed.subscribe();
        let metrics = Metrics::default();
        beside(&stack_tasks, &stack_cancel, metrics.clone().follow(feed.subscribe()));
        let tracing = Tracing::start(config, &stores.records, &feed)?;
        let (phase, phases) = watch::channel(Phase::Starting);

        let (stack, inbound) = SipStack::start(sip_options(config), &stack_tasks, stack_cancel.clone())
            .await
            .context("SIP does not start: another program may use the port; set CALLIE_SIP_LISTEN or CALLIE_SIP_TLS_LISTEN")?;
        let stack = Arc::new(stack);
        let sink = RecordSink::start(stores.records.clone(), feed.clone(), metrics.clone(), &records);
        let traces = Traces::default();
        records.spawn(traces.clone().write_down(sink.clone(), stack_cancel.clone()));
        let servers = Catalogue::new(outside.clone(), stack_tasks.clone(), stack_cancel.child_token());
        beside(&stack_tasks, &stack_cancel, servers.clone().follow(users.watch()));
        let (prices, gate) = (Arc::new(aftercare::prices(config)?), Gate::load(stores.records.clone()).await?);
        let summariser = aftercare::summariser(config, &stores.records, &users, prices.clone(), gate.clone(), feed.clone())?;
        stack_tasks.spawn(summariser.run(stack_cancel.clone()));
        let keeper = VersionKeeper { view: users.watch(), store: stores.records.clone(), show: api::versions::kept_form };
        stack_tasks.spawn(keeper.run(stack_cancel.clone()));
        let context = CallContext {
            stack: stack.clone(),
            media: media.clone(),
            ports: ports.clone(),
            engines,
            tools: ToolShop::new(outside, stores.records.clone(), servers),
            sink,
            traces,
            feed: feed.clone(),
            tracer: tracing.tracer.clone(),
            limits: CallLimits {
                rtp_ports: config.media.rtp_ports.clone(),
                rtp_timeout: config.media.rtp_timeout,
                recordings: config.media.recordings.is_on().then(|| recordings.clone()),
                calls_per_user: config.limits.calls_per_user,
                silence_prompt: config.limits.silence_prompt,
            },
            prices: prices.clone(),
            gate: gate.clone(),
        };
        beside(&stack_tasks, &stack_cancel, forgetting::follow(users.clone(), stores.records.clone()));
        let view = users.watch();
        let directory = LineDirectory::default();
        let calls = TaskTracker::new();
        let registry = Registry::new(context, view.clone(), directory.clone(), calls);
        let sip_ended = CancellationToken::new();
        stack_tasks.spawn(admit_calls(inbound, registry.clone(), sip_ended.clone()));
        let health = Board::default();
        let vitals = vitals::watch(config, health.clone(), media.clone(), directory.clone(), view.clone(), sip_ended);
        beside(&stack_tasks, &stack_cancel, vitals.run(feed.subscribe()));
        let look = directory.clone();
        let watch =
            LineWatch { store: stores.records.clone(), look: Arc::new(move |user| look.status(user).map(|status| status.state)) };
        records.spawn(watch.run(feed.subscribe(), stack_cancel.clone()));
        let reconciler = Reconciler::new(stack.clone(), directory.clone(), feed.clone(), lines.clone());
        lines.spawn(reconciler.run(view.clone(), lines_cancel.clone()));

        let doctor = Doctor::new(stack.clone(), view.clone(), directory.clone(), registry.clone(), stores.records.clone());
        let exchange: Arc<dyn Exchange> = Arc::new(Switchboard {
            view,
            directory: directory.clone(),
            registry: registry.clone(),
            doctor: doctor.clone(),
            stack: stack.clone(),
            feed: feed.clone(),
            media: media.clone(),
        });
        let listener = TcpListener::bind(config.http.listen).await.with_context(|| {
            format!("cannot listen on {}: another program may use the port; set CALLIE_HTTP_LISTEN", config.http.listen)
        })?;
        let http_address = listener.local_addr().context("the HTTP listener has no address")?;
        let front = Front::new(config, stores.records.clone(), http_address)?;
        front.announce(config).await?;
        beside(&stack_tasks, &stack_cancel, front::tidy(front.door.clone()));
        beside(&stack_tasks, &stack_cancel, front::look_round(front.door.clone()));
        let certificate = config.http.tls.as_ref().map(Certificate::read).transpose();
        let certificate = certificate.context("the HTTP API has no certificate to show (CALLIE_HTTP_TLS_CERTIFICATE)")?;
        beside(&stack_tasks, &stack_cancel, seal_old(recordings.clone(), stores.records.clone()));
        let moving = recordings.clone();
        let (records_of_calls, ended) = (stores.records.clone(), feed.subscribe());
        beside(&stack_tasks, &stack_cancel, async move { moving.keep_moving(records_of_calls, ended).await });
        if let Some(certificate) = certificate.clone() {
            beside(&stack_tasks, &stack_cancel, certificate.follow());
        }
        let eraser = Eraser::new(stores.records.clone(), recordings.clone());
        beside(&stack_tasks, &stack_cancel, eraser.clone().follow(users.watch()));
        let pages = api::headers::on(ui::router(), front.secure);
        let state = ApiState {
            users,
            records: stores.records.clone(),
            contacts: stores.records.clone(),
            exchange: exchange.clone(),
            hooks: aftercare.hooks.clone(),
            metrics: metrics.clone(),
            health,
            tracer: tracing.tracer.clone(),
            orders: stores.records.clone(),
            toll: stores.records.clone(),
            versions: stores.records.clone(),
            analytics: stores.records.clone(),
            recordings: recordings.clone(),
            clock: Clock::system(),
            info: ServerInfo {
                version: env!("CARGO_PKG_VERSION"),
                store: config.store.name(),
                listening: http_address,
                started_at: Timestamp::now(),
                engines: infos,
                offers,
            },
            phase: Phases(phases.clone()),
            first_version: FirstVersionApi::of(config)?,
            eraser: eraser.clone(),
            door: front.door,
            audit: stores.records.clone(),
            proxies: front.proxies,
            names: front.names,
            secure: front.secure,
        };
        http.spawn(serve_http(listener, certificate, api::router(state).merge(pages), Phases(phases)));
        aftercare.run(line_news, tracing.tracer.clone(), &stack_tasks, &stack_cancel);
        let redialler =
            Redialler { orders: stores.records.clone(), records: stores.records.clone(), exchange, feed: feed.subscribe() };
        lines.spawn(redialler.run(lines_cancel.child_token()));
        phase.send_replace(Phase::Running);
        let sip_address = stack.local_address();
        Ok(Self {
            http_address,
            sip_address,
            stores,
            stack,
            ports,
            registry,
            doctor,
            directory,
            feed,
            phase,
            lines_cancel,
            stack_cancel,
            lines,
            http,
            records,
            tracing,
            stack_tasks,
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
        self.lines_cancel.cancel();
        wind_down("lines", &self.lines).await;
        self.stack_cancel.cancel();
        wind_down("HTTP connections", &self.http).await;
        wind_down("SIP", &self.stack_tasks).await;
        // The registry holds the last handle of the record sink.
        drop((self.registry, self.doctor));
        wind_down("records", &self.records).await;
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

/// Closes the records of calls that the last run left open, and mends their recordings.
async fn close_orphans(store: &SqliteStore, recordings: &Recordings) -> anyhow::Result<()> {
    for cdr in RecordStore::close_orphans(store, Timestamp::now()).await? {
        tracing::warn!(call.id = %cdr.id, user.id = %cdr.user_id, "a call was lost when the server died; its record is closed");
        let Some(name) = cdr.recording else { continue };
        match recordings.mend(cdr.id, &name).await {
            Ok(()) | Err(RecordingFault::Missing) => {}
            Err(error) => tracing::warn!(%error, file = name, "the recording of a lost call could not be mended"),
        }
    }
    Ok(())
}

/// Where the configuration says. A bucket that does not answer is waited for; one that refuses us is not.
async fn kept_in(config: &Config, keys: &Arc<SqliteStore>) -> anyhow::Result<Recordings> {
    let folder = match &config.media.recordings {
        RecordingsPlace::Folder(folder) => folder.clone(),
        _ => config.data_dir.join("recordings"),
    };
    let recordings = Recordings::new(keys.clone(), folder);
    let RecordingsPlace::Bucket(settings) = &config.media.recordings else { return Ok(recordings) };
    let bucket = Bucket::new(settings)?;
    match bucket.probe().await {
        Ok(()) => {}
        Err(fault @ BucketFault::Refused(_)) => return Err(fault.into()),
        Err(fault @ BucketFault::Away(_)) => {
            tracing::warn!(%fault, "recordings stay on the disk until their bucket answers: {fault}");
        }
    }
    Ok(recordings.in_bucket(bucket))
}

/// Recordings in clear, of earlier versions.
async fn seal_old(recordings: Recordings, records: Arc<SqliteStore>) {
    match recordings.seal_old(&*records).await {
        Ok(0) => {}
        Ok(sealed) => tracing::info!(sealed, "sealed recordings that an earlier version left in clear"),
        Err(error) => tracing::warn!(%error, "recordings of an earlier version stay in clear until the next start"),
    }
}

fn media_options(config: &Config) -> EngineOptions {
    let defaults = EngineOptions::default();
    let threads = NonZeroUsize::new(config.media.threads).unwrap_or(defaults.threads);
    EngineOptions { threads, realtime: config.media.realtime, ..defaults }
}

fn sip_options(config: &Config) -> SipOptions {
    let mut options = SipOptions::new(config.sip.listen);
    options.tls = config.sip.tls.as_ref().map(|tls| TlsListen {
        listen: tls.listen,
        certificate: tls.certificate.clone(),
        key: tls.key.clone(),
    });
    options.external_address = config.sip.external_address;
    options.hosts = config.sip.hosts.clone();
    options.dns_servers = config.sip.dns_servers.clone();
    options.register.avoid_for = config.sip.registrar_avoid;
    options.strangers = config.sip.strangers;
    options.register.alert_after = config.sip.line_alert_after;
    options
}

/// A task that goes on beside the calls until SIP ends, wherever it stands then.
fn beside<T: Send>(tasks: &TaskTracker, end: &CancellationToken, work: impl Future<Output = T> + Send + 'static) {
    let end = end.clone();
    tasks.spawn(async move { end.run_until_cancelled(work).await.map(drop) });
}

/// `ended` is cancelled when the stack gives no more calls.
async fn admit_calls(mut inbound: mpsc::Receiver<InboundCall>, registry: Registry, ended: CancellationToken) {
    let _ended = ended.drop_guard();
    while let Some(call) = inbound.recv().await {
        registry.admit(call);
    }
}

async fn serve_http(listener: TcpListener, certificate: Option<Arc<Certificate>>, router: axum::Router, phases: Phases) {
    let service = router.into_make_service_with_connect_info::<Peer>();
    let served = match certificate {
        None => axum::serve(listener, service).with_graceful_shutdown(phases.stopping()).await,
        Some(certificate) => match TlsListener::new(listener, certificate) {
            Ok(listener) => axum::serve(listener, service).with_graceful_shutdown(phases.stopping()).await,
            Err(error) => Err(error),
        },
    };
    if let Err(error) = served {
        tracing::error!(%error, "the HTTP server failed");
    }
}

async fn wind_down(what: &str, tasks: &TaskTracker) {
    tasks.close();
    if tokio::time::timeout(WIND_DOWN_DEADLINE, tasks.wait()).await.is_err() {
        tracing::warn!(what, left = tasks.len(), "not everything ended in time");
    }
}
