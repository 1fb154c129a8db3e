//! The SIP extensions that we know, by their option tags.

/// For `Supported`.
pub(crate) const SUPPORTED: &str = "100rel, timer, replaces, norefersub";

const KNOWN: [&str; 4] = ["100rel", "timer", "replaces", "norefersub"];

/// Option tags out of `Require` that we do not know (RFC 3261 §8.2.2.3), as a list for `Unsupported`.
pub(crate) fn unknown<'a>(require: impl Iterator<Item = &'a str>) -> Option<String> {
    let unknown: Vec<&str> = tags(require).filter(|tag| !KNOWN.iter().any(|known| known.eq_ignore_ascii_case(tag))).collect();
    (!unknown.is_empty()).then(|| unknown.join(", "))
}

/// Whether a list of option tags has this one.
pub(crate) fn has<'a>(values: impl Iterator<Item = &'a str>, tag: &str) -> bool {
    tags(values).any(|found| found.eq_ignore_ascii_case(tag))
}

fn tags<'a>(values: impl Iterator<Item = &'a str>) -> impl Iterator<Item = &'a str> {
    values.flat_map(|value| value.split(',')).map(str::trim).filter(|tag| !tag.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_we_do_not_know_is_refused() {
        for (require, want) in [
            (vec![], None),
            (vec!["", " , "], None),
            (vec!["Replaces, norefersub"], None),
            (vec!["replaces", "precondition, sec-agree"], Some("precondition, sec-agree")),
        ] {
            assert_eq!(unknown(require.iter().copied()).as_deref(), want, "{require:?}");
        }
        assert_eq!(SUPPORTED, KNOWN.join(", "));
    }
}
