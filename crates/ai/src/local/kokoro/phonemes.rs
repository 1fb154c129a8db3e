//! English text to the symbols that Kokoro was trained on, by the front end of Flite: its reading of numbers and
//! abbreviations, its dictionary, and its letter-to-sound rules for every word that no dictionary has.
//!
//! Kokoro's own front end (misaki) leaves unknown words to a program under the GPL; ports of it start that program or leave the
//! word out. A name must not vanish on the telephone. See `docs/adr/0007`.

use super::super::synthesiser;
use crate::EngineError;
use flite_rs::{Engine as Flite, Utterance, lang::gpos, phoneset, utterance::ItemId};

/// The most symbols that the model takes at a time.
pub const MOST_SYMBOLS: usize = 510;

/// The model's padding, before and after the symbols.
const PAD: i32 = 0;

/// The symbols that our phonemes need, with their numbers in the model.
const SYMBOLS: [(char, i32); 50] = [
    (';', 1),
    (':', 2),
    (',', 3),
    ('.', 4),
    ('!', 5),
    ('?', 6),
    (' ', 16),
    ('A', 24),
    ('I', 25),
    ('O', 31),
    ('T', 36),
    ('W', 39),
    ('Y', 41),
    ('ᵊ', 42),
    ('b', 44),
    ('d', 46),
    ('f', 48),
    ('h', 50),
    ('i', 51),
    ('j', 52),
    ('k', 53),
    ('l', 54),
    ('m', 55),
    ('n', 56),
    ('p', 58),
    ('s', 61),
    ('t', 62),
    ('u', 63),
    ('v', 64),
    ('w', 65),
    ('z', 68),
    ('ɑ', 69),
    ('æ', 72),
    ('ɔ', 76),
    ('ð', 81),
    ('ʤ', 82),
    ('ə', 83),
    ('ɛ', 86),
    ('ɜ', 87),
    ('ɡ', 92),
    ('ɪ', 102),
    ('ŋ', 112),
    ('θ', 119),
    ('ɹ', 123),
    ('ʃ', 131),
    ('ʧ', 133),
    ('ʊ', 135),
    ('ʌ', 138),
    ('ʒ', 147),
    ('ˈ', 156),
];

/// Words that Flite takes for content and people say without stress.
const WEAK: [&str; 24] = [
    "am", "be", "been", "he", "her", "him", "his", "i", "it", "its", "me", "my", "our", "she", "so", "their", "them", "there",
    "they", "this", "us", "we", "you", "your",
];

/// Flite for its reading of texts, not for its voice.
///
/// # Errors
/// When the data that is compiled in does not parse.
pub fn front_end() -> Result<Flite, EngineError> {
    let mut flite = synthesiser::flite()?;
    // Its own voice cannot tell "cup" from "cop".
    flite.params_mut().fold_ah_to_aa = false;
    Ok(flite)
}

/// A text as the model's symbols, such as `həlˈO! ɪz ðæt ɹˈIt?`; empty when nothing in it can be spoken.
pub fn phonemes(flite: &Flite, text: &str) -> String {
    let utterance = flite.analyse(text);
    let mut symbols = String::new();
    for token in utterance.iter_relation("Token") {
        for word in utterance.iter_from(utterance.daughter(token)) {
            say_word(&utterance, word, &mut symbols);
        }
        if !symbols.is_empty() {
            symbols.extend(utterance.feature_str(token, "punc").chars().filter(|c| ",.;:!?".contains(*c)));
        }
    }
    soften(&symbols)
}

/// The model's input for symbols of [`phonemes`], in pieces that it takes, cut between words where there is a word's end.
pub fn pieces(symbols: &str) -> Vec<Vec<i32>> {
    let numbers: Vec<i32> = symbols.chars().filter_map(number).collect();
    let space = number(' ');
    let mut rest = numbers.as_slice();
    let mut pieces = Vec::new();
    while !rest.is_empty() {
        let room = rest.len().min(MOST_SYMBOLS);
        let cut = if room == rest.len() { None } else { rest[..room].iter().rposition(|n| Some(*n) == space) };
        let (piece, after) = rest.split_at(cut.map_or(room, |at| at + 1));
        pieces.push([&[PAD], piece, &[PAD]].concat());
        rest = after;
    }
    pieces
}

fn number(symbol: char) -> Option<i32> {
    SYMBOLS.iter().find(|(known, _)| *known == symbol).map(|(_, number)| *number)
}

fn say_word(utterance: &Utterance, word: ItemId, symbols: &mut String) {
    let name = utterance.name(word);
    if !symbols.is_empty() && !name.starts_with('\'') {
        symbols.push(' ');
    }
    let Some(structure) = utterance.item_as(word, "SylStructure") else { return };
    let syllables: Vec<ItemId> = utterance.iter_from(utterance.daughter(structure)).collect();
    let is_weak = syllables.len() == 1 && (gpos(name) != "content" || WEAK.contains(&name));
    for syllable in syllables {
        let stressed = utterance.feature_str(syllable, "stress") == "1";
        for segment in utterance.iter_from(utterance.daughter(syllable)) {
            let phone = utterance.name(segment);
            if stressed && !is_weak && is_vowel(phone) {
                symbols.push('ˈ');
            }
            symbols.push_str(symbol_of(phone, stressed));
        }
    }
}

fn is_vowel(phone: &str) -> bool {
    phoneset::feature(phone, "vc") == "+"
}

/// A phone of Flite as Kokoro writes it; diphthongs and affricates are one symbol each.
fn symbol_of(phone: &str, stressed: bool) -> &'static str {
    match phone {
        "aa" => "ɑ",
        "ae" => "æ",
        "ah" if stressed => "ʌ",
        "ah" | "ax" => "ə",
        "ao" => "ɔ",
        "aw" => "W",
        "axr" => "əɹ",
        "ay" => "I",
        "b" => "b",
        "ch" => "ʧ",
        "d" => "d",
        "dh" => "ð",
        "dx" => "T",
        "eh" => "ɛ",
        "el" => "ᵊl",
        "em" => "ᵊm",
        "en" => "ᵊn",
        "er" if stressed => "ɜɹ",
        "er" => "əɹ",
        "ey" => "A",
        "f" => "f",
        "g" => "ɡ",
        "hh" | "hv" => "h",
        "ih" => "ɪ",
        "iy" => "i",
        "jh" => "ʤ",
        "k" => "k",
        "l" => "l",
        "m" => "m",
        "n" | "nx" => "n",
        "ng" => "ŋ",
        "ow" => "O",
        "oy" => "Y",
        "p" => "p",
        "r" => "ɹ",
        "s" => "s",
        "sh" => "ʃ",
        "t" => "t",
        "th" => "θ",
        "uh" => "ʊ",
        "uw" => "u",
        "v" => "v",
        "w" => "w",
        "y" => "j",
        "z" => "z",
        "zh" => "ʒ",
        _ => "",
    }
}

/// Between a vowel and an unstressed vowel an American t is a tap, as in "meeting"; not as in "written".
fn soften(symbols: &str) -> String {
    let vowel = |c: Option<&char>| c.is_some_and(|c| "AIOWYiuɑæɔəɛɜɪʊʌᵊ".contains(*c));
    let symbols: Vec<char> = symbols.chars().collect();
    let taps = |at: usize| {
        let before = at.checked_sub(1).and_then(|at| symbols.get(at));
        let after = symbols.get(at + 1..).unwrap_or_default();
        symbols[at] == 't' && (vowel(before) || before == Some(&'ɹ')) && vowel(after.first()) && !after.starts_with(&['ə', 'n'])
    };
    (0..symbols.len()).map(|at| if taps(at) { 'T' } else { symbols[at] }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_become_the_symbols_of_the_model() {
        let flite = front_end().expect("built in");
        for (text, want) in [
            ("Hello! Is that right?", "həlˈO! ɪz ðæt ɹˈIt?"),
            ("The meeting is at ten, my butcher's cup.", "ðə mˈiTɪŋ ɪz æt tˈɛn, mI bˈʊʧəɹz kˈʌp."),
            ("Alice's AI assistant", "ˈæləsəz ˈAˈI əsˈɪstənt"),
            ("It is 5:30.", "ɪt ɪz fˈIv θˈɜɹdi."),
            ("written", "ɹˈɪtən"),
            ("💥 日本語 …", ""),
            ("", ""),
        ] {
            assert_eq!(phonemes(&flite, text), want, "{text}");
        }
    }

    #[test]
    fn an_unknown_name_is_spoken() {
        let flite = front_end().expect("built in");
        for (text, want) in [("Okonkwo", "əkˈɑŋkwO"), ("Lopez", "lˈOpɛz"), ("Siobhan", "ʃˈWbˈɑn"), ("XKCD", "ˈɛks kˈA sˈi dˈi")]
        {
            assert_eq!(phonemes(&flite, text), want);
        }
    }

    #[test]
    fn every_symbol_has_a_number() {
        let flite = front_end().expect("built in");
        let text = "The quick brown fox jumps over the lazy dog; measure, vision, thing, church, judge, oil, put, father, bird!";
        let symbols = phonemes(&flite, text);
        let unknown: String = symbols.chars().filter(|c| number(*c).is_none()).collect();
        assert_eq!(unknown, "");
    }

    #[test]
    fn long_texts_are_cut_between_words() {
        let whole = pieces("həlˈO wˈɜɹld");
        assert_eq!((whole.len(), whole[0].len()), (1, 14));
        for symbols in ["ˈA ".repeat(800), "A".repeat(2_000)] {
            let cut = pieces(&symbols);
            assert!(cut.iter().all(|piece| piece.len() <= MOST_SYMBOLS + 2 && piece.len() > 2));
            let kept: usize = cut.iter().map(|piece| piece.len() - 2).sum();
            assert_eq!(kept, symbols.chars().count());
        }
        assert!(pieces("").is_empty());
    }
}
