//! The call's task and its transfer: begins one, feeds its machine, carries out what it says.

use super::{Destination, Event, Transferring, human::Human, waiting::Waiting};
use crate::call::audio::{Audio, OpenWith};
use crate::call::refused;
use crate::call::task::CallTask;
use crate::exchange::{TransferError, TransferOrder, TransferRequest};
use callie_ai::Prompt;
use callie_domain::call::transfer::{Comfort, Input, Note, Output, Plan, Stage};
use callie_domain::call::{Input as CallInput, Phase};
use callie_domain::record::{CallFact, Termination};
use callie_media::dtmf::DtmfWay;
use callie_media::engine::{MediaControl, MediaEvent, Relay};
use callie_sip::{LegControl, LegEvent, ReferTo};
use std::time::Duration;

impl CallTask {
    /// What the API asks for.
    pub(in crate::call) fn take_transfer_order(&mut self, order: TransferOrder) -> Result<(), TransferError> {
        match order {
            TransferOrder::Begin(request) => {
                let destination = self.destination(&request)?;
                self.begin_transfer(destination, false)
            }
            TransferOrder::Join => self.push_transfer(Input::Accepted, |stage| stage == Stage::Consulting),
            TransferOrder::Cancel => {
                let may = |stage| matches!(stage, Stage::Announcing | Stage::Calling { .. } | Stage::Consulting);
                self.push_transfer(Input::Cancelled, may)
            }
        }
    }

    /// The agent may only go where its user's document says.
    pub(in crate::call) fn take_agents_transfer(&mut self, name: &str) {
        let Some(found) = self.birth.user.routing.named(name).cloned() else {
            let text = format!("the agent wants to hand over to {name:?}, who is no transfer target");
            return self.birth.journal.note(CallFact::Warning { text });
        };
        let mode = found.mode.unwrap_or_default();
        let target = found.name.clone();
        let destination = Destination { target: found.target, shown: found.name, mode, message: None };
        if let Err(error) = self.begin_transfer(destination, true) {
            if let TransferError::Limited(refusal) = &error {
                let reason = refusal.limit.reason().text().to_owned();
                self.birth.agent.prompt(Prompt::TransferFailed { target, reason });
            }
            self.birth.journal.note(CallFact::Warning { text: format!("the agent could not hand over: {error}") });
        }
    }

    /// An operator may name one of the targets, or whatever may be dialled.
    fn destination(&self, request: &TransferRequest) -> Result<Destination, TransferError> {
        let TransferRequest { target, mode, message } = request.clone();
        if let Some(found) = self.birth.user.routing.named(&target).cloned() {
            let mode = mode.or(found.mode).unwrap_or_default();
            return Ok(Destination { target: found.target, shown: found.name, mode, message });
        }
        let parsed = target.parse().map_err(|_| TransferError::NoSuchTarget(target.clone()))?;
        Ok(Destination { target: parsed, shown: target, mode: mode.unwrap_or_default(), message })
    }

    fn begin_transfer(&mut self, destination: Destination, announced: bool) -> Result<(), TransferError> {
        if self.transfer.is_some() {
            return Err(TransferError::UnderWay);
        }
        let Some(leg) = self.leg_control().filter(|_| self.birth.machine.phase() == Phase::Talking) else {
            return Err(TransferError::NotTalking);
        };
        let peer = leg.peer();
        let plan = Plan {
            mode: destination.mode,
            can_refer: peer.allows("REFER") != Some(false),
            can_replace: peer.supports("replaces"),
            announced,
            answer_timeout: Duration::from_secs(self.birth.user.calls.answer_timeout.into()),
        };
        let pass = self.birth.context.gate.ask(&self.birth.user, &destination.target).map_err(|refusal| {
            self.birth.journal.note(refused::fact(&destination.target, &refusal));
            TransferError::Limited(refusal)
        })?;
        let (mode, target) = (destination.mode, destination.shown.clone());
        self.birth.journal.note(CallFact::TransferStarted { mode, target });
        self.transfer = Some(Box::new(Transferring::new(destination, plan, pass)));
        Ok(())
    }

    fn push_transfer(&mut self, input: Input, may: impl Fn(Stage) -> bool) -> Result<(), TransferError> {
        let transfer = self.transfer.as_mut().filter(|transfer| may(transfer.stage())).ok_or(TransferError::NotUnderWay)?;
        transfer.push(input);
        Ok(())
    }

    /// Hands an input to the transfer, where there is one.
    pub(in crate::call) fn tell_transfer(&mut self, input: Input) -> bool {
        let there_is = self.transfer.is_some();
        self.transfer.iter_mut().for_each(|transfer| transfer.push(input.clone()));
        there_is
    }

    /// The agent speaks with the caller, or is about to.
    pub(in crate::call) fn agent_is_with_caller(&self) -> bool {
        self.transfer.as_ref().is_none_or(|transfer| transfer.is_announcing())
    }

    /// Something happened to the transfer.
    pub(in crate::call) async fn take_transfer_event(&mut self, event: Event) {
        match event {
            Event::Timer(timer) => {
                self.tell_transfer(Input::Timer(timer));
            }
            Event::Human(event) => self.take_human_event(event).await,
            Event::HumanMedia(Some(MediaEvent::Dtmf(digit))) => self.take_human_digit(digit),
            Event::HumanMedia(Some(MediaEvent::RtpLost { .. }) | None) => {
                self.part_with_human().await;
                self.tell_transfer(Input::HumanHungUp);
            }
            Event::HumanMedia(Some(_)) => {}
        }
    }

    async fn take_human_event(&mut self, event: Option<LegEvent>) {
        match event {
            Some(LegEvent::Ringing { code, .. }) => {
                self.tell_transfer(Input::HumanRinging { code });
            }
            Some(LegEvent::Answered { sdp }) => self.take_human_answer(&sdp).await,
            Some(LegEvent::Refused { code, phrase }) => self.take_human_end(format!("{code} {phrase}")).await,
            Some(LegEvent::Failed(failure)) => self.take_human_end(failure.to_string()).await,
            Some(LegEvent::HungUp { .. } | LegEvent::Cancelled) | None => self.take_human_end("they hung up".to_owned()).await,
            Some(LegEvent::Dtmf(digit)) => self.take_human_digit(digit),
            Some(LegEvent::Reoffer { sdp, reply }) => {
                let outcome = self.human_audio().map_or(Err(491), |audio| audio.reoffered(sdp.as_deref()));
                let _ = reply.send(outcome.map(|reoffered| reoffered.answer));
            }
            Some(LegEvent::Reanswered { sdp }) => {
                let _ = self.human_audio().map(|audio| audio.reanswered(&sdp));
            }
            // A human may not send us elsewhere: without a reply the peer hears 603.
            Some(LegEvent::Acknowledged { .. } | LegEvent::TransferProgress { .. } | LegEvent::ReferAsked { .. }) => {}
        }
    }

    async fn take_human_answer(&mut self, sdp: &[u8]) {
        let with = self.human_rates();
        let context = self.birth.context.clone();
        let Some(human) = self.human_mut() else { return };
        match human.answered(&context, sdp, with) {
            Ok(()) => {
                self.with_transfer(|transfer| transfer.pass.answered());
                let at_most = self.transfer.as_ref().and_then(|transfer| transfer.pass.at_most);
                self.limit_duration(at_most);
                self.tell_transfer(Input::HumanAnswered);
            }
            Err(end) => self.take_human_end(told(&end)).await,
        }
    }

    /// The human's leg is over, whoever ended it.
    async fn take_human_end(&mut self, why: String) {
        let answered =
            self.transfer.as_ref().and_then(|transfer| transfer.human.as_ref()).is_some_and(|h| h.answered_at.is_some());
        self.part_with_human().await;
        self.tell_transfer(if answered { Input::HumanHungUp } else { Input::HumanRefused(why) });
    }

    /// 1 takes the caller, 2 does not; once they are joined, keys go to the caller.
    fn take_human_digit(&mut self, digit: char) {
        match (self.transfer.as_ref().map(|transfer| transfer.stage()), digit) {
            (Some(Stage::Consulting), '1') => self.tell_transfer(Input::Accepted),
            (Some(Stage::Consulting), '2') => self.tell_transfer(Input::Declined),
            (Some(Stage::Joined), digit) => {
                let _ = self.send_keys(digit.encode_utf8(&mut [0; 4]));
                true
            }
            _ => false,
        };
    }

    /// A key of the caller, for the human. `false` when the two are not joined.
    pub(in crate::call) fn pass_digit_on(&mut self, digit: char) -> bool {
        let Some(transfer) = self.transfer.as_ref().filter(|transfer| transfer.stage() == Stage::Joined) else { return false };
        let media = transfer.human.as_ref().and_then(|human| media_of(&human.audio));
        self.press(media, digit);
        true
    }

    fn press(&mut self, media: Option<MediaControl>, digit: char) {
        let send = |media: MediaControl| {
            let way = if media.takes_events() { DtmfWay::Events } else { DtmfWay::Tones };
            media.send_dtmf(digit.encode_utf8(&mut [0; 4]), way)
        };
        if let Some(Err(error)) = media.map(send) {
            self.birth.journal.note(CallFact::Warning { text: format!("a key could not be passed on: {error}") });
        }
    }

    /// One step of the transfer. `false` when there is nothing to do.
    pub(in crate::call) async fn step_transfer(&mut self) -> bool {
        let Some(transfer) = &mut self.transfer else { return false };
        let Some(input) = transfer.queue.pop_front() else { return false };
        tracing::trace!(?input, "transfer input");
        for output in transfer.machine.handle(input) {
            Box::pin(self.carry_out_transfer(output)).await;
        }
        true
    }

    async fn carry_out_transfer(&mut self, output: Output) {
        match output {
            Output::DrainPlayout => self.birth.agent.drain(),
            Output::PutAside(comfort) => self.put_aside(comfort),
            Output::Refer { replaces } => self.refer(replaces).await,
            Output::CallHuman => self.call_human(),
            Output::Brief => self.brief_human(),
            Output::Join => self.join(),
            Output::HangUpHuman => self.part_with_human().await,
            Output::StartTimer(timer, after) => self.with_transfer(|transfer| transfer.timers.start(timer, after)),
            Output::StopTimers => self.with_transfer(|transfer| transfer.timers.stop_all()),
            Output::Note(note) => self.birth.journal.note(fact_of(note)),
            Output::Return { reason } => self.return_to_caller(reason),
            Output::EndCall(end) => self.queue.push_back(CallInput::TransferEnded(end)),
        }
    }

    fn with_transfer(&mut self, act: impl FnOnce(&mut Transferring)) {
        if let Some(transfer) = &mut self.transfer {
            act(transfer);
        }
    }

    /// The agent leaves whichever line it is on.
    fn put_aside(&mut self, comfort: Comfort) {
        let line = self.birth.agent.release();
        self.with_transfer(|transfer| match (&mut transfer.waiting, line) {
            (Some(waiting), line) => {
                waiting.set(comfort);
                if let Some(human) = &mut transfer.human {
                    human.line = line;
                }
            }
            (none, Some(line)) => *none = Some(Waiting::new(line, comfort)),
            (None, None) => {}
        });
    }

    async fn refer(&mut self, replaces: bool) {
        let Some(leg) = self.leg_control() else { return };
        let Some(account) = self.birth.directory.line(&self.birth.user.id) else {
            let phrase = "the line is not connected".to_owned();
            self.tell_transfer(Input::Progress { code: 480, phrase, done: true });
            return;
        };
        let Some(transfer) = &self.transfer else { return };
        let human = transfer.human.as_ref().filter(|_| replaces);
        let target = ReferTo {
            uri: self.birth.context.stack.uri_of(&account, &transfer.destination.target),
            replaces: human.and_then(|human| human.leg.control.dialog_id()),
        };
        // They may cease to send while they call somebody else.
        self.audio.expect_silence(true);
        leg.refer(target).await;
    }

    fn call_human(&mut self) {
        self.audio.expect_silence(false);
        let birth = &self.birth;
        let Some(transfer) = &mut self.transfer else { return };
        let called = match birth.directory.line(&birth.user.id) {
            Some(account) => {
                let target = &transfer.destination.target;
                Human::call(&birth.context, &birth.user, &account, target).map_err(|end| told(&end))
            }
            None => Err("the line is not connected".to_owned()),
        };
        match called {
            Ok(human) => {
                birth.context.traces.follow(birth.journal.cdr.id, human.leg.trace.clone());
                transfer.human = Some(human);
            }
            Err(why) => transfer.push(Input::HumanRefused(why)),
        }
        self.show_legs();
    }

    fn brief_human(&mut self) {
        let Some(transfer) = &mut self.transfer else { return };
        let Some(line) = transfer.human.as_mut().and_then(|human| human.line.take()) else { return };
        let Destination { shown, message, .. } = transfer.destination.clone();
        // A caller who holds us is no reason not to hear the human.
        self.birth.agent.hold(false);
        self.birth.agent.attach(line);
        self.birth.agent.prompt(Prompt::BriefHuman { target: shown, message });
    }

    fn join(&mut self) {
        // What the agent had of the human's line goes with it; the media stays.
        let _ = self.birth.agent.release();
        self.birth.agent.dismiss();
        self.audio.expect_silence(false);
        let caller = self.caller_media();
        self.with_transfer(|transfer| {
            if let Some(waiting) = &mut transfer.waiting {
                waiting.set(Comfort::Silence);
            }
            let human = transfer.human.as_ref().and_then(|human| media_of(&human.audio));
            transfer.relay = caller.as_ref().zip(human.as_ref()).map(|(caller, human)| Relay::join(caller, human));
        });
    }

    fn return_to_caller(&mut self, reason: String) {
        let Some(transfer) = self.transfer.take() else { return };
        self.audio.expect_silence(false);
        if let Some(waiting) = transfer.waiting {
            // It may hold the human's line still, which is closed.
            let _ = self.birth.agent.release();
            self.birth.agent.hold(self.conversation.is_held());
            self.birth.agent.attach(waiting.into_line());
        }
        let target = transfer.destination.shown.clone();
        self.birth.agent.prompt(Prompt::TransferFailed { target, reason });
        self.conversation.resume();
        self.show_legs();
    }

    /// Ends the human's leg and keeps what it was.
    pub(in crate::call) async fn part_with_human(&mut self) {
        let Some(transfer) = &mut self.transfer else { return };
        transfer.relay = None;
        if let Some(human) = transfer.human.take() {
            let summary = human.close().await;
            self.birth.journal.cdr.legs.push(summary);
        }
        self.show_legs();
    }

    pub(in crate::call) fn human_leg(&self) -> Option<LegControl> {
        self.transfer.as_ref()?.human.as_ref().map(|human| human.leg.control.clone())
    }

    pub(in crate::call) fn human_mut(&mut self) -> Option<&mut Human> {
        self.transfer.as_mut()?.human.as_mut()
    }

    pub(in crate::call) fn human_audio(&mut self) -> Option<&mut Audio> {
        self.human_mut().map(|human| &mut human.audio)
    }

    fn human_rates(&self) -> OpenWith {
        let capabilities = self.birth.agent.capabilities();
        OpenWith { input_rate: capabilities.input_rate, output_rate: capabilities.output_rate, recording: None }
    }

    fn caller_media(&self) -> Option<MediaControl> {
        media_of(&self.audio)
    }
}

fn media_of(audio: &Audio) -> Option<MediaControl> {
    match audio {
        Audio::Open(open) => Some(open.control.clone()),
        Audio::Closed | Audio::Reserved { .. } => None,
    }
}

/// Why a leg came to nothing, in words.
fn told(end: &Termination) -> String {
    end.detail.clone().unwrap_or_else(|| end.reason.text().to_owned())
}

fn fact_of(note: Note) -> CallFact {
    match note {
        Note::Progress { code, phrase } => CallFact::TransferProgress { code, phrase },
        Note::FellBack { reason } => CallFact::TransferFellBack { reason },
        Note::Completed { how } => CallFact::TransferCompleted { how },
        Note::Failed { reason } => CallFact::TransferFailed { reason },
    }
}
