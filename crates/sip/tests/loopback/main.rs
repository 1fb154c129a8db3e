//! The crate against scripted peers on loopback: raw UDP and TCP text on one side, [`callie_sip::SipStack`] on the other.
//!
//! The peers are as simple as can be and share no code with the crate: what they check they check in the bytes.

mod authority;
mod connection;
mod cost;
mod early;
mod failover;
mod hostile;
mod inbound;
mod injection;
mod offers;
mod outbound;
mod peer;
mod register;
mod session_timer;
mod strangers;
mod tcp;
mod tls;
mod trace;
mod transfers;
