//! What a caller's words mean to a receptionist: yes or no, goodbye, a wish for a human, a name, and what is left of a
//! sentence without its pleasantries. Plain rules on English words; a recogniser's spelling of them.

/// Lower-case words without punctuation, single spaces between them.
pub fn normal(text: &str) -> String {
    let letters = |c: char| if c.is_alphanumeric() || c == '\'' { c } else { ' ' };
    let plain: String = text.chars().map(|c| letters(if c == '’' { '\'' } else { c })).collect();
    plain.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether `phrase` stands in `normal` at word bounds; both as [`normal`] makes them.
pub fn has(normal: &str, phrase: &str) -> bool {
    format!(" {normal} ").contains(&format!(" {phrase} "))
}

fn has_any(normal: &str, phrases: &[&str]) -> bool {
    phrases.iter().any(|phrase| has(normal, phrase))
}

fn all_in(normal: &str, words: &[&str]) -> bool {
    normal.split(' ').all(|word| words.contains(&word))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    Yes,
    No,
    Neither,
}

const YES: [&str; 19] = [
    "yes",
    "yeah",
    "yep",
    "yup",
    "yea",
    "correct",
    "right",
    "sure",
    "exactly",
    "okay",
    "ok",
    "perfect",
    "fine",
    "absolutely",
    "certainly",
    "definitely",
    "indeed",
    "good",
    "please",
];
const NO: [&str; 4] = ["no", "nope", "nah", "not"];
const WRONG: [&str; 8] =
    ["wrong", "incorrect", "not right", "not correct", "isn't right", "isn't correct", "not quite", "that's not it"];

pub fn answer(text: &str) -> Answer {
    let words = normal(text);
    let first = words.split(' ').next().unwrap_or_default();
    if has(&words, "no problem") {
        return Answer::Yes;
    }
    let denied = NO.contains(&first) || WRONG.iter().any(|phrase| words.starts_with(phrase)) || is_wrong(&words);
    if denied {
        return Answer::No;
    }
    let agreed = YES.contains(&first) && first != "good" && first != "please"
        || has_any(&words, &["that's right", "that is right", "that's correct", "that is correct", "sounds good", "you got it"])
        || all_in(&words, &YES);
    if agreed { Answer::Yes } else { Answer::Neither }
}

fn is_wrong(words: &str) -> bool {
    ["that's ", "that is ", "it's ", "it is ", "this is "]
        .iter()
        .filter_map(|lead| words.strip_prefix(lead))
        .any(|rest| rest.starts_with("not ") || WRONG.iter().any(|phrase| rest.starts_with(phrase)))
}

/// The caller is about to hang up.
pub fn is_farewell(text: &str) -> bool {
    let words = normal(text);
    has_any(&words, &["goodbye", "good bye", "bye", "bye bye", "good night", "hang up"])
        || has_any(&words, &["have a good day", "have a nice day", "have a great day"])
}

/// The caller has nothing more to say.
pub fn is_goodbye(text: &str) -> bool {
    is_farewell(text) || has_any(&normal(text), &["that's all", "that is all", "nothing else", "never mind"])
}

/// Whether the caller would rather speak to somebody else than us.
pub fn wants_human(text: &str) -> bool {
    let words = normal(text);
    let who = ["human", "person", "operator", "someone", "somebody", "representative", "receptionist", "manager"];
    let how = ["speak", "talk", "connect", "transfer", "put me through", "get me", "give me", "real", "is there", "can i have"];
    has_any(&words, &who) && (has_any(&words, &how) || words.split(' ').count() <= 2)
}

/// Nothing but sounds that say "I listen" or "I think".
pub fn is_filler(text: &str) -> bool {
    const FILLERS: [&str; 17] =
        ["um", "uh", "hmm", "hm", "mm", "mmm", "mhm", "ah", "oh", "er", "eh", "huh", "uhm", "erm", "umm", "uhh", "aha"];
    let words = normal(text);
    !words.is_empty() && all_in(&words, &FILLERS)
}

/// A word or two that can be meant though hardly spoken: worth an answer even when the ears are not sure.
pub fn is_short_answer(text: &str) -> bool {
    answer(text) != Answer::Neither || is_goodbye(text) || is_pleasantry(text)
}

const PLEASANTRIES: [&str; 28] = [
    "hi",
    "hello",
    "hey",
    "good",
    "morning",
    "afternoon",
    "evening",
    "day",
    "there",
    "yes",
    "yeah",
    "okay",
    "ok",
    "sure",
    "well",
    "so",
    "please",
    "thanks",
    "thank",
    "you",
    "and",
    "um",
    "uh",
    "oh",
    "ah",
    "hm",
    "hmm",
    "actually",
];

/// Greetings and thanks and nothing else.
pub fn is_pleasantry(text: &str) -> bool {
    let words = normal(text);
    !words.is_empty() && all_in(&words, &PLEASANTRIES)
}

/// Answers to "is that right?" that say nothing else; longer ones before those they begin with.
const VERDICTS: [&str; 12] = [
    "that is not right",
    "that is not correct",
    "that's not right",
    "that's not correct",
    "that isn't right",
    "that is right",
    "that's right",
    "that is correct",
    "that's correct",
    "that is wrong",
    "that's wrong",
    "it's wrong",
];

/// The sentence without the pleasantries it begins with, and without a lonely "no, wait"; otherwise as it was said.
pub fn substance(text: &str) -> &str {
    let mut rest = text.trim();
    loop {
        rest = rest.trim_start_matches(|c: char| !c.is_alphanumeric());
        let word: &str = rest.split(|c: char| !c.is_alphanumeric() && c != '\'').next().unwrap_or_default();
        let lower = word.to_lowercase();
        let idle = PLEASANTRIES.contains(&lower.as_str()) || ["no", "nope", "wait", "sorry", "but"].contains(&lower.as_str());
        let phrase =
            VERDICTS.into_iter().find(|phrase| rest.get(..phrase.len()).is_some_and(|start| start.eq_ignore_ascii_case(phrase)));
        match (phrase, idle && !word.is_empty()) {
            (Some(phrase), _) => rest = rest.get(phrase.len()..).unwrap_or_default(),
            (None, true) => rest = rest.get(word.len()..).unwrap_or_default(),
            (None, false) => return rest,
        }
    }
}

/// Whether a substance says something by itself.
pub fn is_substantial(substance: &str) -> bool {
    let words = normal(substance);
    !is_goodbye(substance) && words.split(' ').filter(|word| word.len() > 1 && !PLEASANTRIES.contains(word)).count() >= 2
}

/// Whether a sentence seems to stop in its middle.
pub fn ends_open(text: &str) -> bool {
    const OPEN: [&str; 33] = [
        "and", "or", "but", "the", "a", "an", "to", "is", "are", "was", "my", "your", "about", "with", "for", "of", "from",
        "because", "so", "that", "at", "in", "on", "i", "i'm", "um", "uh", "am", "it's", "if", "when", "which", "like",
    ];
    let words = normal(text);
    let last = words.rsplit(' ').next().unwrap_or_default();
    text.trim_end().ends_with([',', '-', '…']) || OPEN.contains(&last)
}

/// `I` becomes `you`, for reading back; words that already speak of "you" make it unclear who is meant, then nothing changes.
pub fn turned_around(text: &str) -> Option<String> {
    if has_any(&normal(text), &["you", "your", "you're", "yours", "yourself"]) {
        return None;
    }
    let turned: Vec<String> = text.split(' ').map(turn_word).collect();
    let mut turned = turned.join(" ");
    for (wrong, right) in [("you am ", "you are "), ("you was ", "you were "), ("You am ", "You are "), ("You was ", "You were ")]
    {
        turned = turned.replace(wrong, right);
    }
    Some(turned)
}

fn turn_word(word: &str) -> String {
    let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
    let turned = match bare.to_lowercase().as_str() {
        "i" => "you",
        "i'm" => "you are",
        "i've" => "you have",
        "i'd" => "you would",
        "i'll" => "you will",
        "me" => "you",
        "my" => "your",
        "mine" => "yours",
        "myself" => "yourself",
        "we" => "you",
        "we're" => "you are",
        "we've" => "you have",
        "us" => "you",
        "our" => "your",
        _ => return word.to_owned(),
    };
    word.replacen(bare, turned, 1)
}
