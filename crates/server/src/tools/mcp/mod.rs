//! Servers of the Model Context Protocol that a user's document names, and their tools in a call.
//!
//! ```text
//!  documents ─▶ Catalogue ─ looks ahead, in the background ─▶ server        a call ─▶ what the catalogue knows, at once
//!                                                                             └ a tool is used ─▶ Line ─ a session of this call's own
//! ```
//!
//! A server may be down, slow or malicious: no call waits for one that is known to be down, and for one that nobody has heard of
//! yet only [`WAIT`]. What it says of its tools is bounded and checked before a model sees it.
//!
//! | module | holds |
//! |---|---|
//! | `catalogue` | what the servers have said that they can do |
//! | `session` | the protocol, by the official SDK; nothing else names it |
//! | `listed` | what a server says of a tool, as a model may see it (pure) |
//! | `answer` | what a tool gave to what a model can use (pure) |
//! | `tool` | one of them in a call, over the call's own session |

mod answer;
mod catalogue;
mod listed;
mod session;
#[cfg(test)]
mod tests;
mod tool;

pub use catalogue::{Catalogue, Gathered, Gathering, WAIT};
