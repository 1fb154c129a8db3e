//! The session of an engine that understands: hears turns, answers them out of the receptionist's mind or a chat model's,
//! and gives way when the caller speaks.

use super::{
    hello::Hello,
    listening::{Heard, Listening, Sign, Words},
    mouth::Mouth,
    receptionist::{Input, Message, Output, Receptionist, deserves_answer, normal, wants_human},
};
use crate::chat::{Talk, TalkEvent};
use crate::{Brief, EngineError, EngineEvent, EngineSession, Prompt, tools::ToolUse};
use callie_domain::record::{self, ToolEnd};
use std::{
    task::{Context, Poll},
    time::Duration,
};

/// A line heard while we speak, and in it this many words of ours in a row: our own echo.
const ECHO_WORDS: usize = 3;

pub struct Conversation {
    mouth: Mouth,
    listening: Listening,
    receptionist: Receptionist,
    /// The chat model, until it fails.
    talk: Option<Talk>,
    /// What the chat model was asked last, and whether it has said something to it.
    asked: String,
    answered: bool,
    greeting: String,
    /// Outbound: the other side has the first word.
    hello: Option<Hello>,
    started: bool,
    /// To whom a caller who wants a human is handed over, until that has come to nothing.
    human: Option<String>,
    /// It is the human who is on the line, not the caller.
    briefing: bool,
}

impl Conversation {
    /// Returns when the first sentence of the greeting is ready to be played.
    pub async fn open(mouth: Mouth, listening: Listening, talk: Option<Talk>, brief: Brief) -> Result<Self, EngineError> {
        // The greeting of a call that we make is a message for this one call.
        let outbound = brief.outbound;
        let mut session = Self {
            mouth,
            listening,
            receptionist: Receptionist::new(brief.greeting.clone(), brief.outbound),
            talk,
            asked: String::new(),
            answered: false,
            greeting: brief.greeting,
            hello: brief.outbound.then(Hello::default),
            started: false,
            human: brief.transfer_targets.into_iter().next(),
            briefing: false,
        };
        session.mouth.prepare(&session.greeting, !outbound).await?;
        Ok(session)
    }

    fn greet(&mut self) {
        match &mut self.talk {
            Some(talk) => {
                talk.note_said(&self.greeting);
                self.mouth.say(&self.greeting);
            }
            None => self.drive(Input::Start),
        }
    }

    fn drive(&mut self, input: Input) {
        let outputs = self.receptionist.handle(input);
        self.carry_out(outputs);
    }

    fn carry_out(&mut self, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Say(text) => self.mouth.say(&text),
                Output::Tone => self.mouth.tone(),
                Output::Took(message) => {
                    self.mouth.report(tool_used(&message));
                    self.mouth.report(EngineEvent::MessageTaken(taken(message)));
                }
                Output::Goodbye => self.mouth.goodbye(),
            }
        }
    }

    fn await_hello(&mut self) {
        let Some(hello) = &mut self.hello else { return };
        if hello.is_over(self.listening.hears_voice()) {
            self.hello = None;
            self.listening.end_hello();
            self.greet();
        }
    }

    fn on_sign(&mut self, sign: Sign) {
        match sign {
            Sign::Sustained if self.mouth.is_busy() && !self.mouth.is_leaving() => {
                if let Some(talk) = &mut self.talk {
                    talk.interrupt();
                }
                self.mouth.interrupt();
            }
            Sign::Sustained => {}
            Sign::Paused { voiced_ms } => self.listening.be_patient(self.receptionist.patience("", voiced_ms)),
            Sign::Overloaded(error) => self.mouth.report(EngineEvent::Notice(error.to_string())),
        }
    }

    fn on_words(&mut self, words: Words) {
        match words {
            Words::SoFar { text, voiced_ms } => self.listening.be_patient(self.receptionist.patience(&text, voiced_ms)),
            Words::Turn(heard) if heard.is_hello || self.hello.is_some() || self.mouth.is_leaving() => {
                self.report_heard(heard.text);
            }
            Words::Turn(heard) if is_echo(&heard, self.mouth.turn()) => {}
            Words::Turn(_) if self.briefing => {}
            Words::Turn(heard) if self.human.is_some() && wants_human(&heard.text) => self.hand_over(heard.text),
            Words::Turn(heard) if self.talk.is_some() => self.ask_model(heard),
            Words::Turn(Heard { text, sustained, .. }) => {
                let outputs = self.receptionist.handle(Input::Heard { text: text.clone(), sure: sustained });
                // What was heard is told before what comes of it; a cough's would-be words are not.
                if sustained || !outputs.is_empty() {
                    self.report_heard(text);
                }
                self.carry_out(outputs);
            }
        }
    }

    /// Once: a second wish for a human is answered by whoever talks.
    fn hand_over(&mut self, heard: String) {
        let Some(target) = self.human.take() else { return };
        self.report_heard(heard);
        self.mouth.say("One moment, please. I am connecting you.");
        self.mouth.report(EngineEvent::Transfer { target });
    }

    fn ask_model(&mut self, heard: Heard) {
        if !deserves_answer(&heard.text, heard.sustained) {
            return;
        }
        let Some(talk) = &mut self.talk else { return };
        if normal(&heard.text).is_empty() {
            let question = "Sorry, I did not get that. Could you say it again?";
            talk.note_said(question);
            return self.mouth.say(question);
        }
        talk.ask(&heard.text);
        self.asked.clone_from(&heard.text);
        self.answered = false;
        self.mouth.hold(true);
        self.report_heard(heard.text);
    }

    fn on_talk(&mut self, event: TalkEvent) {
        match event {
            TalkEvent::Sentence(text) => {
                self.answered = true;
                self.mouth.say(&text);
            }
            TalkEvent::Usage(usage) => self.mouth.report(EngineEvent::Usage(usage)),
            TalkEvent::Done { hang_up } => {
                self.mouth.hold(false);
                if hang_up {
                    self.mouth.goodbye();
                }
            }
            TalkEvent::Failed(error) => self.fall_back(&error),
        }
    }

    /// The receptionist goes on where the chat model failed.
    fn fall_back(&mut self, error: &EngineError) {
        self.talk = None;
        self.mouth.hold(false);
        self.mouth.report(EngineEvent::Notice(format!("{error}; the built-in receptionist goes on")));
        self.receptionist.take_over();
        if self.answered {
            self.mouth.say("I am sorry, I have lost the thread. Could you say that again?");
        } else {
            let text = std::mem::take(&mut self.asked);
            self.drive(Input::Heard { text, sure: true });
        }
    }

    /// To a machine: whatever it said, and was about to be said to it, is past.
    fn leave(&mut self, message: &str) {
        if self.hello.take().is_some() {
            self.listening.end_hello();
        }
        self.talk = None;
        self.mouth.hold(false);
        self.mouth.interrupt();
        self.mouth.say(message);
        self.mouth.goodbye();
        self.mouth.wake();
    }

    fn report_heard(&mut self, text: String) {
        if !text.is_empty() {
            self.mouth.report(EngineEvent::Heard(text));
        }
    }
}

impl EngineSession for Conversation {
    fn start(&mut self) {
        self.started = true;
        if self.hello.is_none() {
            self.greet();
        }
        self.mouth.wake();
    }

    fn hear(&mut self, samples: &[i16]) {
        if !self.started {
            return;
        }
        let speaking = self.mouth.is_busy();
        for sign in self.listening.hear(samples, speaking) {
            self.on_sign(sign);
        }
        self.await_hello();
        self.mouth.wake();
    }

    fn dtmf(&mut self, _digit: char) {}

    fn prompt(&mut self, prompt: Prompt) {
        if let Prompt::LeaveMessage { message } = prompt {
            return self.leave(&message);
        }
        if matches!(prompt, Prompt::Hint { .. }) {
            return;
        }
        if self.hello.is_some() || self.mouth.is_leaving() || prompt == Prompt::StillThere && self.listening.is_open() {
            return;
        }
        self.briefing = matches!(prompt, Prompt::BriefHuman { .. });
        if self.briefing || matches!(prompt, Prompt::TransferFailed { .. }) {
            self.human = None;
        }
        if self.talk.is_some() && prompt == Prompt::SilenceGoodbye {
            self.mouth.say("I cannot hear you any more. Goodbye.");
            self.mouth.goodbye();
        } else {
            self.receptionist.take_over();
            self.drive(Input::Prompt(prompt));
        }
        self.mouth.wake();
    }

    fn playout_drained(&mut self) {
        self.mouth.played();
    }

    fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<EngineEvent> {
        loop {
            if let Poll::Ready(event) = self.mouth.poll(context) {
                return Poll::Ready(event);
            }
            if let Poll::Ready(words) = self.listening.poll(context) {
                self.on_words(words);
                continue;
            }
            if let Some(talk) = &mut self.talk
                && let Poll::Ready(event) = talk.poll(context)
            {
                self.on_talk(event);
                continue;
            }
            return Poll::Pending;
        }
    }
}

/// Our own words, come back through the other side's loudspeaker.
fn is_echo(heard: &Heard, ours: &str) -> bool {
    let words = normal(&heard.text);
    heard.over_agent && words.split(' ').count() >= ECHO_WORDS && normal(ours).contains(&words)
}

fn tool_used(message: &Message) -> EngineEvent {
    let arguments = serde_json::json!({ "name": message.name, "reason": message.reason });
    let result = serde_json::json!({ "taken": true, "listen_to_recording": message.recorded });
    EngineEvent::ToolUsed(ToolUse {
        name: "take_message".into(),
        arguments: arguments.to_string(),
        result: result.to_string(),
        end: ToolEnd::Result,
        took: Duration::ZERO,
        requests: Vec::new(),
    })
}

fn taken(message: Message) -> record::Message {
    let Message { name, reason, recorded } = message;
    record::Message { name, number: None, text: reason.unwrap_or_default(), listen: recorded }
}

#[cfg(test)]
mod tests;
