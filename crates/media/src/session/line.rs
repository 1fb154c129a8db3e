//! What comes out of the jitter buffer into sound, codec by codec, with what is missing made up.

use crate::{
    codec::{
        Codec, G711,
        g722::G722Decoder,
        opus::{MAX_SAMPLES, OpusDecoder},
    },
    jitter::{JitterBuffer, Packet},
    plc::{NarrowConcealer, WideConcealer},
};

/// A stream's decoder. Frames are of 20 ms at the codec's rate.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly all calls are G.711: a box would cost them more than it saves others")]
pub(super) enum Line {
    G711 { law: G711, concealer: NarrowConcealer },
    G722(Box<G722Line>),
    Opus(Box<OpusLine>),
}

#[derive(Debug, Default)]
pub(super) struct G722Line {
    decoder: G722Decoder,
    concealer: WideConcealer,
}

/// A packet at a time is decoded, and handed out in frames.
#[derive(Debug)]
pub(super) struct OpusLine {
    decoder: OpusDecoder,
    decoded: [i16; MAX_SAMPLES],
    len: usize,
    /// Timestamp of the first sample, at 8 kHz.
    from: u32,
}

impl Line {
    pub fn new(codec: Codec) -> Self {
        match codec {
            Codec::Pcmu => Self::G711 { law: G711::Pcmu, concealer: NarrowConcealer::new() },
            Codec::Pcma => Self::G711 { law: G711::Pcma, concealer: NarrowConcealer::new() },
            Codec::G722 => Self::G722(Box::default()),
            Codec::Opus => {
                Self::Opus(Box::new(OpusLine { decoder: OpusDecoder::new(), decoded: [0; MAX_SAMPLES], len: 0, from: 0 }))
            }
        }
    }

    /// Another stream begins.
    pub fn restart(&mut self) {
        if let Self::Opus(line) = self {
            line.len = 0;
        }
    }

    /// A frame that came is made part of what was heard: its beginning is smoothed when it follows a loss.
    pub fn hear(&mut self, frame: &mut [f32]) {
        match self {
            Self::G711 { concealer, .. } => concealer.good(frame),
            Self::G722(line) => line.concealer.good(frame),
            Self::Opus(_) => {}
        }
    }

    /// A frame that is missing.
    pub fn conceal(&mut self, next: Option<Packet<'_>>, frame: &mut [f32]) {
        match self {
            Self::G711 { concealer, .. } => concealer.conceal(frame),
            Self::G722(line) => line.concealer.conceal(frame),
            Self::Opus(line) => line.conceal(next, frame),
        }
    }
}

impl G722Line {
    pub fn decode(&mut self, codes: &[u8], frame: &mut [f32]) {
        self.decoder.decode(codes, frame);
    }
}

impl OpusLine {
    /// The frame at a timestamp (at 8 kHz), of one packet or several.
    pub fn decode(&mut self, at: u32, jitter: &JitterBuffer, frame: &mut [f32]) {
        let mut filled = 0;
        while filled < frame.len() {
            let now = at.wrapping_add(filled as u32 / 2);
            if !self.holds(now) && !self.decode_packet(jitter.packet(now), now) {
                self.make_up(None, now);
            }
            let rest = &mut frame[filled..];
            let offset = 2 * now.wrapping_sub(self.from) as usize;
            let samples = self.decoded.get(offset..self.len).unwrap_or_default();
            let count = samples.len().min(rest.len());
            rest.iter_mut().zip(samples).for_each(|(to, from)| *to = f32::from(*from));
            // Whole units only, so that `now` moves on with what is filled.
            filled += count & !1;
            if count < 2 {
                return rest.fill(0.0);
            }
        }
    }

    fn conceal(&mut self, next: Option<Packet<'_>>, frame: &mut [f32]) {
        let count = frame.len().min(MAX_SAMPLES);
        self.decoder.conceal(next.map(|packet| packet.payload), &mut self.decoded[..count]);
        self.len = 0;
        frame.iter_mut().zip(&self.decoded).for_each(|(to, from)| *to = f32::from(*from));
    }

    fn holds(&self, at: u32) -> bool {
        2 * (at.wrapping_sub(self.from) as usize) < self.len
    }

    /// Whether there was a packet with sound of this moment.
    fn decode_packet(&mut self, packet: Option<Packet<'_>>, at: u32) -> bool {
        let Some(packet) = packet else { return false };
        self.len = self.decoder.decode(packet.payload, &mut self.decoded);
        self.from = packet.timestamp;
        self.holds(at)
    }

    /// Fills a frame from here on.
    fn make_up(&mut self, next: Option<&[u8]>, at: u32) {
        self.decoder.conceal(next, &mut self.decoded[..320]);
        (self.from, self.len) = (at, 320);
    }
}
