//! The leg to whom the caller is handed over: dialled on the same account, with a port and media of its own.

use super::Event;
use crate::call::{
    audio::{Audio, OpenWith},
    bridge::Line,
    context::CallContext,
};
use callie_domain::record::{LegSummary, Termination};
use callie_domain::{DialTarget, User};
use callie_sip::{AccountHandle, DialOptions, Leg};
use jiff::Timestamp;
use std::sync::Arc;

/// See the module.
pub struct Human {
    pub leg: Leg,
    pub audio: Audio,
    /// Where the agent, or nobody, speaks with them.
    pub line: Option<Line>,
    to: String,
    pub answered_at: Option<Timestamp>,
}

impl Human {
    /// Takes a port and sends the INVITE.
    pub fn call(
        context: &CallContext,
        user: &Arc<User>,
        account: &AccountHandle,
        target: &DialTarget,
    ) -> Result<Self, Termination> {
        let address = context.stack.media_address_of(account);
        let mut audio = Audio::reserve(context, user, address)?;
        let options = DialOptions { go_on: context.gate.onward(user), ..DialOptions::default() };
        let leg = context.stack.dial_with(account, target, audio.offer().unwrap_or_default(), options);
        Ok(Self { leg, audio, line: None, to: target.to_string(), answered_at: None })
    }

    /// They have answered with this description.
    pub fn answered(&mut self, context: &CallContext, sdp: &[u8], with: OpenWith) -> Result<(), Termination> {
        let (ear_rate, voice_rate) = (with.input_rate, with.output_rate);
        let media = self.audio.complete(context, sdp, with)?;
        self.line = Some(Line { ear: media.ear, ear_rate, voice: media.voice, voice_rate });
        self.answered_at = Some(Timestamp::now());
        Ok(())
    }

    /// Hangs up, if it is up, and gives back what it holds.
    pub async fn close(self) -> LegSummary {
        let Self { leg, audio, line, to, answered_at } = self;
        let sip_call_id = leg.control.sip_call_id().to_owned();
        leg.control.hang_up().await;
        drop(line);
        LegSummary { to, sip_call_id, answered_at, media: audio.close().await }
    }
}

/// What happens on the leg, where there is one. Cancel safe.
pub(super) async fn next(human: &mut Option<Human>) -> Event {
    let Some(Human { leg, audio, .. }) = human else { return std::future::pending().await };
    let media = async {
        match audio {
            Audio::Open(open) => open.events.recv().await,
            Audio::Closed | Audio::Reserved { .. } => std::future::pending().await,
        }
    };
    tokio::select! {
        event = leg.events.recv() => Event::Human(event),
        event = media => Event::HumanMedia(event),
    }
}
