//! Words that tell machines from humans, as data by language (`phrases.json`). All languages at once: who answers may speak any.

use serde::Deserialize;
use std::{collections::BTreeMap, sync::LazyLock};

/// Of what was said before, so much is kept for phrases that come in pieces; bytes.
const KEPT: usize = 160;

/// Whom a phrase speaks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only machines say so.
    Machine,
    /// Machines say so, and sometimes humans.
    Hint,
    /// Only somebody who waits for an answer says so.
    Human,
}

/// A phrase that was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    pub kind: Kind,
    /// As it stands in the data.
    pub phrase: &'static str,
}

#[derive(Debug, Deserialize)]
struct Language {
    machine: Vec<String>,
    hint: Vec<String>,
    human: Vec<String>,
}

struct Entry {
    kind: Kind,
    phrase: String,
    /// As [`plain`] makes it, between spaces.
    plain: String,
}

static ALL: LazyLock<Vec<Entry>> = LazyLock::new(|| {
    // The file is part of the program, and a test reads it.
    let languages: BTreeMap<String, Language> = serde_json::from_str(include_str!("phrases.json")).unwrap_or_default();
    let of = |kind: Kind, phrases: Vec<String>| {
        phrases.into_iter().map(move |phrase| Entry { kind, plain: format!(" {} ", plain(&phrase)), phrase })
    };
    let entries = languages.into_values().flat_map(|language| {
        // What humans say is looked for first: “leave a message” within “would you like to leave a message” is theirs.
        of(Kind::Human, language.human).chain(of(Kind::Machine, language.machine)).chain(of(Kind::Hint, language.hint))
    });
    entries.collect()
});

/// What was heard so far.
#[derive(Debug, Default)]
pub struct Phrases {
    /// The end of what was said, plain.
    said: String,
    /// Numbers of the entries that were found.
    found: Vec<usize>,
}

impl Phrases {
    /// Takes further words; gives the weightiest phrase that is complete with them.
    pub fn hear(&mut self, text: &str) -> Option<Found> {
        let text = plain(text);
        if text.is_empty() {
            return None;
        }
        self.said.push(' ');
        self.said.push_str(&text);
        let said = format!("{} ", self.said);
        let fresh: Vec<usize> = (0..ALL.len()).filter(|at| !self.found.contains(at) && said.contains(&ALL[*at].plain)).collect();
        self.found.extend(&fresh);
        let cut = self.said.len().saturating_sub(KEPT);
        let cut = (cut..self.said.len()).find(|at| self.said.is_char_boundary(*at)).unwrap_or(0);
        self.said.drain(..cut);
        let of = |kind: Kind| fresh.iter().map(|at| &ALL[*at]).find(|entry| entry.kind == kind);
        let entry = of(Kind::Machine).or_else(|| of(Kind::Human)).or_else(|| of(Kind::Hint))?;
        Some(Found { kind: entry.kind, phrase: &entry.phrase })
    }

    /// Different hints so far.
    pub fn hints(&self) -> u32 {
        self.count(Kind::Hint)
    }

    /// Something was said that only a human says.
    pub fn human(&self) -> bool {
        self.count(Kind::Human) > 0
    }

    fn count(&self, kind: Kind) -> u32 {
        self.found.iter().filter(|at| ALL[**at].kind == kind).count() as u32
    }
}

/// Small letters without accents, one space between words, nothing else.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars().flat_map(char::to_lowercase) {
        let ascii = match letter {
            'à' | 'á' | 'â' | 'ä' | 'ã' => "a",
            'ç' => "c",
            'è' | 'é' | 'ê' | 'ë' => "e",
            'ì' | 'í' | 'î' | 'ï' => "i",
            'ñ' => "n",
            'ò' | 'ó' | 'ô' | 'ö' | 'õ' => "o",
            'œ' => "oe",
            'ß' => "ss",
            'ù' | 'ú' | 'û' | 'ü' => "u",
            // “can't” is one word to all who write it, “l'utente” two to some.
            '\'' | '’' => "'",
            letter if letter.is_alphanumeric() => {
                out.push(letter);
                continue;
            }
            _ => " ",
        };
        out.push_str(ascii);
    }
    let words: Vec<&str> = out.split([' ', '\'']).filter(|word| !word.is_empty()).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<Kind> {
        let mut phrases = Phrases::default();
        text.split('|').filter_map(|piece| phrases.hear(piece)).map(|found| found.kind).collect()
    }

    #[test]
    fn the_data_is_complete() {
        let languages: BTreeMap<String, Language> = serde_json::from_str(include_str!("phrases.json")).expect("valid");
        assert_eq!(languages.keys().map(String::as_str).collect::<Vec<_>>(), ["de", "en", "es", "fr", "it"]);
        let mut seen = std::collections::HashSet::new();
        for entry in ALL.iter() {
            assert!(
                entry.plain.split_whitespace().count() >= 1 && seen.insert(&entry.plain),
                "{} stands there twice",
                entry.phrase
            );
        }
    }

    #[test]
    fn machines_are_told_from_humans_by_what_they_say() {
        for (text, want) in [
            ("Please leave your message after the tone.", Some(Kind::Machine)),
            ("Bitte sprechen Sie nach dem Signalton!", Some(Kind::Machine)),
            ("Merci de laisser un message après le bip sonore.", Some(Kind::Machine)),
            ("Deje su mensaje después de la señal.", Some(Kind::Machine)),
            ("Lasciate un messaggio dopo il segnale acustico.", Some(Kind::Machine)),
            ("I'm not available right now.", Some(Kind::Hint)),
            ("Würden Sie eine Nachricht hinterlassen?", Some(Kind::Hint)),
            ("How can I help you?", Some(Kind::Human)),
            ("Was kann ich für Sie tun?", Some(Kind::Human)),
            ("Hello?", None),
            ("The tone of your message was rude.", None),
            ("", None),
        ] {
            assert_eq!(kinds(text).first().copied(), want, "{text}");
        }
    }

    #[test]
    fn a_phrase_may_come_in_pieces_and_counts_once() {
        assert_eq!(
            kinds("I am not available,|speak at the sound of|the|tone. At the sound of the tone"),
            [Kind::Hint, Kind::Machine]
        );
        let mut phrases = Phrases::default();
        for _ in 0..3 {
            phrases.hear("I am not available. I am not available.");
        }
        assert_eq!(phrases.hints(), 1);
        phrases.hear(&"é ".repeat(10_000));
        assert!(phrases.said.len() <= KEPT);
    }
}
