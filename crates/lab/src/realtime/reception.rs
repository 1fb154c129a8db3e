//! From a TCP connection to a session: the HTTP upgrade, and who is let in.

use super::{Cue, Line, Office, Service, Session, now};
use std::sync::Arc;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::accept_hdr_async_with_config;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::StatusCode;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What the request of an upgrade said.
pub trait Knock<S: Service>: Default {
    fn of(request: &Request) -> Self;

    fn note(&self, log: &mut S::Log);

    /// Status and body with which the upgrade is refused.
    fn refusal(&self, options: &S::Options) -> Option<(u16, String)>;
}

/// What a fault makes of an upgrade.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entrance {
    /// It is answered by this status and body.
    Refused(u16, String),
    /// It is never answered.
    Ignored,
    /// The connection ends.
    Broken,
}

/// Serves until it is dropped.
pub(super) async fn accept<S: Service>(
    listener: TcpListener,
    office: Arc<Office<S>>,
    tracker: TaskTracker,
    token: CancellationToken,
) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let serving = serve(stream, Arc::clone(&office));
                tracker.spawn(token.clone().run_until_cancelled_owned(serving));
            }
            Err(error) => tracing::warn!(%error, "the fake could not accept a connection"),
        }
    }
}

async fn serve<S: Service>(stream: TcpStream, office: Arc<Office<S>>) {
    let (session, wishes, _seat) = office.open(now());
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "no TCP_NODELAY");
    }
    let Some((mut line, door)) = upgrade(stream, &office, &session).await else {
        return;
    };
    let end = S::attend(&office, &session, &door, &mut line, wishes).await;
    line.end(end).await;
}

async fn upgrade<S: Service>(mut stream: TcpStream, office: &Office<S>, session: &Session<S>) -> Option<(Line<S>, S::Door)> {
    let mut forced = None;
    let acts = office.state().faults.take(S::Moment::UPGRADE);
    for act in acts {
        match S::at_the_door(act) {
            Entrance::Refused(status, body) => forced = Some((status, body)),
            Entrance::Ignored => return wait_for_end(&mut stream).await,
            Entrance::Broken => return None,
        }
    }
    let mut door = S::Door::default();
    #[expect(clippy::result_large_err, reason = "the type is tungstenite's")]
    let callback = |request: &Request, response: Response| {
        door = S::Door::of(request);
        session.note(|log| door.note(log));
        answer(forced.or_else(|| door.refusal(&office.options)), response)
    };
    // Small buffers: there are hundreds of sessions in one process.
    let config = WebSocketConfig::default().read_buffer_size(8 << 10).write_buffer_size(8 << 10);
    let socket = accept_hdr_async_with_config(stream, callback, Some(config)).await.ok()?;
    Some((Line::new(socket, session.clone()), door))
}

#[expect(clippy::result_large_err, reason = "the type is tungstenite's")]
fn answer(refusal: Option<(u16, String)>, accepted: Response) -> Result<Response, ErrorResponse> {
    let Some((status, body)) = refusal else {
        return Ok(accepted);
    };
    let mut refused = ErrorResponse::new(Some(body));
    *refused.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    Err(refused)
}

/// Reads on until the client gives up.
async fn wait_for_end<T>(stream: &mut TcpStream) -> Option<T> {
    let mut buffer = [0; 1024];
    while stream.read(&mut buffer).await.is_ok_and(|length| length > 0) {}
    None
}
