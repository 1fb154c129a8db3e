//! Whether a user's engine could hold a call now: a session is opened as for a call, and hung up at once.

use super::{context::CallContext, persona};
use crate::exchange::{CallWords, EngineCheck, EngineFault};
use crate::tools::Keypad;
use callie_ai::{EngineCause, EngineError};
use callie_domain::{User, record::Direction};
use jiff::Timestamp;
use std::time::{Duration, Instant};
use tokio::{sync::Semaphore, time::timeout};

/// Engines have patience of their own, below this.
const PATIENCE: Duration = Duration::from_secs(15);
/// Sessions cost money: whoever asks for many waits.
const AT_ONCE: usize = 4;

/// The line for those who ask.
#[derive(Debug)]
pub struct Checks(Semaphore);

impl Default for Checks {
    fn default() -> Self {
        Self(Semaphore::new(AT_ONCE))
    }
}

impl Checks {
    pub async fn check(&self, context: &CallContext, user: &User) -> EngineCheck {
        // The semaphore is never closed.
        let _turn = self.0.acquire().await;
        let chosen = context.engines.choose(&user.ai.engine_order());
        // As for a call of nobody, with the tools that the service must take.
        let tools = context.tools.tools(user, Keypad::of_no_call(), None).toolbox;
        let brief = persona::brief(user, Direction::Inbound, String::new(), &CallWords::default(), tools, Timestamp::now());
        let model = chosen.engine.model(&brief);
        let begun = Instant::now();
        let checked = timeout(PATIENCE, chosen.engine.check(brief)).await;
        let took = begun.elapsed();
        let error = match checked {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error),
            Err(_) => Some(EngineError::new(EngineCause::Stalled, format!("no session within {} s", PATIENCE.as_secs()))),
        };
        if let Some(error) = &error {
            tracing::info!(user.id = %user.id, engine = chosen.engine.name(), %error, "the engine of a user could hold no call now");
        }
        EngineCheck {
            engine: chosen.engine.name(),
            model,
            voice: user.ai.voice.clone(),
            warning: chosen.warning,
            fault: error.map(fault),
            took,
        }
    }
}

fn fault(error: EngineError) -> EngineFault {
    EngineFault { cause: error.cause.as_str(), remedy: error.cause.remedy(), detail: error.detail }
}
