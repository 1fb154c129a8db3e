//! The offline engine at the seam: feeds the script with what it hears, and says what the script decides, sentence by
//! sentence, never more than one ahead of the synthesiser.

use super::{
    script::{Input, Output, Script},
    synthesiser::{SAMPLE_RATE, Synthesiser, sentences, tone},
};
use crate::{Brief, Capabilities, Engine, EngineError, EngineEvent, EngineSession, Prompt};
use async_trait::async_trait;
use callie_media::activity::ActivityDetector;
use std::{
    collections::VecDeque,
    task::{Context, Poll, Waker},
};
use tokio::sync::mpsc;

/// Silence between two sentences: 200 ms.
const PAUSE_SAMPLES: usize = SAMPLE_RATE as usize / 5;

/// The engine that is always there.
#[derive(Debug, Clone)]
pub struct LocalEngine {
    synthesiser: Synthesiser,
}

impl LocalEngine {
    pub const NAME: &'static str = "local";

    pub fn start() -> Result<Self, EngineError> {
        Ok(Self { synthesiser: Synthesiser::start()? })
    }
}

#[async_trait]
impl Engine for LocalEngine {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { listens: false, detects_interruption: false, input_rate: SAMPLE_RATE, output_rate: SAMPLE_RATE }
    }

    /// Returns when the first sentence of the greeting is ready to be played.
    async fn open(&self, brief: Brief) -> Result<Box<dyn EngineSession>, EngineError> {
        let mut session = Session::new(self.synthesiser.clone(), &brief);
        session.prepare().await?;
        Ok(Box::new(session))
    }
}

/// Something to be said, in order.
#[derive(Debug)]
enum Part {
    Sentence(String),
    Tone,
    Goodbye,
}

struct Session {
    synthesiser: Synthesiser,
    script: Script,
    detector: ActivityDetector,
    greeting: VecDeque<String>,
    /// The first sentence, synthesised while the phone rang.
    prepared: Option<Vec<i16>>,
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
    failed: bool,
    waker: Option<Waker>,
}

impl Session {
    fn new(synthesiser: Synthesiser, brief: &Brief) -> Self {
        // One sentence is computed at a time.
        let (reply, spoken) = mpsc::channel(1);
        Self {
            synthesiser,
            script: Script::new(brief.outbound),
            detector: ActivityDetector::default(),
            greeting: sentences(&brief.greeting).into(),
            prepared: None,
            parts: VecDeque::new(),
            pending: None,
            reply,
            spoken,
            events: VecDeque::new(),
            playing: false,
            turn_open: false,
            failed: false,
            waker: None,
        }
    }

    async fn prepare(&mut self) -> Result<(), EngineError> {
        if let Some(first) = self.greeting.front() {
            self.synthesiser.speak(first.clone(), self.reply.clone())?;
            self.prepared = self.spoken.recv().await;
        }
        Ok(())
    }

    fn drive(&mut self, input: Input) {
        for output in self.script.handle(input) {
            match output {
                Output::Greet => self.greet(),
                Output::Say(text) => self.parts.extend(sentences(text).into_iter().map(Part::Sentence)),
                Output::Tone => self.parts.push_back(Part::Tone),
                Output::Goodbye => self.parts.push_back(Part::Goodbye),
            }
        }
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    fn greet(&mut self) {
        if let Some(samples) = self.prepared.take()
            && let Some(text) = self.greeting.pop_front()
        {
            self.hand_out(Some(text), samples);
        }
        self.parts.extend(std::mem::take(&mut self.greeting).into_iter().map(Part::Sentence));
        if self.parts.is_empty() && self.events.is_empty() {
            // A greeting without a word: go on as if it had been spoken.
            self.drive(Input::Drained);
        }
    }

    fn hand_out(&mut self, text: Option<String>, mut samples: Vec<i16>) {
        if let Some(text) = text {
            self.events.push_back(EngineEvent::Said(text));
            samples.resize(samples.len() + PAUSE_SAMPLES, 0);
        }
        self.playing = true;
        self.turn_open = true;
        self.events.push_back(EngineEvent::Audio(samples));
    }

    /// Takes the next part when nothing is being synthesised.
    fn advance(&mut self) {
        while self.pending.is_none() && self.events.is_empty() {
            match self.parts.pop_front() {
                Some(Part::Sentence(text)) => match self.synthesiser.speak(text.clone(), self.reply.clone()) {
                    Ok(()) => self.pending = Some(text),
                    Err(error) => {
                        self.failed = true;
                        self.events.push_back(EngineEvent::Failed(error));
                    }
                },
                Some(Part::Tone) => self.hand_out(None, tone()),
                Some(Part::Goodbye) => self.events.push_back(EngineEvent::Goodbye),
                None if std::mem::take(&mut self.turn_open) => self.events.push_back(EngineEvent::TurnComplete),
                None => return,
            }
        }
    }
}

impl EngineSession for Session {
    fn start(&mut self) {
        self.drive(Input::Start);
    }

    fn hear(&mut self, samples: &[i16]) {
        let speech = self.detector.is_speech(samples);
        self.drive(Input::Frame { speech });
    }

    fn dtmf(&mut self, _digit: char) {}

    /// The script has its own patience.
    fn prompt(&mut self, _prompt: Prompt) {}

    fn playout_drained(&mut self) {
        let all_handed_out = self.parts.is_empty() && self.pending.is_none() && self.events.is_empty();
        if self.playing && all_handed_out {
            self.playing = false;
            self.drive(Input::Drained);
        }
    }

    fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<EngineEvent> {
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;

    fn brief() -> Brief {
        Brief {
            greeting: "Hello there. How can I help?".into(),
            display_name: "Alice".into(),
            instructions: None,
            model: None,
            voice: None,
            language: None,
            remote_party: "bob".into(),
            outbound: false,
        }
    }

    /// Runs the session with an ideal playout until it says goodbye; `speech` tells by frame whether the caller speaks.
    async fn converse(greeting: &str, speech: impl Fn(usize) -> bool) -> (Vec<String>, usize) {
        let engine = LocalEngine::start().expect("built in");
        let mut session = engine.open(Brief { greeting: greeting.into(), ..brief() }).await.expect("opens");
        session.start();
        let (mut said, mut samples) = (Vec::new(), 0);
        for frame in 0.. {
            loop {
                let event = poll_fn(|cx| match session.poll_event(cx) {
                    Poll::Ready(event) => Poll::Ready(Some(event)),
                    Poll::Pending => Poll::Ready(None),
                });
                match event.await {
                    Some(EngineEvent::Said(text)) => said.push(text),
                    Some(EngineEvent::Audio(audio)) => samples += audio.len(),
                    Some(EngineEvent::Goodbye) => return (said, samples),
                    Some(EngineEvent::TurnComplete) => {}
                    Some(other) => panic!("{other:?}"),
                    None => break,
                }
            }
            session.playout_drained();
            let level = if speech(frame) { 5_000 } else { 0 };
            session.hear(&(0..160).map(|i| if i % 8 < 4 { level } else { -level }).collect::<Vec<i16>>());
            tokio::task::yield_now().await;
        }
        unreachable!("the loop has no end")
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn it_greets_takes_a_message_and_says_goodbye() {
        // The caller speaks every other 2 s until the session ends: what matters is the order of what is said.
        let (said, samples) = converse("Hello there. How can I help?", |frame| frame % 400 > 200).await;
        assert_eq!(said[..2], ["Hello there.", "How can I help?"]);
        assert_eq!(said[2], "Please leave your message after the tone.");
        assert_eq!(said.last().map(String::as_str), Some("Goodbye."));
        assert!(samples > 5 * SAMPLE_RATE as usize);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn a_wordless_greeting_does_not_stall_the_call() {
        let (said, _) = converse("…", |_| false).await;
        assert_eq!(said[0], "Please leave your message after the tone.");
    }
}
