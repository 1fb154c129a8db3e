//! A supervisor beside a call: who listens to both sides, and who whispers to the agent.

use super::audio::Audio;
use super::registry::Registry;
use super::task::{CallTask, Command};
use crate::exchange::{HintError, ListenError, Listening};
use callie_ai::Prompt;
use callie_domain::CallId;
use callie_domain::call::Phase;
use callie_domain::record::CallFact;
use callie_media::engine::Overhearing;
use futures::{StreamExt, stream};
use tokio::sync::oneshot;

/// Of what a call's media is recorded in and heard in.
const RATE_HZ: u32 = 8_000;

impl Registry {
    pub async fn listen(&self, call: CallId) -> Result<Listening, ListenError> {
        let (reply, replied) = oneshot::channel();
        if !self.tell(call, Command::Listen(reply)) {
            return Err(ListenError::NoSuchCall);
        }
        let overhearing = replied.await.unwrap_or(Err(ListenError::NoSuchCall))?;
        let frames = stream::unfold(overhearing, async |mut overhearing| {
            let frame = overhearing.next().await?;
            Some((frame.to_vec(), overhearing))
        });
        Ok(Listening { sample_rate_hz: RATE_HZ, frames: frames.boxed() })
    }

    pub async fn hint(&self, call: CallId, text: &str) -> Result<(), HintError> {
        let (reply, replied) = oneshot::channel();
        if !self.tell(call, Command::Hint(text.to_owned(), reply)) {
            return Err(HintError::NoSuchCall);
        }
        replied.await.unwrap_or(Err(HintError::NoSuchCall))
    }
}

impl CallTask {
    pub(super) fn take_listener(&mut self) -> Result<Overhearing, ListenError> {
        let Audio::Open(open) = &self.audio else { return Err(ListenError::NotTalking) };
        let listener = open.control.overhear();
        self.birth.journal.note(CallFact::ListenedIn);
        Ok(listener)
    }

    /// The caller hears nothing of it; the record does.
    pub(super) fn take_hint(&mut self, text: String) -> Result<(), HintError> {
        let agent = &mut self.birth.agent;
        if self.birth.machine.phase() != Phase::Talking || self.transfer.is_some() {
            return Err(HintError::NotTalking);
        }
        if !agent.takes_hints() {
            return Err(HintError::NotTaken(agent.name()));
        }
        agent.hint(text.clone());
        self.birth.journal.note(CallFact::HintGiven { text });
        Ok(())
    }
}

/// A supervisor's words to the agent, as an engine is told them.
pub(super) fn prompt(text: &str) -> Prompt {
    Prompt::Hint { text: text.to_owned() }
}
