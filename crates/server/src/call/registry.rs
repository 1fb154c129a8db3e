//! The calls that are up: admits inbound ones, dials outbound ones, ends them, and drains them all at shutdown.

use super::{
    agent::Agent,
    answerer::Answerer,
    bridge::TurnTaking,
    check::Checks,
    context::{CallContext, Chosen},
    gate::Pass,
    keys::keypad,
    own_call::Expectations,
    persona,
    task::{Birth, CallTask, Command, Signalling},
};
use crate::{
    accounts::LineDirectory,
    exchange::{ActiveCall, CallWords, DialError, DialRequest, EngineCheck, KeysError, TransferError, TransferOrder},
    records::{Journal, Recordings},
    telemetry::TraceId,
    tools::shop::Tools,
};
use callie_ai::Engine;
use callie_domain::call::{Call, Policy};
use callie_domain::record::{AfterCallReport, CallFact, Cdr, Direction, EndReason};
use callie_domain::user::Voicemail;
use callie_domain::{CallId, User, UserId};
use callie_sip::{InboundCall, Leg, LegControl};
use callie_store::seal::SealError;
use callie_store::vault::DataKey;
use callie_store::{StoredUser, UserView};
use jiff::Timestamp;
use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::sync::{mpsc, mpsc::error::TrySendError, oneshot, watch};
use tokio_util::task::TaskTracker;
use tracing::Instrument;

/// Commands a call may be behind with; an operator gives a few.
const INBOX: usize = 8;
/// Who calls from one, as records and agents name it.
const BROWSER: &str = "browser";

struct Entry {
    user: UserId,
    direction: Direction,
    remote_party: String,
    started_at: Timestamp,
    answered: Arc<AtomicBool>,
    commands: mpsc::Sender<Command>,
    legs: watch::Receiver<Vec<LegControl>>,
}

struct Shared {
    context: CallContext,
    view: watch::Receiver<Arc<UserView>>,
    directory: LineDirectory,
    tracker: TaskTracker,
    calls: Mutex<HashMap<CallId, Entry>>,
    /// Lines that are about to call themselves.
    expected: Expectations,
    checks: Checks,
    stopping: AtomicBool,
}

/// Cheap to clone.
#[derive(Clone)]
pub struct Registry(Arc<Shared>);

/// Takes the call out of the registry when its task ends, however it ends.
struct Listed(Registry, CallId);

impl Drop for Listed {
    fn drop(&mut self) {
        self.0.calls().remove(&self.1);
    }
}

/// Who is on the other side, and which way the call goes.
struct Party {
    direction: Direction,
    from: String,
    to: String,
    remote: String,
    sip_call_id: Option<String>,
    /// Of ours, to be written into SDP.
    media_address: IpAddr,
    /// Talks instead of the user's engine.
    engine: Option<Arc<dyn Engine>>,
    /// Who answers is to be recognised, and this is done about a machine.
    voicemail: Option<Voicemail>,
    /// The call's name, where it is settled already.
    id: Option<CallId>,
    /// Of a call that we place.
    pass: Option<Pass>,
}

impl Registry {
    /// `tracker` gets one task for each call.
    pub fn new(
        context: CallContext,
        view: watch::Receiver<Arc<UserView>>,
        directory: LineDirectory,
        tracker: TaskTracker,
    ) -> Self {
        Self(Arc::new(Shared {
            context,
            view,
            directory,
            tracker,
            calls: Mutex::default(),
            expected: Expectations::default(),
            checks: Checks::default(),
            stopping: AtomicBool::new(false),
        }))
    }

    /// Takes an INVITE: the call gets its task and its record even when it is turned away.
    pub fn admit(&self, call: InboundCall) {
        let Some(stored) = self.stored(&call.user) else {
            // The line is being taken down: its user is gone from the view.
            self.0.tracker.spawn(async move { call.leg.control.reject(480).await });
            return;
        };
        let call = match self.replace(call) {
            Some(call) => call,
            None => return,
        };
        let refusal = self.refusal(&stored);
        let own = self.0.expected.take(&stored.user, &call.from);
        let party = Party {
            direction: Direction::Inbound,
            remote: call.from_name.unwrap_or_else(|| call.from.clone()),
            from: call.from,
            to: call.to,
            sip_call_id: Some(call.sip_call_id),
            media_address: call.media_address,
            engine: own.as_ref().map(|own| own.engine.clone()),
            voicemail: None,
            id: None,
            pass: None,
        };
        let signalling = Signalling::Inbound { leg: call.leg, offer: call.offer };
        let id = self.launch(&stored, party, signalling, CallWords::default(), refusal);
        if let Some(own) = own {
            own.has_come(id);
        }
    }

    /// A call of somebody in a browser, who has no number; see [`super::browser`].
    pub(super) fn admit_local(&self, stored: &StoredUser, leg: Leg, offer: String, address: IpAddr, words: CallWords) -> CallId {
        let party = Party {
            direction: Direction::Inbound,
            from: BROWSER.to_owned(),
            to: stored.user.id.to_string(),
            remote: BROWSER.to_owned(),
            sip_call_id: None,
            media_address: address,
            engine: None,
            voicemail: None,
            id: None,
            pass: None,
        };
        let signalling = Signalling::Inbound { leg, offer: Some(offer.into_bytes()) };
        self.launch(stored, party, signalling, words, None)
    }

    /// Nobody needs a line to talk to an agent from a browser.
    pub(super) fn refusal_of_talk(&self, stored: &StoredUser) -> Option<EndReason> {
        match self.refusal(stored) {
            Some(EndReason::UserInactive) if stored.user.sip.is_active => self.refusal_of_room(stored),
            refusal => refusal,
        }
    }

    /// Hands an INVITE that is to take the place of a leg (RFC 3891) to the call that has it; gives others back.
    fn replace(&self, call: InboundCall) -> Option<InboundCall> {
        let Some(id) = call.replaces.clone() else { return Some(call) };
        let has_it = |entry: &&Entry| {
            entry.user == call.user && entry.legs.borrow().iter().any(|leg| leg.dialog_id().as_ref() == Some(&id))
        };
        let commands = self.calls().values().find(has_it).map(|entry| entry.commands.clone());
        let refused = match commands {
            Some(commands) => match commands.try_send(Command::Replace(Box::new(call))) {
                Ok(()) => return None,
                Err(TrySendError::Full(Command::Replace(call)) | TrySendError::Closed(Command::Replace(call))) => call,
                Err(_) => return None,
            },
            None => Box::new(call),
        };
        // The leg was there a moment ago and is not any more (RFC 3891 §3).
        self.0.tracker.spawn(async move { refused.leg.control.reject(481).await });
        None
    }

    /// Hands the caller of a call over, or goes on with that.
    pub async fn transfer(&self, call: CallId, order: TransferOrder) -> Result<(), TransferError> {
        let commands = self.calls().get(&call).map(|entry| entry.commands.clone()).ok_or(TransferError::NoSuchCall)?;
        let (reply, replied) = oneshot::channel();
        commands.try_send(Command::Transfer(order, reply)).map_err(|_| TransferError::NoSuchCall)?;
        replied.await.unwrap_or(Err(TransferError::NoSuchCall))
    }

    /// Begins an outbound call.
    pub fn dial(&self, request: DialRequest) -> Result<CallId, DialError> {
        self.dial_as(request, None)
    }

    /// The same, with another engine than the user's.
    pub(super) fn dial_as(&self, request: DialRequest, engine: Option<Arc<dyn Engine>>) -> Result<CallId, DialError> {
        let user = request.user;
        let stored = self.stored(&user).ok_or_else(|| DialError::NoSuchUser(user.clone()))?;
        let account = self.0.directory.line(&user).ok_or_else(|| DialError::NotConnected(user.clone()))?;
        if !account.status().borrow().has_binding(Timestamp::now()) {
            return Err(DialError::NotConnected(user));
        }
        match self.refusal(&stored) {
            Some(EndReason::ShuttingDown) => return Err(DialError::ShuttingDown),
            Some(EndReason::TooManyCalls) => return Err(DialError::TooManyCalls(user)),
            Some(_) => return Err(DialError::NotConnected(user)),
            None => {}
        }
        let pass = self.0.context.gate.ask(&stored.user, &request.target).map_err(|refusal| {
            let call = self.record_refusal(&stored, &request.target, request.words.metadata.clone(), &refusal);
            DialError::Limited { refusal, call }
        })?;
        let to = request.target.to_string();
        let party = Party {
            direction: Direction::Outbound,
            from: stored.user.sip.username.clone(),
            remote: to.clone(),
            to,
            sip_call_id: None,
            media_address: self.0.context.stack.media_address_of(&account),
            // A line that calls itself knows who answers.
            voicemail: engine.is_none().then(|| request.voicemail.over(&stored.user.calls.voicemail)),
            engine,
            id: request.id,
            pass: Some(pass),
        };
        let signalling = Signalling::Outbound { account, target: request.target, leg: None };
        Ok(self.launch(&stored, party, signalling, request.words, None))
    }

    /// `false` when there is no such call.
    pub fn hang_up(&self, call: CallId) -> bool {
        self.tell(call, Command::HangUp)
    }

    pub(super) fn tell(&self, call: CallId, command: Command) -> bool {
        let commands = self.calls().get(&call).map(|entry| entry.commands.clone());
        commands.is_some_and(|commands| commands.try_send(command).is_ok())
    }

    pub(super) fn expectations(&self) -> Expectations {
        self.0.expected.clone()
    }

    pub async fn send_keys(&self, call: CallId, digits: &str) -> Result<(), KeysError> {
        let commands = self.calls().get(&call).map(|entry| entry.commands.clone()).ok_or(KeysError::NoSuchCall)?;
        let (reply, replied) = oneshot::channel();
        let command = Command::SendKeys(digits.to_owned(), reply);
        commands.try_send(command).map_err(|_| KeysError::TooMany)?;
        replied.await.unwrap_or(Err(KeysError::NoSuchCall))
    }

    pub fn active(&self) -> Vec<ActiveCall> {
        let mut active: Vec<_> = self.calls().iter().map(|(id, entry)| entry.shown(*id)).collect();
        active.sort_by_key(|call| call.id);
        active
    }

    pub fn active_of(&self, user: &UserId) -> usize {
        self.calls().values().filter(|entry| entry.user == *user).count()
    }

    /// From now on every new call is refused.
    pub fn stop_accepting(&self) {
        self.0.stopping.store(true, Ordering::Relaxed);
    }

    /// Whether this user's engine could hold a call now.
    pub async fn check_engine(&self, user: &User) -> EngineCheck {
        self.0.checks.check(&self.0.context, user).await
    }

    /// Tells every call to end, and waits until they have, at most until `deadline`. Returns how many were left.
    pub async fn drain(&self, deadline: Duration) -> usize {
        self.stop_accepting();
        for entry in self.calls().values() {
            let _ = entry.commands.try_send(Command::Shutdown);
        }
        let until = Instant::now() + deadline;
        while !self.calls().is_empty() && Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.calls().len()
    }

    fn launch(
        &self,
        stored: &StoredUser,
        party: Party,
        signalling: Signalling,
        words: CallWords,
        refusal: Option<EndReason>,
    ) -> CallId {
        let user = stored.user.clone();
        let started_at = Timestamp::now();
        let id = party.id.unwrap_or_else(|| CallId::new(started_at, rand::random()));
        let (commands, inbox) = mpsc::channel(INBOX);
        let (legs, shown_legs) = watch::channel(Vec::new());
        let answered = Arc::new(AtomicBool::new(false));
        let Tools { toolbox, later, mut complaints } =
            self.0.context.tools.tools(&user, keypad(&commands), self.0.context.tracer.parent(id));
        let entry = Entry {
            user: user.id.clone(),
            direction: party.direction,
            remote_party: party.remote.clone(),
            started_at,
            answered: answered.clone(),
            commands,
            legs: shown_legs,
        };
        self.calls().insert(id, entry);
        let listed = Listed(self.clone(), id);

        // Of a call to prove the line nobody wants a summary.
        let is_talk = party.engine.is_none();
        let after_call = (is_talk && user.ai.after_call.is_wanted()).then(AfterCallReport::waiting);
        let chosen = match party.engine {
            Some(engine) => Chosen { engine, others: Vec::new(), warning: None },
            None => self.0.context.engines.choose(&user.ai.engine_order()),
        };
        let when_lost = user.ai.when_lost.as_deref().and_then(|name| user.routing.named(name));
        let when_lost = when_lost.map(|target| target.name.clone());
        let brief = persona::brief(&user, party.direction, party.remote, &words, toolbox, started_at);
        let recordings = self.0.context.limits.recordings.as_ref().filter(|_| user.calls.recording.is_wanted());
        let recording_key = recordings.and_then(|_| DataKey::draw().map_err(|fault| complaints.push(unsealed(&fault))).ok());
        let cdr = Cdr {
            from: party.from,
            to: party.to,
            config_revision: stored.revision,
            sip_call_id: party.sip_call_id,
            engine: Some(chosen.engine.name().to_owned()),
            // Named before there is one, so that a crash in mid-call leaves a record that leads to its recording.
            recording: recording_key.as_ref().map(|_| Recordings::name(&user.id, id)),
            message: words.message,
            metadata: words.metadata,
            after_call,
            ..Cdr::begun(id, user.id.clone(), party.direction, started_at)
        };
        let longest = Duration::from_secs(user.calls.max_call_duration.into());
        let at_most = party.pass.as_ref().and_then(|pass| pass.at_most);
        let policy = Policy {
            max_duration: at_most.map_or(longest, |at_most| at_most.min(longest)),
            answer_timeout: Duration::from_secs(user.calls.answer_timeout.into()),
            setup_timeout: Policy::SETUP_TIMEOUT,
            drain_timeout: Policy::DRAIN_TIMEOUT,
        };
        let span = tracing::info_span!("call", call.id = %id, trace_id = %TraceId::of(id), user.id = %user.id, direction = ?party.direction);
        let context = self.0.context.clone();
        let directory = self.0.directory.clone();
        let begun = Instant::now();
        let task = async move {
            let _listed = listed;
            tracing::info!("call begins");
            let mut journal = Journal::begin(cdr, recording_key, begun, context.sink.clone(), context.feed.clone()).await;
            if let Signalling::Inbound { leg, .. } = &signalling {
                context.traces.follow(id, leg.trace.clone());
            }
            if journal.cdr.direction == Direction::Inbound {
                let from = journal.cdr.from.clone();
                journal.note(CallFact::Invited { from });
            }
            for text in chosen.warning.iter().chain(&complaints).cloned() {
                journal.note(CallFact::Warning { text });
            }
            let turns = TurnTaking { protects_greeting: user.calls.protect_greeting, barge_in: user.calls.barge_in };
            let birth = Birth {
                machine: Call::new(journal.cdr.direction, policy),
                context,
                user,
                signalling,
                agent: Agent::new(chosen, brief, when_lost).taking_turns(turns).with_tools_of(later),
                journal,
                media_address: party.media_address,
                inbox,
                directory,
                legs,
                answered,
                pass: party.pass,
                refusal,
                answerer: party.voicemail.map(|voicemail| Box::new(Answerer::new(voicemail))),
            };
            // In a box: a future holds what it is given as often as it is handed on.
            Box::pin(CallTask::new(birth).run()).await;
        };
        self.0.tracker.spawn(task.instrument(span));
        id
    }

    /// Why a new call of this user cannot be taken now.
    fn refusal(&self, stored: &StoredUser) -> Option<EndReason> {
        if self.0.stopping.load(Ordering::Relaxed) {
            return Some(EndReason::ShuttingDown);
        }
        if !stored.user.wants_line() {
            return Some(EndReason::UserInactive);
        }
        self.refusal_of_room(stored)
    }

    fn refusal_of_room(&self, stored: &StoredUser) -> Option<EndReason> {
        (self.active_of(&stored.user.id) >= self.0.context.limits.calls_per_user).then_some(EndReason::TooManyCalls)
    }

    pub(super) fn context(&self) -> &CallContext {
        &self.0.context
    }

    /// Beside the calls, and ended with them.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.0.tracker.spawn(task);
    }

    pub(super) fn stored(&self, user: &UserId) -> Option<StoredUser> {
        self.0.view.borrow().users.get(user)?.usable().cloned()
    }

    fn calls(&self) -> MutexGuard<'_, HashMap<CallId, Entry>> {
        self.0.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn shown(&self, id: CallId) -> ActiveCall {
        ActiveCall {
            id,
            user_id: self.user.clone(),
            direction: self.direction,
            remote_party: self.remote_party.clone(),
            started_at: self.started_at,
            answered: self.answered.load(Ordering::Relaxed),
        }
    }
}

/// Why a call is not recorded that should be.
fn unsealed(fault: &SealError) -> String {
    format!("the call is not recorded, since there is no key to seal it with: {fault}")
}
