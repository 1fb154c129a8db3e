//! The live feed as lines for people, and a way to wait for what the demo needs next.

use crate::cli::terminal::say;
use crate::exchange::LiveEvent;
use anyhow::{Context, bail};
use callie_domain::record::{BargeInOutcome, CallFact, Cdr, Direction, Speaker, Turn};
use callie_domain::registration::RegistrationState;
use callie_domain::{CallId, UserId};
use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::broadcast::{self, error::RecvError};

/// How long a registration may take.
const REGISTRATION_DEADLINE: Duration = Duration::from_secs(10);

pub struct Narrator {
    feed: broadcast::Receiver<Arc<LiveEvent>>,
    begun: Instant,
    /// Records that came while another was waited for.
    ended: VecDeque<Cdr>,
    /// What was last told of each line, so that only changes are told.
    lines: HashMap<UserId, String>,
    turns: HashMap<(CallId, u32), String>,
    speakers: HashMap<CallId, Speaker>,
}

impl Narrator {
    pub fn start(feed: broadcast::Receiver<Arc<LiveEvent>>) -> Self {
        Self {
            feed,
            begun: Instant::now(),
            ended: VecDeque::new(),
            lines: HashMap::new(),
            turns: HashMap::new(),
            speakers: HashMap::new(),
        }
    }

    pub fn heading(&self, text: &str) -> anyhow::Result<()> {
        say(&format!("\n{text}\n"))
    }

    /// One line with the seconds since the demo began.
    pub fn line(&self, who: &str, text: &str) -> anyhow::Result<()> {
        say(&format!("  {:6.2} s  {who:<6} {text}\n", self.begun.elapsed().as_secs_f32()))
    }

    pub async fn until_registered(&mut self, user: &str) -> anyhow::Result<()> {
        let deadline = Instant::now() + REGISTRATION_DEADLINE;
        loop {
            let event = self.next(deadline).await.with_context(|| format!("{user} was not registered"))?;
            if let LiveEvent::Registration { user_id, registration } = &*event
                && user_id.as_str() == user
                && registration.state == RegistrationState::Registered
            {
                return Ok(());
            }
        }
    }

    /// Narrates until a call's record is complete.
    pub async fn until_ended(&mut self, wanted: impl Fn(&Cdr) -> bool, within: Duration) -> anyhow::Result<Cdr> {
        let deadline = Instant::now() + within;
        loop {
            if let Some(at) = self.ended.iter().position(&wanted)
                && let Some(cdr) = self.ended.remove(at)
            {
                return Ok(cdr);
            }
            self.next(deadline).await?;
        }
    }

    /// Whether a speaker whom the last line named speaks again.
    fn goes_on(&mut self, call: CallId, fact: &CallFact) -> bool {
        let CallFact::SpeechStarted { speaker } = fact else { return false };
        self.speakers.insert(call, *speaker) == Some(*speaker)
    }

    /// A turn, unless these words of it were told before.
    fn turn(&mut self, call: CallId, user: &str, turn: &Turn) -> anyhow::Result<()> {
        let before = self.turns.insert((call, turn.index), turn.text.clone());
        if before.as_ref() == Some(&turn.text) { Ok(()) } else { self.line(user, &turn_words(turn)) }
    }

    async fn next(&mut self, deadline: Instant) -> anyhow::Result<Arc<LiveEvent>> {
        let received = tokio::time::timeout_at(deadline.into(), self.feed.recv()).await.context("nothing happened in time")?;
        let event = match received {
            Ok(event) => event,
            Err(RecvError::Lagged(missed)) => bail!("the demo missed {missed} events"),
            Err(RecvError::Closed) => bail!("the server stopped"),
        };
        match &*event {
            LiveEvent::Registration { user_id, registration } => {
                let reason = registration.reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default();
                let words = format!("{}{reason}", state_words(registration.state));
                if self.lines.insert(user_id.clone(), words.clone()).as_ref() != Some(&words) {
                    self.line(user_id.as_str(), &words)?;
                }
            }
            LiveEvent::Call { call_id, user_id, direction, event } => {
                if let CallFact::Turn { turn } = &event.fact {
                    self.turn(*call_id, user_id.as_str(), turn)?;
                } else if self.goes_on(*call_id, &event.fact) {
                    // Another sentence of the same speaker.
                } else if let Some(text) = fact_words(&event.fact, *direction) {
                    self.line(user_id.as_str(), &text)?;
                }
            }
            LiveEvent::RegistrationAlert { user_id, .. } => self.line(user_id.as_str(), "has been without a line for long")?,
            LiveEvent::CallRecorded { cdr } => self.ended.push_back((**cdr).clone()),
            LiveEvent::CallSummarised { cdr } => {
                if let Some(summary) = cdr.after_call.as_ref().and_then(|report| report.summary.as_ref()) {
                    self.line(cdr.user_id.as_str(), &format!("summary: {summary}"))?;
                }
            }
            LiveEvent::User { user_id, change } => self.line(user_id.as_str(), &format!("document {change}"))?,
        }
        Ok(event)
    }
}

fn state_words(state: RegistrationState) -> &'static str {
    match state {
        RegistrationState::Off => "line is off",
        RegistrationState::Registering => "registering",
        RegistrationState::Registered => "registered",
        RegistrationState::Retrying => "registration failed, will be tried again",
        RegistrationState::WrongPassword => "the carrier refuses the password",
        RegistrationState::Unregistering => "unregistering",
    }
}

fn fact_words(fact: &CallFact, direction: Direction) -> Option<String> {
    Some(match fact {
        CallFact::Invited { from } => format!("is called by {from}"),
        CallFact::Dialled { to } => format!("dials {to}"),
        CallFact::Ringing { .. } => match direction {
            Direction::Inbound => "rings".to_owned(),
            Direction::Outbound => "hears it ringing".to_owned(),
        },
        CallFact::MediaOpened { local_port, codec } => format!("media open: {codec} on port {local_port}"),
        CallFact::AgentReady { engine, .. } => format!("agent ready ({engine})"),
        CallFact::Answered => "answered".to_owned(),
        CallFact::SpeechStarted { speaker: Speaker::Caller } => "the other side speaks …".to_owned(),
        CallFact::SpeechStarted { speaker: Speaker::Agent } => "Callie speaks …".to_owned(),
        CallFact::BargeIn { outcome: BargeInOutcome::Interrupted, .. } => "Callie gives way to the other side".to_owned(),
        CallFact::BargeIn { outcome: BargeInOutcome::Resumed, .. } => "Callie goes on".to_owned(),
        CallFact::ToolUsed { name, arguments, .. } => format!("tool {name} {arguments}"),
        CallFact::ClaimUnsupported { claim } => format!("said, but not done: {}", claim.text),
        CallFact::MessageTaken { message } => format!("message taken: {}", message.text),
        CallFact::Ended { termination } => format!("call ended: {}", termination.reason.text()),
        CallFact::DialRefused { to, limit, detail } => format!("{to} is not dialled ({}): {detail}", limit.as_str()),
        CallFact::ListenedIn => "somebody listens in".to_owned(),
        CallFact::HintGiven { text } => format!("hint to the agent: {text}"),
        CallFact::Warning { text } => format!("warning: {text}"),
        CallFact::ToneHeard { tone } => format!("hears a {tone}"),
        CallFact::AnsweredBy { by, evidence } => format!("answered by: {} ({evidence})", by.as_str()),
        CallFact::MessageDropped { .. } => "leaves its message".to_owned(),
        CallFact::Dtmf { digit } => format!("key {digit}"),
        CallFact::Hold { on } => if *on { "held" } else { "taken back from hold" }.to_owned(),
        CallFact::EngineFailed { engine, detail, .. } => format!("engine {engine} failed: {detail}"),
        CallFact::SessionChanged { engine, reason, .. } => format!("engine {engine} goes on in a new session: {reason}"),
        CallFact::DeadAir { silent_ms, .. } => format!("nothing is heard for {silent_ms} ms"),
        CallFact::DeadAirEnded { silent_ms } => format!("heard again after {silent_ms} ms"),
        CallFact::TransferStarted { mode, target } => format!("hands over to {target} ({})", mode.as_str()),
        CallFact::TransferProgress { code, phrase } => format!("of the transfer: {code} {phrase}"),
        CallFact::TransferFellBack { reason } => format!("calls the target itself: {reason}"),
        CallFact::TransferCompleted { .. } => "handed over".to_owned(),
        CallFact::TransferFailed { reason } => format!("not handed over: {reason}"),
        CallFact::LegReplaced { .. } => "another leg took the place of the call's".to_owned(),
        CallFact::Turn { .. }
        | CallFact::Established
        | CallFact::EngineUsage { .. }
        | CallFact::RtpLatched { .. }
        | CallFact::SpeechEnded { .. } => {
            return None;
        }
    })
}

fn turn_words(turn: &Turn) -> String {
    let who = match turn.speaker {
        Speaker::Caller => "the other side said",
        Speaker::Agent => "Callie said",
    };
    let cut = if turn.interrupted { " (interrupted)" } else { "" };
    let waited = turn.latency.map(|latency| format!(" [after {} ms]", latency.total_ms)).unwrap_or_default();
    format!("{who}: “{}”{cut}{waited}", turn.text.trim())
}
