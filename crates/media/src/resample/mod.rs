//! Sample-rate conversion between the telephone's 8 kHz and the agent's 16 or 24 kHz.

mod down;
mod up;

pub use down::Downsampler;
pub use up::Upsampler;

/// 2.4 ms of delay.
pub type Up8To16 = Upsampler<2, 40>;
/// 2.0 ms of delay.
pub type Up8To24 = Upsampler<3, 32>;
/// 2.4 ms of delay.
pub type Down16To8 = Downsampler<2, 40>;
/// 2.0 ms of delay.
pub type Down24To8 = Downsampler<3, 32>;
