//! The evidence of a refusal is a stranger's text: it is shortened, stripped of control characters, and the key is taken out
//! of it should it be in there.

use crate::{EngineCause, EngineError};
use callie_domain::Secret;

/// Longest evidence kept, characters.
const DETAIL_CHARS: usize = 300;

/// Makes errors without the key in them.
#[derive(Debug)]
pub struct Evidence {
    key: Secret,
}

impl Evidence {
    pub fn new(key: Secret) -> Self {
        Self { key }
    }

    pub fn error(&self, cause: EngineCause, evidence: &str) -> EngineError {
        let without_key = if self.key.is_empty() { evidence.to_owned() } else { evidence.replace(self.key.expose(), "(key)") };
        let printable = without_key.split(|c: char| c.is_control() || c.is_whitespace()).filter(|word| !word.is_empty());
        let line = printable.collect::<Vec<_>>().join(" ");
        EngineError::new(cause, line.chars().take(DETAIL_CHARS).collect::<String>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evidence_is_short_and_printable_and_the_key_is_not_in_it() {
        let evidence = Evidence::new(Secret::new("k3y-of-ours"));
        let detail = |text: &str| evidence.error(EngineCause::ServiceFailed, text).detail;
        assert_eq!(detail("bad key\r\n\u{1} k3y-of-ours  given"), "bad key (key) given");
        assert_eq!(detail(&"x".repeat(10_000)).len(), DETAIL_CHARS);
    }
}
