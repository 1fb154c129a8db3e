//! The harness of the end-to-end tests: the real `callie` binary and real peers, each a process of its own.
//!
//! It stands on the product's outside only (HTTP, SIP, RTP, files, signals) and shares no code with it, so that a mistake
//! made on both sides cannot hide. The tests are in `tests/`, one file per subject; the peers' configurations in `peers/`.
//!
//! | module | holds |
//! |---|---|
//! | [`callie`] | the server as a child process, and its HTTP API |
//! | [`peers`] | Kamailio, SIPp, baresip, somebody at Firestore's console, a server of tools |
//! | [`phone`] | a telephone written by hand, for what no well-behaved peer would do |
//! | [`voice`] | tones as µ-law, and how much of a tone a recording holds |
//! | [`wav`] | recordings read back |
//! | [`network`] | hosts of a test's own, with a router between them that translates addresses |
//! | [`ports`] | blocks of free ports, one per test |
//! | [`process`] | child processes with a log, ended by their own id |
//! | [`eventually`](mod@eventually) | waiting for a condition with a deadline |

pub mod callie;
pub mod certificates;
pub mod eventually;
pub mod network;
pub mod peers;
pub mod phone;
pub mod ports;
pub mod process;
pub mod voice;
pub mod wav;

pub use callie::Callie;
pub use eventually::eventually;
pub use ports::PortBlock;
