//! The audio of a call: packets and frames in, packets and frames out, with the time as an argument.
//!
//! Nothing in the signal parts reads a clock, owns a socket or allocates per frame. Samples travel as `f32` in the
//! scale of 16-bit PCM (±32,768) at 8 or 16 kHz on the telephone's side and 8, 16 or 24 kHz on the agent's.
//!
//! ```text
//! socket → rtp → jitter → codec | plc → resample → agent
//! socket ← rtp ←         codec ←        playout  ← agent
//! ```

use std::time::Duration;

pub mod activity;
mod bank;
pub mod barge;
pub mod codec;
pub mod dtmf;
pub mod engine;
pub mod jitter;
pub mod playout;
pub mod plc;
pub mod ports;
pub mod progress;
pub mod quality;
pub mod record;
pub mod resample;
pub mod rtp;
pub mod session;
pub mod wav;

/// One packet's worth of speech, and the beat of everything in this crate.
pub const FRAME: Duration = Duration::from_millis(20);
/// Sampling rate of G.711 and clock rate of its RTP timestamps.
pub const NARROWBAND_HZ: u32 = 8_000;
/// Samples in one [`FRAME`] at [`NARROWBAND_HZ`]; bytes of G.711 and of G.722 as well.
pub const FRAME_SAMPLES: usize = 160;
