//! The paths of the first version, which served one telephone line: they go on serving it, as user `primary`.
//!
//! Bodies keep that version's members; an error is a problem document with its `error` beside. Without such a user most of them
//! answer 404 and say what to do. `/health` is [`super::health`]'s.
//!
//! | module | holds |
//! |---|---|
//! | [`call`] | `/call` |
//! | [`conversations`] | `/conversations`: calls, and what was written |
//! | [`about`] | `/stats`, `/info` |
//! | [`tools`] | `/tools` |
//! | [`text`] | `/sms`, `/chat`, `/ai/chat` |
//! | [`letters`] | what was written, kept in memory |
//! | [`refusal`] | problem documents that the first version's clients understand |

pub mod about;
pub mod call;
pub mod conversations;
pub mod letters;
pub mod refusal;
pub mod text;
pub mod tools;

use super::error::Problem;
use super::state::{EngineInfo, ServerInfo};
use crate::config::{Config, PRIMARY};
use crate::first_version::{self, Scribe};
use anyhow::Context;
use callie_domain::{User, UserId};
use callie_store::UserView;
use letters::Letters;
use std::sync::Arc;

/// What these paths need beside the other handles.
#[derive(Clone)]
pub struct FirstVersionApi {
    user: UserId,
    scribe: Scribe,
    letters: Letters,
    /// Of users who name none, with Gemini.
    model: Option<Arc<str>>,
}

impl FirstVersionApi {
    /// `model` is Gemini's.
    pub fn new(scribe: Scribe, model: Option<&str>) -> anyhow::Result<Self> {
        let user = PRIMARY.parse().context("the name of the first version's user is none")?;
        Ok(Self { user, scribe, letters: Letters::default(), model: model.map(Arc::from) })
    }

    /// As configured.
    pub fn of(config: &Config) -> anyhow::Result<Self> {
        Self::new(Scribe::new(config)?, config.engines.gemini.as_ref().map(|gemini| gemini.model.as_str()))
    }

    /// Who is served.
    pub fn user(&self) -> &UserId {
        &self.user
    }

    /// His configuration.
    fn primary(&self, view: &UserView) -> Result<Arc<User>, Problem> {
        let stored = view.users.get(&self.user).and_then(|entry| entry.usable());
        stored.map(|stored| stored.user.clone()).ok_or_else(|| {
            let user = &self.user;
            Problem::not_found(format!(
                "this path serves user {user}, who does not exist; set ZOHO_SIP_SERVER, ZOHO_SIP_USERNAME and ZOHO_SIP_PASSWORD \
                 and start anew, or create the user {user} with POST /users, or use the paths below /users/{{user_id}}"
            ))
        })
    }

    /// Who talks for this user, or for anybody.
    fn engine<'i>(info: &'i ServerInfo, user: Option<&User>) -> Option<&'i EngineInfo> {
        let wanted = user.and_then(|user| user.ai.engine.as_deref());
        let named = info.engines.iter().find(|engine| Some(engine.name) == wanted);
        named.or_else(|| info.engines.iter().find(|engine| engine.default))
    }

    /// Whether the tools are offered to who talks.
    fn uses_tools(engine: Option<&EngineInfo>) -> bool {
        engine.is_some_and(|engine| first_version::tools::are_offered_to(engine.name))
    }
}
