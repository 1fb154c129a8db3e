//! Whoever comes from the first version: the line of its environment as a user among those of the store.
//!
//! Its names are read by [`crate::config::first_version`], its paths are answered by [`crate::api::first_version`]; here is the
//! user in between, until `callie migrate env` or a `PUT` puts it into the store.
//!
//! | module | holds |
//! |---|---|
//! | [`overlay`] | the store with that user laid over it |
//! | [`scribe`] | answers text messages |
//! | [`tools`] | what the agent can do in a call |

pub mod overlay;
pub mod scribe;
pub mod tools;

#[cfg(test)]
mod tests;

pub use overlay::{FirstVersionUser, lay_over};
pub use scribe::Scribe;
