//! From the caller's audio to the caller's words: the ears find the turns, the recogniser is asked at the first pause, so
//! that its answer is there when the turn is over, and a pause that turns out to be none costs nothing but its work.

use super::{
    ears::{Ears, Notice},
    recogniser::{Transcriber, Transcription},
};
use crate::EngineError;
use std::{
    collections::VecDeque,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

/// Voice from which there is something to be recognised, however quiet: 240 ms.
const SPEECH_MS: u32 = 240;

/// A stretch of speech on its way to words.
#[derive(Debug)]
enum Piece {
    Awaited(Transcription),
    Known(String),
}

impl Piece {
    /// True when its words are known.
    fn settle(&mut self, context: &mut Context<'_>) -> bool {
        if let Self::Awaited(transcription) = self {
            match Pin::new(transcription).poll(context) {
                Poll::Pending => return false,
                Poll::Ready(words) => *self = Self::Known(words.unwrap_or_default()),
            }
        }
        true
    }

    fn words(&self) -> &str {
        match self {
            Self::Awaited(_) => "",
            Self::Known(words) => words,
        }
    }
}

/// What the caller says until it is somebody else's turn.
#[derive(Debug, Default)]
struct Turn {
    pieces: Vec<Piece>,
    /// What was said since the last piece, asked for at the pause.
    tail: Option<Piece>,
    heard: Heard,
}

impl Turn {
    fn words(&self) -> String {
        let words: Vec<&str> = self.pieces.iter().chain(&self.tail).map(Piece::words).filter(|words| !words.is_empty()).collect();
        words.join(" ")
    }

    fn settle(&mut self, context: &mut Context<'_>) -> bool {
        // All are asked, so that each wakes us.
        let open = self.pieces.iter_mut().chain(&mut self.tail).filter_map(|piece| (!piece.settle(context)).then_some(()));
        open.count() == 0
    }
}

/// A caller's turn.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Heard {
    pub text: String,
    /// Clearly more than a cough or a "hmm".
    pub sustained: bool,
    pub voiced_ms: u32,
    /// It began while the agent spoke.
    pub over_agent: bool,
    /// It was the hello of somebody we called.
    pub is_hello: bool,
}

/// What the session learns at once.
#[derive(Debug, PartialEq, Eq)]
pub enum Sign {
    /// The caller speaks, and means it.
    Sustained,
    /// The caller is silent: how long is that to last until the turn is over?
    Paused { voiced_ms: u32 },
    /// The words cannot be recognised: too much to do.
    Overloaded(EngineError),
}

/// What polling brings.
#[derive(Debug, PartialEq, Eq)]
pub enum Words {
    /// Of a turn that has paused, not ended.
    SoFar {
        text: String,
        voiced_ms: u32,
    },
    Turn(Heard),
}

/// One call's listening.
pub struct Listening {
    ears: Ears,
    transcriber: Transcriber,
    turn: Option<Turn>,
    /// Turns that are over, their words on the way.
    ended: VecDeque<Turn>,
}

impl Listening {
    pub fn new(transcriber: Transcriber) -> Self {
        Self { ears: Ears::default(), transcriber, turn: None, ended: VecDeque::new() }
    }

    /// Takes 20 ms (mono, 16 kHz). `agent_speaks` as of now.
    pub fn hear(&mut self, samples: &[i16], agent_speaks: bool) -> Vec<Sign> {
        let notices = self.ears.hear(samples);
        let mut signs = Vec::new();
        for notice in notices {
            self.notice(notice, agent_speaks, &mut signs);
        }
        if let Some(turn) = &mut self.turn {
            turn.heard.voiced_ms = turn.heard.voiced_ms.max(self.ears.voiced_ms());
        }
        signs
    }

    /// The caller's turn is running.
    pub fn is_open(&self) -> bool {
        self.turn.is_some()
    }

    /// There is voice in the last frame.
    pub fn hears_voice(&self) -> bool {
        self.ears.is_voice()
    }

    pub fn be_patient(&mut self, silence_ms: u32) {
        self.ears.be_patient(silence_ms);
    }

    /// Ends the turn that is running: it was a hello, as was what has been heard before.
    pub fn end_hello(&mut self) {
        let mut signs = Vec::new();
        self.ask_for_tail(&mut signs);
        self.ears.forget();
        self.ended.extend(self.turn.take());
        for turn in &mut self.ended {
            turn.heard.is_hello = true;
        }
    }

    /// Words that have become known.
    pub fn poll(&mut self, context: &mut Context<'_>) -> Poll<Words> {
        if let Some(turn) = &mut self.turn
            && let Some(tail) = turn.tail.as_mut().filter(|tail| matches!(tail, Piece::Awaited(_)))
            && tail.settle(context)
        {
            return Poll::Ready(Words::SoFar { text: turn.words(), voiced_ms: turn.heard.voiced_ms });
        }
        let Some(mut first) = self.ended.pop_front() else { return Poll::Pending };
        if !first.settle(context) {
            self.ended.push_front(first);
            return Poll::Pending;
        }
        match &mut self.turn {
            // The caller goes on before there was an answer: it is one turn.
            Some(turn) if !first.heard.is_hello => {
                first.pieces.extend(first.tail.take());
                first.pieces.append(&mut turn.pieces);
                turn.pieces = first.pieces;
                turn.heard.sustained |= first.heard.sustained;
                turn.heard.over_agent &= first.heard.over_agent;
                Poll::Pending
            }
            _ => {
                let text = first.words();
                Poll::Ready(Words::Turn(Heard { text, ..first.heard }))
            }
        }
    }

    fn notice(&mut self, notice: Notice, agent_speaks: bool, signs: &mut Vec<Sign>) {
        match notice {
            Notice::Began => {
                self.turn = Some(Turn { heard: Heard { over_agent: agent_speaks, ..Heard::default() }, ..Turn::default() });
            }
            Notice::Sustained => {
                if let Some(turn) = &mut self.turn {
                    turn.heard.sustained = true;
                }
                signs.push(Sign::Sustained);
            }
            Notice::Paused => {
                self.ask_for_tail(signs);
                signs.push(Sign::Paused { voiced_ms: self.ears.voiced_ms() });
            }
            Notice::Resumed => {
                if let Some(turn) = &mut self.turn {
                    turn.tail = None;
                }
            }
            Notice::Piece(samples) => {
                let piece = self.ask(samples, true, signs);
                if let Some(turn) = &mut self.turn {
                    turn.pieces.push(piece);
                    turn.tail = None;
                }
            }
            Notice::Ended => self.end(agent_speaks),
        }
    }

    fn end(&mut self, agent_speaks: bool) {
        let Some(turn) = self.turn.take() else { return };
        // A noise while the agent speaks is no turn. A short word at the end of the agent's may be one.
        if agent_speaks && turn.heard.over_agent && !turn.heard.sustained && turn.pieces.is_empty() {
            return;
        }
        self.ended.push_back(turn);
    }

    fn ask_for_tail(&mut self, signs: &mut Vec<Sign>) {
        let Some(samples) = self.ears.utterance().filter(|samples| !samples.is_empty()).map(<[i16]>::to_vec) else { return };
        let speech = self.ears.voiced_ms() >= SPEECH_MS;
        let tail = self.ask(samples, speech, signs);
        if let Some(turn) = &mut self.turn {
            turn.tail = Some(tail);
        }
    }

    fn ask(&self, samples: Vec<i16>, speech: bool, signs: &mut Vec<Sign>) -> Piece {
        match self.transcriber.transcribe(samples, speech) {
            Ok(transcription) => Piece::Awaited(transcription),
            Err(error) => {
                signs.push(Sign::Overloaded(error));
                Piece::Known(String::new())
            }
        }
    }

    /// Words are being recognised.
    #[cfg(test)]
    pub fn is_waiting(&self) -> bool {
        let awaited = |turn: &Turn| turn.pieces.iter().chain(&turn.tail).any(|piece| matches!(piece, Piece::Awaited(_)));
        self.turn.iter().chain(&self.ended).any(awaited)
    }
}
