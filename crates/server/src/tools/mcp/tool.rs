//! One tool of a server in a call. The session is the call's own, opened when the first of the server's tools is used and kept
//! until the call is over: what a server remembers of one caller is nothing to another.

use super::answer::outcome_of;
use super::listed::{Listed, name_for_model};
use super::session::{McpFault, Session};
use crate::outside::GuardedClient;
use crate::telemetry::{SpanId, TraceParent};
use crate::tools::asked::Asked;
use crate::tools::http::{faults, validator};
use callie_ai::tools::{Behaviour, Object, Outcome, Tool, Work};
use callie_domain::user::McpServer;
use jsonschema::Validator;
use serde_json::Value;
use std::sync::{Arc, Mutex, PoisonError};
use std::{fmt, time::Duration};
use tokio::{
    sync::OnceCell,
    time::{Instant, timeout},
};
use url::Url;

/// What a use of a tool is to the protocol.
const METHOD: &str = "tools/call";

/// The way of one call to one server.
pub struct Line {
    client: GuardedClient,
    settings: McpServer,
    /// Of the call, which the server is told.
    trace: Option<TraceParent>,
    session: Mutex<Arc<OnceCell<Session>>>,
}

impl Line {
    pub fn new(client: GuardedClient, settings: McpServer, trace: Option<TraceParent>) -> Arc<Self> {
        Arc::new(Self { client, settings, trace, session: Mutex::default() })
    }

    /// One that is over gives way to another.
    fn session(&self) -> Arc<OnceCell<Session>> {
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        if session.get().is_some_and(Session::is_over) {
            *session = Arc::default();
        }
        session.clone()
    }

    /// What was asked for may have been done, so it is not asked for again.
    fn forget(&self, broken: &Arc<OnceCell<Session>>) {
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        if Arc::ptr_eq(&session, broken) {
            *session = Arc::default();
        }
    }

    async fn ask(&self, tool: &str, arguments: Object, span: SpanId) -> Result<Outcome, McpFault> {
        let cell = self.session();
        let session = cell.get_or_try_init(|| Session::open(&self.client, &self.settings, self.trace)).await?;
        let given = session.call(tool, arguments, self.trace.map(|trace| trace.of(span))).await.inspect_err(|fault| {
            if matches!(fault, McpFault::Broken(_)) {
                self.forget(&cell);
            }
        })?;
        Ok(outcome_of(given, self.settings.headers.as_ref()))
    }

    async fn use_tool(self: Arc<Self>, tool: String, arguments: Object) -> Outcome {
        let patience = Duration::from_secs(self.settings.timeout_s.into());
        let asked = Url::parse(&self.settings.url).ok().map(|url| Asked::begin(METHOD, &url, Instant::now()));
        let span = asked.as_ref().map_or(SpanId::from(0), |asked| asked.span);
        let (outcome, error) = match timeout(patience, self.ask(&tool, arguments, span)).await {
            Ok(Ok(outcome)) => (outcome, None),
            Ok(Err(fault)) => (Outcome::error(fault.to_string(), fault.is_retryable()), Some(fault.word())),
            Err(_) => {
                let error = format!("the server did not answer within {} s", patience.as_secs());
                (Outcome::error(error, true), Some("timeout"))
            }
        };
        let request = asked.map(|asked| match error {
            Some(error) => asked.failed(error),
            None => asked.answered(None),
        });
        Outcome { requests: request.into_iter().collect(), ..outcome }
    }
}

/// A tool of a server, as the model sees it.
pub struct McpTool {
    line: Arc<Line>,
    listed: Listed,
    name: String,
    validator: Validator,
}

impl McpTool {
    /// `None` for what [`super::listed::usable`] would have sorted out.
    pub fn new(line: Arc<Line>, listed: Listed) -> Option<Self> {
        let name = name_for_model(&line.settings, &listed.name)?;
        let validator = validator(&listed.parameters).ok()?;
        Some(Self { line, listed, name, validator })
    }
}

impl Tool for McpTool {
    fn name(&self) -> &str {
        &self.name
    }

    fn description(&self) -> &str {
        &self.listed.description
    }

    fn parameters(&self) -> Value {
        self.listed.parameters.clone()
    }

    fn behaviour(&self) -> Behaviour {
        Behaviour::TalksOn
    }

    /// A little more than it gives itself, so that what it knows is told.
    fn patience(&self) -> Duration {
        Duration::from_secs(self.line.settings.timeout_s.into()) + Duration::from_millis(500)
    }

    fn filler(&self) -> Option<&str> {
        self.line.settings.filler.as_deref()
    }

    fn call(&self, arguments: &Object) -> Work {
        if let Some(faults) = faults(&self.validator, &Value::Object(arguments.clone())) {
            return Outcome::error(faults, true).into();
        }
        Work::Later(Box::pin(self.line.clone().use_tool(self.listed.name.clone(), arguments.clone())))
    }
}

impl fmt::Debug for McpTool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("McpTool").field("name", &self.name).finish_non_exhaustive()
    }
}
