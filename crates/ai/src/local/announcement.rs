//! The session of an engine that cannot understand: greets, has a message dictated after a tone, says goodbye.

use super::{
    mouth::Mouth,
    script::{Input, Output, Script},
};
use crate::{Brief, EngineError, EngineEvent, EngineSession, Prompt};
use callie_media::activity::ActivityDetector;
use std::task::{Context, Poll};

pub struct Announcement {
    mouth: Mouth,
    script: Script,
    detector: ActivityDetector,
    greeting: String,
}

impl Announcement {
    /// Returns when the first sentence of the greeting is ready to be played.
    pub async fn open(mouth: Mouth, brief: Brief) -> Result<Self, EngineError> {
        // The greeting of a call that we make is a message for this one call.
        let outbound = brief.outbound;
        let script = Script::new(outbound);
        let mut session = Self { mouth, script, detector: ActivityDetector::default(), greeting: brief.greeting };
        session.mouth.prepare(&session.greeting, !outbound).await?;
        Ok(session)
    }

    fn drive(&mut self, input: Input) {
        for output in self.script.handle(input) {
            match output {
                Output::Greet => self.greet(),
                Output::Say(text) => self.mouth.say(text),
                Output::Tone => self.mouth.tone(),
                Output::Goodbye => self.mouth.goodbye(),
            }
        }
        self.mouth.wake();
    }

    fn greet(&mut self) {
        self.mouth.say(&self.greeting);
        if !self.mouth.is_busy() {
            // A greeting without a word: go on as if it had been spoken.
            self.drive(Input::Drained);
        }
    }
}

impl EngineSession for Announcement {
    fn start(&mut self) {
        self.drive(Input::Start);
    }

    fn hear(&mut self, samples: &[i16]) {
        let speech = self.detector.is_speech(samples);
        self.drive(Input::Frame { speech });
    }

    fn dtmf(&mut self, _digit: char) {}

    /// The script has its own patience with silence.
    fn prompt(&mut self, prompt: Prompt) {
        match prompt {
            Prompt::StillThere | Prompt::SilenceGoodbye | Prompt::Hint { .. } => {}
            Prompt::LeaveMessage { message } => {
                self.script.end();
                self.mouth.interrupt();
                self.mouth.say(&message);
                self.mouth.goodbye();
            }
            Prompt::BriefHuman { message, .. } => {
                self.mouth.say(message.as_deref().unwrap_or("I have a caller for you."));
                self.mouth.say("Press 1 to take the call, or 2 to decline.");
            }
            Prompt::TransferFailed { target, .. } => self.mouth.say(&format!("I am sorry, I could not reach {target}.")),
        }
        self.mouth.wake();
    }

    fn playout_drained(&mut self) {
        if self.mouth.played() {
            self.drive(Input::Drained);
        }
    }

    fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<EngineEvent> {
        self.mouth.poll(context)
    }
}
