//! One call: wait for what happens, ask the machine, carry out what it says. All decisions are the machine's
//! (`callie_domain::call`).

use super::{
    agent::{Agent, AgentEvent},
    answerer::{self, Answerer},
    audio::{Audio, OpenWith},
    audio_evidence,
    bridge::Line,
    context::CallContext,
    conversation::{Conversation, Quiet, tool_used},
    dead_air,
    ending::termination_of,
    gate::Pass,
    keys::InfoKeys,
    own_call,
    refer::{self, Moving},
    silence::Step,
    timers::Timers,
    transfer::{self, Transferring},
};
use crate::accounts::LineDirectory;
use crate::exchange::{HintError, HoldError, KeysError, ListenError, TransferError, TransferOrder};
use crate::records::Journal;
use callie_domain::call::transfer::Input as TransferInput;
use callie_domain::call::{Call, Input, Output, TimerKind};
use callie_domain::record::{CallFact, DeadAirStep, Direction, EndReason, Speaker, Termination};
use callie_domain::{DialTarget, User};
use callie_media::dtmf::{KeyFilter, KeySource};
use callie_media::engine::{Media, MediaEngine, MediaEvent, Overhearing};
use callie_sip::{AccountHandle, DialOptions, InboundCall, Leg, LegControl, LegEvent, RequestFailure};
use futures::future::BoxFuture;
use std::{
    collections::VecDeque,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::sync::{mpsc, oneshot, watch};

/// What the registry tells a call.
pub enum Command {
    HangUp,
    Shutdown,
    Hold(bool, oneshot::Sender<Result<(), HoldError>>),
    SendKeys(String, oneshot::Sender<Result<(), KeysError>>),
    Transfer(TransferOrder, oneshot::Sender<Result<(), TransferError>>),
    Listen(oneshot::Sender<Result<Overhearing, ListenError>>),
    /// A supervisor's word to the agent.
    Hint(String, oneshot::Sender<Result<(), HintError>>),
    /// An INVITE that takes the place of one of the call's legs.
    Replace(Box<InboundCall>),
}

/// The signalling side: a leg that came in, or what it takes to dial one.
pub enum Signalling {
    Inbound { leg: Leg, offer: Option<Vec<u8>> },
    Outbound { account: AccountHandle, target: DialTarget, leg: Option<Leg> },
}

/// Everything a call is born with.
pub struct Birth {
    pub context: CallContext,
    pub user: Arc<User>,
    pub signalling: Signalling,
    pub agent: Agent,
    pub journal: Journal,
    pub machine: Call,
    /// Of ours, to be written into SDP.
    pub media_address: IpAddr,
    pub inbox: mpsc::Receiver<Command>,
    /// Where the line is found on which the call may place another leg.
    pub directory: LineDirectory,
    /// The legs of the call, for whoever looks for one by its dialog.
    pub legs: watch::Sender<Vec<LegControl>>,
    pub answered: Arc<AtomicBool>,
    /// Leave to dial, of a call that we place.
    pub pass: Option<Pass>,
    /// Why the call cannot be taken, when that is known before it begins.
    pub refusal: Option<EndReason>,
    /// Of a call that we place: who answers is to be recognised.
    pub answerer: Option<Box<Answerer>>,
}

/// The task's state.
pub struct CallTask {
    pub(super) birth: Birth,
    pub(super) audio: Audio,
    timers: Timers<TimerKind>,
    pub(super) conversation: Conversation,
    pub(super) transfer: Option<Box<Transferring>>,
    /// The other side has asked us to go on elsewhere.
    pub(super) moving: Option<Moving>,
    pub(super) answerer: Option<Box<Answerer>>,
    pub(super) info_keys: InfoKeys,
    /// An offer of ours within the call that waits for its answer.
    pub(super) offer: Option<BoxFuture<'static, Option<Vec<u8>>>>,
    /// The answer to their offer, kept from opening media until the 200 is sent.
    answer: Option<String>,
    /// The ACK for our 200 has come; later ones belong to re-INVITEs.
    pub(super) acknowledged: bool,
    keys: KeyFilter,
    /// The line watches for a caller who speaks over the agent.
    watches: bool,
    /// Inputs that carrying out an output has produced.
    pub(super) queue: VecDeque<Input>,
}

/// One thing that happened, from whichever side.
enum Happening {
    Leg(Option<LegEvent>),
    Media(Option<MediaEvent>),
    Agent(AgentEvent),
    Command(Option<Command>),
    Silence(Step),
    DeadAir(DeadAirStep, Duration),
    KeysFailed(RequestFailure),
    /// Their answer to our offer within the call; nothing when it failed.
    Reanswered(Option<Vec<u8>>),
    Transfer(transfer::Event),
    Moving(Option<LegEvent>),
    Timer(TimerKind),
    Answerer,
}

impl CallTask {
    pub fn new(mut birth: Birth) -> Self {
        let limit = birth.user.ai.dead_air_s.map_or(dead_air::LIMIT, |s| Duration::from_secs(s.into()));
        let conversation = Conversation::begin(MediaEngine::now(), birth.context.limits.silence_prompt, limit);
        Self {
            answerer: birth.answerer.take(),
            birth,
            audio: Audio::Closed,
            timers: Timers::default(),
            conversation,
            info_keys: InfoKeys::default(),
            offer: None,
            transfer: None,
            moving: None,
            answer: None,
            acknowledged: false,
            keys: KeyFilter::new(),
            watches: false,
            queue: VecDeque::new(),
        }
    }

    /// Runs the call to its end and writes its record.
    pub async fn run(mut self) {
        self.queue.push_back(self.birth.refusal.map_or(Input::Begin, Input::Refuse));
        self.show_legs();
        let termination = loop {
            if let Some(input) = self.queue.pop_front() {
                if let Some(termination) = self.step(input).await {
                    break termination;
                }
            } else if !self.step_transfer().await {
                self.watch_for_barge_in();
                let happening = self.wait().await;
                self.take(happening).await;
            }
        };
        self.finish(termination).await;
    }

    /// One input through the machine; the termination when it was the last.
    async fn step(&mut self, input: Input) -> Option<Termination> {
        tracing::trace!(?input, "call input");
        for output in self.birth.machine.handle(input) {
            match output {
                Output::Finish(termination) => return Some(termination),
                output => self.carry_out(output).await,
            }
        }
        None
    }

    /// It costs as much as the rest of the call's audio: it runs only while there is an agent who may be interrupted.
    fn watch_for_barge_in(&mut self) {
        let Audio::Open(open) = &self.audio else { return };
        let wanted = self.birth.agent.watches() && self.agent_is_with_caller();
        if std::mem::replace(&mut self.watches, wanted) != wanted {
            open.control.watch_barge_in(wanted);
        }
    }

    async fn wait(&mut self) -> Happening {
        let with_leg = if self.info_keys.is_idle() { None } else { self.leg_control() };
        let with_agent = self.transfer.is_none();
        let Self { birth, audio, timers, conversation, info_keys, offer, transfer, moving, answerer, .. } = self;
        let leg = match &mut birth.signalling {
            Signalling::Inbound { leg, .. } | Signalling::Outbound { leg: Some(leg), .. } => Some(leg),
            Signalling::Outbound { leg: None, .. } => None,
        };
        tokio::select! {
            event = next_leg_event(leg) => Happening::Leg(event),
            command = birth.inbox.recv() => Happening::Command(command),
            kind = timers.fired() => Happening::Timer(kind),
            event = next_media_event(audio) => Happening::Media(event),
            event = birth.agent.next() => Happening::Agent(event),
            happening = quiet(conversation), if with_agent => happening,
            event = transfer::next(transfer) => Happening::Transfer(event),
            event = refer::next(moving) => Happening::Moving(event),
            failure = info_keys.failed(with_leg) => Happening::KeysFailed(failure),
            answer = own_call::answered(offer) => Happening::Reanswered(answer),
            () = answerer::due(answerer), if with_agent => Happening::Answerer,
        }
    }

    async fn take(&mut self, happening: Happening) {
        match happening {
            Happening::Leg(Some(LegEvent::Answered { sdp })) => Box::pin(self.take_answer(&sdp)).await,
            Happening::Answerer => self.pass_answerer(),
            Happening::Leg(event) => self.take_leg_event(event),
            Happening::Media(event) => self.take_media_event(event),
            Happening::Agent(event) => self.take_agent_event(event),
            Happening::Command(Some(Command::HangUp)) => self.queue.push_back(Input::HangUp),
            Happening::Command(Some(Command::Shutdown) | None) => self.queue.push_back(Input::Shutdown),
            Happening::Command(Some(Command::Hold(on, reply))) => self.hold(on, reply),
            Happening::Command(Some(Command::SendKeys(digits, reply))) => {
                let _ = reply.send(self.send_keys(&digits));
            }
            Happening::KeysFailed(failure) => {
                let text = format!("a key could not be sent by INFO: {failure}");
                self.birth.journal.note(CallFact::Warning { text });
            }
            Happening::Reanswered(answer) => {
                if let Some(sdp) = answer {
                    self.take_reanswer(&sdp);
                }
            }
            Happening::Command(Some(Command::Transfer(order, reply))) => {
                let _ = reply.send(self.take_transfer_order(order));
            }
            Happening::Command(Some(Command::Listen(reply))) => {
                let _ = reply.send(self.take_listener());
            }
            Happening::Command(Some(Command::Hint(text, reply))) => {
                let _ = reply.send(self.take_hint(text));
            }
            Happening::Command(Some(Command::Replace(call))) => Box::pin(self.take_replacement(call)).await,
            Happening::Moving(event) => Box::pin(self.take_moving_event(event)).await,
            Happening::Transfer(event) => Box::pin(self.take_transfer_event(event)).await,
            Happening::Silence(step) => self.take_silence(step),
            Happening::DeadAir(step, silent_for) => self.take_dead_air(step, silent_for),
            Happening::Timer(kind) => self.queue.push_back(Input::Timer(kind)),
        }
    }

    fn take_leg_event(&mut self, event: Option<LegEvent>) {
        match event {
            Some(LegEvent::Ringing { code, sdp }) => {
                self.birth.journal.note(CallFact::Ringing { code });
                self.queue.push_back(Input::RemoteRinging);
                self.take_early_media(sdp.as_deref());
            }
            // Taken before: media may have to begin anew.
            Some(LegEvent::Answered { .. }) => {}
            Some(LegEvent::Acknowledged { sdp }) => self.take_ack(sdp.as_deref()),
            // The media it was: perhaps it wants encryption and nothing else.
            Some(LegEvent::Refused { code: 488, .. }) if self.insist_on_encryption() => {}
            Some(LegEvent::Refused { code, phrase }) => {
                self.queue.push_back(Input::RemoteRefused(Termination::of_response(code, &phrase)));
            }
            Some(LegEvent::Cancelled) => self.queue.push_back(Input::RemoteCancelled),
            Some(LegEvent::HungUp { .. }) => self.take_hang_up(),
            Some(LegEvent::Dtmf(digit)) => self.take_digit(digit, KeySource::Info),
            Some(LegEvent::Reoffer { sdp, reply }) => {
                let _ = reply.send(self.take_reoffer(sdp.as_deref()));
            }
            // They have moved without a word before; our answer has been said already.
            Some(LegEvent::Reanswered { sdp }) => self.take_reanswer(&sdp),
            Some(LegEvent::TransferProgress { code, phrase, done }) => {
                self.tell_transfer(TransferInput::Progress { code, phrase, done });
            }
            Some(LegEvent::ReferAsked { target, referred_by, reply }) => {
                let _ = reply.send(self.take_refer(&target, referred_by));
            }
            Some(LegEvent::Failed(failure)) => self.queue.push_back(Input::SignallingFailed(termination_of(failure))),
            // The leg ended without a word: it can only be ours that did.
            None => self.take_hang_up(),
        }
    }

    /// A transfer knows better what it means.
    fn take_hang_up(&mut self) {
        if !self.tell_transfer(TransferInput::CallerHungUp) {
            self.queue.push_back(Input::RemoteHungUp);
        }
    }

    /// The called party's 200.
    async fn take_answer(&mut self, sdp: &[u8]) {
        let early = matches!(self.audio, Audio::Open(_));
        let taken = if early { self.confirm_media(sdp).await } else { self.complete_media(sdp) };
        match taken {
            Ok(()) => {
                self.recognise_answerer();
                self.mark_answered();
                self.birth.journal.note(CallFact::Established);
                self.expect_rtp();
                self.queue.push_back(Input::RemoteAnswered);
            }
            Err(end) => self.queue.push_back(Input::SignallingFailed(end)),
        }
    }

    /// The ACK for our 200; it carries their answer when their INVITE had no offer.
    fn take_ack(&mut self, sdp: Option<&[u8]>) {
        if !std::mem::replace(&mut self.acknowledged, true) {
            self.birth.journal.note(CallFact::Established);
            self.queue.push_back(Input::Acknowledged);
        }
        if matches!(self.audio, Audio::Reserved(_)) {
            let completed = match sdp {
                Some(sdp) => self.complete_media(sdp),
                None => Err(Termination::because(EndReason::BadAnswer, "the ACK carries no SDP answer")),
            };
            if let Err(end) = completed {
                self.queue.push_back(Input::SignallingFailed(end));
            }
        } else if let Some(sdp) = sdp {
            self.take_reanswer(sdp);
        }
        self.expect_rtp();
    }

    /// Both sides have said where they receive: audio is due.
    fn expect_rtp(&self) {
        if let Audio::Open(open) = &self.audio {
            open.control.expect_rtp();
        }
    }

    fn take_media_event(&mut self, event: Option<MediaEvent>) {
        if let Some(event) = event.as_ref().filter(|_| self.agent_is_with_caller()) {
            self.birth.agent.notice(event);
        }
        match event {
            Some(MediaEvent::FirstRtp { from } | MediaEvent::Latched { from }) => {
                self.birth.journal.note(CallFact::RtpLatched { address: from.to_string() });
            }
            // Of somebody else than the agent, or of a tone; its end is taken, so that nobody is taken to speak for ever.
            Some(MediaEvent::CallerSpeech { on: true, .. } | MediaEvent::AgentSpeech { on: true, .. })
                if !self.agent_is_with_caller() || self.is_before_answer() => {}
            Some(MediaEvent::CallerSpeech { on, at }) => {
                self.conversation.speech(Speaker::Caller, on, at, &mut self.birth.journal);
            }
            Some(MediaEvent::AgentSpeech { on, at }) => {
                if on {
                    self.birth.agent.dismiss_standby();
                }
                self.recognise_agent(on);
                self.conversation.speech(Speaker::Agent, on, at, &mut self.birth.journal);
            }
            Some(MediaEvent::NoRtp { silent_for, sending_to }) => {
                if let Audio::Open(open) = &self.audio {
                    let text = audio_evidence::one_way(silent_for, open.announced(), open.sdp_address(), sending_to);
                    self.birth.journal.note(CallFact::Warning { text });
                }
            }
            Some(MediaEvent::RtpLost { .. }) => self.queue.push_back(Input::RtpLost),
            Some(MediaEvent::Dtmf(digit)) => self.take_digit(digit, KeySource::Event),
            Some(MediaEvent::Signal(_) | MediaEvent::Talk { .. }) if !self.agent_is_with_caller() => {}
            Some(MediaEvent::Signal(signal)) => self.take_signal(signal),
            Some(MediaEvent::Talk { on, at }) => self.take_talk_mark(on, at),
            // The agent has noticed.
            Some(MediaEvent::BargeIn { .. } | MediaEvent::BargeInOver { .. }) => {}
            Some(MediaEvent::RecordingFailed(text)) => {
                tracing::error!(%text, "the recording of a call failed; the call goes on");
                self.birth.journal.note(CallFact::Warning { text: format!("the recording failed: {text}") });
            }
            None => self
                .queue
                .push_back(Input::SignallingFailed(Termination::because(EndReason::MediaFailed, "the media engine has stopped"))),
        }
    }

    /// A key that comes in the media and by INFO is one.
    fn take_digit(&mut self, digit: char, source: KeySource) {
        if !self.keys.is_new(digit, source, MediaEngine::now()) {
            return;
        }
        self.birth.journal.note(CallFact::Dtmf { digit });
        if !self.pass_digit_on(digit) && self.agent_is_with_caller() {
            self.birth.agent.dtmf(digit);
        }
    }

    async fn carry_out(&mut self, output: Output) {
        let leg = self.leg_control();
        match (output, leg) {
            (Output::Ring, Some(leg)) => {
                leg.ring().await;
                self.birth.journal.note(CallFact::Ringing { code: 180 });
            }
            (Output::Answer, Some(leg)) => {
                let Some(sdp) = self.answer.take() else { return };
                leg.answer(sdp).await;
                self.mark_answered();
            }
            (Output::Reject { code }, Some(leg)) => leg.reject(code).await,
            (Output::CancelInvite | Output::SendBye, Some(leg)) => leg.hang_up().await,
            (output, _) => self.carry_out_here(output),
        }
    }

    /// The outputs that need no leg.
    fn carry_out_here(&mut self, output: Output) {
        match output {
            Output::OpenMedia => {
                let opened = self.open_media();
                self.queue.push_back(opened.map_or_else(Input::MediaFailed, |()| Input::MediaOpened));
            }
            Output::ConnectAgent => self.birth.agent.connect(),
            Output::SendInvite => self.send_invite(),
            Output::StartAgent => {
                self.birth.agent.start();
                self.conversation.open(self.birth.journal.cdr.direction == Direction::Inbound);
            }
            Output::DrainPlayout => self.birth.agent.drain(),
            Output::StartTimer(kind, after) => self.timers.start(kind, after),
            Output::StopTimer(kind) => self.timers.stop(kind),
            Output::Ring
            | Output::Answer
            | Output::Reject { .. }
            | Output::CancelInvite
            | Output::SendBye
            | Output::Finish(_) => {}
        }
    }

    /// Reserves a port; with their offer at hand, opens media too.
    fn open_media(&mut self) -> Result<(), Termination> {
        let birth = &mut self.birth;
        self.audio = Audio::reserve(&birth.context, &birth.user, birth.media_address)?;
        if let Signalling::Inbound { offer: Some(offer), .. } = &birth.signalling {
            let with = open_with(&birth.agent, &birth.context, &birth.journal);
            let (answer, media) = self.audio.accept(&birth.context, offer, with)?;
            self.answer = Some(answer);
            self.attach(media);
        } else {
            self.answer = self.audio.offer();
        }
        self.note_media();
        Ok(())
    }

    /// Opens media with their answer to our offer.
    pub(super) fn complete_media(&mut self, sdp: &[u8]) -> Result<(), Termination> {
        let birth = &mut self.birth;
        let with = open_with(&birth.agent, &birth.context, &birth.journal);
        let media = self.audio.complete(&birth.context, sdp, with)?;
        self.attach(media);
        self.listen_for_answerer();
        self.note_media();
        Ok(())
    }

    fn attach(&mut self, media: Media) {
        let capabilities = self.birth.agent.capabilities();
        let (ear_rate, voice_rate) = (capabilities.input_rate, capabilities.output_rate);
        self.birth.agent.attach(Line { ear: media.ear, ear_rate, voice: media.voice, voice_rate });
    }

    fn note_media(&mut self) {
        if let (Audio::Open(open), Some(local_port)) = (&self.audio, self.audio.local_port()) {
            let codec = open.codec_name().to_owned();
            self.birth.journal.note(CallFact::MediaOpened { local_port, codec });
        }
    }

    /// Dials anew with an encrypted offer, once, where encryption is optional and the plain offer was refused.
    fn insist_on_encryption(&mut self) -> bool {
        if !matches!(self.birth.signalling, Signalling::Outbound { .. }) {
            return false;
        }
        self.answer = self.audio.insist();
        let insists = self.answer.is_some();
        if insists {
            let text = "the audio was refused unencrypted (488); the call is placed again with encryption".to_owned();
            self.birth.journal.note(CallFact::Warning { text });
            self.send_invite();
        }
        insists
    }

    fn send_invite(&mut self) {
        let (Some(offer), Signalling::Outbound { account, target, leg }) = (self.answer.take(), &mut self.birth.signalling)
        else {
            return;
        };
        let options = DialOptions { go_on: self.birth.context.gate.onward(&self.birth.user), ..DialOptions::default() };
        let dialled = self.birth.context.stack.dial_with(account, target, offer, options);
        self.birth.context.traces.follow(self.birth.journal.cdr.id, dialled.trace.clone());
        self.birth.journal.cdr.sip_call_id = Some(dialled.control.sip_call_id().to_owned());
        self.birth.journal.note(CallFact::Dialled { to: target.to_string() });
        *leg = Some(dialled);
        self.show_legs();
    }

    /// A leg that has been added may not last as long as the call.
    pub(super) fn limit_duration(&mut self, at_most: Option<Duration>) {
        if let Some(at_most) = at_most {
            self.timers.shorten(TimerKind::MaxDuration, at_most);
        }
    }

    fn mark_answered(&mut self) {
        self.birth.answered.store(true, Ordering::Relaxed);
        self.birth.pass.iter_mut().for_each(Pass::answered);
        self.birth.journal.answered();
    }

    pub(super) fn leg_control(&self) -> Option<LegControl> {
        match &self.birth.signalling {
            Signalling::Inbound { leg, .. } | Signalling::Outbound { leg: Some(leg), .. } => Some(leg.control.clone()),
            Signalling::Outbound { leg: None, .. } => None,
        }
    }

    /// Tells which legs there are.
    pub(super) fn show_legs(&self) {
        let legs = self.leg_control().into_iter().chain(self.human_leg()).collect();
        self.birth.legs.send_replace(legs);
    }

    async fn finish(mut self, termination: Termination) {
        // Boxed, as all that few calls come to: a call's future stays small.
        Box::pin(self.part_with_human()).await;
        self.transfer = None;
        let mut journal = self.birth.journal;
        // The agent goes first, so that nothing of it outlives the call.
        let tools = self.birth.agent.tools().clone();
        drop(self.birth.agent);
        tools.take_abandoned().iter().for_each(|used| journal.note(tool_used(used.record())));
        self.conversation.close(&mut journal);
        journal.cdr.media = self.audio.close().await;
        if journal.cdr.media.is_none() {
            journal.cdr.recording = None;
        }
        tracing::info!(result = ?termination.result, reason = ?termination.reason, detail = termination.detail.as_deref(), "call ended");
        let (user, context) = (&self.birth.user, &self.birth.context);
        if let Some(cost) = journal.finish(termination, user, &context.prices).await {
            context.gate.spend(&user.id, &cost);
        }
        drop(self.birth.signalling);
    }
}

/// The engine's rates, and the file the call is recorded in.
fn open_with(agent: &Agent, context: &CallContext, journal: &Journal) -> OpenWith {
    let capabilities = agent.capabilities();
    let named = journal.cdr.recording.as_ref().zip(journal.recording_key.as_ref());
    let recording = context
        .limits
        .recordings
        .as_ref()
        .zip(named)
        .and_then(|(recordings, (name, key))| recordings.begin(name, journal.cdr.id, key));
    OpenWith { input_rate: capabilities.input_rate, output_rate: capabilities.output_rate, recording }
}

/// Something is to be done because nobody speaks, or because the agent does not.
async fn quiet(conversation: &mut Conversation) -> Happening {
    match conversation.quiet().await {
        Quiet::Silence(step) => Happening::Silence(step),
        Quiet::DeadAir(step, silent_for) => Happening::DeadAir(step, silent_for),
    }
}

async fn next_leg_event(leg: Option<&mut Leg>) -> Option<LegEvent> {
    match leg {
        Some(leg) => leg.events.recv().await,
        None => std::future::pending().await,
    }
}

async fn next_media_event(audio: &mut Audio) -> Option<MediaEvent> {
    match audio {
        Audio::Open(open) => open.events.recv().await,
        Audio::Closed | Audio::Reserved(_) => std::future::pending().await,
    }
}
