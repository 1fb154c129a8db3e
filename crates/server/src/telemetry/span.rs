//! A span as we make it: what went on from when until when, below what, and how it went.

use super::{SpanId, TraceId};
use jiff::Timestamp;
use std::borrow::Cow;

/// On which side of a request we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Internal,
    /// We were asked.
    Server,
    /// We asked.
    Client,
}

/// Of an attribute.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Text(String),
    Whole(i64),
    Real(f64),
    Truth(bool),
}

/// No numbers of telephones, no spoken words, no secrets: whoever adds one of these sees to that.
pub type Attributes = Vec<(&'static str, Value)>;

/// Something that happened within a span.
#[derive(Debug, Clone, PartialEq)]
pub struct Moment {
    pub name: Cow<'static, str>,
    pub at: Timestamp,
    pub attributes: Attributes,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    pub trace: TraceId,
    pub id: SpanId,
    pub parent: Option<SpanId>,
    pub name: Cow<'static, str>,
    pub kind: Kind,
    pub start: Timestamp,
    pub end: Timestamp,
    pub attributes: Attributes,
    pub moments: Vec<Moment>,
    /// Why it counts as failed: a word of a closed list.
    pub error: Option<String>,
}

impl Span {
    /// Over at once, until somebody says when.
    pub fn new(trace: TraceId, id: SpanId, name: impl Into<Cow<'static, str>>, start: Timestamp) -> Self {
        Self {
            trace,
            id,
            parent: None,
            name: name.into(),
            kind: Kind::Internal,
            start,
            end: start,
            attributes: Vec::new(),
            moments: Vec::new(),
            error: None,
        }
    }

    #[must_use]
    pub fn below(self, parent: SpanId) -> Self {
        Self { parent: Some(parent), ..self }
    }

    #[must_use]
    pub fn until(self, end: Timestamp) -> Self {
        Self { end: end.max(self.start), ..self }
    }

    #[must_use]
    pub fn of_kind(self, kind: Kind) -> Self {
        Self { kind, ..self }
    }

    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.attributes.push((name, value.into()));
        self
    }

    /// The same, where there is a value.
    #[must_use]
    pub fn with_some<T: Into<Value>>(self, name: &'static str, value: Option<T>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// It failed, for a reason of one word (`error.type` of the semantic conventions).
    #[must_use]
    pub fn failed(self, error: impl Into<String>) -> Self {
        let error: String = error.into();
        Self { error: Some(error.clone()), ..self }.with("error.type", error)
    }

    pub fn mark(&mut self, name: impl Into<Cow<'static, str>>, at: Timestamp, attributes: Attributes) {
        self.moments.push(Moment { name: name.into(), at, attributes });
    }
}

macro_rules! values {
    ($($of:ty => $as:expr),* $(,)?) => {$(
        impl From<$of> for Value {
            fn from(value: $of) -> Self {
                $as(value.into())
            }
        }
    )*};
}
values! {
    &str => Self::Text,
    String => Self::Text,
    u16 => Self::Whole,
    u32 => Self::Whole,
    i64 => Self::Whole,
    f32 => Self::Real,
    f64 => Self::Real,
    bool => Self::Truth,
}

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Self::Whole(i64::try_from(value).unwrap_or(i64::MAX))
    }
}
