//! Telephony peers: registrars, callers and called parties, over the wrapped SIP stack.
//!
//! | module | holds |
//! |---|---|
//! | [`digest`] | challenges read and answered, nonces reused (pure) |
//! | [`header`] | the header values that we read ourselves (pure) |
//! | [`register`] | one account's registration as a machine (pure) |
//! | [`sdp`] | offer and answer (pure) |

pub mod digest;
pub mod header;
pub mod register;
pub mod sdp;
