//! A telephone that waits for calls: keeps its registration and gives each call a task of its own.

use super::dialog::{Dialog, reply_flow};
use super::identity::Identity;
use super::registration::Registration;
use super::report::PhoneReport;
use super::script::Script;
use super::sdp::LocalSdp;
use super::task::{Beginning, CallTask};
use super::{Order, PhoneOptions, Progress};
use crate::message::Message;
use crate::waiting::TooLate;
use crate::wire::{Flow, Heard, Wire};
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

/// Reports nobody has fetched yet; later ones are lost.
const REPORTS_BOUND: usize = 1024;
/// Messages for one call that its task has not read; later ones are lost, as on a network.
const CALL_BOUND: usize = 64;
/// How long a telephone that is stopped may take to unregister; a busy machine is forgiven.
const GOODBYE: Duration = Duration::from_secs(10);

/// A waiting telephone. Dropping it ends it without a word.
#[derive(Debug)]
pub struct Listener {
    address: SocketAddr,
    registered: watch::Receiver<bool>,
    calls: watch::Receiver<usize>,
    reports: mpsc::Receiver<PhoneReport>,
    goodbye: Option<oneshot::Sender<()>>,
    tracker: TaskTracker,
    running: DropGuard,
}

impl Listener {
    pub(super) async fn start(options: &PhoneOptions, script: Script) -> io::Result<Self> {
        let (tracker, token) = (TaskTracker::new(), CancellationToken::new());
        let (wire, inbox) = Wire::open(SocketAddr::new(options.bind, 0), &tracker, &token).await?;
        let flow = options.flow(&wire).await?;
        let me = options.identity(wire.local(), flow);
        let address = wire.local();
        let (registered, watch_registered) = watch::channel(false);
        let (calls, watch_calls) = watch::channel(0);
        let (reports, fetched) = mpsc::channel(REPORTS_BOUND);
        let (goodbye, farewell) = oneshot::channel();
        let registration =
            options.credentials.is_some().then(|| Registration::new(me.clone(), options.expires_s, Instant::now()));
        let task = ListenTask {
            options: options.clone(),
            script,
            me,
            wire,
            registration,
            registered,
            calls,
            reports,
            open: HashMap::new(),
            orders: HashMap::new(),
            tracker: tracker.clone(),
            token: token.clone(),
        };
        tracker.spawn(token.clone().run_until_cancelled_owned(task.run(inbox, farewell)));
        Ok(Self {
            address,
            registered: watch_registered,
            calls: watch_calls,
            reports: fetched,
            goodbye: Some(goodbye),
            tracker,
            running: token.drop_guard(),
        })
    }

    /// Its own signalling address, for [`crate::carrier::Destination::Line`].
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Calls that are under way.
    pub fn calls(&self) -> usize {
        *self.calls.borrow()
    }

    pub async fn wait_registered(&self, deadline: Duration) -> Result<(), TooLate> {
        let mut registered = self.registered.clone();
        match tokio::time::timeout(deadline, registered.wait_for(|registered| *registered)).await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(TooLate::new("registration of the telephone", deadline)),
        }
    }

    /// The report of the next call to end.
    pub async fn next_report(&mut self, deadline: Duration) -> Result<PhoneReport, TooLate> {
        match tokio::time::timeout(deadline, self.reports.recv()).await {
            Ok(Some(report)) => Ok(report),
            _ => Err(TooLate::new("end of a call", deadline)),
        }
    }

    /// Unregisters and ends; calls under way end without a word.
    pub async fn stop(mut self) {
        if let Some(goodbye) = self.goodbye.take() {
            // Its task may have ended by itself.
            let _ = goodbye.send(());
            let mut registered = self.registered.clone();
            let _ = tokio::time::timeout(GOODBYE, registered.wait_for(|registered| !registered)).await;
        }
        let Self { tracker, running, .. } = self;
        drop(running);
        tracker.close();
        tracker.wait().await;
    }
}

struct ListenTask {
    options: PhoneOptions,
    script: Script,
    me: Identity,
    wire: Arc<Wire>,
    registration: Option<Registration>,
    registered: watch::Sender<bool>,
    calls: watch::Sender<usize>,
    reports: mpsc::Sender<PhoneReport>,
    open: HashMap<String, mpsc::Sender<Heard>>,
    /// To the calls that are open.
    orders: HashMap<String, mpsc::Sender<Order>>,
    tracker: TaskTracker,
    token: CancellationToken,
}

impl ListenTask {
    async fn run(mut self, mut inbox: mpsc::Receiver<Heard>, mut farewell: oneshot::Receiver<()>) {
        let mut ticks = tokio::time::interval(Duration::from_millis(100));
        let mut leaving = false;
        loop {
            tokio::select! {
                _ = ticks.tick() => self.tick(),
                heard = inbox.recv() => match heard {
                    Some(Heard::Message(flow, message)) => self.hear(flow, message).await,
                    Some(Heard::Closed(_)) => {}
                    None => return,
                },
                asked = &mut farewell, if !leaving => {
                    leaving = true;
                    // One that is dropped goes without a word, and its end comes a moment later.
                    if asked.is_ok() {
                        self.leave();
                    }
                }
            }
        }
    }

    fn tick(&mut self) {
        if let Some(request) = self.registration.as_mut().and_then(|registration| registration.tick(Instant::now())) {
            self.wire.send(self.me.flow, request.to_bytes());
        }
        self.open.retain(|_, call| !call.is_closed());
        self.orders.retain(|_, orders| !orders.is_closed());
        let count = self.open.len();
        self.calls.send_if_modified(|known| std::mem::replace(known, count) != count);
    }

    fn leave(&mut self) {
        match self.registration.as_mut().and_then(|registration| registration.unregister(Instant::now())) {
            Some(request) => self.wire.send(self.me.flow, request.to_bytes()),
            None => drop(self.registered.send_replace(false)),
        }
    }

    async fn hear(&mut self, flow: Flow, message: Box<Message>) {
        if let Some(registration) = self.registration.as_mut().filter(|registration| registration.call_id() == message.call_id())
        {
            if let Some(request) = registration.handle(&message, Instant::now()) {
                self.wire.send(self.me.flow, request.to_bytes());
            }
            self.registered.send_replace(registration.registered);
            return;
        }
        if let Some(call) = self.open.get(message.call_id()).filter(|call| !call.is_closed()) {
            // A call that does not read loses the message, as on a network.
            let _ = call.try_send(Heard::Message(flow, message));
            return;
        }
        match message.method() {
            _ if !message.is_request() => {}
            "INVITE" if message.to_tag().is_none() => self.begin_call(flow, *message).await,
            "ACK" => {}
            "OPTIONS" => self.reply(flow, &message, 200),
            _ => self.reply(flow, &message, 481),
        }
    }

    /// An INVITE that replaces a call ends that one (RFC 3891 §3).
    fn make_place(&self, invite: &Message) {
        let replaced = invite.header("Replaces").and_then(|replaces| replaces.split(';').next());
        if let Some(orders) = replaced.and_then(|call_id| self.orders.get(call_id.trim())) {
            // It may have ended by itself.
            let _ = orders.try_send(Order::HangUp);
        }
    }

    async fn begin_call(&mut self, flow: Flow, invite: Message) {
        let rtp = UdpSocket::bind(SocketAddr::new(self.options.bind, 0)).await;
        let Some((rtp, address)) = rtp.ok().and_then(|rtp| rtp.local_addr().ok().map(|address| (rtp, address))) else {
            return self.reply(flow, &invite, 500);
        };
        let now = Instant::now();
        let sdp = LocalSdp::new(address, self.options.codecs.clone());
        let dialog = Dialog::called(self.me.clone(), invite.clone(), flow, sdp);
        let (progress, _) = watch::channel(Progress::BEGUN);
        self.make_place(&invite);
        let (order, mut ordered) = mpsc::channel::<Order>(1);
        let (mailbox, mut posted) = mpsc::channel(CALL_BOUND);
        self.open.insert(invite.call_id().to_owned(), mailbox);
        self.orders.insert(invite.call_id().to_owned(), order);
        let beginning = Beginning {
            wire: Arc::clone(&self.wire),
            rtp,
            options: self.options.clone(),
            dialog,
            script: self.script.clone(),
            progress,
            shown_dialog: None,
            invite: Some(invite),
            tracker: self.tracker.clone(),
        };
        let (task, reports) = (CallTask::new(beginning, now), self.reports.clone());
        self.tracker.spawn(self.token.clone().run_until_cancelled_owned(async move {
            let (report, linger) = task.run(&mut posted, &mut ordered).await;
            if reports.try_send(report).is_err() {
                tracing::debug!("nobody fetches the reports of a telephone");
            }
            linger.run(&mut posted).await;
        }));
    }

    fn reply(&self, flow: Flow, request: &Message, code: u16) {
        let reply = request.reply(code).with_to_tag(&super::identity::token());
        self.wire.send(reply_flow(flow, &reply), reply.to_bytes());
    }
}

#[cfg(test)]
mod tests {
    use crate::carrier::{Carrier, CarrierOptions, Fault, Subscriber};
    use crate::phone::{Phone, PhoneOptions, Step};
    use std::time::Duration;

    /// Between the two halves of a drop any time may pass.
    #[tokio::test]
    async fn a_telephone_that_is_dropped_says_no_goodbye() {
        let subscribers = vec![Subscriber::new("alice", "secret")];
        let carrier = Carrier::start(CarrierOptions { subscribers, ..CarrierOptions::default() }).await.expect("carrier");
        carrier.fault(Fault::GrantExpires(1));
        let options = PhoneOptions::new(carrier.address(), "alice").with_password("secret");
        let mut alice = Phone::listen(&options, [Step::Answer]).await.expect("listens");
        alice.wait_registered(Duration::from_secs(20)).await.expect("registered");
        drop(alice.goodbye.take());
        let registers = carrier.registers("alice").len();
        let refreshed = |carrier: &Carrier| carrier.registers("alice").len() >= registers + 2;
        carrier.wait_until("another REGISTER", Duration::from_secs(20), refreshed).await.expect("refreshed");
        assert!(carrier.registers("alice").iter().all(|seen| seen.expires_s != Some(0)), "{:?}", carrier.registers("alice"));
    }
}
