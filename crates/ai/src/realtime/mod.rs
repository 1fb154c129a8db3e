//! What speech-to-speech services over a WebSocket have in common, whatever their messages look like.
//!
//! | module | holds |
//! |---|---|
//! | [`origin`] | where a service is, out of a base URL |
//! | [`dial`] | TCP, TLS, upgrade |
//! | [`socket`] | the WebSocket: frames in, messages out |
//! | [`frame`] | one message read, or what is readable of it |
//! | [`outbox`] | what waits for the socket |
//! | [`evidence`] | what is kept of a refusal, without a key in it |
//! | [`alarm`] | one timer for a session, and the clock it goes by |
//! | [`instruction`] | what the model is told about its job, and when |
//! | [`greeting`] | when the model is asked for the first words |
//! | [`farewell`] | when the last words have been said |

pub(crate) mod alarm;
pub(crate) mod dial;
pub(crate) mod evidence;
pub(crate) mod farewell;
pub(crate) mod frame;
pub(crate) mod greeting;
pub(crate) mod instruction;
pub(crate) mod origin;
pub(crate) mod outbox;
pub(crate) mod socket;
