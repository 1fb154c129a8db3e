//! Revisions in headers (RFC 9110 §8.8.3 and §13.1.1): `ETag` tells which one an answer shows, `If-Match` asks for one before
//! anything is written.

use crate::api::error::Problem;
use axum::{
    extract::FromRequestParts,
    http::{HeaderValue, header, request::Parts},
    response::{IntoResponseParts, ResponseParts},
};
use callie_domain::UserId;
use callie_store::Revision;
use std::convert::Infallible;

/// Tags of one `If-Match` that count. A deletion asks the store for one after the other, and who bases a change on more revisions
/// than these has read none of them last.
const MOST_TAGS: usize = 8;

/// The revision of the document in the answer.
pub struct Etag(pub Revision);

impl IntoResponseParts for Etag {
    type Error = Infallible;

    fn into_response_parts(self, mut response: ResponseParts) -> Result<ResponseParts, Infallible> {
        // Digits in quotes fit into a header.
        if let Ok(value) = HeaderValue::try_from(format!("\"{}\"", self.0)) {
            response.headers_mut().insert(header::ETAG, value);
        }
        Ok(response)
    }
}

/// The revision that a client wants to have read last.
#[derive(Debug, PartialEq, Eq)]
pub enum IfMatch {
    /// No such header, or `*`.
    Any,
    /// One of these, eight at most; none of them when the header holds no tag of ours.
    One(Vec<Revision>),
}

impl IfMatch {
    /// 412 when the document is at another revision.
    pub fn check(&self, id: &UserId, revision: Revision) -> Result<(), Problem> {
        match self {
            Self::One(wanted) if !wanted.contains(&revision) => Err(Problem::changed_since(id)),
            Self::Any | Self::One(_) => Ok(()),
        }
    }

    fn read(text: &str) -> Self {
        if text.trim() == "*" {
            return Self::Any;
        }
        // A weak tag never matches here (RFC 9110 §13.1.1).
        let tag = |tag: &str| tag.trim().strip_prefix('"')?.strip_suffix('"')?.parse().ok();
        Self::One(text.split(',').filter_map(tag).take(MOST_TAGS).collect())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let mut values = parts.headers.get_all(header::IF_MATCH).iter().peekable();
        if values.peek().is_none() {
            return Ok(Self::Any);
        }
        let texts: Vec<&str> = values.map(|value| value.to_str().unwrap_or_default()).collect();
        Ok(Self::read(&texts.join(",")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_names_revisions() {
        for (text, want) in [
            ("*", IfMatch::Any),
            ("\"7\"", IfMatch::One(vec![7])),
            (" \"7\" , \"9\"", IfMatch::One(vec![7, 9])),
            ("W/\"7\"", IfMatch::One(vec![])),
            ("7", IfMatch::One(vec![])),
            ("\"\"", IfMatch::One(vec![])),
            ("\"-1\", \"18446744073709551616\"", IfMatch::One(vec![])),
        ] {
            assert_eq!(IfMatch::read(text), want, "{text}");
        }
    }

    #[test]
    fn a_long_header_costs_no_more_than_a_few_looks() {
        let tags: Vec<String> = (0..5_000).map(|revision| format!("\"{revision}\"")).collect();
        assert_eq!(IfMatch::read(&tags.join(",")), IfMatch::One((0..8).collect()));
    }

    #[test]
    fn another_revision_is_refused() {
        let id = "alice".parse().expect("valid");
        assert!(IfMatch::Any.check(&id, 7).is_ok());
        assert!(IfMatch::One(vec![6, 7]).check(&id, 7).is_ok());
        for wanted in [vec![], vec![6]] {
            assert_eq!(IfMatch::One(wanted).check(&id, 7).map_err(|problem| problem.status), Err(412));
        }
    }
}
