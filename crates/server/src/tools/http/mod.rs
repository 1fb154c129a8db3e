//! A tool that asks a web service, as the user's document describes it.
//!
//! ```text
//!  arguments ─ schema ─▶ request ─▶ GuardedClient ─▶ answer ─ text, without our secrets ─▶ the model
//!                 │        ▲  └─ redirected, within the allowed hosts
//!                 └ no     └─ again, where that does no harm
//! ```
//!
//! | module | holds |
//! |---|---|
//! | `request` | arguments and settings to what is asked (pure) |
//! | `answer` | what was answered to what a model can use (pure) |
//! | `asking` | retries and redirects |

pub(super) mod answer;
mod asking;
mod request;
#[cfg(test)]
mod tests;

use crate::outside::GuardedClient;
use crate::telemetry::TraceParent;
use asking::Asking;
use callie_ai::tools::{Behaviour, Object, Outcome, Tool, Work};
use callie_domain::user::tools::HttpTool;
use jsonschema::Validator;
use serde_json::Value;
use std::{fmt, sync::Arc, time::Duration};

/// Faults of one set of arguments that are told at once.
const MOST_FAULTS: usize = 3;
const LONGEST_FAULT: usize = 200;

pub struct WebTool {
    asking: Arc<Asking>,
    validator: Validator,
}

impl WebTool {
    /// # Errors
    /// When its schema is none.
    pub fn new(settings: &HttpTool, client: GuardedClient) -> Result<Self, String> {
        let validator = validator(&settings.parameters)?;
        Ok(Self { asking: Arc::new(Asking { settings: settings.clone(), client, trace: None }), validator })
    }

    /// In a call whose trace the service is told.
    #[must_use]
    pub fn traced(mut self, trace: Option<TraceParent>) -> Self {
        if let Some(asking) = Arc::get_mut(&mut self.asking) {
            asking.trace = trace;
        }
        self
    }
}

/// # Errors
/// What is wrong with the schema.
pub fn validator(schema: &Value) -> Result<Validator, String> {
    jsonschema::validator_for(schema).map_err(|fault| format!("are no JSON Schema: {}", shortened(&fault.to_string())))
}

/// What is wrong with the arguments, for the model to mend.
pub fn faults(validator: &Validator, arguments: &Value) -> Option<String> {
    let faults: Vec<String> = validator
        .iter_errors(arguments)
        .take(MOST_FAULTS)
        .map(|fault| {
            let place = fault.instance_path().to_string();
            let place = place.trim_start_matches('/').replace('/', ".");
            if place.is_empty() { shortened(&fault.to_string()) } else { format!("{place}: {}", shortened(&fault.to_string())) }
        })
        .collect();
    (!faults.is_empty()).then(|| format!("the arguments are not as they must be: {}", faults.join("; ")))
}

fn shortened(text: &str) -> String {
    text.chars().take(LONGEST_FAULT).collect()
}

impl Tool for WebTool {
    fn name(&self) -> &str {
        &self.asking.settings.name
    }

    fn description(&self) -> &str {
        &self.asking.settings.description
    }

    fn parameters(&self) -> Value {
        self.asking.settings.parameters.clone()
    }

    fn behaviour(&self) -> Behaviour {
        Behaviour::TalksOn
    }

    /// A little more than it gives itself, so that what it knows is told.
    fn patience(&self) -> Duration {
        Duration::from_secs(u64::from(self.asking.settings.timeout_s)) + Duration::from_millis(500)
    }

    fn filler(&self) -> Option<&str> {
        self.asking.settings.filler.as_deref()
    }

    fn call(&self, arguments: &Object) -> Work {
        if let Some(faults) = faults(&self.validator, &Value::Object(arguments.clone())) {
            return Outcome::error(faults, true).into();
        }
        match request::of(&self.asking.settings, arguments) {
            Ok(request) => Work::Later(Box::pin(self.asking.clone().ask(request))),
            Err(why) => Outcome::error(why, true).into(),
        }
    }
}

impl fmt::Debug for WebTool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebTool").field("settings", &self.asking.settings).finish_non_exhaustive()
    }
}
