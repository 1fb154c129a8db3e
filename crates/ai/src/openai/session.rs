//! One call's session: carries frames between sockets and conversation whenever the call's task polls it. It has no task and
//! no buffer of its own beyond the outbox, and whoever drops it hangs up.

use super::{
    connect::{Connector, Link},
    conversation::{Conversation, link::LinkStep, vigil},
    dialect::Format,
    refusal::{Ending, Refusals},
    wire::uplink::Uplink,
};
use crate::{
    EngineEvent, EngineSession, Prompt,
    realtime::{
        alarm::{Alarm, is_loud, now},
        outbox::Outbox,
        socket::{Closed, Socket},
    },
};
use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

/// Frames without anything to tell that are taken in one go; then others get their turn.
const FRAMES_AT_ONCE: usize = 32;
/// More than a session can need: leave, connect, switch.
const STEPS_AT_ONCE: usize = 4;
/// How much of the caller's audio may wait for a socket, milliseconds; also while a lost session is replaced.
const UPLINK_PATIENCE_MS: u32 = 2_000;
/// Between two pings: some that stand between us and the service end what is silent for a minute.
const PING_EVERY: Duration = Duration::from_secs(20);

/// Opens sessions that are all alike.
#[derive(Debug, Clone)]
pub struct Opener {
    pub connector: Arc<Connector>,
    pub model: String,
    /// The whole message.
    pub setup: String,
}

type Opening = Pin<Box<dyn Future<Output = Result<Link, Ending>> + Send>>;

impl Opener {
    pub fn open(&self) -> Opening {
        Box::pin(self.connector.clone().open(self.model.clone(), self.setup.clone()))
    }
}

pub struct OpenAiSession {
    opener: Opener,
    /// The one that talks. `None` while there is none, and once the conversation is over.
    socket: Option<Socket>,
    /// The next one, being opened, and set up.
    opening: Option<Opening>,
    spare: Option<Link>,
    outbox: Outbox,
    conversation: Conversation,
    uplink: Uplink,
    /// Since when speech waits for its message to be full.
    gathering: Option<Instant>,
    rate: u32,
    refusals: Arc<Refusals>,
    alarm: Alarm,
    pings_at: Instant,
    waker: Option<Waker>,
}

impl OpenAiSession {
    pub fn new(
        opener: Opener,
        link: Link,
        conversation: Conversation,
        input: Format,
        uplink_ms: u32,
        refusals: Arc<Refusals>,
    ) -> Self {
        Self {
            opener,
            socket: Some(link.socket),
            opening: None,
            spare: None,
            outbox: Outbox::new((UPLINK_PATIENCE_MS / uplink_ms.max(1)) as usize),
            conversation,
            uplink: Uplink::new(input, uplink_ms),
            gathering: None,
            rate: input.hertz(),
            refusals,
            alarm: Alarm::default(),
            pings_at: now() + PING_EVERY,
            waker: None,
        }
    }

    fn hang_up(&mut self) {
        self.opening = None;
        let sockets = [self.socket.take(), self.spare.take().map(|link| link.socket)];
        sockets.into_iter().flatten().for_each(Socket::close);
    }

    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// Does what the conversation wants done about its sockets.
    fn step(&mut self) {
        for _ in 0..STEPS_AT_ONCE {
            let Some(step) = self.conversation.next_step(now()) else { return };
            match step {
                LinkStep::Leave => drop(self.socket.take().map(Socket::close)),
                LinkStep::Connect => self.opening = Some(self.opener.open()),
                LinkStep::Switch => self.switch(),
            }
        }
    }

    fn switch(&mut self) {
        let Some(Link { socket, life }) = self.spare.take() else { return };
        if let Some(former) = self.socket.replace(socket) {
            former.close();
        }
        self.conversation.switched(life, now());
        let Self { outbox, conversation, .. } = self;
        outbox.begin_anew(std::iter::from_fn(|| conversation.next_message()));
        self.pings_at = now() + PING_EVERY;
    }

    /// Moves what there is to say to the socket.
    fn send(&mut self, context: &mut Context<'_>) {
        while let Some(message) = self.conversation.next_message() {
            if !self.outbox.push_text(message) {
                tracing::warn!("the service takes no messages; one was dropped");
            }
        }
        let Self { socket: Some(socket), outbox, .. } = self else { return };
        if let Poll::Ready(Err(error)) = socket.poll_send(outbox, context) {
            self.on_send_error(error);
        }
    }

    /// A close frame of the service may be waiting to be read; it tells more than the broken pipe.
    fn on_send_error(&mut self, error: tokio_tungstenite::tungstenite::Error) {
        let mut context = Context::from_waker(Waker::noop());
        for _ in 0..FRAMES_AT_ONCE {
            match self.socket.as_mut().map(|socket| socket.poll_frame(&mut context)) {
                Some(Poll::Ready(Ok(frame))) => self.conversation.on_frame(&frame, now()),
                Some(Poll::Ready(Err(closed @ Closed::ByService(Some(_))))) => return self.lose(&closed),
                _ => break,
            }
        }
        self.lose(&Closed::Broken(error));
    }

    /// True when something came.
    fn receive(&mut self, context: &mut Context<'_>) -> bool {
        let frame = match &mut self.socket {
            Some(socket) => socket.poll_frame(context),
            None => Poll::Pending,
        };
        match frame {
            Poll::Ready(Ok(frame)) => self.conversation.on_frame(&frame, now()),
            Poll::Ready(Err(closed)) => self.lose(&closed),
            Poll::Pending => return self.watch_next(context),
        }
        true
    }

    /// The next session, while it is opened and while it waits.
    fn watch_next(&mut self, context: &mut Context<'_>) -> bool {
        if let Some(opening) = &mut self.opening
            && let Poll::Ready(opened) = opening.as_mut().poll(context)
        {
            self.opening = None;
            match opened {
                Ok(link) => {
                    self.spare = Some(link);
                    self.conversation.link_is_ready();
                }
                Err(Ending { error, retry }) => self.conversation.link_failed(error, retry, now()),
            }
            return true;
        }
        match self.spare.as_mut().map(|link| link.socket.poll_frame(context)) {
            Some(Poll::Ready(Ok(_))) => true,
            Some(Poll::Ready(Err(closed))) => {
                self.spare = None;
                let Ending { error, retry } = self.refusals.of_closed(&closed);
                self.conversation.link_failed(error, retry, now());
                true
            }
            Some(Poll::Pending) | None => false,
        }
    }

    /// The session that talked is over.
    fn lose(&mut self, closed: &Closed) {
        self.socket = None;
        let Ending { error, retry } = self.refusals.of_closed(closed);
        if retry {
            self.conversation.link_is_lost(error, now());
        } else {
            self.conversation.fail(error);
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let ping = self.socket.is_some().then_some(self.pings_at);
        self.conversation.deadline().into_iter().chain(ping).min()
    }

    fn on_deadline(&mut self) {
        let now = now();
        if now >= self.pings_at {
            self.pings_at = now + PING_EVERY;
            let spare = self.spare.as_mut().map(|link| &mut link.socket);
            self.socket.iter_mut().chain(spare).for_each(Socket::ping);
        }
        self.conversation.on_deadline(now);
    }
}

impl EngineSession for OpenAiSession {
    fn start(&mut self) {
        self.conversation.start(now());
        self.wake();
    }

    fn hear(&mut self, samples: &[i16]) {
        if self.conversation.is_over() {
            return;
        }
        if is_loud(samples) {
            let length = Duration::from_micros(samples.len() as u64 * 1_000_000 / u64::from(self.rate));
            self.conversation.caller_is_loud(length, now());
        }
        let (mut full, mut dropped) = (false, false);
        let given = now();
        let Self { uplink, outbox, gathering, .. } = self;
        uplink.push(samples, |message| {
            full = true;
            dropped |= !outbox.push_audio(message, gathering.take().unwrap_or(given));
        });
        if !uplink.is_empty() {
            gathering.get_or_insert(given);
        }
        if dropped && self.socket.is_some() {
            self.conversation.uplink_is_slow();
        }
        if full {
            self.wake();
        }
    }

    fn uplink_delay(&self) -> Duration {
        self.outbox.delay()
    }

    fn dtmf(&mut self, digit: char) {
        self.conversation.dtmf(digit, now());
        self.wake();
    }

    fn prompt(&mut self, prompt: Prompt) {
        self.conversation.prompt(prompt, now());
        self.wake();
    }

    fn nudge(&mut self) {
        self.conversation.line_is_silent(vigil::Alarm::Nudge, now());
        self.wake();
    }

    fn renew(&mut self) {
        self.conversation.line_is_silent(vigil::Alarm::AnotherSession, now());
        self.wake();
    }

    fn cut_off(&mut self, played: Duration) {
        self.conversation.cut_off(played, now());
        self.wake();
    }

    fn playout_drained(&mut self) {
        self.conversation.playout_drained();
        self.wake();
    }

    fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<EngineEvent> {
        for _ in 0..FRAMES_AT_ONCE {
            self.step();
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
            if self.alarm.poll(self.deadline(), context).is_pending() {
                self.waker = Some(context.waker().clone());
                return Poll::Pending;
            }
            self.on_deadline();
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Drop for OpenAiSession {
    fn drop(&mut self) {
        self.hang_up();
    }
}
