//! One connection: upgrade, setup, then a loop that carries what comes in to the [`attendant`] and what it says out.

pub(super) mod attendant;
mod input;
pub(super) mod line;

use super::fault::{Act, Moment};
use super::office::Office;
use super::record::Session;
use super::upgrade::{Door, answer};
use attendant::{Attendant, Out};
use line::{End, Line};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{sleep_until, timeout};
use tokio_tungstenite::accept_hdr_async_with_config;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Serves until it is dropped.
pub(super) async fn accept(listener: TcpListener, office: Arc<Office>, tracker: TaskTracker, token: CancellationToken) {
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

async fn serve(stream: TcpStream, office: Arc<Office>) {
    let (session, wishes, _seat) = office.open(Instant::now());
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "no TCP_NODELAY");
    }
    let Some((mut line, door)) = upgrade(stream, &office, &session).await else {
        return;
    };
    let end = match set_up(&mut line, &door, &office, &session).await {
        Ok(attendant) => run(attendant, &mut line, wishes).await,
        Err(end) => end,
    };
    line.end(end).await;
}

async fn upgrade(mut stream: TcpStream, office: &Office, session: &Session) -> Option<(Line, Door)> {
    let mut forced = None;
    let acts = office.state().faults.take(Moment::Upgrade);
    for act in acts {
        match act {
            Act::Refuse { status, body } => forced = Some((status, body)),
            Act::Stall => return wait_for_end(&mut stream).await,
            _ => return None,
        }
    }
    let mut door = Door::default();
    let options = &office.options;
    #[expect(clippy::result_large_err, reason = "the type is tungstenite's")]
    let callback = |request: &Request, response: Response| {
        door = Door::of(request);
        session.note(|log| door.note(log));
        answer(forced.or_else(|| door.refusal(options)), response)
    };
    // Small buffers: there are hundreds of sessions in one process.
    let config = WebSocketConfig::default().read_buffer_size(8 << 10).write_buffer_size(8 << 10);
    let socket = accept_hdr_async_with_config(stream, callback, Some(config)).await.ok()?;
    Some((Line::new(socket, session.clone()), door))
}

/// Reads on until the client gives up.
async fn wait_for_end<T>(stream: &mut TcpStream) -> Option<T> {
    let mut buffer = [0; 1024];
    while stream.read(&mut buffer).await.is_ok_and(|length| length > 0) {}
    None
}

async fn set_up(line: &mut Line, door: &Door, office: &Arc<Office>, session: &Session) -> Result<Attendant, End> {
    let first = line.receive().await?;
    let mut attendant = Attendant::set_up(office, session, &first, door.open(&office.options), Instant::now())?;
    carry_out(&mut attendant, line).await?;
    // The real service is not instant either, and who speaks too early is caught.
    if let Ok(early) = timeout(attendant.setup_time(), line.receive()).await {
        return Err(Attendant::too_early(&early?));
    }
    let begun = attendant.begin(Instant::now());
    carry_out(&mut attendant, line).await?;
    begun.map(|()| attendant)
}

async fn run(mut attendant: Attendant, line: &mut Line, mut wishes: mpsc::Receiver<Act>) -> End {
    loop {
        let wake = attendant.wake().unwrap_or_else(|| Instant::now() + Duration::from_secs(3600));
        let passed = tokio::select! {
            message = line.receive() => message.and_then(|message| attendant.take(&message, Instant::now())),
            Some(wish) = wishes.recv() => attendant.act(wish, Instant::now()),
            () = sleep_until(wake.into()) => attendant.tick(Instant::now()),
        };
        // What was said before the end goes out before it.
        if let Err(end) = carry_out(&mut attendant, line).await.and(passed) {
            return end;
        }
    }
}

async fn carry_out(attendant: &mut Attendant, line: &mut Line) -> Result<(), End> {
    for out in attendant.take_out() {
        match out {
            Out::Say(reply) => line.send(&reply).await?,
            Out::Trick(trick) => line.play(trick).await?,
        }
    }
    Ok(())
}
