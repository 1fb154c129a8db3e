//! One call's session: carries frames between the socket and the conversation whenever the call's task polls it. It has no
//! task and no buffer of its own beyond the outbox, and whoever drops it hangs up.

use super::{
    conversation::Conversation,
    refusal::{Phase, Refusals},
    socket::{Closed, Socket},
    wire::uplink::Uplink,
};
use crate::{EngineEvent, EngineSession, Prompt};
use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Instant,
};
use tokio::time::Sleep;

/// Frames without anything to tell that are taken in one go; then others get their turn.
const FRAMES_AT_ONCE: usize = 32;
/// Mean of the samples' magnitudes above which the caller counts as audible: about −40 dBFS.
const LOUD: u32 = 300;

pub struct GeminiSession {
    /// `None` once the session is over.
    socket: Option<Socket>,
    conversation: Conversation,
    uplink: Uplink,
    refusals: Arc<Refusals>,
    alarm: Alarm,
    waker: Option<Waker>,
}

impl GeminiSession {
    pub fn new(socket: Socket, conversation: Conversation, uplink: Uplink, refusals: Arc<Refusals>) -> Self {
        Self { socket: Some(socket), conversation, uplink, refusals, alarm: Alarm::default(), waker: None }
    }

    fn hang_up(&mut self) {
        if let Some(socket) = self.socket.take() {
            socket.close();
        }
    }

    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// Moves what there is to say to the socket.
    fn send(&mut self, context: &mut Context<'_>) {
        let Some(socket) = &mut self.socket else { return };
        while let Some(message) = self.conversation.next_message() {
            if !socket.outbox.push_text(message) {
                tracing::warn!("the service takes no messages; one was dropped");
            }
        }
        if let Poll::Ready(Err(error)) = socket.poll_send(context) {
            self.on_send_error(error);
        }
    }

    /// A close frame of the service may be waiting to be read; it tells more than the broken pipe.
    fn on_send_error(&mut self, error: tokio_tungstenite::tungstenite::Error) {
        let mut context = Context::from_waker(Waker::noop());
        for _ in 0..FRAMES_AT_ONCE {
            match self.socket.as_mut().map(|socket| socket.poll_frame(&mut context)) {
                Some(Poll::Ready(Ok(frame))) => self.conversation.on_frame(&frame, now()),
                Some(Poll::Ready(Err(closed @ Closed::ByService(Some(_))))) => return self.end(&closed),
                _ => break,
            }
        }
        self.end(&Closed::Broken(error));
    }

    /// True when something came.
    fn receive(&mut self, context: &mut Context<'_>) -> bool {
        let Some(socket) = &mut self.socket else { return false };
        match socket.poll_frame(context) {
            Poll::Ready(Ok(frame)) => self.conversation.on_frame(&frame, now()),
            Poll::Ready(Err(closed)) => self.end(&closed),
            Poll::Pending => return false,
        }
        true
    }

    fn end(&mut self, closed: &Closed) {
        let phase = if self.conversation.is_going_away() { Phase::GoingAway } else { Phase::Talking };
        self.conversation.fail(self.refusals.of_closed(closed, phase));
    }
}

impl EngineSession for GeminiSession {
    fn start(&mut self) {
        self.conversation.start(now());
        self.wake();
    }

    fn hear(&mut self, samples: &[i16]) {
        let Some(socket) = &mut self.socket else { return };
        if is_loud(samples) {
            self.conversation.caller_is_loud(now());
        }
        let (mut full, mut dropped) = (false, false);
        self.uplink.push(samples, |message| {
            full = true;
            dropped |= !socket.outbox.push_audio(message);
        });
        if dropped {
            self.conversation.uplink_is_slow();
        }
        if full {
            self.wake();
        }
    }

    fn dtmf(&mut self, digit: char) {
        self.conversation.dtmf(digit);
        self.wake();
    }

    fn prompt(&mut self, prompt: Prompt) {
        self.conversation.prompt(prompt, now());
        self.wake();
    }

    /// The service assumes playback in real time and keeps its own count.
    fn playout_drained(&mut self) {}

    fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<EngineEvent> {
        for _ in 0..FRAMES_AT_ONCE {
            self.send(context);
            if self.conversation.is_over() {
                self.hang_up();
            }
            if let Some(event) = self.conversation.next_event() {
                return Poll::Ready(event);
            }
            if self.conversation.is_over() {
                return Poll::Pending;
            }
            if self.receive(context) || self.conversation.poll_tools(now(), context) {
                continue;
            }
            if self.alarm.poll(self.conversation.deadline(), context).is_pending() {
                self.waker = Some(context.waker().clone());
                return Poll::Pending;
            }
            self.conversation.on_deadline(now());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Drop for GeminiSession {
    fn drop(&mut self) {
        self.hang_up();
    }
}

/// One timer that is only moved when it must ring earlier: the conversation's deadline moves with nearly every frame.
#[derive(Default)]
struct Alarm {
    sleep: Option<Pin<Box<Sleep>>>,
    rings_at: Option<Instant>,
}

impl Alarm {
    fn poll(&mut self, deadline: Option<Instant>, context: &mut Context<'_>) -> Poll<()> {
        let Some(deadline) = deadline else { return Poll::Pending };
        loop {
            if self.rings_at.is_none_or(|rings_at| deadline < rings_at) {
                self.set(deadline);
            }
            let Some(sleep) = &mut self.sleep else { return Poll::Pending };
            std::task::ready!(sleep.as_mut().poll(context));
            self.rings_at = None;
            if now() >= deadline {
                return Poll::Ready(());
            }
        }
    }

    fn set(&mut self, deadline: Instant) {
        self.rings_at = Some(deadline);
        match &mut self.sleep {
            Some(sleep) => sleep.as_mut().reset(deadline.into()),
            None => self.sleep = Some(Box::pin(tokio::time::sleep_until(deadline.into()))),
        }
    }
}

/// By the runtime's clock, which tests can turn.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

fn is_loud(samples: &[i16]) -> bool {
    let sum: u32 = samples.iter().map(|sample| u32::from(sample.unsigned_abs())).fold(0, u32::saturating_add);
    sum / u32::try_from(samples.len()).unwrap_or(u32::MAX).max(1) > LOUD
}
