//! Handing a caller over to a human, as a machine beside the call's own: what happened goes in, what is to be done comes out.
//!
//! ```text
//!  blind:     announcing ─▶ referring ── NOTIFY 2xx ─▶ call ends (transferred)
//!                              └─ refused, silent ─▶ calling ── answered ─▶ joined
//!  warm:      announcing ─▶ calling ── answered ─▶ consulting ── accepted ─▶ joined
//!  attended:  … consulting ── accepted ─▶ referring with Replaces ── NOTIFY 2xx ─▶ call ends
//!                                            └─ refused ─▶ joined
//!  anywhere before the end: failed ─▶ the agent goes on with the caller
//! ```
//!
//! The caller is never alone for longer than a timer: whoever is with it at the end is the agent, the human, or nobody
//! because the call is over. After [`Output::Return`] or [`Output::EndCall`] every further input yields nothing.

use crate::record::{EndReason, Termination};
use crate::user::TransferMode;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What a transfer begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    pub mode: TransferMode,
    /// The other side's `Allow` names REFER (RFC 3515 §2.2), or it said nothing about what it allows.
    pub can_refer: bool,
    /// The other side's `Supported` names `replaces` (RFC 3891 §4).
    pub can_replace: bool,
    /// The agent is saying that it connects the caller; its words are waited for.
    pub announced: bool,
    /// How long the human's telephone may ring.
    pub answer_timeout: Duration,
}

impl Plan {
    /// The agent's words, should the engine never say that they are over.
    pub const ANNOUNCE_TIMEOUT: Duration = Duration::from_secs(8);
    /// Without news of a REFER for so long, its outcome is given up.
    pub const REFER_TIMEOUT: Duration = Duration::from_secs(30);
    /// How long the human may be spoken to before they take the caller.
    pub const CONSULT_TIMEOUT: Duration = Duration::from_secs(120);
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    Begin,
    /// The agent's turn is over, its words not yet played.
    TurnComplete,
    PlayoutDrained,
    /// News of the REFER: a response to it, or the status line in a NOTIFY (RFC 3515 §2.4.5). `done` with the last one.
    Progress {
        code: u16,
        phrase: String,
        done: bool,
    },
    HumanRinging {
        code: u16,
    },
    HumanAnswered,
    /// The human's leg came to nothing before the answer.
    HumanRefused(String),
    HumanHungUp,
    /// The human takes the caller: a key, the agent's tool or the API.
    Accepted,
    Declined,
    /// The API calls it off.
    Cancelled,
    CallerHungUp,
    /// There is no engine left to talk.
    AgentLost(String),
    Timer(Timer),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Timer {
    Announce,
    Refer,
    Answer,
    Consult,
}

/// What the caller hears while nobody speaks to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comfort {
    Silence,
    /// The tone of a telephone that rings.
    Ringing,
    /// A quiet sign of life now and then.
    Waiting,
}

/// What is to be done, in order.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Tell when the agent's words have been played.
    DrainPlayout,
    /// The agent leaves the caller's line, or the human's; the caller hears this.
    PutAside(Comfort),
    /// Send REFER on the caller's dialog, to the human's number or in place of the human's dialog.
    Refer {
        replaces: bool,
    },
    /// Call the human on the same account.
    CallHuman,
    /// The agent speaks to the human.
    Brief,
    /// Caller and human hear each other; the agent is not needed any more.
    Join,
    HangUpHuman,
    StartTimer(Timer, Duration),
    StopTimers,
    Note(Note),
    /// The agent goes on with the caller, and is told why. The last output.
    Return {
        reason: String,
    },
    /// The call is over. The last output.
    EndCall(Termination),
}

/// For the record.
#[derive(Debug, Clone, PartialEq)]
pub enum Note {
    Progress {
        code: u16,
        phrase: String,
    },
    /// The provider does not do it, so it is done here.
    FellBack {
        reason: String,
    },
    Completed {
        how: Completion,
    },
    Failed {
        reason: String,
    },
}

/// Who joins the caller and the human.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Completion {
    /// We do.
    Joined,
    /// The provider does, and the call has left us.
    Referred,
}

/// Where the transfer stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    New,
    Announcing,
    /// A REFER is under way. `accepted`: it was not refused at once.
    Referring {
        replaces: bool,
        accepted: bool,
    },
    /// The human's telephone rings.
    Calling {
        consult: bool,
    },
    /// Agent and human speak.
    Consulting,
    Joined,
    Over,
}

/// The machine.
#[derive(Debug)]
pub struct Transfer {
    plan: Plan,
    stage: Stage,
    /// There is a leg to the human that has not ended.
    human: bool,
    /// Why there is no agent to go back to.
    agent_lost: Option<String>,
    /// The last status line heard of the REFER.
    last_code: u16,
}

impl Transfer {
    pub fn new(plan: Plan) -> Self {
        Self { plan, stage: Stage::New, human: false, agent_lost: None, last_code: 0 }
    }

    pub fn stage(&self) -> Stage {
        self.stage
    }

    pub fn handle(&mut self, input: Input) -> Vec<Output> {
        match (self.stage, input) {
            (Stage::Over, _) => Vec::new(),
            (Stage::New, Input::Begin) => self.begin(),
            (Stage::New, _) => Vec::new(),
            (_, Input::CallerHungUp) => self.caller_hung_up(),
            (_, Input::AgentLost(why)) => self.agent_lost(why),
            (_, Input::HumanHungUp) => self.human_hung_up(),
            (stage, Input::HumanRefused(_)) if !matches!(stage, Stage::Calling { .. }) => self.human_hung_up(),
            (Stage::Announcing, Input::TurnComplete) => vec![Output::DrainPlayout],
            (Stage::Announcing, Input::PlayoutDrained | Input::Timer(Timer::Announce)) => self.go(),
            (Stage::Announcing | Stage::Calling { .. } | Stage::Consulting, Input::Cancelled) => self.fail("it was called off"),
            (Stage::Referring { replaces, .. }, input) => self.referring(replaces, input),
            (Stage::Calling { consult }, input) => self.calling(consult, input),
            (Stage::Consulting, input) => self.consulting(input),
            _ => Vec::new(),
        }
    }

    fn begin(&mut self) -> Vec<Output> {
        if !self.plan.announced {
            return self.go();
        }
        self.stage = Stage::Announcing;
        vec![Output::StartTimer(Timer::Announce, Plan::ANNOUNCE_TIMEOUT)]
    }

    fn go(&mut self) -> Vec<Output> {
        match self.plan.mode {
            TransferMode::Blind if self.plan.can_refer => self.refer(false),
            TransferMode::Blind => self.fall_back("the other side does not allow REFER".to_owned()),
            TransferMode::Warm | TransferMode::Attended => self.call_human(true),
        }
    }

    fn refer(&mut self, replaces: bool) -> Vec<Output> {
        self.stage = Stage::Referring { replaces, accepted: false };
        vec![
            Output::StopTimers,
            Output::PutAside(Comfort::Silence),
            Output::Refer { replaces },
            Output::StartTimer(Timer::Refer, Plan::REFER_TIMEOUT),
        ]
    }

    fn call_human(&mut self, consult: bool) -> Vec<Output> {
        self.stage = Stage::Calling { consult };
        self.human = true;
        vec![
            Output::StopTimers,
            Output::PutAside(if consult { Comfort::Waiting } else { Comfort::Ringing }),
            Output::CallHuman,
            Output::StartTimer(Timer::Answer, self.plan.answer_timeout),
        ]
    }

    fn referring(&mut self, replaces: bool, input: Input) -> Vec<Output> {
        match input {
            // RFC 3515 §2.4.5: the body of the last NOTIFY is the outcome.
            Input::Progress { code: 200..=299, done: true, .. } => {
                self.end(EndReason::Transferred, None, Some(Completion::Referred))
            }
            Input::Progress { code, phrase, done: true } => {
                let why = if phrase.is_empty() { code.to_string() } else { format!("{code} {phrase}") };
                self.fall_back(format!("the other side did not transfer: {why}"))
            }
            // Each step forward earns the other side more time; the same news again does not.
            Input::Progress { code, phrase, done: false } => {
                self.stage = Stage::Referring { replaces, accepted: true };
                let news = code > self.last_code;
                self.last_code = self.last_code.max(code);
                let mut outputs = vec![Output::Note(Note::Progress { code, phrase })];
                if news {
                    outputs.push(Output::StartTimer(Timer::Refer, Plan::REFER_TIMEOUT));
                }
                outputs
            }
            Input::Timer(Timer::Refer) => {
                let seconds = Plan::REFER_TIMEOUT.as_secs();
                self.fall_back(format!("the other side told no outcome within {seconds} seconds"))
            }
            _ => Vec::new(),
        }
    }

    /// The provider does not join the two: we do.
    fn fall_back(&mut self, reason: String) -> Vec<Output> {
        if matches!(self.stage, Stage::Referring { replaces: true, .. }) {
            if !self.human {
                return self.fail(&reason);
            }
            let mut outputs = vec![Output::Note(Note::FellBack { reason })];
            outputs.extend(self.join());
            return outputs;
        }
        let mut outputs = vec![Output::Note(Note::FellBack { reason })];
        outputs.extend(self.call_human(false));
        outputs
    }

    fn calling(&mut self, consult: bool, input: Input) -> Vec<Output> {
        match input {
            Input::HumanRinging { code } => vec![Output::Note(Note::Progress { code, phrase: "Ringing".to_owned() })],
            Input::HumanAnswered if consult && self.agent_lost.is_none() => {
                self.stage = Stage::Consulting;
                vec![Output::StopTimers, Output::Brief, Output::StartTimer(Timer::Consult, Plan::CONSULT_TIMEOUT)]
            }
            Input::HumanAnswered => self.join(),
            Input::HumanRefused(reason) => {
                self.human = false;
                self.fail(&reason)
            }
            Input::Timer(Timer::Answer) => self.fail("nobody answered"),
            _ => Vec::new(),
        }
    }

    fn consulting(&mut self, input: Input) -> Vec<Output> {
        match input {
            Input::Accepted if self.plan.mode == TransferMode::Attended && self.plan.can_refer && self.plan.can_replace => {
                self.refer(true)
            }
            Input::Accepted => self.join(),
            Input::Declined => self.fail("they did not take the call"),
            Input::Timer(Timer::Consult) => self.fail("they did not take the call in time"),
            _ => Vec::new(),
        }
    }

    fn join(&mut self) -> Vec<Output> {
        self.stage = Stage::Joined;
        vec![Output::StopTimers, Output::Join, Output::Note(Note::Completed { how: Completion::Joined })]
    }

    fn human_hung_up(&mut self) -> Vec<Output> {
        if !std::mem::take(&mut self.human) {
            return Vec::new();
        }
        match self.stage {
            Stage::Joined => self.end(EndReason::Transferred, Some("the other party hung up"), None),
            // RFC 3891 §3: the dialog that was replaced is ended by BYE; the outcome is yet to come.
            Stage::Referring { .. } => Vec::new(),
            _ => self.fail("they hung up"),
        }
    }

    fn caller_hung_up(&mut self) -> Vec<Output> {
        match self.stage {
            // Some providers end the referring dialog themselves, before or instead of the last NOTIFY (RFC 5589 §6.1).
            Stage::Referring { accepted: true, .. } => {
                self.end(EndReason::Transferred, Some("the other side hung up after REFER"), Some(Completion::Referred))
            }
            Stage::Joined => self.end(EndReason::RemoteHungUp, None, None),
            _ => {
                let mut outputs = vec![Output::Note(Note::Failed { reason: "the caller hung up".to_owned() })];
                outputs.extend(self.end(EndReason::RemoteHungUp, None, None));
                outputs
            }
        }
    }

    fn agent_lost(&mut self, why: String) -> Vec<Output> {
        self.agent_lost = Some(why);
        match self.stage {
            Stage::Consulting => self.join(),
            Stage::Announcing => self.go(),
            _ => Vec::new(),
        }
    }

    /// Back to the agent; without one the call ends.
    fn fail(&mut self, reason: &str) -> Vec<Output> {
        let reason = reason.to_owned();
        let note = Output::Note(Note::Failed { reason: reason.clone() });
        if let Some(why) = self.agent_lost.take() {
            let mut outputs = vec![note];
            outputs.extend(self.end(EndReason::EngineFailed, Some(&why), None));
            return outputs;
        }
        self.stage = Stage::Over;
        let mut outputs = vec![Output::StopTimers];
        outputs.extend(std::mem::take(&mut self.human).then_some(Output::HangUpHuman));
        outputs.extend([note, Output::Return { reason }]);
        outputs
    }

    fn end(&mut self, reason: EndReason, detail: Option<&str>, completed: Option<Completion>) -> Vec<Output> {
        self.stage = Stage::Over;
        let mut outputs = vec![Output::StopTimers];
        outputs.extend(std::mem::take(&mut self.human).then_some(Output::HangUpHuman));
        outputs.extend(completed.map(|how| Output::Note(Note::Completed { how })));
        outputs.push(Output::EndCall(match detail {
            Some(detail) => Termination::because(reason, detail),
            None => Termination::new(reason),
        }));
        outputs
    }
}

#[cfg(test)]
#[path = "transfer/tests.rs"]
mod tests;
