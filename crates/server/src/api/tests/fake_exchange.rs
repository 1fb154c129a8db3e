//! Lines that follow the store at once, as a reconciler with a quick registrar would; calls that are only noted.

use super::memory::MemoryStore;
use crate::exchange::{
    ActiveCall, CallWords, DialError, DialRequest, EngineCheck, EngineFault, ExaminationError, ExaminationRequest, Exchange,
    HintError, KeysError, LineStatus, ListenError, Listening, LiveEvent, MediaCounts, SipCounts, TalkError, TalkLine,
    TransferError, TransferOrder,
};
use async_trait::async_trait;
use callie_domain::examination::{Finding, Report, Subject};
use callie_domain::record::SipMessage;
use callie_domain::registration::{RegistrationState, RegistrationStatus};
use callie_domain::{CallId, User, UserId};
use callie_store::ConfigStore;
use futures::StreamExt;
use jiff::Timestamp;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::broadcast;

pub struct FakeExchange {
    store: Arc<MemoryStore>,
    /// What the registrar makes of every line that is wanted.
    pub registrar: Mutex<RegistrationState>,
    pub active: Mutex<Vec<ActiveCall>>,
    /// The SIP messages of every line.
    pub trace: Mutex<Vec<SipMessage>>,
    pub dialled: Mutex<Vec<DialRequest>>,
    pub pressed: Mutex<String>,
    pub hints: Mutex<Vec<String>>,
    /// The one examination there was; a second one finds it under way.
    pub report: Mutex<Option<Arc<Report>>>,
    /// The answer to the next dial, instead of a call.
    pub refusal: Mutex<Option<DialError>>,
    /// What is wrong with every engine.
    pub engine_fault: Mutex<Option<EngineFault>>,
    pub transfers: Mutex<Vec<TransferOrder>>,
    /// The answer to the next transfer.
    pub transfer_refusal: Mutex<Option<TransferError>>,
    /// A bug on cue.
    pub panics: AtomicBool,
    pub feed: broadcast::Sender<Arc<LiveEvent>>,
}

impl FakeExchange {
    pub fn new(store: Arc<MemoryStore>) -> Self {
        Self {
            store,
            registrar: Mutex::new(RegistrationState::Registered),
            active: Mutex::default(),
            trace: Mutex::default(),
            dialled: Mutex::default(),
            pressed: Mutex::default(),
            hints: Mutex::default(),
            report: Mutex::default(),
            refusal: Mutex::default(),
            engine_fault: Mutex::default(),
            transfers: Mutex::default(),
            transfer_refusal: Mutex::default(),
            panics: AtomicBool::default(),
            // Small, so that a reader can be made to lag.
            feed: broadcast::channel(4).0,
        }
    }
}

#[async_trait]
impl Exchange for FakeExchange {
    fn line(&self, user: &UserId) -> Option<LineStatus> {
        let view = self.store.watch().borrow().clone();
        let connected = view.users.get(user)?.usable().is_some_and(|stored| stored.user.wants_line());
        let state = if connected { *self.registrar.lock().expect("not poisoned") } else { RegistrationState::Off };
        let reason = (state == RegistrationState::WrongPassword).then(|| "403 Forbidden".to_owned());
        let active = self.active.lock().expect("not poisoned");
        let active_calls = active.iter().filter(|call| call.user_id == *user).count();
        Some(LineStatus {
            connected,
            registration: RegistrationStatus { state, reason, ..RegistrationStatus::OFF },
            active_calls,
        })
    }

    fn line_state(&self, user: &UserId) -> RegistrationState {
        self.line(user).map_or(RegistrationState::Off, |line| line.registration.state)
    }

    fn line_trace(&self, user: &UserId) -> Option<Vec<SipMessage>> {
        let connected = self.line(user)?.connected;
        connected.then(|| self.trace.lock().expect("not poisoned").clone())
    }

    fn sip_counts(&self) -> SipCounts {
        SipCounts { refused_strangers: 7, ..SipCounts::default() }
    }

    fn media_counts(&self) -> MediaCounts {
        MediaCounts { ticks: 200, late_ticks: 1, worst_lateness: Duration::from_millis(3) }
    }

    fn active_calls(&self) -> Vec<ActiveCall> {
        assert!(!self.panics.load(Relaxed), "a bug on cue");
        self.active.lock().expect("not poisoned").clone()
    }

    async fn dial(&self, request: DialRequest) -> Result<CallId, DialError> {
        if let Some(refusal) = self.refusal.lock().expect("not poisoned").take() {
            return Err(refusal);
        }
        if !self.line(&request.user).is_some_and(|line| line.registration.is_registered()) {
            return Err(DialError::NotConnected(request.user));
        }
        let mut dialled = self.dialled.lock().expect("not poisoned");
        let id = request.id.unwrap_or_else(|| CallId::new(Timestamp::UNIX_EPOCH, dialled.len() as u128 + 1));
        dialled.push(request);
        Ok(id)
    }

    async fn hang_up(&self, call: CallId) -> bool {
        let mut active = self.active.lock().expect("not poisoned");
        let before = active.len();
        active.retain(|c| c.id != call);
        active.len() < before
    }

    async fn send_keys(&self, call: CallId, digits: &str) -> Result<(), KeysError> {
        let active = self.active.lock().expect("not poisoned");
        let call = active.iter().find(|c| c.id == call).ok_or(KeysError::NoSuchCall)?;
        if !call.answered {
            return Err(KeysError::NotTalking);
        }
        self.pressed.lock().expect("not poisoned").push_str(digits);
        Ok(())
    }

    async fn examine(&self, request: ExaminationRequest) -> Result<Arc<Report>, ExaminationError> {
        if request.user.as_str() != "alice" {
            return Err(ExaminationError::NoSuchUser(request.user));
        }
        let finding = Finding::warning(Subject::Nat, "a private address", "set external_address");
        let report = Arc::new(Report::new(request.user, Timestamp::UNIX_EPOCH, 9_800, vec![finding], Vec::new()));
        let former = self.report.lock().expect("not poisoned").replace(report.clone());
        match former {
            Some(_) => Err(ExaminationError::UnderWay(report.user_id.clone())),
            None => Ok(report),
        }
    }

    fn last_report(&self, user: &UserId) -> Option<Arc<Report>> {
        self.report.lock().expect("not poisoned").clone().filter(|report| report.user_id == *user)
    }

    async fn check_engine(&self, user: &User) -> EngineCheck {
        EngineCheck {
            engine: "gemini",
            model: user.ai.model.clone().or(Some("gemini-x-live".to_owned())),
            voice: user.ai.voice.clone(),
            warning: user.ai.engine.as_ref().filter(|name| *name != "gemini").map(|name| format!("{name} is not here")),
            fault: self.engine_fault.lock().expect("not poisoned").clone(),
            took: Duration::from_millis(410),
        }
    }

    async fn transfer(&self, call: CallId, order: TransferOrder) -> Result<(), TransferError> {
        if !self.active.lock().expect("not poisoned").iter().any(|active| active.id == call) {
            return Err(TransferError::NoSuchCall);
        }
        if let Some(refusal) = self.transfer_refusal.lock().expect("not poisoned").take() {
            return Err(refusal);
        }
        self.transfers.lock().expect("not poisoned").push(order);
        Ok(())
    }

    /// One frame, then the end.
    async fn listen(&self, call: CallId) -> Result<Listening, ListenError> {
        let active = self.active.lock().expect("not poisoned");
        let call = active.iter().find(|c| c.id == call).ok_or(ListenError::NoSuchCall)?;
        if !call.answered {
            return Err(ListenError::NotTalking);
        }
        Ok(Listening { sample_rate_hz: 8_000, frames: futures::stream::iter([vec![1, -2]]).boxed() })
    }

    async fn hint(&self, call: CallId, text: &str) -> Result<(), HintError> {
        let active = self.active.lock().expect("not poisoned");
        let call = active.iter().find(|c| c.id == call).ok_or(HintError::NoSuchCall)?;
        if !call.answered {
            return Err(HintError::NotTaken("local"));
        }
        self.hints.lock().expect("not poisoned").push(text.to_owned());
        Ok(())
    }

    /// Needs a socket, and those are tested with the whole server.
    async fn talk(&self, user: &UserId, _words: CallWords) -> Result<TalkLine, TalkError> {
        match self.line(user) {
            Some(_) => Err(TalkError::Internal("there is no audio here".to_owned())),
            None => Err(TalkError::NoSuchUser(user.clone())),
        }
    }

    fn live(&self) -> broadcast::Receiver<Arc<LiveEvent>> {
        self.feed.subscribe()
    }
}
