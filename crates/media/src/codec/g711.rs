//! G.711: one byte per sample at 8 kHz, exact to the ITU-T algorithm (Software Tool Library, G.191).
//!
//! Both laws are logarithms in disguise: three bits of exponent, four of mantissa. A `f32` holds the same two fields
//! side by side (bits 19–30 are its exponent and the upper four bits of its mantissa), so converting an integer to
//! `f32` *is* the segment search, without branches or tables, and the compiler vectorises the loops.

/// The two laws of G.711, each with its static RTP payload type (RFC 3551 §6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum G711 {
    /// μ-law, payload type 0.
    Pcmu,
    /// A-law, payload type 8.
    Pcma,
}

impl G711 {
    pub const fn payload_type(self) -> u8 {
        match self {
            Self::Pcmu => 0,
            Self::Pcma => 8,
        }
    }

    pub const fn from_payload_type(payload_type: u8) -> Option<Self> {
        match payload_type {
            0 => Some(Self::Pcmu),
            8 => Some(Self::Pcma),
            _ => None,
        }
    }

    /// Encoding name as in `a=rtpmap`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pcmu => "PCMU",
            Self::Pcma => "PCMA",
        }
    }

    /// The code of the smallest positive amplitude.
    pub const fn silence(self) -> u8 {
        match self {
            Self::Pcmu => 0xff,
            Self::Pcma => 0xd5,
        }
    }

    /// Encodes as many samples as both slices hold; rounds to nearest, clips at 16 bits.
    pub fn encode(self, samples: &[f32], codes: &mut [u8]) {
        match self {
            Self::Pcmu => map(samples, codes, |s| ulaw_code(pcm16(s))),
            Self::Pcma => map(samples, codes, |s| alaw_code(pcm16(s))),
        }
    }

    /// Encodes as many samples as both slices hold.
    pub fn encode_i16(self, samples: &[i16], codes: &mut [u8]) {
        match self {
            Self::Pcmu => map(samples, codes, |s| ulaw_code(i32::from(s))),
            Self::Pcma => map(samples, codes, |s| alaw_code(i32::from(s))),
        }
    }

    /// Decodes as many codes as both slices hold.
    pub fn decode(self, codes: &[u8], samples: &mut [f32]) {
        match self {
            Self::Pcmu => map(codes, samples, ulaw_sample),
            Self::Pcma => map(codes, samples, alaw_sample),
        }
    }

    /// Decodes as many codes as both slices hold.
    pub fn decode_i16(self, codes: &[u8], samples: &mut [i16]) {
        match self {
            Self::Pcmu => map(codes, samples, |c| ulaw_sample(c) as i16),
            Self::Pcma => map(codes, samples, |c| alaw_sample(c) as i16),
        }
    }
}

#[inline(always)]
fn map<A: Copy, B>(from: &[A], to: &mut [B], f: impl Fn(A) -> B) {
    for (to, &from) in to.iter_mut().zip(from) {
        *to = f(from);
    }
}

/// Rounds to the nearest 16-bit sample. Adding 1.5 × 2²³ leaves the integer in the low bits of the mantissa, which
/// spares the checks of a saturating cast.
#[inline(always)]
#[expect(clippy::manual_clamp, reason = "clamp would let a NaN through; max and min make it a number")]
pub(crate) fn pcm16(sample: f32) -> i32 {
    const MAGIC: f32 = 12_582_912.0;
    let shifted = sample.max(-32_768.0).min(32_767.0) + MAGIC;
    shifted.to_bits().wrapping_sub(MAGIC.to_bits()) as i32
}

/// Exponent and the four upper bits of the mantissa of a positive integer.
#[inline(always)]
fn logarithm(magnitude: i32) -> i32 {
    ((magnitude as f32).to_bits() >> 19) as i32
}

/// μ-law of a sample of 16 bits, of which 14 count; negative ones by one's complement, as the ITU does.
#[inline(always)]
fn ulaw_code(sample: i32) -> u8 {
    const LOWEST: i32 = (127 + 5) << 4;
    let sign = sample >> 31;
    let magnitude = (((sample ^ sign) >> 2) + 33).min(0x1fff);
    let code = logarithm(magnitude) - LOWEST;
    ((0x7f ^ code) | (!sign & 0x80)) as u8
}

/// A-law of a sample of 16 bits, of which 12 count. The first two segments are linear with the same step.
#[inline(always)]
fn alaw_code(sample: i32) -> u8 {
    const LOWEST: i32 = (127 + 3) << 4;
    let sign = sample >> 31;
    let magnitude = (sample ^ sign) >> 4;
    let code = if magnitude < 16 { magnitude } else { logarithm(magnitude) - LOWEST };
    ((code | (!sign & 0x80)) ^ 0x55) as u8
}

/// 2⁷ · 2^segment · (1 + mantissa/16 + 1/32) of the lower seven bits of a code.
#[inline(always)]
fn power(code: u32) -> f32 {
    f32::from_bits((((code & 0x7f) << 19) + ((127 + 7) << 23)) | (1 << 18))
}

#[inline(always)]
fn ulaw_sample(code: u8) -> f32 {
    let code = u32::from(!code);
    let magnitude = power(code) - 132.0;
    f32::from_bits(magnitude.to_bits() ^ ((code & 0x80) << 24))
}

#[inline(always)]
fn alaw_sample(code: u8) -> f32 {
    let code = u32::from(code ^ 0x55);
    let power = power(code);
    let magnitude = if code & 0x70 == 0 { 2.0 * power - 256.0 } else { power };
    f32::from_bits(magnitude.to_bits() ^ ((!code & 0x80) << 24))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The encoder as the Recommendation describes it: find the segment by comparing, then the step within it.
    fn reference_code(law: G711, sample: i16) -> u8 {
        let (negative, magnitude) = if sample < 0 { (true, !sample) } else { (false, sample) };
        match law {
            G711::Pcmu => {
                let biased = ((u32::from(magnitude as u16) >> 2) + 33).min(8191);
                let segment = (0..8).find(|s| biased < (64 << s)).expect("8191 lies in the last segment");
                let step = (biased - (32 << segment)) / (2 << segment);
                let inverted = 127 - (segment as u8 * 16 + step as u8);
                if negative { inverted } else { inverted + 128 }
            }
            G711::Pcma => {
                let steps = u32::from(magnitude as u16) >> 4;
                let segment = (0..8).find(|s| steps < (16 << s)).expect("2047 lies in the last segment");
                let step = if segment < 2 { steps & 15 } else { (steps >> (segment - 1)) - 16 };
                let plain = segment as u8 * 16 + step as u8 + if negative { 0 } else { 128 };
                plain ^ 0b0101_0101
            }
        }
    }

    fn reference_sample(law: G711, code: u8) -> i16 {
        match law {
            G711::Pcmu => {
                let inverted = 255 - code;
                let (segment, step) = (i32::from(inverted / 16 % 8), i32::from(inverted % 16));
                let magnitude = (2 * step + 33) * (4 << segment) - 132;
                (if inverted >= 128 { -magnitude } else { magnitude }) as i16
            }
            G711::Pcma => {
                let plain = code ^ 0b0101_0101;
                let (segment, step) = (i32::from(plain / 16 % 8), i32::from(plain % 16));
                let magnitude = match segment {
                    0 => 16 * step + 8,
                    _ => (16 * step + 264) << (segment - 1),
                };
                (if plain >= 128 { magnitude } else { -magnitude }) as i16
            }
        }
    }

    const LAWS: [G711; 2] = [G711::Pcmu, G711::Pcma];

    #[test]
    fn all_samples_encode_as_the_itu_does() {
        let samples: Vec<i16> = (i16::MIN..=i16::MAX).collect();
        let floats: Vec<f32> = samples.iter().map(|&s| f32::from(s)).collect();
        for law in LAWS {
            let want: Vec<u8> = samples.iter().map(|&s| reference_code(law, s)).collect();
            let (mut from_i16, mut from_f32) = (vec![0; samples.len()], vec![0; samples.len()]);
            law.encode_i16(&samples, &mut from_i16);
            law.encode(&floats, &mut from_f32);
            assert!(from_i16 == want, "{law:?} of i16");
            assert!(from_f32 == want, "{law:?} of f32");
        }
    }

    #[test]
    fn all_codes_decode_as_the_itu_does() {
        let codes: Vec<u8> = (0..=255).collect();
        for law in LAWS {
            let want: Vec<i16> = codes.iter().map(|&c| reference_sample(law, c)).collect();
            let (mut i16s, mut f32s) = ([0i16; 256], [0f32; 256]);
            law.decode_i16(&codes, &mut i16s);
            law.decode(&codes, &mut f32s);
            assert_eq!(i16s.as_slice(), want, "{law:?} to i16");
            assert!(f32s.iter().zip(&want).all(|(&a, &b)| a == f32::from(b)), "{law:?} to f32");
        }
    }

    #[test]
    fn a_decoded_code_encodes_to_itself() {
        for law in LAWS {
            for code in 0..=255 {
                let mut sample = [0i16];
                law.decode_i16(&[code], &mut sample);
                let mut back = [0];
                law.encode_i16(&sample, &mut back);
                // μ-law has two zeros; the negative one (0x7f) comes back as the positive one.
                let want = if (law, code) == (G711::Pcmu, 0x7f) { 0xff } else { code };
                assert_eq!(back, [want], "{law:?} {code:#x}");
            }
        }
    }

    #[test]
    fn floats_round_and_clip() {
        for (sample, want) in
            [(0.4, 0), (0.6, 1), (-0.6, -1), (1e9, 32767), (-1e9, -32768), (f32::INFINITY, 32767), (f32::NEG_INFINITY, -32768)]
        {
            assert_eq!(pcm16(sample), want, "{sample}");
        }
        assert!((-32768..=32767).contains(&pcm16(f32::NAN)));
    }

    #[test]
    fn silence_is_silent_and_types_are_static() {
        for law in LAWS {
            let mut sample = [99i16];
            law.decode_i16(&[law.silence()], &mut sample);
            assert!((0..=8).contains(&sample[0]), "{law:?}");
            assert_eq!(G711::from_payload_type(law.payload_type()), Some(law));
        }
        assert_eq!(G711::from_payload_type(9), None);
    }

    #[test]
    fn slices_of_unequal_length_are_cut() {
        let mut codes = [0u8; 3];
        G711::Pcmu.encode(&[0.0; 2], &mut codes);
        assert_eq!(codes, [0xff, 0xff, 0]);
    }
}
