//! The receptionist: a dialogue as a pure machine. It takes a message: who calls, and why; reads both back, passes it on.
//!
//! It does not know the time, and whether it is understood is the ears' business: it is told what was heard.
//!
//! ```text
//!   greeting ─▶ Open ─▶ Name ⇄ Reason ─▶ Confirming ─ yes ─▶ goodbye
//!                 │        └─ not understood ─▶ Recording     └─ no ─▶ once more from Open
//!   outbound: message ─▶ Reply ─▶ goodbye
//! ```

mod name;
#[cfg(test)]
mod tests;
mod words;

use crate::Prompt;
use words::{
    Answer, answer, ends_open, is_farewell, is_filler, is_goodbye, is_pleasantry, is_short_answer, is_substantial, substance,
};
pub use words::{normal, wants_human};

/// Caller's turns after which the call is wound up.
const MOST_TURNS: u32 = 16;
/// Times that something may be added to a message that was read back.
const MOST_ADDITIONS: u32 = 3;
/// Words that are read back; the rest is passed on all the same.
const READ_BACK_WORDS: usize = 32;

/// Milliseconds of silence that end the caller's turn: as a rule…
const PATIENCE: u32 = 700;
/// … when there was little of it, or it stops in the middle of a sentence…
const MORE_PATIENCE: u32 = 1_200;
/// … and when a message is dictated.
const MOST_PATIENCE: u32 = 2_400;
/// Less voice than this is little, in milliseconds.
const LITTLE: u32 = 600;

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// The line is open (and, when we called, the other side has said its hello).
    Start,
    /// The caller's turn is over. `sure` is false for a noise so short that it need not have been speech.
    Heard {
        text: String,
        sure: bool,
    },
    Prompt(Prompt),
}

/// What to do, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    Say(String),
    /// The tone after which a caller dictates.
    Tone,
    Took(Message),
    /// Hang up when all was said.
    Goodbye,
}

/// The message taken.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Message {
    pub name: Option<String>,
    /// In the caller's words.
    pub reason: Option<String>,
    /// The words were not understood: listen to the recording.
    pub recorded: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Waiting,
    Open,
    Name,
    Reason,
    Confirming,
    /// The caller dictates after the tone.
    Recording,
    /// We called, and asked for a reply.
    Reply,
    Over,
}

/// The machine.
#[derive(Debug)]
pub struct Receptionist {
    stage: Stage,
    greeting: String,
    outbound: bool,
    message: Message,
    turns: u32,
    unclear: u32,
    /// Short noises in a row.
    unsure: u32,
    asked_name: u32,
    refusals: u32,
    additions: u32,
    asked_for_human: bool,
}

impl Receptionist {
    pub fn new(greeting: String, outbound: bool) -> Self {
        Self {
            stage: Stage::Waiting,
            greeting,
            outbound,
            message: Message::default(),
            turns: 0,
            unclear: 0,
            unsure: 0,
            asked_name: 0,
            refusals: 0,
            additions: 0,
            asked_for_human: false,
        }
    }

    /// It has said goodbye: nothing the caller says changes that.
    #[cfg(test)]
    fn is_over(&self) -> bool {
        self.stage == Stage::Over
    }

    /// Milliseconds of silence after which the caller's turn is over, `text` being what was understood of it so far and
    /// `voiced_ms` how much voice there was.
    pub fn patience(&self, text: &str, voiced_ms: u32) -> u32 {
        if self.stage == Stage::Recording {
            return MOST_PATIENCE;
        }
        let little = voiced_ms < LITTLE && !is_short_answer(text);
        if little || ends_open(text) { MORE_PATIENCE } else { PATIENCE }
    }

    pub fn handle(&mut self, input: Input) -> Vec<Output> {
        match (self.stage, input) {
            (Stage::Over, _) => Vec::new(),
            (Stage::Waiting, Input::Start) => self.greet(),
            (Stage::Waiting, _) | (_, Input::Start) => Vec::new(),
            // The session says it by itself.
            (_, Input::Prompt(Prompt::LeaveMessage { .. } | Prompt::Hint { .. })) => Vec::new(),
            (_, Input::Prompt(Prompt::StillThere)) => vec![say("Are you still there?")],
            (_, Input::Prompt(Prompt::SilenceGoodbye)) => self.end_in_silence(),
            (_, Input::Prompt(Prompt::TransferFailed { target, .. })) => self.apologise(&target),
            // It is the human who hears this: the dialogue with the caller waits.
            (_, Input::Prompt(Prompt::BriefHuman { message, .. })) => {
                let message = message.as_deref().unwrap_or("I have a caller for you.").trim();
                vec![Output::Say(format!("{message} Press 1 to take the call, or 2 to decline."))]
            }
            (_, Input::Heard { text, sure }) => self.hear(&text, sure),
        }
    }

    /// Takes over from another mind in the middle of a call, without a greeting.
    pub fn take_over(&mut self) {
        if self.stage == Stage::Waiting {
            self.stage = if self.outbound { Stage::Reply } else { Stage::Open };
        }
    }

    fn greet(&mut self) -> Vec<Output> {
        let mut greeting = self.greeting.trim().to_owned();
        let asks = greeting.contains('?');
        if self.outbound {
            self.stage = Stage::Reply;
            greeting.push_str(if asks { "" } else { " Would you like to leave a reply?" });
        } else {
            self.stage = Stage::Open;
            greeting.push_str(if asks { "" } else { " Who is calling, please, and what is it about?" });
        }
        vec![Output::Say(greeting)]
    }

    fn hear(&mut self, text: &str, sure: bool) -> Vec<Output> {
        if self.stage == Stage::Recording {
            return self.end_recording(text);
        }
        if is_filler(text) || !sure && !self.is_worth_an_answer(text) {
            return Vec::new();
        }
        self.unsure = 0;
        self.turns += 1;
        if self.turns > MOST_TURNS {
            return self.end("I have to stop here. I will pass on what you have told me. Goodbye.");
        }
        if normal(text).is_empty() {
            return self.ask_again();
        }
        self.unclear = 0;
        if wants_human(text) {
            return self.decline_human(text);
        }
        match self.stage {
            Stage::Confirming => self.confirm(text),
            Stage::Reply => self.reply(text),
            _ => self.collect(text),
        }
    }

    /// Of something that may have been a cough: a plain yes, no or goodbye, or the second attempt at a name.
    fn is_worth_an_answer(&mut self, text: &str) -> bool {
        self.unsure += 1;
        is_short_answer(text) || self.stage == Stage::Name && self.unsure > 1 && name::plain(text).is_some()
    }

    fn ask_again(&mut self) -> Vec<Output> {
        self.unclear += 1;
        match (self.stage, self.unclear) {
            (Stage::Confirming, 1) => vec![say("Is that right? Please say yes or no.")],
            (Stage::Confirming, _) => self.end("I will pass it on as I have it. Goodbye."),
            (_, 1) => vec![say("Sorry, I did not get that. Could you say it again?")],
            (_, 2) => vec![say("I am sorry, I still did not understand. Please say it once more.")],
            _ => {
                self.stage = Stage::Recording;
                self.message.recorded = true;
                vec![say("I am afraid I do not understand you well. Please leave your message after the tone."), Output::Tone]
            }
        }
    }

    fn decline_human(&mut self, text: &str) -> Vec<Output> {
        let sorry = if std::mem::replace(&mut self.asked_for_human, true) {
            "I am sorry, there is really nobody here at the moment."
        } else {
            "I am sorry, nobody is available right now, but I can take a message."
        };
        if let Some(found) = name::introduced(text) {
            self.message.name = Some(found.name);
        }
        let mut outputs = vec![say(sorry)];
        if self.stage == Stage::Confirming {
            outputs.push(say("Is what I have noted right?"));
        } else if self.stage == Stage::Reply {
            outputs.push(say("What shall I pass on?"));
        } else {
            outputs.extend(self.ask_next());
        }
        outputs
    }

    /// The human could not be reached; the message is as far as it was.
    fn apologise(&mut self, target: &str) -> Vec<Output> {
        self.asked_for_human = true;
        let mut outputs = vec![Output::Say(format!("I am sorry, I could not reach {target}, but I can take a message."))];
        match self.stage {
            Stage::Confirming => outputs.push(say("Is what I have noted right?")),
            Stage::Reply => outputs.push(say("What shall I pass on?")),
            _ => outputs.extend(self.ask_next()),
        }
        outputs
    }

    fn collect(&mut self, text: &str) -> Vec<Output> {
        let farewell = is_farewell(text);
        if farewell && is_substantial(substance(without_goodbye(text))) {
            self.note(substance(without_goodbye(text)));
        }
        if farewell || is_goodbye(text) && !is_substantial(without_goodbye(text)) {
            let last = if self.is_empty() { "Thank you for calling. Goodbye." } else { "Thank you. I will pass it on. Goodbye." };
            return self.end(last);
        }
        let found = name::introduced(text);
        let rest = match &found {
            Some(found) => text.get(found.end..).unwrap_or_default(),
            None => text,
        };
        let introduced = found.is_some();
        // What stands before the name counts too: "The heating is broken, my name is Tom."
        let before = found.as_ref().and_then(|found| text.get(..found.start)).unwrap_or_default();
        if let Some(found) = found {
            self.message.name = Some(found.name);
        } else if self.stage == Stage::Name
            && let Some(name) = name::plain(text)
        {
            self.message.name = Some(name);
            return self.ask_next();
        }
        for part in [before, rest] {
            let part = substance(part);
            let enough = is_substantial(part) || self.stage == Stage::Reason && !introduced && !is_pleasantry(part);
            if enough && !part.is_empty() {
                self.note(part);
            }
        }
        self.ask_next()
    }

    fn note(&mut self, words: &str) {
        let words = words.trim();
        match &mut self.message.reason {
            Some(reason) => {
                reason.push(' ');
                reason.push_str(words);
            }
            None => self.message.reason = Some(words.to_owned()),
        }
    }

    fn ask_next(&mut self) -> Vec<Output> {
        let Message { name, reason, .. } = &self.message;
        let (stage, words) = match (name, reason) {
            (None, reason) if self.asked_name < 2 => {
                self.asked_name += 1;
                let question = match (reason, self.asked_name) {
                    (_, 2) => "I did not catch your name. Who is calling, please?",
                    (Some(_), _) => "I see. May I have your name, please?",
                    (None, _) => "May I ask who is calling?",
                };
                (Stage::Name, question.to_owned())
            }
            (Some(name), None) => (Stage::Reason, format!("Thank you, {name}. What are you calling about?")),
            (None, None) => (Stage::Reason, "What are you calling about?".to_owned()),
            (name, Some(reason)) => {
                let thanks = name.as_ref().map_or("Thank you.".to_owned(), |name| format!("Thank you, {name}."));
                (Stage::Confirming, format!("{thanks} {} Is that right?", read_back(reason)))
            }
        };
        self.stage = stage;
        vec![Output::Say(words)]
    }

    fn confirm(&mut self, text: &str) -> Vec<Output> {
        let more = substance(without_goodbye(text));
        let adds = is_substantial(more);
        match answer(text) {
            Answer::No if !adds => self.start_over(),
            Answer::Neither if !adds && !is_goodbye(text) => self.ask_again(),
            Answer::No | Answer::Neither if adds => self.add(more),
            _ => {
                if adds {
                    self.note(more);
                }
                self.end("Thank you. I will pass it on. Goodbye.")
            }
        }
    }

    fn start_over(&mut self) -> Vec<Output> {
        self.refusals += 1;
        if self.refusals > 1 {
            self.message.recorded = true;
            return self.end("I am sorry. I will pass on the recording of this call, so that nothing is lost. Goodbye.");
        }
        self.message = Message::default();
        self.asked_name = 0;
        self.stage = Stage::Open;
        vec![say("I am sorry. Let us try again. Who is calling, please, and what is it about?")]
    }

    fn add(&mut self, more: &str) -> Vec<Output> {
        self.additions += 1;
        match name::introduced(more) {
            Some(found) => {
                self.message.name = Some(found.name);
                let rest = substance(more.get(found.end..).unwrap_or_default());
                if is_substantial(rest) {
                    self.note(rest);
                }
            }
            None => self.note(more),
        }
        if self.additions > MOST_ADDITIONS {
            return self.end("Thank you. I have added that, and I will pass it on. Goodbye.");
        }
        let added = more.trim_end_matches(|c: char| !c.is_alphanumeric());
        vec![Output::Say(format!("I have noted: {added}. Is everything right now?"))]
    }

    fn reply(&mut self, text: &str) -> Vec<Output> {
        let words = substance(without_goodbye(text));
        if is_substantial(words) {
            self.note(words);
            return self.end("Thank you. I will pass it on. Goodbye.");
        }
        match answer(text) {
            Answer::No => self.end("Thank you. Goodbye."),
            _ if is_goodbye(text) => self.end("Thank you. Goodbye."),
            Answer::Yes => vec![say("Please go ahead.")],
            Answer::Neither if is_pleasantry(text) => vec![say("Would you like to leave a reply?")],
            Answer::Neither => {
                self.note(text);
                self.end("Thank you. I will pass it on. Goodbye.")
            }
        }
    }

    fn end_recording(&mut self, text: &str) -> Vec<Output> {
        if !normal(text).is_empty() && !is_filler(text) {
            self.note(text);
        }
        self.end("Thank you. Your message has been recorded. Goodbye.")
    }

    fn end_in_silence(&mut self) -> Vec<Output> {
        if self.is_empty() {
            self.end("I cannot hear you. Thank you for calling. Goodbye.")
        } else {
            self.end("I cannot hear you any more. I will pass on what you have told me. Goodbye.")
        }
    }

    fn is_empty(&self) -> bool {
        self.message == Message::default()
    }

    fn end(&mut self, last_words: &str) -> Vec<Output> {
        self.stage = Stage::Over;
        let took = (!self.is_empty()).then(|| Output::Took(std::mem::take(&mut self.message)));
        took.into_iter().chain([say(last_words), Output::Goodbye]).collect()
    }
}

/// Whether there is anything in it to be answered: not a "hmm", and not a noise that only may have been a word.
pub fn deserves_answer(text: &str, sure: bool) -> bool {
    !is_filler(text) && (sure || is_short_answer(text))
}

fn say(text: &str) -> Output {
    Output::Say(text.to_owned())
}

/// The text up to its goodbye.
fn without_goodbye(text: &str) -> &str {
    let lower = text.to_ascii_lowercase();
    let end = ["thank you, good", "thank you, bye", "thanks, bye", "goodbye", "good bye", "bye"]
        .iter()
        .filter_map(|word| lower.find(word))
        .min()
        .unwrap_or(text.len());
    text.get(..end).unwrap_or(text)
}

/// The reason as the receptionist says it.
fn read_back(reason: &str) -> String {
    let mut told = shortened(reason);
    let whole = told.len() == reason.trim().len();
    if !told.ends_with(['.', '!', '?']) {
        told = told.trim_end_matches(|c: char| !c.is_alphanumeric()).to_owned() + ".";
    }
    let read = if told.ends_with('?') {
        format!("Your question is: {told}")
    } else {
        match words::turned_around(&told) {
            None => format!("I have noted: {told}"),
            Some(turned) if begins_with_subject(&turned) => capital(&turned),
            Some(turned) => format!("I have noted: {turned}"),
        }
    };
    if whole { read } else { format!("{read} And the rest of what you have told me.") }
}

fn begins_with_subject(text: &str) -> bool {
    normal(text).starts_with("you ")
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// The first sentences, as many as are bearable to hear again.
fn shortened(text: &str) -> String {
    let mut kept = String::new();
    let mut words = 0;
    for sentence in text.trim().split_inclusive(['.', '!', '?']) {
        let length = sentence.split_whitespace().count();
        if words > 0 && words + length > READ_BACK_WORDS {
            break;
        }
        words += length;
        kept.push_str(sentence);
    }
    let kept: Vec<&str> = kept.split_whitespace().take(READ_BACK_WORDS + 16).collect();
    kept.join(" ")
}
