//! Finds how a caller is called: "this is …", "my name is …", or the plain answer to the question.

use super::words::normal;

/// Words that lead to a name.
const LEADS: [&str; 13] = [
    "my name is",
    "my name's",
    "the name is",
    "name is",
    "this is",
    "i am",
    "i'm",
    "it is",
    "it's",
    "you can call me",
    "my name would be",
    "here is",
    "speaking is",
];
/// Small words within names.
const PARTICLES: [&str; 14] = ["de", "la", "van", "von", "der", "den", "di", "da", "del", "bin", "al", "dos", "ter", "ten"];
/// No name has more words.
const LONGEST: usize = 4;

/// A name, and where in the text the words stand that told it (bytes).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundName {
    pub name: String,
    pub start: usize,
    pub end: usize,
}

/// A name introduced by one of the usual phrases; it has to be written with capitals, as the recogniser does with names.
pub fn introduced(text: &str) -> Option<FoundName> {
    let words = words_of(text);
    LEADS.iter().find_map(|lead| {
        let lead: Vec<&str> = lead.split(' ').collect();
        (0..words.len().saturating_sub(lead.len())).find_map(|at| {
            let led = lead.iter().zip(words.get(at..)?).all(|(want, word)| word.lower() == *want);
            if !led || words.get(at + lead.len() - 1)?.closes {
                return None;
            }
            let name = capitalised(words.get(at + lead.len()..)?)?;
            let first = words.get(at)?;
            Some(FoundName { name: joined(name), start: first.start, end: name.last()?.end })
        })
    })
}

/// The whole text as a name: the answer to "who is calling?".
pub fn plain(text: &str) -> Option<String> {
    const IDLE: [&str; 19] = [
        "hi",
        "hello",
        "hey",
        "yes",
        "yeah",
        "sure",
        "okay",
        "ok",
        "um",
        "uh",
        "well",
        "oh",
        "it's",
        "it",
        "is",
        "i'm",
        "this",
        "please",
        "of course",
    ];
    let words = words_of(text);
    let name: Vec<Word> = words.into_iter().filter(|word| !IDLE.contains(&word.lower().as_str())).collect();
    let is_name =
        |word: &Word| word.text.chars().all(|c| c.is_alphabetic() || c == '\'' || c == '-') && !is_common(&word.lower());
    let fits = !name.is_empty() && name.len() <= LONGEST && name.iter().all(is_name);
    fits.then(|| joined(&name))
}

#[derive(Debug)]
struct Word<'a> {
    text: &'a str,
    start: usize,
    end: usize,
    /// Punctuation after it ends a phrase.
    closes: bool,
}

impl Word<'_> {
    fn lower(&self) -> String {
        normal(self.text)
    }
}

fn words_of(text: &str) -> Vec<Word<'_>> {
    let mut words = Vec::new();
    let mut offset = 0;
    for raw in text.split(char::is_whitespace) {
        let start = offset + (raw.len() - raw.trim_start_matches(|c: char| !c.is_alphanumeric()).len());
        let bare = raw.trim_matches(|c: char| !c.is_alphanumeric());
        if !bare.is_empty() {
            let closes = raw.ends_with([',', '.', '!', '?', ';', ':']);
            words.push(Word { text: bare, start, end: start + bare.len(), closes });
        }
        offset += raw.len() + text.get(offset + raw.len()..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
    }
    words
}

/// The words of a name at the beginning of `words`.
fn capitalised<'w, 't>(words: &'w [Word<'t>]) -> Option<&'w [Word<'t>]> {
    let mut length = 0;
    for word in words.iter().take(LONGEST) {
        let capital = word.text.chars().next().is_some_and(char::is_uppercase) && !is_common(&word.lower());
        let particle = PARTICLES.contains(&word.lower().as_str()) && !word.closes;
        if !capital && !particle {
            break;
        }
        length += 1;
        if word.closes {
            break;
        }
    }
    let name = words.get(..length)?;
    name.iter().any(|word| !PARTICLES.contains(&word.lower().as_str())).then_some(name)
}

fn joined(words: &[Word]) -> String {
    let capital = |word: &Word| {
        if PARTICLES.contains(&word.text) {
            return word.text.to_owned();
        }
        let mut letters = word.text.chars();
        letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
    };
    words.iter().map(capital).collect::<Vec<String>>().join(" ")
}

/// Words that answer another question than "who?".
fn is_common(word: &str) -> bool {
    const COMMON: [&str; 75] = [
        "i", "you", "he", "she", "we", "they", "the", "a", "an", "and", "or", "but", "not", "no", "nope", "what", "why", "who",
        "when", "where", "how", "want", "need", "would", "like", "calling", "call", "about", "from", "for", "to", "with",
        "thanks", "thank", "help", "don't", "do", "does", "can", "could", "will", "is", "are", "am", "was", "that", "it",
        "that's", "rather", "say", "tell", "none", "nothing", "nobody", "someone", "somebody", "human", "person", "operator",
        "right", "correct", "wrong", "sorry", "again", "repeat", "goodbye", "bye", "just", "have", "has", "my", "your", "me",
        "there", "wait",
    ];
    COMMON.contains(&word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_where_they_are_introduced() {
        for (text, want) in [
            ("Hi, this is Maria Lopez.", Some("Maria Lopez")),
            ("Hello, my name is Tom Baker, and I would like to book a table.", Some("Tom Baker")),
            ("Hello, my name is Tom Baker and I would like to book a table.", Some("Tom Baker")),
            ("I'm Ludwig van Beethoven, calling about the piano.", Some("Ludwig van Beethoven")),
            ("I am Siobhan O'Neill.", Some("Siobhan O'Neill")),
            ("It's Jean-Luc.", Some("Jean-Luc")),
            ("I am calling about the invoice.", None),
            ("This is about my bill.", None),
            ("My name is. Um.", None),
            ("I'm Calling about a table.", None),
            ("The heating is broken.", None),
            ("", None),
        ] {
            assert_eq!(introduced(text).map(|found| found.name).as_deref(), want, "{text:?}");
        }
    }

    #[test]
    fn the_place_of_a_name_is_known() {
        let text = "Hi, this is Maria Lopez. I lost my key.";
        let found = introduced(text).expect("a name");
        assert_eq!(&text[found.start..found.end], "this is Maria Lopez");
    }

    #[test]
    fn a_plain_answer_can_be_a_name() {
        for (text, want) in [
            ("Maria Lopez.", Some("Maria Lopez")),
            ("Uh, it's tom.", Some("Tom")),
            ("Yes, Baker.", Some("Baker")),
            ("I would rather not say.", None),
            ("Seven people and a dog tonight please", None),
            ("No.", None),
            ("555-213-4896", None),
            ("...", None),
        ] {
            assert_eq!(plain(text).as_deref(), want, "{text:?}");
        }
    }
}
