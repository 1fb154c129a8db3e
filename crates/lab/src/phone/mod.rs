//! A scripted telephone: calls or is called, plays its lines, and remembers what it heard.
//!
//! ```text
//! task ─┬─ dialog  (pure)  SIP of one call
//!       ├─ script  (pure)  what to do next
//!       ├─ voice   (pure)  samples → RTP
//!       └─ ear     (pure)  RTP → samples and figures
//! listener ─ registration (pure), one task per call
//! threads: all of these run there
//! ```

mod dialog;
mod ear;
mod identity;
mod listener;
mod loudspeaker;
mod refer;
mod registration;
mod report;
mod script;
mod sdp;
mod task;
mod threads;
mod voice;

pub use callie_media::codec::G711;
pub use identity::Credentials;
pub use listener::Listener;
pub use loudspeaker::Loudspeaker;
pub use refer::OnRefer;
pub use report::{Ending, PhoneReport, RtpReport};
pub use script::{Script, Step};
pub use threads::Promptness;

use crate::line::LineFaults;
use crate::waiting::TooLate;
use crate::wire::{Flow, Transport, Wire};
use dialog::Dialog;
use identity::Identity;
use sdp::LocalSdp;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};
use task::{Beginning, CallTask};
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

/// How a telephone is set up.
#[derive(Clone, Debug)]
pub struct PhoneOptions {
    /// Where requests are sent: a carrier, or the called party itself.
    pub carrier: SocketAddr,
    /// Host part of From and To; the carrier's address if `None`.
    pub domain: Option<String>,
    /// User part of From and Contact.
    pub user: String,
    pub display_name: Option<String>,
    pub credentials: Option<Credentials>,
    pub transport: Transport,
    /// Offered in this order, and accepted.
    pub codecs: Vec<G711>,
    /// Own address.
    pub bind: IpAddr,
    /// What becomes of RTP packets on their way out, and of those that come in; SIP is not touched.
    pub line: LineFaults,
    /// After this the telephone hangs up, whatever its script says.
    pub longest: Duration,
    /// A listening telephone registers for this long, in seconds.
    pub expires_s: u32,
    /// What it does with a REFER in its call.
    pub on_refer: OnRefer,
    /// The `Replaces` header of its INVITE (RFC 3891).
    pub replaces: Option<String>,
    /// What it hears goes back into its microphone.
    pub loudspeaker: Option<Loudspeaker>,
}

impl PhoneOptions {
    /// A telephone over UDP on loopback with PCMU, without a password.
    pub fn new(carrier: SocketAddr, user: &str) -> Self {
        Self {
            carrier,
            domain: None,
            user: user.to_owned(),
            display_name: None,
            credentials: None,
            transport: Transport::Udp,
            codecs: vec![G711::Pcmu, G711::Pcma],
            bind: IpAddr::from([127, 0, 0, 1]),
            line: LineFaults::NONE,
            longest: Duration::from_secs(120),
            expires_s: 300,
            on_refer: OnRefer::NotAllowed,
            replaces: None,
            loudspeaker: None,
        }
    }

    /// The same as a subscriber whose digest name is its user.
    #[must_use]
    pub fn with_password(mut self, password: &str) -> Self {
        self.credentials = Some(Credentials { username: self.user.clone(), password: password.to_owned() });
        self
    }

    #[must_use]
    pub fn with_transport(mut self, transport: Transport) -> Self {
        self.transport = transport;
        self
    }

    #[must_use]
    pub fn with_codecs(mut self, codecs: &[G711]) -> Self {
        self.codecs = codecs.to_vec();
        self
    }

    #[must_use]
    pub fn with_line(mut self, line: LineFaults) -> Self {
        self.line = line;
        self
    }

    #[must_use]
    pub fn with_loudspeaker(mut self, loudspeaker: Loudspeaker) -> Self {
        self.loudspeaker = Some(loudspeaker);
        self
    }

    /// What it does with a REFER.
    #[must_use]
    pub fn with_refer(mut self, on_refer: OnRefer) -> Self {
        self.on_refer = on_refer;
        self
    }

    /// Its call takes the place of another (RFC 3891): `call-id;to-tag=…;from-tag=…`.
    #[must_use]
    pub fn replacing(mut self, replaces: String) -> Self {
        self.replaces = Some(replaces);
        self
    }

    fn identity(&self, here: SocketAddr, flow: Flow) -> Identity {
        Identity {
            user: self.user.clone(),
            display_name: self.display_name.clone(),
            domain: self.domain.clone().unwrap_or_else(|| self.carrier.to_string()),
            credentials: self.credentials.clone(),
            user_agent: "Lab telephone".to_owned(),
            refers: self.on_refer.allows(),
            replaces: self.replaces.clone(),
            here,
            flow,
        }
    }

    async fn flow(&self, wire: &Arc<Wire>) -> io::Result<Flow> {
        match self.transport {
            Transport::Udp => Ok(Flow::Udp(self.carrier)),
            Transport::Tcp => wire.connect(self.carrier).await,
            Transport::Tls => Err(io::Error::other("a telephone of the lab has no TLS")),
        }
    }
}

/// How far a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PhoneState {
    Calling,
    Ringing,
    Up,
    Over,
}

/// What a caller of [`PhoneCall`] may wait for.
#[derive(Clone, Copy, Debug)]
struct Progress {
    state: PhoneState,
    /// A packet with a voice in it has come.
    heard_voice: bool,
}

impl Progress {
    const BEGUN: Self = Self { state: PhoneState::Calling, heard_voice: false };
}

#[derive(Clone, Copy, Debug)]
enum Order {
    HangUp,
    Vanish,
}

/// Telephones are used through [`Phone::call`] and [`Phone::listen`].
#[derive(Debug)]
pub struct Phone;

impl Phone {
    /// Calls `to` (a number, or a whole URI) and plays the script.
    pub async fn call(options: &PhoneOptions, to: &str, script: impl Into<Script>) -> io::Result<PhoneCall> {
        let (options, to, script) = (options.clone(), to.to_owned(), script.into());
        threads::on_own_threads(async move { Self::dial(&options, &to, script).await }).await
    }

    async fn dial(options: &PhoneOptions, to: &str, script: Script) -> io::Result<PhoneCall> {
        let (tracker, token) = (TaskTracker::new(), CancellationToken::new());
        let (wire, mut inbox) = Wire::open(SocketAddr::new(options.bind, 0), &tracker, &token).await?;
        let flow = options.flow(&wire).await?;
        let rtp = UdpSocket::bind(SocketAddr::new(options.bind, 0)).await?;
        let now = Instant::now();
        let sdp = LocalSdp::new(rtp.local_addr()?, options.codecs.clone());
        let dialog = Dialog::call(options.identity(wire.local(), flow), to, sdp, now);
        let (progress, watched) = watch::channel(Progress::BEGUN);
        // Orders are few and obeyed within 20 ms.
        let (orders, mut ordered) = mpsc::channel(8);
        let (send_report, report) = oneshot::channel();
        let (shown_dialog, shown) = watch::channel(None);
        let beginning = Beginning {
            wire,
            rtp,
            options: options.clone(),
            dialog,
            script,
            progress,
            shown_dialog: Some(shown_dialog),
            invite: None,
            tracker: tracker.clone(),
        };
        let task = CallTask::new(beginning, now);
        let all = token.clone().drop_guard();
        tracker.spawn(token.clone().run_until_cancelled_owned(async move {
            let (report, linger) = task.run(&mut inbox, &mut ordered).await;
            // A caller who no longer wants the report has dropped the call.
            let _ = send_report.send(report);
            linger.run(&mut inbox).await;
            // The sockets' tasks end with the call.
            drop(all);
        }));
        Ok(PhoneCall { progress: watched, shown_dialog: shown, orders, report, running: token.drop_guard() })
    }

    /// Waits for calls and plays the script in each. It registers if it has a password; else it must be known to the
    /// carrier as a line at its [`Listener::address`].
    pub async fn listen(options: &PhoneOptions, script: impl Into<Script>) -> io::Result<Listener> {
        let (options, script) = (options.clone(), script.into());
        threads::on_own_threads(async move { Listener::start(&options, script).await }).await
    }
}

/// A call under way. Dropping it ends it without a word.
#[derive(Debug)]
pub struct PhoneCall {
    progress: watch::Receiver<Progress>,
    shown_dialog: watch::Receiver<Option<String>>,
    orders: mpsc::Sender<Order>,
    report: oneshot::Receiver<PhoneReport>,
    running: DropGuard,
}

impl PhoneCall {
    pub fn state(&self) -> PhoneState {
        self.progress.borrow().state
    }

    /// Waits until the call has come this far, or is over.
    pub async fn wait_for(&self, wanted: PhoneState, deadline: Duration) -> Result<PhoneState, TooLate> {
        let reached = self.wait_until(deadline, |progress| progress.state >= wanted).await;
        reached.map(|progress| progress.state).ok_or_else(|| TooLate::new(format!("call state {wanted:?}"), deadline))
    }

    /// Waits until a voice has been heard, whenever that was, or the call is over. `false` if it is over without one.
    pub async fn wait_for_voice(&self, deadline: Duration) -> Result<bool, TooLate> {
        let reached = self.wait_until(deadline, |progress| progress.heard_voice || progress.state == PhoneState::Over).await;
        reached.map(|progress| progress.heard_voice).ok_or_else(|| TooLate::new("a voice", deadline))
    }

    async fn wait_until(&self, deadline: Duration, wanted: impl FnMut(&Progress) -> bool) -> Option<Progress> {
        let mut progress = self.progress.clone();
        match tokio::time::timeout(deadline, progress.wait_for(wanted)).await.ok()? {
            Ok(progress) => Some(*progress),
            // The task is gone: the call is over.
            Err(_) => Some(Progress { state: PhoneState::Over, ..*self.progress.borrow() }),
        }
    }

    /// Once it is up: a `Replaces` header (RFC 3891) with which somebody else takes this telephone's place at the other side.
    pub fn replaces(&self) -> Option<String> {
        self.shown_dialog.borrow().clone()
    }

    /// Hangs up (or cancels) before the script does.
    pub async fn hang_up(&self) {
        // A call that is over needs no order.
        let _ = self.orders.send(Order::HangUp).await;
    }

    /// Is gone, without a word.
    pub async fn vanish(&self) {
        let _ = self.orders.send(Order::Vanish).await;
    }

    /// The call's report when it is over; `None` if it was taken before. What comes late is still answered
    /// until this is dropped.
    pub async fn report(&mut self) -> Option<PhoneReport> {
        if self.report.is_terminated() { None } else { (&mut self.report).await.ok() }
    }

    /// The report. Late messages are still answered for two seconds; a telephone that vanished is closed.
    pub async fn finished(mut self) -> Option<PhoneReport> {
        let report = self.report().await;
        if report.as_ref().is_some_and(|report| report.ending != Ending::Vanished) {
            self.running.disarm();
        }
        report
    }
}
