//! TLS: whom we believe and as whom we show ourselves when we connect, and the listener for those who connect to us.
//!
//! Certificates are verified against one account's settings and for one name, and a connection is shared only where both
//! are the same (see [`Identity`]). Versions 1.2 and 1.3; cryptography by `ring`, as everywhere in the binary.

mod client;
mod fault;
mod listener;

pub(crate) use client::Hop;
pub(super) use client::{Clients, Identity};
pub use fault::TlsFault;
pub(super) use fault::explain;
pub(super) use listener::Listener;
