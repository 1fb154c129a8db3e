//! Tools that need the call, the store or the network: what a user's document adds to the tools of every agent
//! (`callie_ai::tools`). A model may be talked into anything; what its tools reach is what the document names and the operator
//! allows.
//!
//! | module | holds |
//! |---|---|
//! | [`shop`] | [`ToolShop`]: the tools of one call |
//! | [`keys`] | pressing keys on the line |
//! | [`contacts`] | looking up whom the user knows |
//! | [`http`] | asking a web service |
//! | `asked` | a request of a tool, for the call's record |
//! | [`mcp`] | the tools of servers of the Model Context Protocol |

mod asked;
pub mod contacts;
pub mod http;
pub mod keys;
pub mod mcp;
pub mod shop;

pub use keys::Keypad;
pub use shop::ToolShop;
