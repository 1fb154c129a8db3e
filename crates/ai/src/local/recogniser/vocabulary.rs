//! Token numbers to words: one piece a line, numbered from 0. `▁` begins a word; `<0x41>` is a byte of a character that has
//! no piece of its own.

/// The pieces, by number.
#[derive(Debug)]
pub struct Vocabulary {
    pieces: Vec<String>,
}

/// Everything below is a mark, not a text: unknown, start, end.
const FIRST_TEXT: usize = 3;

impl Vocabulary {
    pub fn parse(lines: &str) -> Self {
        Self { pieces: lines.split('\n').map(str::to_owned).collect() }
    }

    /// The text of `tokens`; marks and numbers without a piece are left out.
    pub fn text(&self, tokens: &[u32]) -> String {
        let mut bytes = Vec::new();
        for &token in tokens {
            let number = token as usize;
            let Some(piece) = self.pieces.get(number).filter(|_| number >= FIRST_TEXT) else { continue };
            match byte_of(piece) {
                Some(byte) => bytes.push(byte),
                None => bytes.extend(piece.replace('▁', " ").into_bytes()),
            }
        }
        String::from_utf8_lossy(&bytes).trim().to_owned()
    }
}

fn byte_of(piece: &str) -> Option<u8> {
    let digits = piece.strip_prefix("<0x")?.strip_suffix('>')?;
    u8::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_become_words() {
        let vocabulary = Vocabulary::parse("<unk>\n<s>\n</s>\n<0xC3>\n<0xA9>\n▁caf\n▁is\n▁open\n.");
        for (tokens, want) in
            [(&[1, 5, 3, 4, 6, 7, 8, 2][..], "café is open."), (&[], ""), (&[2, 99, 40_000], ""), (&[5, 3], "caf\u{fffd}")]
        {
            assert_eq!(vocabulary.text(tokens), want);
        }
    }
}
