//! One call's session at the seam: carries frames between the sockets and the [`Talk`] whenever the call's task polls it. It has
//! no task and no buffer of its own beyond the outbox, and whoever drops it hangs up.

use super::{
    connect::{Connector, Link},
    conversation::ladder::Rung,
    refusal::{Ending, Phase},
    talk::{Order, Talk},
};
use crate::{
    EngineEvent, EngineSession, Prompt,
    realtime::{
        alarm::{Alarm, now},
        socket::Closed,
    },
};
use futures::{FutureExt, future::BoxFuture};
use std::{
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};
use tokio_tungstenite::tungstenite;

/// Frames without anything to tell that are taken in one go; then others get their turn.
const FRAMES_AT_ONCE: usize = 32;

pub struct GeminiSession {
    talk: Talk,
    /// `None` between two sessions, and once it is over.
    current: Option<Box<Link>>,
    next: Next,
    connector: Arc<Connector>,
    alarm: Alarm,
    waker: Option<Waker>,
}

/// The session of the service that is to come.
enum Next {
    None,
    Dialling(BoxFuture<'static, Result<Link, Ending>>),
    Ready(Box<Link>),
}

impl GeminiSession {
    /// `link` is set up.
    pub fn new(talk: Talk, link: Link, connector: Arc<Connector>) -> Self {
        Self { talk, current: Some(Box::new(link)), next: Next::None, connector, alarm: Alarm::default(), waker: None }
    }

    fn hang_up(&mut self) {
        if let Some(link) = self.current.take() {
            link.socket.close();
        }
    }

    fn drop_next(&mut self) {
        if let Next::Ready(link) = std::mem::replace(&mut self.next, Next::None) {
            link.socket.close();
        }
    }

    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    fn carry_out_orders(&mut self) {
        while let Some(order) = self.talk.next_order() {
            match order {
                Order::Dial { setup } => {
                    self.drop_next();
                    self.next = Next::Dialling(self.connector.clone().open(setup).boxed());
                }
                Order::DropNext => self.drop_next(),
                Order::HangUp => self.hang_up(),
                Order::Switch => {
                    self.hang_up();
                    if let Next::Ready(link) = std::mem::replace(&mut self.next, Next::None) {
                        self.current = Some(link);
                    }
                }
            }
        }
    }

    /// Moves what there is to say to the socket.
    fn send(&mut self, context: &mut Context<'_>) {
        let Some(link) = &mut self.current else { return };
        if let Poll::Ready(Err(error)) = link.socket.poll_send(self.talk.outbox(), context) {
            self.on_send_error(error);
        }
    }

    /// A close frame of the service may be waiting to be read; it tells more than the broken pipe.
    fn on_send_error(&mut self, error: tungstenite::Error) {
        let mut context = Context::from_waker(Waker::noop());
        for _ in 0..FRAMES_AT_ONCE {
            match self.current.as_mut().map(|link| link.socket.poll_frame(&mut context)) {
                Some(Poll::Ready(Ok(frame))) => self.talk.on_frame(&frame, now()),
                Some(Poll::Ready(Err(closed @ Closed::ByService(Some(_))))) => return self.lost(&closed),
                _ => break,
            }
        }
        self.lost(&Closed::Broken(error));
    }

    /// True when something came.
    fn receive(&mut self, context: &mut Context<'_>) -> bool {
        let Some(link) = &mut self.current else { return false };
        match link.socket.poll_frame(context) {
            Poll::Ready(Ok(frame)) => self.talk.on_frame(&frame, now()),
            Poll::Ready(Err(closed)) => self.lost(&closed),
            Poll::Pending => return false,
        }
        true
    }

    fn lost(&mut self, closed: &Closed) {
        let Some(link) = self.current.take() else { return };
        self.talk.on_lost(link.refusals.of_closed(closed, self.talk.phase()), now());
    }

    /// True when something came of the session to come.
    fn await_next(&mut self, context: &mut Context<'_>) -> bool {
        match &mut self.next {
            Next::None => return false,
            Next::Dialling(dialling) => match dialling.poll_unpin(context) {
                Poll::Ready(Ok(link)) => {
                    self.next = Next::Ready(Box::new(link));
                    self.talk.on_next_ready(now());
                }
                Poll::Ready(Err(ending)) => {
                    self.next = Next::None;
                    self.talk.on_next_lost(ending, now());
                }
                Poll::Pending => return false,
            },
            Next::Ready(link) => match link.socket.poll_frame(context) {
                Poll::Ready(Ok(frame)) => self.talk.on_next_frame(&frame, now()),
                Poll::Ready(Err(closed)) => {
                    let ending = link.refusals.of_closed(&closed, Phase::Setup);
                    self.next = Next::None;
                    self.talk.on_next_lost(ending, now());
                }
                Poll::Pending => return false,
            },
        }
        true
    }
}

impl EngineSession for GeminiSession {
    fn start(&mut self) {
        self.talk.start(now());
        self.wake();
    }

    fn hear(&mut self, samples: &[i16]) {
        if !self.talk.is_over() && self.talk.hear(samples, now()) {
            self.wake();
        }
    }

    fn uplink_delay(&self) -> Duration {
        self.talk.uplink_delay()
    }

    fn dtmf(&mut self, digit: char) {
        self.talk.dtmf(digit, now());
        self.wake();
    }

    fn prompt(&mut self, prompt: Prompt) {
        self.talk.prompt(prompt, now());
        self.wake();
    }

    fn nudge(&mut self) {
        self.talk.line_is_silent(Rung::Nudged, now());
        self.wake();
    }

    fn renew(&mut self) {
        self.talk.line_is_silent(Rung::Renewed, now());
        self.wake();
    }

    fn playout_drained(&mut self) {
        self.talk.playout_drained(now());
        self.wake();
    }

    fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<EngineEvent> {
        for _ in 0..FRAMES_AT_ONCE {
            self.carry_out_orders();
            self.send(context);
            if self.talk.is_over() {
                self.hang_up();
                self.drop_next();
            }
            if let Some(event) = self.talk.next_event() {
                return Poll::Ready(event);
            }
            if self.talk.is_over() {
                return Poll::Pending;
            }
            if self.receive(context) || self.await_next(context) || self.talk.poll_tools(now(), context) {
                continue;
            }
            if self.alarm.poll(self.talk.deadline(now()), context).is_pending() {
                self.waker = Some(context.waker().clone());
                return Poll::Pending;
            }
            self.talk.on_deadline(now());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Drop for GeminiSession {
    fn drop(&mut self) {
        self.hang_up();
        self.drop_next();
    }
}
