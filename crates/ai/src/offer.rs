//! Lists for [`Offer`](callie_domain::Offer)s.

/// Names that are known when the program is built.
pub(crate) fn names(known: &[&str]) -> Vec<String> {
    known.iter().map(|name| (*name).to_owned()).collect()
}
