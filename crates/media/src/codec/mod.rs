//! Speech codecs of the telephone's side.

pub mod g711;

pub use g711::G711;
pub(crate) use g711::pcm16;
