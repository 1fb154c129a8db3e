//! What has been said in the conversation, in the order in which it was said. The service tells of items when it suits it, and
//! of the caller's words long after the answer to them has begun; where an item stands is told by the one before it.

use super::captions::Captions;
use crate::{Utterance, openai::wire::client::Item};
use std::time::{Duration, Instant};

/// Kept at most; the oldest go first.
const ENTRIES: usize = 200;
/// Told to a new session: the newest, at most so many bytes of text.
const TOLD_BYTES: usize = 16_000;
/// Words of one utterance that are kept, bytes.
const WORDS_BYTES: usize = 4_000;
/// For so long the words of an utterance keep those of the next ones waiting.
pub const WORDS: Duration = Duration::from_secs(8);

#[derive(Debug, Default)]
pub struct Items {
    entries: Vec<Entry>,
    stretches: u64,
}

/// Names one stretch of the agent's speech, whatever the service calls it, and across sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch(u64);

impl Stretch {
    pub const fn new(number: u64) -> Self {
        Self(number)
    }
}

#[derive(Debug)]
struct Entry {
    /// The service's; empty for what we have told it.
    id: String,
    what: What,
}

#[derive(Debug)]
enum What {
    Caller {
        words: String,
        state: Words,
    },
    Agent(Box<Speech>),
    /// Told by us.
    Told(Item),
}

/// Whether the caller's words are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Words {
    Awaited { since: Instant },
    Whole,
    Told,
}

/// One stretch of the agent's speech.
#[derive(Debug)]
pub struct Speech {
    pub stretch: Stretch,
    pub captions: Captions,
    /// Of its audio: handed out, and known to have been played.
    pub handed_out: u64,
    pub played: u64,
}

impl Items {
    /// What was said before this engine took over.
    pub fn after(history: &[Utterance]) -> Self {
        let mut items = Self::default();
        for Utterance { by_agent, text } in history {
            let text = text.clone();
            items.told(if *by_agent { Item::Agent(text) } else { Item::Caller(text) });
        }
        items
    }

    /// We told the service this.
    pub fn told(&mut self, item: Item) {
        self.insert(String::new(), "", What::Told(item));
    }

    /// The caller has said something; its words may follow.
    pub fn caller_spoke(&mut self, id: &str, previous: &str, now: Instant) {
        if self.find(id).is_none() {
            let what = What::Caller { words: String::new(), state: Words::Awaited { since: now } };
            self.insert(id.to_owned(), previous, what);
        }
    }

    /// A piece of the caller's words.
    pub fn caller_words(&mut self, id: &str, piece: &str, now: Instant) {
        self.caller_spoke(id, "", now);
        if let Some(What::Caller { words, state: Words::Awaited { .. } }) = self.find(id)
            && words.len() < WORDS_BYTES
        {
            words.push_str(piece);
        }
    }

    /// All of the caller's words are here: these, or the pieces where there are none. There may be no words at all.
    pub fn caller_words_are_whole(&mut self, id: &str, transcript: &str, now: Instant) {
        self.caller_spoke(id, "", now);
        if let Some(What::Caller { words, state: state @ Words::Awaited { .. } }) = self.find(id) {
            *state = Words::Whole;
            if !transcript.is_empty() {
                *words = transcript.chars().take(WORDS_BYTES).collect();
            }
        }
    }

    /// Words of the caller that may be told: not before those of an earlier utterance, unless these do not come.
    pub fn next_words(&mut self, now: Instant) -> Option<String> {
        for entry in &mut self.entries {
            let What::Caller { words, state } = &mut entry.what else { continue };
            match *state {
                Words::Told => {}
                Words::Awaited { since } if now < since + WORDS => return None,
                Words::Awaited { .. } => {}
                Words::Whole => {
                    *state = Words::Told;
                    if !words.trim().is_empty() {
                        return Some(words.trim().to_owned());
                    }
                }
            }
        }
        None
    }

    /// When words are not waited for any longer, should others be waiting for them.
    pub fn deadline(&self) -> Option<Instant> {
        let states = self.entries.iter().filter_map(|entry| match &entry.what {
            What::Caller { state, .. } => Some(*state),
            _ => None,
        });
        let mut awaited = None;
        for state in states {
            match state {
                Words::Awaited { since } => awaited = awaited.max(Some(since + WORDS)),
                Words::Whole => return awaited,
                Words::Told => {}
            }
        }
        None
    }

    /// The caller's last utterance was answered to nothing, and nobody knows its words.
    pub fn last_words_are_lost(&self) -> bool {
        match self.entries.iter().rev().find(|entry| !matches!(&entry.what, What::Told(_))) {
            Some(Entry { what: What::Caller { words, .. }, .. }) => words.trim().is_empty(),
            _ => false,
        }
    }

    /// The agent begins to speak in this item.
    pub fn agent_speaks(&mut self, id: &str, previous: &str) {
        if self.find(id).is_none() {
            self.stretches += 1;
            let stretch = Stretch(self.stretches);
            let speech = Speech { stretch, captions: Captions::default(), handed_out: 0, played: 0 };
            self.insert(id.to_owned(), previous, What::Agent(Box::new(speech)));
        }
    }

    pub fn speech(&mut self, id: &str) -> Option<&mut Speech> {
        match self.find(id)? {
            What::Agent(speech) => Some(speech),
            _ => None,
        }
    }

    /// That stretch, and what the present session calls it: nothing, if it was spoken in another.
    pub fn stretch(&mut self, stretch: Stretch) -> Option<(&mut Speech, &str)> {
        self.entries.iter_mut().rev().find_map(|entry| match &mut entry.what {
            What::Agent(speech) if speech.stretch == stretch => Some((&mut **speech, entry.id.as_str())),
            _ => None,
        })
    }

    /// All that a session which knows nothing has to be told. `ms` of samples.
    pub fn so_far(&self, ms: impl Fn(u64) -> u64) -> Vec<Item> {
        let mut bytes = 0;
        let newest = self.entries.iter().rev().filter_map(|entry| entry.item(&ms));
        let mut items: Vec<Item> = newest
            .take_while(|item| {
                bytes += length(item);
                bytes <= TOLD_BYTES
            })
            .collect();
        items.reverse();
        let called: Vec<String> = items.iter().filter_map(called).collect();
        // An answer without its call is refused; a call without its answer is at work.
        items.retain(|item| !matches!(item, Item::Output { call_id, .. } if !called.contains(call_id)));
        items
    }

    /// The ids are another session's, and no more words come for what it has heard.
    pub fn session_changed(&mut self) {
        for entry in &mut self.entries {
            entry.id.clear();
            if let What::Caller { state: state @ Words::Awaited { .. }, .. } = &mut entry.what {
                *state = Words::Whole;
            }
        }
    }

    fn find(&mut self, id: &str) -> Option<&mut What> {
        self.entries.iter_mut().rfind(|entry| entry.id == id && !id.is_empty()).map(|entry| &mut entry.what)
    }

    fn insert(&mut self, id: String, previous: &str, what: What) {
        let before = self.entries.iter().rposition(|entry| entry.id == previous && !previous.is_empty());
        // What we have told stands behind the item that we knew to be the last.
        let told = |entry: &Entry| matches!(entry.what, What::Told(_));
        let at = before.map_or(self.entries.len(), |before| {
            let behind = self.entries.iter().skip(before + 1).take_while(|entry| told(entry)).count();
            before + 1 + behind
        });
        self.entries.insert(at, Entry { id, what });
        if self.entries.len() > ENTRIES {
            self.entries.remove(0);
        }
    }
}

impl Entry {
    fn item(&self, ms: &impl Fn(u64) -> u64) -> Option<Item> {
        match &self.what {
            What::Caller { words, .. } => spoken(words).map(Item::Caller),
            What::Agent(speech) => {
                let heard = spoken(speech.captions.heard(ms(speech.handed_out)))?;
                let cut = speech.captions.is_cut();
                Some(Item::Agent(if cut { format!("{heard} …") } else { heard }))
            }
            What::Told(item) => Some(item.clone()),
        }
    }
}

fn spoken(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

fn length(item: &Item) -> usize {
    match item {
        Item::Caller(text) | Item::Agent(text) | Item::Cue(text) => text.len(),
        Item::Call { name, arguments, .. } => name.len() + arguments.len(),
        Item::Output { output, .. } => output.len(),
    }
}

fn called(item: &Item) -> Option<String> {
    if let Item::Call { call_id, .. } = item { Some(call_id.clone()) } else { None }
}

#[cfg(test)]
#[path = "items/tests.rs"]
mod tests;
