//! Gemini at the seam: opens a session for each call.

use super::{
    connect::{Connector, Link},
    continuity::Dial,
    offer,
    options::GeminiOptions,
    plan::{self, Plan},
    refusal::{Course, Ending},
    session::GeminiSession,
    talk::Talk,
    wire::{downlink, uplink},
};
use crate::{Brief, Capabilities, Engine, EngineCause, EngineError, EngineSession, realtime::alarm::now};
use async_trait::async_trait;
use callie_domain::Offer;
use jiff::Zoned;
use std::sync::Arc;

/// One instance serves all calls; it holds the way in and nothing of a call.
#[derive(Debug)]
pub struct GeminiEngine {
    options: GeminiOptions,
    connector: Arc<Connector>,
}

impl GeminiEngine {
    pub const NAME: &'static str = "gemini";

    /// Fails with [`EngineCause::Config`] where an option cannot be right. Connects to nothing.
    pub fn new(options: GeminiOptions) -> Result<Self, EngineError> {
        if !(20..=100).contains(&options.uplink_ms) {
            return Err(EngineError::new(EngineCause::Config, "messages of caller audio must hold 20 to 100 milliseconds"));
        }
        if options.model.trim().is_empty() {
            return Err(EngineError::new(EngineCause::Config, "the name of the Gemini model is empty"));
        }
        let connector = Arc::new(Connector::new(&options)?);
        Ok(Self { options, connector })
    }

    /// What a user may choose, where there is no such engine yet.
    pub fn known() -> Offer {
        offer::offer(GeminiOptions::DEFAULT_MODEL)
    }

    /// The first session. Where it refuses a history it is told in its instruction.
    async fn dial(&self, plan: &Plan, brief: &Brief) -> Result<(Link, Dial), EngineError> {
        let mut dial = Dial { handle: None, plain: !plan.family.takes_history() };
        loop {
            match self.connector.clone().open(plan.setup(&dial, &brief.history)).await {
                Ok(link) => return Ok((link, dial)),
                Err(Ending { course: Course::WithoutHandle | Course::Anew, .. }) if !dial.plain && !brief.history.is_empty() => {
                    dial.plain = true;
                }
                Err(ending) => return Err(ending.error),
            }
        }
    }
}

#[async_trait]
impl Engine for GeminiEngine {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { listens: true, detects_interruption: true, input_rate: uplink::RATE, output_rate: downlink::RATE }
    }

    async fn open(&self, brief: Brief) -> Result<Box<dyn EngineSession>, EngineError> {
        let plan = Plan::new(&brief, &self.options, &Zoned::now());
        let (link, dial) = self.dial(&plan, &brief).await?;
        let talk = Talk::new(&brief, plan, &dial, &self.options, now());
        Ok(Box::new(GeminiSession::new(talk, link, self.connector.clone())))
    }

    fn takes_hints(&self) -> bool {
        true
    }

    fn offer(&self) -> Offer {
        offer::offer(&self.options.model)
    }

    fn model(&self, brief: &Brief) -> Option<String> {
        Some(plan::model(brief, &self.options).to_owned())
    }
}
