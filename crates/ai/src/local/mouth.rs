//! Says what it is told, sentence by sentence, never more than one ahead of the synthesiser; knows what has been played.

use super::{
    synthesiser::{SAMPLE_RATE, sentences, tone},
    voice::Voice,
};
use crate::{EngineError, EngineEvent};
use std::{
    collections::VecDeque,
    task::{Context, Poll, Waker},
};
use tokio::sync::mpsc;

/// Silence between two sentences: 200 ms.
const PAUSE_SAMPLES: usize = SAMPLE_RATE as usize / 5;

/// Something to be said, in order.
#[derive(Debug)]
enum Part {
    Sentence(String),
    Tone,
    Goodbye,
}

/// One call's mouth.
pub struct Mouth {
    voice: Voice,
    /// Sentences that other calls will say again.
    fixed: Vec<String>,
    /// Sentences synthesised before they were due.
    prepared: Option<(String, Vec<i16>)>,
    parts: VecDeque<Part>,
    /// The sentence being synthesised.
    pending: Option<String>,
    reply: mpsc::Sender<Vec<i16>>,
    spoken: mpsc::Receiver<Vec<i16>>,
    events: VecDeque<EngineEvent>,
    /// Audio was handed out that has not been reported as played.
    playing: bool,
    /// Audio was handed out since the last turn was complete.
    turn_open: bool,
    /// More sentences of this turn are on their way to us.
    held: bool,
    /// The sentences of the present turn, and of the last one when none runs.
    turn: String,
    /// The last words are said or about to be.
    leaving: bool,
    failed: bool,
    waker: Option<Waker>,
}

impl Mouth {
    pub fn new(voice: impl Into<Voice>) -> Self {
        // One sentence is computed at a time.
        let (reply, spoken) = mpsc::channel(1);
        Self {
            voice: voice.into(),
            fixed: Vec::new(),
            prepared: None,
            parts: VecDeque::new(),
            pending: None,
            reply,
            spoken,
            events: VecDeque::new(),
            playing: false,
            turn_open: false,
            held: false,
            turn: String::new(),
            leaving: false,
            failed: false,
            waker: None,
        }
    }

    /// Computes the first sentence of a greeting now, so that it is there when it is to be said. `fixed` when other calls are
    /// greeted with it too.
    pub async fn prepare(&mut self, greeting: &str, fixed: bool) -> Result<(), EngineError> {
        let sentences = sentences(greeting);
        let first = sentences.first().cloned();
        if fixed {
            self.fixed = sentences;
        }
        if let Some(first) = first {
            self.voice.speak(first.clone(), fixed, self.reply.clone())?;
            self.prepared = self.spoken.recv().await.map(|samples| (first, samples));
        }
        Ok(())
    }

    pub fn say(&mut self, text: &str) {
        self.parts.extend(sentences(text).into_iter().map(Part::Sentence));
    }

    pub fn tone(&mut self) {
        self.parts.push_back(Part::Tone);
    }

    /// After the last words: there is no stopping them any more.
    pub fn goodbye(&mut self) {
        self.leaving = true;
        self.parts.push_back(Part::Goodbye);
    }

    /// While held, running out of sentences is not the end of a turn.
    pub fn hold(&mut self, held: bool) {
        self.held = held;
    }

    /// Passes an event on, after those that are there.
    pub fn report(&mut self, event: EngineEvent) {
        self.events.push_back(event);
    }

    /// Something is being said, or about to be.
    pub fn is_busy(&self) -> bool {
        self.playing || self.is_behind() || self.held
    }

    /// The call is being ended.
    pub fn is_leaving(&self) -> bool {
        self.leaving
    }

    /// Makes the call's task poll again.
    pub fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// What was said in this turn, or in the last one.
    pub fn turn(&self) -> &str {
        &self.turn
    }

    /// Stops in mid-word and forgets the rest of the turn.
    pub fn interrupt(&mut self) {
        let audible = self.playing || self.is_behind();
        self.parts.clear();
        self.pending = None;
        // What is still being computed goes nowhere.
        (self.reply, self.spoken) = mpsc::channel(1);
        self.events.retain(|event| !matches!(event, EngineEvent::Audio(_) | EngineEvent::Said(_) | EngineEvent::TurnComplete));
        self.playing = false;
        self.turn_open = false;
        self.held = false;
        if audible {
            self.events.push_back(EngineEvent::Interrupted);
        }
    }

    /// All audio handed out was played; true when that was all there is to be said.
    pub fn played(&mut self) -> bool {
        std::mem::take(&mut self.playing) && !self.is_behind() && !self.held
    }

    pub fn poll(&mut self, context: &mut Context<'_>) -> Poll<EngineEvent> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Poll::Ready(event);
            }
            if self.failed {
                return Poll::Pending;
            }
            self.advance();
            if !self.events.is_empty() {
                continue;
            }
            if self.pending.is_some()
                && let Poll::Ready(Some(samples)) = self.spoken.poll_recv(context)
            {
                let text = self.pending.take();
                self.hand_out(text, samples);
                continue;
            }
            self.waker = Some(context.waker().clone());
            return Poll::Pending;
        }
    }

    /// A sentence is being synthesised.
    #[cfg(test)]
    pub fn is_waiting(&self) -> bool {
        self.pending.is_some()
    }

    /// There is speech that has not been handed out.
    fn is_behind(&self) -> bool {
        let audio = self.events.iter().any(|event| matches!(event, EngineEvent::Audio(_)));
        audio || !self.parts.is_empty() || self.pending.is_some()
    }

    /// Takes the next part when nothing is being synthesised.
    fn advance(&mut self) {
        while self.pending.is_none() && self.events.is_empty() {
            match self.parts.pop_front() {
                Some(Part::Sentence(text)) => self.begin(text),
                Some(Part::Tone) => self.hand_out(None, tone()),
                Some(Part::Goodbye) => self.events.push_back(EngineEvent::Goodbye),
                None if !self.held && std::mem::take(&mut self.turn_open) => self.events.push_back(EngineEvent::TurnComplete),
                None => return,
            }
        }
    }

    fn begin(&mut self, text: String) {
        if let Some((_, samples)) = self.prepared.take_if(|(prepared, _)| *prepared == text) {
            return self.hand_out(Some(text), samples);
        }
        match self.voice.speak(text.clone(), self.fixed.contains(&text), self.reply.clone()) {
            Ok(()) => self.pending = Some(text),
            Err(error) => {
                self.failed = true;
                self.events.push_back(EngineEvent::Failed(error));
            }
        }
    }

    fn hand_out(&mut self, text: Option<String>, mut samples: Vec<i16>) {
        if !std::mem::replace(&mut self.turn_open, true) {
            self.turn.clear();
        }
        if let Some(text) = text {
            self.turn.push_str(&text);
            self.turn.push(' ');
            self.events.push_back(EngineEvent::Said(text));
            samples.resize(samples.len() + PAUSE_SAMPLES, 0);
        }
        self.playing = true;
        self.events.push_back(EngineEvent::Audio(samples));
    }
}

#[cfg(test)]
mod tests {
    use super::super::Synthesiser;
    use super::*;
    use std::future::poll_fn;

    async fn until_audio(mouth: &mut Mouth) {
        while !matches!(poll_fn(|cx| mouth.poll(cx)).await, EngineEvent::Audio(_)) {}
    }

    #[tokio::test]
    async fn a_pause_between_the_sentences_of_a_turn_is_not_its_end() {
        let mut mouth = Mouth::new(Synthesiser::start().expect("built in"));
        mouth.hold(true);
        mouth.say("One.");
        until_audio(&mut mouth).await;
        assert!(!mouth.played() && mouth.is_busy(), "there is more to come");
        mouth.hold(false);
        assert_eq!(poll_fn(|cx| mouth.poll(cx)).await, EngineEvent::TurnComplete);
        assert!(!mouth.is_busy(), "what was played stays played");
        mouth.say("Two.");
        until_audio(&mut mouth).await;
        assert!(mouth.played());
    }

    #[tokio::test]
    async fn an_interrupted_sentence_is_not_heard_of_again() {
        let mut mouth = Mouth::new(Synthesiser::start().expect("built in"));
        mouth.say("One. Two. Three.");
        until_audio(&mut mouth).await;
        mouth.interrupt();
        assert_eq!(poll_fn(|cx| mouth.poll(cx)).await, EngineEvent::Interrupted);
        assert!(!mouth.is_busy());
        mouth.say("Four.");
        assert_eq!(poll_fn(|cx| mouth.poll(cx)).await, EngineEvent::Said("Four.".into()));
    }

    #[tokio::test]
    async fn nothing_is_interrupted_where_nothing_is_said() {
        let mut mouth = Mouth::new(Synthesiser::start().expect("built in"));
        mouth.hold(true);
        mouth.interrupt();
        mouth.report(EngineEvent::Heard("Hello.".into()));
        assert_eq!(poll_fn(|cx| mouth.poll(cx)).await, EngineEvent::Heard("Hello.".into()));
    }
}
