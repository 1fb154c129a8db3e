//! Opus (RFC 6716) at 16 kHz and one channel, whatever the far end sends: the decoder takes any bandwidth down to that, and two
//! channels to one. The codec itself is `ropus`; nothing else in the product names it.
//!
//! Not here: which packet is due (see [`crate::jitter`]).

mod packet;
mod params;
#[cfg(test)]
mod tests;

pub use packet::duration;
pub use params::OpusParams;

use super::pcm16;
use ropus::{Application, Bandwidth, Bitrate, Channels, DecodeMode, Decoder, Encoder, InbandFec, Signal};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Of both sides, hertz.
pub const RATE_HZ: u32 = 16_000;
/// The longest packet that can be decoded: 120 ms.
pub const MAX_SAMPLES: usize = 1_920;
/// The longest packet that is encoded: 60 ms.
pub const MAX_ENCODED_SAMPLES: usize = 960;
/// 24 kbit/s: speech of 16 kHz is as good as transparent (PESQ 4.3).
const BITRATE: u32 = 24_000;
/// For a far end that plays no more than 8 kHz.
const NARROW_BITRATE: u32 = 16_000;
/// Below that there is no speech (RFC 7587 §6.1).
const LOWEST_BITRATE: u32 = 6_000;
/// The knee of the curve: two thirds of the time of 3 for 0.06 of PESQ, and 0 is hardly cheaper.
const COMPLEXITY: u8 = 1;

/// Makes packets of speech.
pub struct OpusEncoder {
    /// Always there: these arguments are not refused.
    encoder: Option<Encoder>,
    use_fec: bool,
    loss_percent: u8,
}

impl OpusEncoder {
    pub fn new(params: OpusParams) -> Self {
        let (bandwidth, bitrate) = match params.max_playback_rate_hz {
            ..12_000 => (Bandwidth::Narrowband, NARROW_BITRATE),
            12_000..16_000 => (Bandwidth::Mediumband, BITRATE),
            _ => (Bandwidth::Wideband, BITRATE),
        };
        let bitrate = params.max_average_bitrate.map_or(bitrate, |most| most.clamp(LOWEST_BITRATE, bitrate));
        let encoder = Encoder::builder(RATE_HZ, Channels::Mono, Application::Voip)
            .bitrate(Bitrate::Bits(bitrate))
            .max_bandwidth(bandwidth)
            .complexity(COMPLEXITY)
            .signal(Signal::Voice)
            .build()
            .ok();
        Self { encoder, use_fec: params.use_inband_fec, loss_percent: 0 }
    }

    /// The far end loses so many of our packets: each then repeats what the one before it said, if the far end makes use of that.
    pub fn set_loss(&mut self, percent: u8) {
        let percent = percent.min(50);
        if !self.use_fec || self.loss_percent == percent {
            return;
        }
        self.loss_percent = percent;
        if let Some(encoder) = &mut self.encoder {
            let mode = if percent > 0 { InbandFec::Enabled } else { InbandFec::Disabled };
            // Neither is refused within these bounds; if it were, packets would go on as before.
            let _ = encoder.set_inband_fec(mode).and_then(|()| encoder.set_packet_loss_perc(percent));
        }
    }

    /// Encodes 10, 20, 40 or 60 ms; the length of the packet, or 0 when it could not be made.
    pub fn encode(&mut self, samples: &[f32], packet: &mut [u8]) -> usize {
        let mut pcm = [0i16; MAX_ENCODED_SAMPLES];
        let count = samples.len().min(pcm.len());
        for (pcm, sample) in pcm.iter_mut().zip(samples) {
            *pcm = pcm16(*sample) as i16;
        }
        let encoded = self.encoder.as_mut().map(|encoder| encoder.encode(&pcm[..count], packet));
        encoded.and_then(Result::ok).unwrap_or(0).min(packet.len())
    }
}

/// Makes speech of packets; of one stream, in order.
pub struct OpusDecoder {
    /// As for the encoder.
    decoder: Option<Decoder>,
}

impl Default for OpusDecoder {
    fn default() -> Self {
        Self::new()
    }
}

impl OpusDecoder {
    pub fn new() -> Self {
        Self { decoder: decoder() }
    }

    /// Decodes a packet; how many samples it held, 0 when it is none.
    pub fn decode(&mut self, packet: &[u8], samples: &mut [i16; MAX_SAMPLES]) -> usize {
        // An empty one would ask for concealment.
        if duration(packet).is_none() {
            return 0;
        }
        self.run(packet, samples, DecodeMode::Normal)
    }

    /// Makes up what is missing; `next`, the packet behind it, may say what it was. `samples`: a multiple of 2.5 ms.
    pub fn conceal(&mut self, next: Option<&[u8]>, samples: &mut [i16]) {
        let made = match next.filter(|next| duration(next).is_some()) {
            Some(next) => self.run(next, samples, DecodeMode::Fec),
            None => self.run(&[], samples, DecodeMode::Normal),
        };
        samples.iter_mut().skip(made).for_each(|sample| *sample = 0);
    }

    fn run(&mut self, packet: &[u8], samples: &mut [i16], mode: DecodeMode) -> usize {
        let room = samples.len();
        fenced(&mut self.decoder, |decoder| decoder.decode(packet, samples, mode).unwrap_or(0)).min(room)
    }
}

fn decoder() -> Option<Decoder> {
    Decoder::new(RATE_HZ, Channels::Mono).ok()
}

/// A decoder that panics over a stranger's packet would take all calls of its thread with it: it is replaced instead, and the
/// packet counts as none. No packet is known that does it; the code behind it is large and not ours.
fn fenced(slot: &mut Option<Decoder>, decode: impl FnOnce(&mut Decoder) -> usize) -> usize {
    let Some(decoder_now) = slot.as_mut() else { return 0 };
    // What the panic may have left half done is thrown away.
    match catch_unwind(AssertUnwindSafe(|| decode(decoder_now))) {
        Ok(count) => count,
        Err(_) => {
            tracing::error!("the opus decoder panicked over a packet and was replaced; please report this");
            *slot = decoder();
            0
        }
    }
}

impl std::fmt::Debug for OpusEncoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpusEncoder").field("loss_percent", &self.loss_percent).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for OpusDecoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpusDecoder").finish_non_exhaustive()
    }
}
