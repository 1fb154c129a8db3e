//! The conversation with a chat model: who said what so far, and the answer that is being given.

use super::{
    client::{ChatClient, Delta, Deltas, Message},
    phrases::Phrases,
    prompt,
};
use crate::{Brief, EngineCause, EngineError, Usage};
use futures::StreamExt;
use std::{
    collections::VecDeque,
    task::{Context, Poll},
};

/// Lines of the conversation that the model is given, besides what it is told about its work.
const LINES: usize = 40;

/// What comes of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TalkEvent {
    /// To be said.
    Sentence(String),
    /// Summed over the conversation.
    Usage(Usage),
    /// The answer is complete; with `hang_up` it was the last.
    Done { hang_up: bool },
    /// There will be no more of this answer.
    Failed(EngineError),
}

struct Answer {
    deltas: Deltas,
    phrases: Phrases,
    /// What was given out of it.
    said: String,
}

/// One call's conversation.
pub struct Talk {
    client: ChatClient,
    system: Message,
    lines: VecDeque<Message>,
    answer: Option<Answer>,
    ready: VecDeque<TalkEvent>,
    usage: Usage,
}

impl Talk {
    pub fn new(client: ChatClient, brief: &Brief) -> Self {
        let system = Message { role: "system", content: prompt::system(brief) };
        Self { client, system, lines: VecDeque::new(), answer: None, ready: VecDeque::new(), usage: Usage::default() }
    }

    /// The agent has said this without being asked: the greeting, a question of the line.
    pub fn note_said(&mut self, text: &str) {
        self.note("assistant", text);
    }

    /// The caller has said this: asks for the answer. An answer under way is given up.
    pub fn ask(&mut self, text: &str) {
        self.interrupt();
        self.note("user", text);
        let messages: Vec<Message> = std::iter::once(&self.system).chain(&self.lines).cloned().collect();
        self.answer = Some(Answer { deltas: self.client.answer(&messages), phrases: Phrases::default(), said: String::new() });
    }

    /// Gives up the answer under way; the model will know how far it got.
    pub fn interrupt(&mut self) {
        self.ready.clear();
        if let Some(answer) = self.answer.take() {
            let cut = format!("{}…", answer.said);
            self.note("assistant", if answer.said.is_empty() { "" } else { &cut });
        }
    }

    pub fn poll(&mut self, context: &mut Context<'_>) -> Poll<TalkEvent> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Poll::Ready(event);
            }
            let Some(answer) = &mut self.answer else { return Poll::Pending };
            match answer.deltas.poll_next_unpin(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Some(Ok(Delta::Text(text)))) => {
                    for sentence in answer.phrases.push(&text) {
                        answer.give(sentence, &mut self.ready);
                    }
                }
                Poll::Ready(Some(Ok(Delta::Usage(usage)))) => self.count(usage),
                Poll::Ready(Some(Err(error))) => self.fail(error),
                Poll::Ready(None) => self.complete(),
            }
        }
    }

    /// An answer is under way.
    #[cfg(test)]
    pub fn is_waiting(&self) -> bool {
        self.answer.is_some()
    }

    fn count(&mut self, usage: Usage) {
        self.usage = self.usage.plus(usage);
        self.ready.push_back(TalkEvent::Usage(self.usage));
    }

    fn complete(&mut self) {
        let Some(mut answer) = self.answer.take() else { return };
        if let Some(rest) = answer.phrases.finish() {
            answer.give(rest, &mut self.ready);
        }
        let hang_up = answer.phrases.hangs_up();
        if answer.said.is_empty() && !hang_up {
            let error = EngineError::new(EngineCause::ServiceFailed, "the chat model answered without a word");
            return self.ready.push_back(TalkEvent::Failed(error));
        }
        self.note("assistant", &answer.said);
        self.ready.push_back(TalkEvent::Done { hang_up });
    }

    fn fail(&mut self, error: EngineError) {
        if let Some(answer) = self.answer.take() {
            self.note("assistant", &answer.said);
        }
        self.ready.push_back(TalkEvent::Failed(error));
    }

    /// Two lines of one side in a row become one: some models insist on turns.
    fn note(&mut self, role: &'static str, text: &str) {
        let text = text.trim();
        if text.is_empty() {
            return;
        }
        match self.lines.back_mut() {
            Some(last) if last.role == role => {
                last.content.push(' ');
                last.content.push_str(text);
            }
            _ => self.lines.push_back(Message { role, content: text.to_owned() }),
        }
        while self.lines.len() > LINES {
            self.lines.pop_front();
        }
    }
}

impl Answer {
    fn give(&mut self, sentence: String, ready: &mut VecDeque<TalkEvent>) {
        if !self.said.is_empty() {
            self.said.push(' ');
        }
        self.said.push_str(&sentence);
        ready.push_back(TalkEvent::Sentence(sentence));
    }
}
