//! The engine: the threads and sockets that drive the sessions of all calls.
//!
//! A few dedicated threads tick every 5 ms; each call belongs to one thread and one of its four slots, so it gets its beat of
//! 20 ms. Nothing wakes per packet: the socket's buffer is the queue. Tasks of the call meet the media thread only through
//! rings, a mailbox and notifications; neither side ever waits for the other.
//!
//! ```text
//!             ┌─ Ear ◀── ring ──┐                                   ┌─ recvmmsg ─ socket
//! call task ──┼─ Voice ─ ring ─▶│ Line { Session, RtpSocket, Tap } ─┤
//!             └─ MediaControl ─▶│ on a media thread                 └─ send ──── socket
//! ```
//!
//! Not here: what the audio means, and when a call begins or ends.

mod control;
mod ear;
mod line;
mod open;
mod overhear;
mod relay;
mod schedule;
mod shared;
mod sys;
mod thread;
mod voice;

pub use control::{DtmfError, MediaControl};
pub use ear::Ear;
pub use open::{EngineOptions, EngineStats, Media, MediaEngine, OpenError, StartError};
pub use overhear::Overhearing;
pub use relay::Relay;
pub use shared::{MediaEvent, MediaStats};
pub use voice::Voice;
