//! One connection that was let in: setup, then a loop that carries what comes in to the [`attendant`] and what it says out.

pub(super) mod attendant;
mod input;

use super::fault::Act;
use super::upgrade::Door;
use super::{Gemini, Session};
use crate::realtime::{End, Line, Office, now};
use attendant::{Attendant, Out, Trick};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{sleep_until, timeout};
use tokio_tungstenite::tungstenite::Message;

pub(super) async fn attend(
    office: &Arc<Office<Gemini>>,
    session: &Session,
    door: &Door,
    line: &mut Line<Gemini>,
    wishes: mpsc::Receiver<Act>,
) -> End {
    match set_up(line, door, office, session).await {
        Ok(attendant) => run(attendant, line, wishes).await,
        Err(end) => end,
    }
}

async fn set_up(line: &mut Line<Gemini>, door: &Door, office: &Arc<Office<Gemini>>, session: &Session) -> Result<Attendant, End> {
    let first = line.receive().await?;
    let mut attendant = Attendant::set_up(office, session, &first, door.open(&office.options), now())?;
    carry_out(&mut attendant, line).await?;
    // The real service is not instant either, and who speaks too early is caught.
    if let Ok(early) = timeout(attendant.setup_time(), line.receive()).await {
        return Err(Attendant::too_early(&early?));
    }
    let begun = attendant.begin(now());
    carry_out(&mut attendant, line).await?;
    begun.map(|()| attendant)
}

async fn run(mut attendant: Attendant, line: &mut Line<Gemini>, mut wishes: mpsc::Receiver<Act>) -> End {
    loop {
        let wake = attendant.wake().unwrap_or_else(|| now() + Duration::from_secs(3600));
        let passed = tokio::select! {
            message = line.receive() => message.and_then(|message| attendant.take(&message, now())),
            Some(wish) = wishes.recv() => attendant.act(wish, now()),
            () = sleep_until(wake.into()) => attendant.tick(now()),
        };
        // What was said before the end goes out before it.
        if let Err(end) = carry_out(&mut attendant, line).await.and(passed) {
            return end;
        }
    }
}

async fn carry_out(attendant: &mut Attendant, line: &mut Line<Gemini>) -> Result<(), End> {
    for out in attendant.take_out() {
        match out {
            // In a binary frame, as the service does it.
            Out::Say(reply) => line.send(Message::Binary(reply.body), |log| log.sent(now(), reply.sent)).await?,
            Out::Trick(trick) => play(trick, line).await?,
        }
    }
    Ok(())
}

async fn play(trick: Trick, line: &mut Line<Gemini>) -> Result<(), End> {
    match trick {
        Trick::Stall => line.stalled = true,
        Trick::Deaf => line.deaf = true,
        Trick::Drip(frame_bytes, pause) => line.drip = Some((frame_bytes, pause)),
        Trick::Text(text) => line.send(Message::Text(text.into()), |_| ()).await?,
        Trick::Ping => line.ping().await?,
    }
    Ok(())
}
