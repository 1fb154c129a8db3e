//! Streamed text to sentences that can be spoken: decoration is dropped, thoughts are not said, and the mark that ends the
//! call is taken out.

/// What the model writes to end the call.
pub const HANG_UP: &str = "[hang up]";

/// A sentence longer than this (bytes) is spoken in parts.
const LONGEST: usize = 240;

/// Collects deltas into sentences.
#[derive(Debug, Default)]
pub struct Phrases {
    text: String,
    /// Between `<think>` and `</think>`.
    thinking: bool,
    hangs_up: bool,
}

impl Phrases {
    /// The sentences that `delta` completes.
    pub fn push(&mut self, delta: &str) -> Vec<String> {
        self.text.push_str(delta);
        self.take_marks();
        let mut found = Vec::new();
        while let Some(end) = self.sentence_end() {
            let rest = self.text.split_off(end);
            let sentence = std::mem::replace(&mut self.text, rest);
            found.extend(spoken(&sentence));
        }
        found
    }

    /// What is left when the answer is complete.
    pub fn finish(&mut self) -> Option<String> {
        self.take_marks();
        if self.thinking {
            return None;
        }
        spoken(&std::mem::take(&mut self.text))
    }

    /// The mark that ends the call was there.
    pub fn hangs_up(&self) -> bool {
        self.hangs_up
    }

    fn take_marks(&mut self) {
        loop {
            let lower = self.text.to_ascii_lowercase();
            let (mark, length) = match (self.thinking, lower.find("<think>"), lower.find("</think>"), lower.find(HANG_UP)) {
                (true, _, Some(end), _) => {
                    self.text.drain(..end + "</think>".len());
                    self.thinking = false;
                    continue;
                }
                (true, ..) => {
                    // Room for an end mark of which only a part is there.
                    let keep = self.text.len().saturating_sub(16);
                    let keep = (keep..=self.text.len()).find(|&at| self.text.is_char_boundary(at)).unwrap_or(0);
                    self.text.drain(..keep);
                    return;
                }
                (false, Some(begin), ..) => {
                    self.thinking = true;
                    (begin, "<think>".len())
                }
                (false, None, _, Some(at)) => {
                    self.hangs_up = true;
                    (at, HANG_UP.len())
                }
                (false, None, _, None) => return,
            };
            self.text.replace_range(mark..mark + length, " ");
        }
    }

    /// Where the first sentence ends, if it is certain that it does.
    fn sentence_end(&self) -> Option<usize> {
        if self.thinking {
            return None;
        }
        let mut chars = self.text.char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            let after = at + c.len_utf8();
            let next = chars.peek().map(|(_, next)| *next);
            let ends = match c {
                // "1. first": the number of a list is no sentence.
                '.' | '!' | '?' | ':' | ';' => next.is_some_and(char::is_whitespace) && is_worded(self.text.get(..at)?),
                '\n' => true,
                ' ' => at > LONGEST,
                _ => false,
            };
            if ends {
                return Some(after);
            }
        }
        None
    }
}

fn is_worded(text: &str) -> bool {
    text.trim().chars().filter(|c| c.is_alphabetic()).count() > 1
}

/// Without decoration; `None` when there is nothing to say.
fn spoken(sentence: &str) -> Option<String> {
    let plain: String = sentence.chars().filter(|c| !matches!(c, '*' | '#' | '`' | '_' | '~' | '|')).collect();
    let plain = plain.split_whitespace().collect::<Vec<_>>().join(" ");
    let plain = plain.trim_start_matches(['-', '•']).trim();
    plain.chars().any(char::is_alphanumeric).then(|| plain.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, want: &[&str], hangs_up: bool) {
        // However the text is cut, the same sentences come out of it.
        for size in [1, 3, 1_000] {
            let mut phrases = Phrases::default();
            let chars: Vec<char> = text.chars().collect();
            let mut found: Vec<String> =
                chars.chunks(size).flat_map(|part| phrases.push(&part.iter().collect::<String>())).collect();
            found.extend(phrases.finish());
            assert_eq!(found, want, "in pieces of {size}");
            assert_eq!(phrases.hangs_up(), hangs_up);
        }
    }

    #[test]
    fn sentences_are_found_whatever_the_pieces() {
        check("Hello there. How are you? Fine", &["Hello there.", "How are you?", "Fine"], false);
        check("It costs 3.50 dollars. **Really**!", &["It costs 3.50 dollars.", "Really!"], false);
        check("- One\n- Two\n\n1. Three is it", &["One", "Two", "1. Three is it"], false);
        check("", &[], false);
        check("… 🎉", &[], false);
    }

    #[test]
    fn the_mark_ends_the_call_and_is_not_said() {
        check("Goodbye!\n[hang up]", &["Goodbye!"], true);
        check("Take care. [Hang up]", &["Take care."], true);
        check("Please do not hang up.", &["Please do not hang up."], false);
    }

    #[test]
    fn thoughts_are_not_said() {
        check("<think>The caller. Says hi.\nSo I do.</think>\nHi there.", &["Hi there."], false);
        check("<think>never ends. Never", &[], false);
    }

    #[test]
    fn endless_sentences_are_cut() {
        let mut phrases = Phrases::default();
        let found = phrases.push(&"word ".repeat(200));
        assert!(found.len() >= 3 && found.iter().all(|sentence| sentence.len() < 260));
    }
}
