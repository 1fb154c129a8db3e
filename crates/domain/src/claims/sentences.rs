//! A text taken apart: sentences, their clauses, and words in small letters, contractions written out.

/// Words of a clause that are read; a clause that is longer is no sentence of a telephone call.
const MOST_WORDS: usize = 60;
/// Characters of a sentence that are kept.
const LONGEST: usize = 200;

/// One sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sentence {
    /// As it was said, shortened.
    pub text: String,
    pub is_question: bool,
    /// The words of each clause.
    pub clauses: Vec<Vec<String>>,
}

pub fn sentences(text: &str) -> Vec<Sentence> {
    let mut found = Vec::new();
    let mut begin = 0;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let end = at + c.len_utf8();
        let is_last = chars.peek().is_none_or(|(_, next)| next.is_whitespace());
        if matches!(c, '.' | '!' | '?' | '…' | '\n') && is_last {
            found.extend(sentence(&text[begin..end]));
            begin = end;
        }
    }
    found.extend(sentence(&text[begin..]));
    found
}

fn sentence(text: &str) -> Option<Sentence> {
    let text = text.trim();
    if !text.chars().any(char::is_alphanumeric) {
        return None;
    }
    let clauses = text.split([',', ';', ':', '–', '—', '(', ')']).flat_map(clauses).filter(|words| !words.is_empty());
    Some(Sentence { text: text.chars().take(LONGEST).collect(), is_question: text.ends_with('?'), clauses: clauses.collect() })
}

/// What is said against something stands for itself.
fn clauses(text: &str) -> Vec<Vec<String>> {
    let words: Vec<String> = text.split_whitespace().flat_map(words).take(MOST_WORDS).collect();
    let parts = words.split(|word| matches!(word.as_str(), "but" | "because" | "aber" | "sondern" | "weil"));
    parts.map(<[String]>::to_vec).collect()
}

/// `I've` is two words.
fn words(text: &str) -> Vec<String> {
    let word: String = text.chars().filter(|c| c.is_alphanumeric() || matches!(c, '\'' | '’' | '-')).collect();
    let word = word.to_lowercase().replace('’', "'").replace('-', "");
    let word = word.trim_matches('\'');
    let contractions =
        [("'ve", "have"), ("'m", "am"), ("'re", "are"), ("'ll", "will"), ("'s", "is"), ("'d", "would"), ("n't", "not")];
    let split = contractions.iter().find_map(|(end, whole)| Some((word.strip_suffix(end)?, *whole)));
    match split {
        Some((stem, whole)) if !stem.is_empty() => vec![stem.to_owned(), whole.to_owned()],
        _ if word.is_empty() => Vec::new(),
        _ => vec![word.to_owned()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_taken_apart() {
        let shown = |text: &str| -> Vec<String> {
            let of = |s: &Sentence| {
                let clauses: Vec<_> = s.clauses.iter().map(|words| words.join(" ")).collect();
                format!("{}{}", clauses.join("/"), if s.is_question { "?" } else { "" })
            };
            sentences(text).iter().map(of).collect()
        };
        assert_eq!(shown("I’ve sent it, okay? It costs 3.50. Don't"), ["i have sent it/okay?", "it costs 350", "do not"]);
        assert_eq!(shown("Not that but this"), ["not that/this"]);
        assert_eq!(shown("... !"), Vec::<String>::new());
        assert_eq!(sentences(&"ü".repeat(900))[0].text.chars().count(), LONGEST);
    }
}
