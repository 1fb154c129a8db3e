//! What speech-to-speech services over a WebSocket have in common, whatever their messages look like.
//!
//! | module | holds |
//! |---|---|
//! | [`origin`] | where a service is, out of a base URL |
//! | [`dial`] | TCP, TLS, upgrade |
//! | [`socket`] | the WebSocket: frames in, messages out |
//! | [`outbox`] | what waits for the socket |
//! | [`evidence`] | what is kept of a refusal, without a key in it |
//! | [`alarm`] | one timer for a session, and the clock it goes by |

pub(crate) mod alarm;
pub(crate) mod dial;
pub(crate) mod evidence;
pub(crate) mod origin;
pub(crate) mod outbox;
pub(crate) mod socket;
