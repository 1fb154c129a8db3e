//! Who has answered a call that we placed. Tones and talk of the media, and words of the engine, go through the recognition
//! (`callie_domain::call::answerer`); what comes of it is carried out here.
//!
//! ```text
//! before the answer: busy, congestion, SIT in early media ─▶ the call ends with that reason
//! after it:          human, unsure ─▶ nothing: the agent speaks by its own rule
//!                    fax ─▶ we hang up
//!                    machine ─▶ talk: nothing │ hang_up │ drop: hush ─ beep or silence ─▶ message ─▶ goodbye
//! ```

use super::{audio::Audio, task::CallTask};
use callie_ai::Prompt;
use callie_domain::call::Input as CallInput;
use callie_domain::call::answerer::{Input, MessageDrop, Recognition, Sound, Verdict};
use callie_domain::record::{AnsweredBy, CallFact, EndReason, Termination};
use callie_domain::user::{Voicemail, VoicemailPolicy};
use callie_media::engine::MediaEngine;
use callie_media::progress::{ProgressTone, Signal, SitClass};
use std::time::Duration;
use tokio::time::sleep;

/// Kinds of tones that are told of one call.
const MAX_TONES: usize = 8;
/// However soon something is due, the call's task gets to other things in between.
const BREATH: Duration = Duration::from_millis(5);

/// Owned by the call's task, of an outbound call.
pub struct Answerer {
    recognition: Recognition,
    voicemail: Voicemail,
    /// The media clock at the answer.
    answered_at: Option<Duration>,
    /// Media listens for us.
    listens: bool,
    /// The other side talks.
    talks: bool,
    message: Message,
    /// What has been told already.
    tones: Vec<String>,
}

/// Where the message for a machine stands.
enum Message {
    None,
    /// The agent is hushed until it may be left.
    Waiting(MessageDrop),
    /// It may be left, as soon as there is an engine.
    Due,
    Spoken,
}

impl Answerer {
    pub fn new(voicemail: Voicemail) -> Self {
        Self {
            recognition: Recognition::default(),
            voicemail,
            answered_at: None,
            listens: false,
            talks: false,
            message: Message::None,
            tones: Vec::new(),
        }
    }

    /// Since the answer.
    fn since(&self, at: Duration) -> Option<Duration> {
        Some(at.saturating_sub(self.answered_at?))
    }

    fn deadline(&self) -> Option<Duration> {
        let message = match &self.message {
            Message::Waiting(drop) => drop.deadline(),
            _ => None,
        };
        let deadlines = [self.recognition.deadline(), message];
        deadlines.into_iter().flatten().min().filter(|_| self.answered_at.is_some())
    }

    fn is_hushed(&self) -> bool {
        matches!(self.message, Message::Waiting(_) | Message::Due)
    }
}

/// Waits until time alone decides something; for ever when nothing is to be decided. Cancel safe.
pub(super) async fn due(answerer: &Option<Box<Answerer>>) {
    let wait = answerer.as_ref().and_then(|answerer| {
        let now = answerer.since(MediaEngine::now())?;
        Some(answerer.deadline()?.saturating_sub(now))
    });
    match wait {
        Some(wait) => sleep(wait.max(BREATH)).await,
        None => std::future::pending().await,
    }
}

impl CallTask {
    /// Media is open: the network may tell something before anybody answers.
    pub(super) fn listen_for_answerer(&mut self) {
        if let (Some(answerer), Audio::Open(open)) = (&mut self.answerer, &self.audio) {
            answerer.listens = true;
            open.control.listen(true);
        }
    }

    /// The call is answered: what was heard before is past.
    pub(super) fn recognise_answerer(&mut self) {
        if let Some(answerer) = &mut self.answerer {
            answerer.answered_at = Some(MediaEngine::now());
        }
        self.listen_for_answerer();
    }

    pub(super) fn is_before_answer(&self) -> bool {
        self.answerer.as_ref().is_some_and(|answerer| answerer.answered_at.is_none())
    }

    /// The agent keeps silent for a machine, or speaks to it.
    pub(super) fn leaves_message(&self) -> bool {
        self.answerer.as_ref().is_some_and(|answerer| !matches!(answerer.message, Message::None))
    }

    pub(super) fn take_signal(&mut self, signal: Signal) {
        self.note_tone(signal);
        if let Some(end) = self.end_by(signal) {
            return self.queue.push_back(CallInput::Recognised(end));
        }
        if let Some(sound) = sound_of(signal) {
            self.recognise(|recognition, now| recognition.hear(Input::Sound(sound), now));
        }
        if matches!(signal, Signal::Beep { .. } | Signal::FaxCalling) {
            self.advance_message(|drop, _| drop.beep());
        }
    }

    pub(super) fn take_talk_mark(&mut self, on: bool, at: Duration) {
        let Some(at) = self.answerer.as_mut().and_then(|answerer| {
            answerer.talks = on;
            answerer.since(at)
        }) else {
            return;
        };
        self.recognise(|recognition, now| recognition.hear(Input::Talk { on, at }, now));
        self.advance_message(|drop, _| {
            drop.talk(on, at);
            false
        });
    }

    pub(super) fn recognise_agent(&mut self, on: bool) {
        self.recognise(|recognition, now| recognition.hear(Input::Agent { on }, now));
    }

    pub(super) fn recognise_words(&mut self, text: &str) {
        self.recognise(|recognition, now| recognition.hear(Input::Words(text), now));
    }

    /// Time has passed.
    pub(super) fn pass_answerer(&mut self) {
        self.recognise(Recognition::pass);
        self.advance_message(MessageDrop::pass);
    }

    /// There is an engine now: perhaps a message waits for it.
    pub(super) fn resume_message(&mut self) {
        if self.answerer.as_ref().is_some_and(|answerer| matches!(answerer.message, Message::Due)) {
            self.leave_message();
        }
    }

    fn recognise(&mut self, hear: impl FnOnce(&mut Recognition, Duration) -> Option<Verdict>) {
        let Some(answerer) = &mut self.answerer else { return };
        let Some(now) = answerer.since(MediaEngine::now()) else { return };
        if let Some(verdict) = hear(&mut answerer.recognition, now) {
            self.take_verdict(verdict, now);
        }
        self.listen_no_longer();
    }

    fn take_verdict(&mut self, Verdict { by, evidence }: Verdict, now: Duration) {
        let Some(answerer) = &mut self.answerer else { return };
        let journal = &mut self.birth.journal;
        tracing::info!(answered_by = by.as_str(), after_ms = now.as_millis() as u64, "who has answered is recognised");
        journal.cdr.answered_by = Some(by);
        journal.note(CallFact::AnsweredBy { by, evidence: evidence.clone() });
        match (by, answerer.voicemail.policy) {
            (AnsweredBy::Fax, _) => {
                self.queue.push_back(CallInput::Recognised(Termination::because(EndReason::FaxAnswered, evidence)));
            }
            (AnsweredBy::Machine, VoicemailPolicy::HangUp) => {
                self.queue.push_back(CallInput::Recognised(Termination::because(EndReason::MachineAnswered, evidence)));
            }
            (AnsweredBy::Machine, VoicemailPolicy::Drop) if answerer.voicemail.to_leave().is_some() => {
                answerer.message = Message::Waiting(MessageDrop::new(now, answerer.talks));
                self.birth.agent.hush();
            }
            (AnsweredBy::Machine | AnsweredBy::Human | AnsweredBy::Unsure, _) => {}
        }
    }

    /// `moment`: whether it is the moment for the message.
    fn advance_message(&mut self, moment: impl FnOnce(&mut MessageDrop, Duration) -> bool) {
        let Some(answerer) = &mut self.answerer else { return };
        let Some(now) = answerer.since(MediaEngine::now()) else { return };
        let Message::Waiting(drop) = &mut answerer.message else { return };
        if moment(drop, now) {
            answerer.message = Message::Due;
            self.leave_message();
        }
    }

    fn leave_message(&mut self) {
        let Some(answerer) = &mut self.answerer else { return };
        let Some(message) = answerer.voicemail.to_leave().filter(|_| self.birth.agent.is_ready()).map(str::to_owned) else {
            return;
        };
        answerer.message = Message::Spoken;
        self.birth.journal.note(CallFact::MessageDropped { message: message.clone() });
        self.birth.agent.speak_up();
        self.birth.agent.prompt(Prompt::LeaveMessage { message });
        self.queue.push_back(CallInput::LeavesMessage);
        self.listen_no_longer();
    }

    /// Nothing more is to be recognised: media need not listen.
    fn listen_no_longer(&mut self) {
        let (Some(answerer), Audio::Open(open)) = (&mut self.answerer, &self.audio) else { return };
        if answerer.listens && answerer.recognition.is_over() && !answerer.is_hushed() {
            answerer.listens = false;
            open.control.listen(false);
        }
    }

    /// Once for each kind.
    fn note_tone(&mut self, signal: Signal) {
        let Some(answerer) = &mut self.answerer else { return };
        let tone = signal.to_string();
        if answerer.tones.len() < MAX_TONES && !answerer.tones.contains(&tone) {
            answerer.tones.push(tone.clone());
            self.birth.journal.note(CallFact::ToneHeard { tone });
        }
    }

    /// The end that a tone of the network means.
    fn end_by(&self, signal: Signal) -> Option<Termination> {
        let answerer = self.answerer.as_ref()?;
        let reason = match signal {
            Signal::Progress(plan) => match plan.tone {
                ProgressTone::Ringback => return None,
                // Who has talked before has hung up, and an exchange says so.
                _ if answerer.recognition.has_talked() => EndReason::RemoteHungUp,
                ProgressTone::Busy => EndReason::CalleeBusy,
                ProgressTone::Congestion => EndReason::Congestion,
            },
            Signal::Special(SitClass::Intercept | SitClass::VacantCode) => EndReason::NumberNotFound,
            Signal::Special(SitClass::Reorder | SitClass::NoCircuit) => EndReason::Congestion,
            Signal::Special(SitClass::Plain | SitClass::Reserved) => EndReason::NotReachable,
            Signal::FaxCalling | Signal::FaxAnswering | Signal::Beep { .. } => return None,
        };
        let when = if answerer.answered_at.is_some() { "heard after the answer" } else { "heard as early media" };
        Some(Termination::because(reason, format!("{signal}, {when}")))
    }
}

fn sound_of(signal: Signal) -> Option<Sound> {
    match signal {
        Signal::Progress(plan) => (plan.tone == ProgressTone::Ringback).then_some(Sound::Ringback),
        Signal::Special(_) => None,
        Signal::FaxCalling => Some(Sound::FaxCalling),
        Signal::FaxAnswering => Some(Sound::FaxAnswering),
        Signal::Beep { hertz, length } => Some(Sound::Beep { hertz, length }),
    }
}
