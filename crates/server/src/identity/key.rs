//! API keys: `callie_`, eight letters and digits that name the key, `_`, and 43 that prove it (256 random bits).
//!
//! The fixed beginning lets scanners of repositories and logs find keys that got lost.

use super::random_text;

pub const BEGINNING: &str = "callie_";
const ID_LENGTH: usize = 8;

/// A fresh key: its id, and the whole of it, which is shown once.
pub fn fresh() -> (String, String) {
    const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let letter = |byte: u8| char::from(LETTERS[usize::from(byte) % LETTERS.len()]);
    let id: String = rand::random::<[u8; ID_LENGTH]>().into_iter().map(letter).collect();
    let key = format!("{BEGINNING}{id}_{}", random_text());
    (id, key)
}

/// The id in a text that looks like a key.
pub fn id_of(text: &str) -> Option<&str> {
    let (id, proof) = text.strip_prefix(BEGINNING)?.split_once('_')?;
    let fits = id.len() == ID_LENGTH && id.bytes().all(|byte| byte.is_ascii_alphanumeric()) && !proof.is_empty();
    fits.then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_names_itself() {
        let (id, key) = fresh();
        assert_eq!(id_of(&key), Some(id.as_str()));
        assert_eq!(key.len(), BEGINNING.len() + ID_LENGTH + 1 + 43);
        assert_ne!(fresh(), fresh());
        for text in ["", "callie_", "callie_abcd1234", "callie_abcd1234_", "callie_abc_x", "sk_abcd1234_x", "callie_abcd123é_x"]
        {
            assert_eq!(id_of(text), None, "{text}");
        }
    }
}
