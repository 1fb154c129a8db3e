//! The HTTP API and the dashboard: where they listen, who is let in, and what they answer with.

use super::front::{self, Front};
use super::ground::Ground;
use super::https::{Certificate, TlsListener};
use super::keeping;
use crate::api::{self, ApiState, Clock, EngineInfo, FirstVersionApi, Hooks, Phases, ServerInfo, authorize::Peer};
use crate::exchange::Exchange;
use crate::health::Board;
use crate::ui;
use anyhow::Context;
use callie_domain::Offer;
use jiff::Timestamp;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;

/// A port that is taken, and not answered on yet.
pub(super) struct Serving {
    pub address: SocketAddr,
    listener: TcpListener,
    certificate: Option<Arc<Certificate>>,
    front: Front,
}

/// What the API shows and works with, besides the [`Ground`].
pub(super) struct Served {
    pub exchange: Arc<dyn Exchange>,
    pub hooks: Hooks,
    pub health: Board,
    pub engines: Arc<[EngineInfo]>,
    pub offers: Arc<[(&'static str, Offer)]>,
    pub phases: Phases,
}

impl Serving {
    pub async fn open(ground: &Ground<'_>) -> anyhow::Result<Self> {
        let http = &ground.config.http;
        let listener = TcpListener::bind(http.listen).await.with_context(|| {
            format!("cannot listen on {}: another program may use the port; set CALLIE_HTTP_LISTEN", http.listen)
        })?;
        let address = listener.local_addr().context("the HTTP listener has no address")?;
        let front = Front::new(ground.config, ground.records.clone(), address)?;
        front.announce(ground.config).await?;
        let certificate = http.tls.as_ref().map(Certificate::read).transpose();
        let certificate = certificate.context("the HTTP API has no certificate to show (CALLIE_HTTP_TLS_CERTIFICATE)")?;
        Ok(Self { address, listener, certificate, front })
    }

    /// Answers until the phase is stopping.
    pub fn begin(self, ground: &Ground<'_>, served: Served) -> anyhow::Result<()> {
        let Self { address, listener, certificate, front } = self;
        let Ground { config, records, tasks, .. } = ground;
        tasks.beside(front::tidy(front.door.clone()));
        tasks.beside(front::look_round(front.door.clone()));
        if let Some(certificate) = certificate.clone() {
            tasks.beside(certificate.follow());
        }
        let phases = served.phases.clone();
        let pages = api::headers::on(ui::router(), front.secure);
        let state = ApiState {
            users: ground.users.clone(),
            records: records.clone(),
            contacts: records.clone(),
            exchange: served.exchange,
            hooks: served.hooks,
            metrics: ground.metrics.clone(),
            health: served.health,
            tracer: ground.tracer.clone(),
            orders: records.clone(),
            toll: records.clone(),
            versions: records.clone(),
            analytics: records.clone(),
            recordings: ground.recordings.clone(),
            clock: Clock::system(),
            info: ServerInfo {
                version: env!("CARGO_PKG_VERSION"),
                store: config.store.name(),
                listening: address,
                started_at: Timestamp::now(),
                engines: served.engines,
                offers: served.offers,
            },
            phase: served.phases,
            first_version: FirstVersionApi::of(config)?,
            eraser: keeping::follow(ground),
            door: front.door,
            audit: records.clone(),
            proxies: front.proxies,
            names: front.names,
            secure: front.secure,
        };
        tasks.http.spawn(serve(listener, certificate, api::router(state).merge(pages), phases));
        Ok(())
    }
}

async fn serve(listener: TcpListener, certificate: Option<Arc<Certificate>>, router: axum::Router, phases: Phases) {
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
