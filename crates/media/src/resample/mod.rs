//! Sample-rate conversion between the telephone's 8 or 16 kHz and the agent's 8, 16 or 24 kHz.
//!
//! Polyphase filters: a windowed sinc at the high rate is split into one short filter per phase, so that no product is
//! computed for a stuffed zero or a dropped sample. Each passes 0–3.4 kHz within 0.1 dB, keeps aliases and images (from
//! 4.6 kHz up) 70 dB down and delays by less than 2.5 ms; between 16 and 24 kHz it is 7 kHz, 9 kHz and 1.2 ms. The taps are
//! computed once per process; a converter itself holds only its last `K` samples.

mod down;
mod filter;
mod rational;
mod up;

pub use down::Downsampler;
pub use rational::Rational;
pub use up::Upsampler;

/// 2.4 ms of delay.
pub type Up8To16 = Upsampler<2, 40>;
/// 2.0 ms of delay.
pub type Up8To24 = Upsampler<3, 32>;
/// 2.4 ms of delay.
pub type Down16To8 = Downsampler<2, 40>;
/// 1.9 ms of delay.
pub type Down24To8 = Downsampler<3, 32>;
/// 1.2 ms of delay.
pub type Up16To24 = Rational<3, 2, 20>;
/// 1.2 ms of delay.
pub type Down24To16 = Rational<2, 3, 20>;

#[cfg(test)]
mod tests;
