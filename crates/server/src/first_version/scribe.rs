//! Answers text messages in the name of a user: a chat model where there is one, the receptionist otherwise.

use crate::config::{Chat, Config};
use callie_ai::{Brief, local::Correspondent, tools::Toolbox};
use callie_domain::User;
use callie_domain::record::Speaker;

/// Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Scribe(Correspondent);

impl Scribe {
    /// # Errors
    /// When the chat endpoint's address is none that can be asked.
    pub fn new(config: &Config) -> anyhow::Result<Self> {
        let chat = config.engines.chat.as_ref().map(Chat::options);
        Ok(Self(Correspondent::new(chat, config.first_version.reply_tokens)?))
    }

    /// Answers the last of `lines`, which are with `remote`.
    pub async fn answer(&self, user: &User, remote: &str, lines: &[(Speaker, String)]) -> String {
        let reply = self.0.answer(&brief(user, remote), lines).await;
        if let Some(error) = reply.failure {
            tracing::warn!(user.id = %user.id, %error, "the chat endpoint failed; the receptionist answered in its place");
        }
        reply.text
    }
}

fn brief(user: &User, remote: &str) -> Brief {
    Brief {
        greeting: user.calls.default_greeting.clone(),
        display_name: user.display_name.clone(),
        instructions: user.ai.instructions.clone(),
        model: None,
        voice: None,
        language: user.ai.language.clone(),
        remote_party: remote.to_owned(),
        outbound: false,
        transfer_targets: Vec::new(),
        tools: Toolbox::default(),
        temperature: None,
        history: Vec::new(),
    }
}
