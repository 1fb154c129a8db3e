//! What the agent says, hears and does, and what is done when it fails or stays silent.

use super::{
    agent::AgentEvent,
    bridge::Fact,
    conversation::{engine_usage, tool_used},
    silence::Step,
    task::{Birth, CallTask},
};
use callie_ai::{EngineError, Prompt, error::EngineCause};
use callie_domain::call::{Input, transfer::Input as TransferInput};
use callie_domain::record::{CallFact, DeadAirStep, Speaker};
use std::time::Duration;

impl CallTask {
    pub(super) fn take_agent_event(&mut self, event: AgentEvent) {
        match event {
            AgentEvent::Ready => {
                let engine = self.birth.agent.name().to_owned();
                let model = self.birth.agent.model();
                self.birth.journal.note(CallFact::AgentReady { engine, model });
                self.queue.push_back(Input::AgentReady);
                self.resume_message();
            }
            AgentEvent::Complaints(complaints) => {
                complaints.into_iter().for_each(|text| self.birth.journal.note(CallFact::Warning { text }));
            }
            AgentEvent::Failed(error) => self.take_engine_failure(&error),
            AgentEvent::TookOver { silent } => {
                let detail = "the caller had spoken, and nothing was to be heard of it";
                self.note_engine_failure(silent, &EngineError::new(EngineCause::Stalled, detail));
                self.take_agent_event(AgentEvent::Ready);
            }
            AgentEvent::StandbyFailed(engine, error) => {
                self.note_engine_failure(engine, &error);
                self.call_another_engine();
            }
            AgentEvent::Fact(fact) => self.take_fact(fact),
        }
    }

    fn take_fact(&mut self, fact: Fact) {
        if !self.agent_is_with_caller() && is_conversation(&fact) {
            return;
        }
        if let (Fact::TurnComplete, Some(transfer)) = (&fact, &mut self.transfer) {
            transfer.push(TransferInput::TurnComplete);
        }
        match fact {
            Fact::Transfer { target } => self.take_agents_transfer(&target),
            Fact::TransferDecision { accepted: true } => drop(self.tell_transfer(TransferInput::Accepted)),
            Fact::TransferDecision { accepted: false } => drop(self.tell_transfer(TransferInput::Declined)),
            Fact::Drained if self.tell_transfer(TransferInput::PlayoutDrained) => {}
            // To the human: it is not the caller who is to be hung up on.
            Fact::Goodbye if self.tell_transfer(TransferInput::Declined) => {}
            fact => self.take_talk(fact),
        }
    }

    /// What the agent says to the caller and hears of it, and what it uses.
    fn take_talk(&mut self, fact: Fact) {
        if let Fact::Words(Speaker::Caller, text) = &fact {
            self.recognise_words(text);
        }
        let Self { conversation, birth: Birth { journal, agent, .. }, queue, .. } = self;
        match fact {
            Fact::Words(speaker, text) => conversation.words(speaker, text, journal),
            Fact::Audio { length, ear_delay, uplink_delay } => conversation.audio(length, ear_delay, uplink_delay, journal),
            Fact::TurnComplete => {
                conversation.turn_complete(journal);
                if let Some(target) = agent.take_lost_to() {
                    self.take_agents_transfer(&target);
                }
            }
            Fact::Interrupted => conversation.interrupted(journal),
            Fact::BargeIn { at, outcome } => conversation.barge_in(at, outcome, journal),
            Fact::ToolUsed(tool) => {
                conversation.tool_used();
                journal.note(tool_used(tool));
            }
            Fact::MessageTaken(message) => journal.note(CallFact::MessageTaken { message }),
            Fact::Usage(usage) => journal.note(engine_usage(usage)),
            Fact::Notice(text) => journal.note(CallFact::Warning { text }),
            Fact::SessionChanged { reason, resumed } => {
                journal.note(CallFact::SessionChanged { engine: agent.name().to_owned(), reason, resumed });
                if !resumed {
                    agent.repeat_hints();
                }
            }
            Fact::Goodbye => queue.push_back(Input::AgentGoodbye),
            Fact::Drained => queue.push_back(Input::PlayoutDrained),
            Fact::Transfer { .. } | Fact::TransferDecision { .. } => {}
            // The agent turns it into its own event.
            Fact::Failed(error) => self.take_engine_failure(&error),
        }
    }

    /// Another engine takes over, or the call ends.
    fn take_engine_failure(&mut self, error: &EngineError) {
        let engine = self.birth.agent.name();
        self.note_engine_failure(engine, error);
        self.note_abandoned_tools();
        // To a machine nobody apologises.
        if !self.leaves_message() && self.birth.agent.fail_over(self.conversation.so_far()) {
            let next = self.birth.agent.name();
            self.birth.journal.note(CallFact::Warning { text: format!("{next} talks instead of {engine}") });
        } else if !self.tell_transfer(TransferInput::AgentLost(error.to_string())) {
            self.queue.push_back(Input::AgentFailed(error.to_string()));
        }
    }

    /// What was at work for the engine that is gone.
    pub(super) fn note_abandoned_tools(&mut self) {
        let Birth { agent, journal, .. } = &mut self.birth;
        agent.tools().take_abandoned().iter().for_each(|used| journal.note(tool_used(used.record())));
    }

    fn note_engine_failure(&mut self, engine: &str, error: &EngineError) {
        tracing::warn!(%engine, %error, remedy = error.cause.remedy(), "the conversation engine failed");
        self.birth.journal.note(CallFact::EngineFailed {
            engine: engine.to_owned(),
            cause: error.cause.to_string(),
            detail: error.detail.clone(),
            remedy: error.cause.remedy().to_owned(),
        });
    }

    /// The caller has spoken and hears nothing.
    pub(super) fn take_dead_air(&mut self, step: DeadAirStep, silent_for: Duration) {
        if self.leaves_message() {
            return;
        }
        let engine = self.birth.agent.name();
        let silent_ms = u64::try_from(silent_for.as_millis()).unwrap_or(u64::MAX);
        tracing::warn!(%engine, silent_ms, ?step, "dead air");
        self.birth.journal.note(CallFact::DeadAir { step, silent_ms });
        match step {
            DeadAirStep::Nudge => self.birth.agent.nudge(),
            DeadAirStep::Renew => self.birth.agent.renew(),
            DeadAirStep::TakeOver => self.call_another_engine(),
        }
    }

    /// It takes over as soon as it is ready, unless the one that has the call is heard before.
    fn call_another_engine(&mut self) {
        let silent = self.birth.agent.name();
        if let Some(next) = self.birth.agent.call_standby(self.conversation.so_far()) {
            self.birth.journal.note(CallFact::Warning { text: format!("{silent} is silent: {next} is called") });
        }
    }

    pub(super) fn take_silence(&mut self, step: Step) {
        if self.leaves_message() {
            return;
        }
        match step {
            Step::Ask => self.birth.agent.prompt(Prompt::StillThere),
            Step::SayGoodbye => {
                self.queue.push_back(Input::CallerSilent);
                self.birth.agent.prompt(Prompt::SilenceGoodbye);
            }
            Step::HangUp => self.queue.push_back(Input::AgentGoodbye),
        }
    }
}

/// Whether it belongs into the transcript.
fn is_conversation(fact: &Fact) -> bool {
    matches!(fact, Fact::Words(..) | Fact::Audio { .. } | Fact::TurnComplete | Fact::Interrupted | Fact::BargeIn { .. })
}
